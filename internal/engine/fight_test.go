package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// A8: a formatter in the container rewrites what the host saved, when the host
// has already saved something newer. The newer has the path, what the formatter
// made is kept once, and it formats the newer one in its turn.
func TestFormatter(t *testing.T) {
	g := synced(t, dirOf("a", "0"))
	g.saw(tree.Host, "a", fileOf("1"))
	g.do(g.take("Apply"))
	g.saw(tree.Host, "a", fileOf("2"))       // saved again,
	v2 := g.take("Apply")                    // which is under way when
	g.saw(tree.Container, "a", fileOf("11")) // the formatter is done with the first
	g.do(v2)
	g.play()
	if got := showEntry(g.real[0]); got != "{a=2}" || showEntry(g.real[1]) != got || g.count("Keep") != 1 {
		t.Fatalf("host %s, container %s, %v", got, showEntry(g.real[1]), g.log)
	}
	g.log = nil
	g.saw(tree.Container, "a", fileOf("22"))
	g.play()
	if got := showEntry(g.real[0]); got != "{a=22}" || showEntry(g.real[1]) != got || g.count("Keep") != 0 || g.count("Apply") != 1 {
		t.Errorf("host %s, container %s, %v", got, showEntry(g.real[1]), g.log)
	}
}

// I10r: a slow disk. An apply that takes an hour is waited for, whatever the clock
// says, and holds up nothing else.
func TestSlowApply(t *testing.T) {
	g := synced(t, dirOf("a", "1", "b", "1"))
	g.saw(tree.Host, "a", fileOf("2"))
	slow := g.take("Apply")
	for range 3600 {
		g.now = g.now.Add(1e9)
		g.step(engine.Tick{})
	}
	g.saw(tree.Host, "b", fileOf("2"))
	g.do(g.take("Apply"))
	if showEntry(g.real[1]) != "{a=1 b=2}" || g.count("Apply") != 2 {
		t.Errorf("container %s, %v", showEntry(g.real[1]), g.log)
	}
	g.do(slow)
	g.play()
	if showEntry(g.real[1]) != "{a=2 b=2}" || !g.s.InSync() {
		t.Errorf("container %s, %v", showEntry(g.real[1]), g.log)
	}
}

// A8: two programs, one on each side, rewrite a file whenever the other's version
// arrives. That ends after a few turns, and is said; in the end nothing waits for
// it. What a person saves ends it.
func TestFightEnds(t *testing.T) {
	g := synced(t, dirOf("a", "1", "b", "1"))
	likes := [2]string{"1", "2"} // by side
	fight := func(during time.Duration) {
		for end := g.now.Add(during); g.now.Before(end); g.now = g.now.Add(10 * time.Millisecond) {
			for on, text := range likes {
				if showEntry(tree.Get(g.real[on], "a")) != text {
					g.saw(tree.Side(on), "a", fileOf(text))
				}
			}
			g.play1()
			if !g.alarm.IsZero() && !g.alarm.After(g.now) {
				g.tick()
			}
		}
	}
	fight(10 * time.Second)
	if n := g.count("Apply"); n < 2 || n > 20 {
		t.Fatalf("%d turns in ten seconds", n)
	}
	sum := g.s.Summary()
	if !sum.InSync || len(sum.Held) != 1 || sum.Held[0].Path != "a" || !strings.Contains(sum.Held[0].Reason, "in turn") {
		t.Fatalf("%+v", sum)
	}
	g.saw(tree.Host, "b", fileOf("2"))
	g.play1()
	if showEntry(tree.Get(g.real[1], "b")) != "2" {
		t.Error("b waits for it")
	}
	before := g.count("Apply")
	fight(10 * time.Minute)
	if n := g.count("Apply") - before; n < 2 || n > 200 {
		t.Errorf("%d turns in ten minutes", n)
	}
	likes = [2]string{"3", "3"}
	fight(time.Second)
	if got := showEntry(g.real[1]); got != "{a=3 b=2}" || showEntry(g.real[0]) != got || len(g.s.Summary().Held) > 0 {
		t.Errorf("host %s, container %s, held %v", showEntry(g.real[0]), got, g.s.Summary().Held)
	}
}

// A person who goes to and fro between two versions is no fight: the same side
// does it.
func TestToAndFro(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	for n := range 40 {
		text := fmt.Sprint(1 + (n+1)%2)
		g.saw(tree.Host, "a", fileOf(text))
		g.play1()
		if showEntry(tree.Get(g.real[1], "a")) != text {
			t.Fatalf("save %d waits: %+v", n, g.s.Summary())
		}
		g.now = g.now.Add(100 * time.Millisecond)
	}
}
