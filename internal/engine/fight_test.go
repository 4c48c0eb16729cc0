package engine_test

import (
	"testing"

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
