package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// TestTwoSaves: a file that is saved again while the first save is under way
// is no conflict, and both saves go over.
func TestTwoSaves(t *testing.T) {
	for _, on := range []tree.Side{tree.Host, tree.Container} {
		g := synced(t, dirOf("a", "1"))
		g.saw(on, "a", fileOf("2"))
		g.saw(on, "a", fileOf("3"))
		g.play()
		if got := strings.Join(g.log, " "); got != "Apply Apply InSync Settle Settle Commit" {
			t.Errorf("saved on the %v: %s", on, got)
		}
		if showEntry(g.real[on.Other()]) != "{a=3}" {
			t.Errorf("saved on the %v, the other holds %s", on, showEntry(g.real[on.Other()]))
		}
	}
}

// What was applied below a directory that can't be read any more was applied: a
// later save there is a change of what both held, and no conflict.
func TestAppliedOutOfSight(t *testing.T) {
	for _, on := range []tree.Side{tree.Host, tree.Container} {
		g := synced(t, tree.NewDir(nil).With("d", dirOf("f", "1", "g", "1")))
		g.saw(on, "d/f", fileOf("2"))
		apply := g.take("Apply")
		g.step(engine.Observed{Side: on.Other(), Seen: []engine.Seen{{Path: "d", Entry: tree.NewUnknown("disk quota exceeded")}}})
		g.do(apply)
		g.saw(on, "d/f", fileOf("3"))
		g.play() // d can be read again
		if n := g.count("Keep"); n > 0 || showEntry(g.real[0]) != "{d={f=3 g=1}}" || showEntry(g.real[1]) != "{d={f=3 g=1}}" {
			t.Errorf("saved on the %v: %d versions kept, host %s, container %s", on, n, showEntry(g.real[0]), showEntry(g.real[1]))
		}
	}
}

// I7: a conflict is over when somebody has worked on its path, not when both sides
// meet anew and hold what was agreed on then.
func TestConflictOverAFirstContact(t *testing.T) {
	for _, image := range []string{"1", "3"} { // what the new container holds
		g := synced(t, dirOf("a", "1", "b", "1"))
		g.saw(tree.Container, "a", fileOf("2"))
		apply := g.take("Apply")
		g.saw(tree.Host, "a", fileOf("3"))
		g.do(apply)
		g.play()
		g.step(engine.Lost{Side: tree.Container})
		g.rejoin(dirOf("a", image, "b", "1"), true)
		g.play()
		if got := g.s.Conflicts(10); !slices.Equal(got, []string{"a"}) {
			t.Errorf("image %s: open: %v", image, got)
		}
		g.saw(tree.Host, "a", fileOf("4"))
		g.play()
		if got := g.s.Conflicts(10); len(got) > 0 {
			t.Errorf("image %s, saved since, open: %v", image, got)
		}
	}
}

// D10: the loser of a conflict is kept before its path changes, and
// again when the same content loses again: nobody knows whether it still is in
// the keep store. That it was agreed once is no reason not to keep it.
func TestKeptFirst(t *testing.T) {
	known := func(string, *tree.Entry) bool { return true }
	base := dirOf("a", "1")
	g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(base, engine.Options{Known: known})}
	g.join(base, base, false)
	g.play()
	for _, host := range []string{"3", "4"} {
		g.saw(tree.Container, "a", fileOf("2"))
		apply := g.take("Apply")
		g.saw(tree.Host, "a", fileOf(host))
		g.log = nil
		g.do(apply)
		g.play()
		if want := []string{"Look", "Keep", "Apply", "InSync"}; !slices.Equal(g.log[:4], want) {
			t.Fatalf("%v, want %v and more", g.log, want)
		}
		if showEntry(g.real[1]) != "{a="+host+"}" {
			t.Fatalf("container %s", showEntry(g.real[1]))
		}
	}
	if got := g.s.Conflicts(10); !slices.Equal(got, []string{"a"}) {
		t.Errorf("open: %v", got)
	}
}

// D16: a loser that can't be kept stays where it is, and is held.
func TestCantKeep(t *testing.T) {
	g := synced(t, dirOf("a", "1", "z", "1"))
	g.step(engine.Lost{Side: tree.Container})
	g.saw(tree.Host, "a", fileOf("2"))
	g.rejoin(dirOf("a", "3", "z", "1"), false)
	k := g.take("Keep").(engine.Keep)
	g.step(engine.Kept{Path: k.Path, Entry: k.Entry, Err: "disk full"})
	sum := g.s.Summary()
	if g.count("Apply") > 0 || len(sum.Held) != 1 || !strings.Contains(sum.Held[0].Reason, "disk full") || !sum.InSync {
		t.Fatalf("%v, %+v", g.log, sum)
	}
	g.play() // later it can
	if showEntry(g.real[1]) != "{a=2 z=1}" || len(g.s.Summary().Held) > 0 {
		t.Errorf("container %s", showEntry(g.real[1]))
	}
}

// TestGroup: one group at a time, base told before, and base is only moved
// after both sides are durable.
func TestGroup(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	began := g.now
	effects := g.saw(tree.Host, "a", fileOf("2"))
	if got := kinds(effects); !slices.Equal(got, []string{"Intend", "Apply"}) {
		t.Fatalf("%v, want the intent first", got)
	}
	g.todo = nil
	g.do(effects[1])
	g.until("Settle")
	if d := g.now.Sub(began); d > 100*time.Millisecond {
		t.Errorf("the group began after %v", d)
	}
	host, container := g.take("Settle").(engine.Settle), g.take("Settle").(engine.Settle)
	if host.Gen != container.Gen || host.Side == container.Side || !slices.Equal(host.Paths, []string{"a"}) {
		t.Fatalf("settle %v and %v", host, container)
	}
	g.saw(tree.Host, "b", fileOf("3")) // meanwhile
	g.do(g.take("Apply"))
	g.now = g.now.Add(time.Second)
	g.step(engine.Tick{})
	g.step(engine.Durable{Side: tree.Host, Gen: host.Gen})
	if g.count("Settle") != 2 || g.count("Commit") != 0 {
		t.Fatalf("%v: a second group, or a commit too early", g.log)
	}
	g.step(engine.Durable{Side: tree.Container, Gen: host.Gen})
	commit := g.take("Commit").(engine.Commit)
	if showChanges(commit.Updates) != " a:1->2" || g.count("Settle") != 2 {
		t.Fatalf("commit%s", showChanges(commit.Updates))
	}
	g.step(engine.Committed{Gen: commit.Gen})
	if next := g.take("Settle").(engine.Settle); next.Gen <= host.Gen || !slices.Equal(next.Paths, []string{"b"}) {
		t.Errorf("then settle %v", next)
	}
}

// TestGroupFails: a group that could not be made durable is tried again, in
// another generation, and not before both sides have answered.
func TestGroupFails(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	g.saw(tree.Host, "a", fileOf("2"))
	g.do(g.take("Apply"))
	g.until("Settle")
	first := g.take("Settle").(engine.Settle)
	g.take("Settle")
	g.step(engine.Durable{Side: tree.Host, Gen: first.Gen, Err: "I/O error"})
	g.now = g.now.Add(time.Minute)
	g.step(engine.Tick{})
	if g.count("Settle") != 2 {
		t.Fatal("tried again before the container has answered")
	}
	g.step(engine.Durable{Side: tree.Container, Gen: first.Gen})
	if g.count("Commit") > 0 || g.s.Durable() {
		t.Fatal("committed what the host could not")
	}
	second := g.take("Settle").(engine.Settle)
	if second.Gen <= first.Gen || !slices.Equal(second.Paths, []string{"a"}) {
		t.Errorf("then settle %v", second)
	}
	g.do(second)
	g.play()
	if !g.s.Durable() {
		t.Error("not durable in the end")
	}
}

// TestLostInCommit: a commit that was given out happens, also when the
// container is lost before it is known to have. No answer of the past counts.
func TestLostInCommit(t *testing.T) {
	g := synced(t, dirOf("a", "1", "z", "1"))
	g.saw(tree.Host, "a", fileOf("2"))
	g.do(g.take("Apply"))
	g.until("Commit")
	commit := g.take("Commit").(engine.Commit)
	g.step(engine.Lost{Side: tree.Container})
	g.saw(tree.Host, "a", fileOf("4"))
	g.rejoin(dirOf("a", "3", "z", "1"), false) // edited there: 2 was durable
	g.saw(tree.Host, "b", fileOf("1"))
	g.play1()
	g.now = g.now.Add(time.Minute)
	g.step(engine.Tick{})
	if g.count("Settle") != 2 || g.s.Durable() {
		t.Error("a group begins before the commit is known to have happened")
	}
	g.step(engine.Committed{Gen: commit.Gen})
	g.play()
	if showEntry(g.real[1]) != "{a=4 b=1 z=1}" || g.count("Keep") != 1 {
		t.Errorf("container %s, %v", showEntry(g.real[1]), g.log)
	}
}

// J8: a container that comes back with what it held before the
// last changes were durable has lost them; its user has not put them back.
func TestRolledBack(t *testing.T) {
	g := synced(t, dirOf("a", "1", "z", "1"))
	g.saw(tree.Host, "a", fileOf("2"))
	g.do(g.take("Apply"))
	g.step(engine.Lost{Side: tree.Container})
	g.rejoin(dirOf("a", "1", "z", "1"), false)
	g.play()
	if showEntry(g.real[0]) != "{a=2 z=1}" || showEntry(g.real[1]) != "{a=2 z=1}" {
		t.Errorf("host %s, container %s", showEntry(g.real[0]), showEntry(g.real[1]))
	}
}

// J11: what was on its way arrived, nobody heard of it, and
// the host went on. That is no conflict, and no delete comes back.
func TestConnectionBreaks(t *testing.T) {
	g := synced(t, dirOf("a", "1", "d", "1", "z", "1"))
	g.saw(tree.Host, "a", fileOf("2"), "b", fileOf("1"), "d", nil)
	g.step(engine.Lost{Side: tree.Container})
	g.saw(tree.Host, "a", fileOf("3"), "b", nil, "d", fileOf("4"))
	g.log, g.todo = nil, nil
	g.rejoin(dirOf("a", "2", "b", "1", "z", "1"), false)
	g.play()
	if showEntry(g.real[0]) != "{a=3 d=4 z=1}" || showEntry(g.real[1]) != "{a=3 d=4 z=1}" || g.count("Keep") > 0 {
		t.Errorf("host %s, container %s, %v", showEntry(g.real[0]), showEntry(g.real[1]), g.log)
	}
}

// TestFlush: a barrier waits for what was reported before it, and for nothing
// else.
func TestFlush(t *testing.T) {
	g := synced(t, dirOf("a", "1", "b", "1"))
	g.saw(tree.Host, "a", fileOf("2"))
	a := g.take("Apply")
	g.step(engine.Flush{N: 7})
	g.step(engine.Flushed{Side: tree.Host, N: 7})
	g.step(engine.Flushed{Side: tree.Container, N: 6})
	g.saw(tree.Container, "b", fileOf("2"))
	b := g.take("Apply")
	g.step(engine.Flushed{Side: tree.Container, N: 7})
	g.saw(tree.Host, "c", fileOf("2")) // after the barrier
	g.do(b)
	if g.count("FlushDone") > 0 {
		t.Fatal("done before a was carried over")
	}
	g.do(a)
	if g.count("FlushDone") != 1 || g.s.InSync() {
		t.Errorf("a and b are there, c is not: %v", g.log)
	}
}

// TestFlushLost: a barrier outlives a connection, and is asked for again.
func TestFlushLost(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	g.step(engine.Flush{N: 1})
	g.step(engine.Flushed{Side: tree.Host, N: 1})
	g.step(engine.Flushed{Side: tree.Container, N: 1})
	g.step(engine.Lost{Side: tree.Container})
	g.step(engine.Flush{N: 2})
	g.step(engine.Flushed{Side: tree.Host, N: 2})
	if g.count("FlushDone") != 1 { // 1 passed at once
		t.Fatalf("%v", g.log)
	}
	g.todo = nil
	g.rejoin(dirOf("a", "1"), false)
	if ask := g.take("AskFlush").(engine.AskFlush); ask.N != 2 || ask.Side != tree.Container {
		t.Fatalf("asked %v", ask)
	}
	if g.count("FlushDone") != 1 {
		t.Fatal("done without the container's answer")
	}
	g.step(engine.Flushed{Side: tree.Container, N: 2})
	if g.count("FlushDone") != 2 {
		t.Fatal("not done")
	}
}

// TestFlushHeld: a held path is no reason to wait.
func TestFlushHeld(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	g.status = func(tree.Side, tree.Change) engine.Status { return engine.Refused }
	g.saw(tree.Host, "a", fileOf("2"))
	g.do(g.take("Apply"))
	g.step(engine.Flush{N: 1})
	g.step(engine.Flushed{Side: tree.Host, N: 1})
	g.step(engine.Flushed{Side: tree.Container, N: 1})
	if g.count("FlushDone") != 1 {
		t.Errorf("%v", g.log)
	}
}

// TestSealed: what a side refuses is held with its reason, and tried again
// after a while, without a word unless that changes something; and at once
// when something is seen nearby.
func TestSealed(t *testing.T) {
	g := synced(t, dirOf("a/x", "1", "b", "1"))
	g.status = func(_ tree.Side, c tree.Change) engine.Status {
		if c.Path == "a/x" {
			return engine.Refused
		}
		return 0
	}
	g.saw(tree.Host, "a/x", fileOf("2"))
	g.do(g.take("Apply"))
	sum := g.s.Summary()
	if len(sum.Held) != 1 || sum.Held[0].Path != "a/x" || sum.Held[0].Reason != "told to" || !sum.InSync {
		t.Fatalf("%+v", sum)
	}
	began := g.now
	g.log, g.todo = nil, nil
	for g.now.Sub(began) < time.Minute {
		g.tick()
		for len(g.todo) > 0 {
			f := g.todo[0]
			g.todo = g.todo[1:]
			g.do(f)
		}
	}
	if n := g.count("Apply"); n < 3 || n > 5 || g.count("InSync") > 0 {
		t.Errorf("in a minute: %v", g.log)
	}
	g.log = nil
	g.saw(tree.Container, "b", fileOf("2"))
	g.play1()
	if g.count("Apply") != 1 {
		t.Errorf("an edit elsewhere: %v", g.log)
	}
	g.status = nil
	g.log = nil
	g.saw(tree.Container, "a/y", fileOf("2")) // not there, either
	g.play1()
	if len(g.s.Summary().Held) != 1 {
		t.Error("a sibling unseals")
	}
	g.saw(tree.Host, "a/x", fileOf("3"))
	g.play1()
	if len(g.s.Summary().Held) != 0 || showEntry(tree.Get(g.real[1], "a")) != "{x=3 y=2}" {
		t.Errorf("held %v, container %s", g.s.Summary().Held, showEntry(g.real[1]))
	}
}

// play1 does everything, but lets no time pass.
func (g *rig) play1() {
	for len(g.todo) > 0 {
		f := g.todo[0]
		g.todo = g.todo[1:]
		g.do(f)
	}
}

// TestStorm: a path that is never what it was is tried less and less often,
// however often it is looked at or written, and does not keep others waiting.
func TestStorm(t *testing.T) {
	for name, written := range map[string]bool{"never written": false, "written for ever": true} {
		g := synced(t, dirOf("a", "1", "b", "1"))
		g.status = func(_ tree.Side, c tree.Change) engine.Status {
			if c.Path == "a" {
				return engine.MovedOn
			}
			return 0
		}
		g.saw(tree.Host, "a", fileOf("x"))
		began := g.now
		for i := 0; g.now.Sub(began) < time.Minute; i++ {
			g.play1()
			if g.now = g.now.Add(10 * time.Millisecond); !g.alarm.After(g.now) {
				g.step(engine.Tick{})
			}
			if written {
				g.saw(tree.Host, "a", fileOf(fmt.Sprint("x", i)))
			}
		}
		if n := g.count("Apply"); n < 15 || n > 30 {
			t.Errorf("%s: %d attempts in a minute", name, n)
		}
		g.saw(tree.Host, "b", fileOf("2"))
		g.play1()
		if showEntry(tree.Get(g.real[1], "b")) != "2" {
			t.Errorf("%s: b waits", name)
		}
		g.status = nil
		for range 1000 {
			g.play1()
			if g.now = g.now.Add(10 * time.Millisecond); !g.alarm.After(g.now) {
				g.step(engine.Tick{})
			}
		}
		if !g.s.InSync() {
			t.Errorf("%s: not in sync when it is over", name)
		}
	}
}

// TestUnmentioned: a batch that ends without a word about a path does not make
// it spin.
func TestUnmentioned(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	g.saw(tree.Host, "a", fileOf("2"))
	began, n := g.now, 0
	for ; g.now.Sub(began) < time.Minute; n++ {
		apply := g.take("Apply").(engine.Apply)
		g.step(engine.Outcome{Side: apply.Side, Batch: apply.Batch, Done: true})
		for g.count("Apply") == n+1 {
			g.tick()
		}
	}
	if n > 30 {
		t.Errorf("%d batches in a minute", n)
	}
}

// TestBackpressure: with many batches under way, changes collect and go
// together.
func TestBackpressure(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	for i := range 100 {
		g.saw(tree.Host, fmt.Sprint("f", i), fileOf("1"))
	}
	if n := g.count("Apply"); n != 8 {
		t.Fatalf("%d batches in flight, want 8", n)
	}
	g.do(g.take("Apply"))
	var last engine.Apply
	for _, f := range g.todo {
		if a, ok := f.(engine.Apply); ok {
			last = a
		}
	}
	if len(last.Changes) != 92 {
		t.Errorf("the next batch has %d changes, want 92", len(last.Changes))
	}
	g.play()
	if g.real[1].Width() != 101 {
		t.Errorf("the container holds %d", g.real[1].Width())
	}
}

// G9: a side that can't store exec bits changes none, neither at the
// first contact nor with an edit.
func TestNoExec(t *testing.T) {
	exec := func(text string) *tree.Entry {
		f := fileOf(text)
		return tree.NewFile(f.Digest, f.Size, true)
	}
	for _, containerFirst := range []bool{false, true} {
		g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(nil, engine.Options{})}
		g.step(engine.Joined{Side: tree.Host, NoExec: true})
		g.step(engine.Joined{Side: tree.Container, First: true})
		c := tree.NewDir(nil).With("x", exec("1"))
		if containerFirst {
			g.whole(tree.Container, c)
		}
		g.whole(tree.Host, dirOf("x", "1", "y", "1"))
		if !containerFirst {
			g.whole(tree.Container, c)
		}
		g.play()
		if showEntry(g.real[1]) != "{x=1* y=1}" {
			t.Fatalf("first contact: container %s", showEntry(g.real[1]))
		}
		g.saw(tree.Host, "x", fileOf("2"))
		g.play()
		if showEntry(g.real[1]) != "{x=2* y=1}" {
			t.Errorf("edit: container %s", showEntry(g.real[1]))
		}
		g.log = nil
		g.saw(tree.Host, "x", fileOf("2"))
		if len(g.log) > 0 {
			t.Errorf("seen again: %v", g.log)
		}
	}
}

// TestBadReports: what makes no sense does no harm.
func TestBadReports(t *testing.T) {
	g := synced(t, dirOf("a", "1", "d/x", "1"))
	for _, e := range []engine.Event{
		engine.Outcome{Side: tree.Host, Batch: 77, Results: []engine.Result{{Path: "a"}}, Done: true},
		engine.Kept{}, engine.Kept{Path: "a", Entry: fileOf("1")},
		engine.Durable{Side: tree.Host, Gen: 99}, engine.Committed{Gen: 99},
		engine.Flushed{Side: tree.Host, N: 99}, engine.Tick{}, engine.Observed{},
		engine.Observed{Side: tree.Host, Seen: []engine.Seen{{Path: "a", Entry: fileOf("1")}}},
	} {
		if effects := g.step(e); len(effects) > 0 {
			t.Errorf("%T: %v", e, kinds(effects))
		}
	}
	// Something below a file: the side is asked what it means.
	effects := g.step(engine.Observed{Side: tree.Host, Seen: []engine.Seen{{Path: "a/x", Entry: fileOf("1")}}})
	if len(effects) != 1 || effects[0].(engine.Look).Paths[0] != "a" {
		t.Errorf("below a file: %v", kinds(effects))
	}
	g.saw(tree.Host, "a", fileOf("2"))
	apply := g.take("Apply").(engine.Apply)
	g.step(engine.Outcome{Side: tree.Host, Batch: apply.Batch, Results: []engine.Result{{Path: "a"}}, Done: true})
	g.step(engine.Outcome{Side: apply.Side, Batch: apply.Batch, Results: []engine.Result{{Path: "d"}}})
	if g.s.Summary().Pending != 1 {
		t.Error("an outcome of another side, or of another path, counts")
	}
	for _, o := range []engine.Observed{
		{Whole: true}, {Whole: true, Seen: []engine.Seen{{Path: "a", Entry: dirOf()}}}, {Whole: true, Seen: []engine.Seen{{}}},
	} {
		g := synced(t, dirOf("a", "1"))
		if g.step(o); g.count("Halt") != 1 {
			t.Errorf("%+v: %v", o, g.log)
		}
	}
}

// J11: a container that only lost its connection goes on from what
// was agreed, durable or not, and from what landed on the host meanwhile. What
// its user writes next is no conflict with what its user wrote before.
func TestNothingLost(t *testing.T) {
	for _, late := range []bool{false, true} {
		g := synced(t, dirOf("a", "1", "z", "1"))
		g.saw(tree.Container, "a", fileOf("2"))
		apply := g.take("Apply")
		if !late {
			g.do(apply)
		}
		g.step(engine.Lost{Side: tree.Container})
		if late {
			g.do(apply)
		}
		g.log, g.todo = nil, nil
		g.step(engine.Joined{Side: tree.Container, Kept: true})
		g.whole(tree.Container, dirOf("a", "3", "z", "1"))
		g.play()
		if showEntry(g.real[0]) != "{a=3 z=1}" || g.count("Keep") > 0 || !g.s.Durable() {
			t.Errorf("late %v: host %s, %v", late, showEntry(g.real[0]), g.log)
		}
	}
}

// TestPassed: values that came and went within a group are committed before
// those that hold, for the history.
func TestPassed(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	for _, text := range []string{"2", "3", "4"} {
		g.saw(tree.Host, "a", fileOf(text))
		g.do(g.take("Apply"))
	}
	g.until("Commit")
	if got := showChanges(g.take("Commit").(engine.Commit).Updates); got != " a:1->2 a:2->3 a:3->4" {
		t.Errorf("commit%s", got)
	}
}

// TestLostTwice: what was agreed before the first of two losses is not
// forgotten with the second.
func TestLostTwice(t *testing.T) {
	g := synced(t, dirOf("a", "1", "z", "1"))
	g.saw(tree.Host, "a", fileOf("2"))
	g.do(g.take("Apply"))
	g.step(engine.Lost{Side: tree.Container})
	g.step(engine.Joined{Side: tree.Container})
	g.step(engine.Lost{Side: tree.Container})
	g.saw(tree.Host, "a", fileOf("3"))
	g.log, g.todo = nil, nil
	g.step(engine.Joined{Side: tree.Container, Kept: true})
	g.whole(tree.Container, dirOf("a", "2", "z", "1"))
	g.play()
	if showEntry(g.real[1]) != "{a=3 z=1}" || g.count("Keep") > 0 {
		t.Errorf("container %s, %v", showEntry(g.real[1]), g.log)
	}
}

// TestConflictsEnd: a conflict is open until somebody works on its path.
func TestConflictsEnd(t *testing.T) {
	g := synced(t, dirOf("a", "1", "b", "1"))
	for _, path := range []string{"a", "b"} {
		g.saw(tree.Host, path, fileOf("2"))
		g.saw(tree.Container, path, fileOf("3"))
	}
	g.play()
	if got := g.s.Conflicts(10); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("open: %v", got)
	}
	g.saw(tree.Container, "a", fileOf("4"))
	g.play()
	if got := g.s.Conflicts(10); !slices.Equal(got, []string{"b"}) || g.s.Summary().Conflicts != 1 {
		t.Errorf("after a save of a: %v", got)
	}
	g.saw(tree.Host, "b", nil)
	g.play()
	if got := g.s.Conflicts(10); len(got) > 0 || g.count("Close") != 2 {
		t.Errorf("after all: %v, %v", got, g.log)
	}
}

// TestConflictsOfBefore: a conflict outlives the session, and what ends it then is
// the first thing that somebody agrees on there, or decides.
func TestConflictsOfBefore(t *testing.T) {
	e := dirOf("a", "1", "b", "1", "c", "1")
	g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(e, engine.Options{Conflicts: []string{"a", "b", "c"}})}
	g.join(e, e, false)
	g.play()
	if got := g.s.Conflicts(10); len(got) != 3 || g.count("Close") > 0 {
		t.Fatalf("open: %v, %v", got, g.log)
	}
	g.saw(tree.Host, "a", fileOf("2"))
	g.play()
	g.step(engine.Decided{Path: "b"})
	g.step(engine.Decided{Path: "z"})
	if got := g.s.Conflicts(10); !slices.Equal(got, []string{"c"}) || g.count("Close") != 2 {
		t.Errorf("open: %v, %v", got, g.log)
	}
}

// TestRefusedRestsLonger: each attempt at a change that is refused may cost a whole
// content, so they get rarer, until somebody saves anew.
func TestRefusedRestsLonger(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	var at []time.Time
	g.status = func(tree.Side, tree.Change) engine.Status { at = append(at, g.now); return engine.Refused }
	gaps := func(content string, n int) (out []time.Duration) {
		at = nil
		g.saw(tree.Host, "a", fileOf(content))
		for len(at) < n {
			if len(g.todo) == 0 {
				g.tick()
				continue
			}
			f := g.todo[0]
			g.todo = g.todo[1:]
			g.do(f)
		}
		for i := range at[1:] {
			out = append(out, at[i+1].Sub(at[i]))
		}
		return out
	}
	const s = time.Second
	if got, want := gaps("2", 9), []time.Duration{15 * s, 30 * s, 60 * s, 120 * s, 240 * s, 480 * s, 600 * s, 600 * s}; !slices.Equal(got, want) {
		t.Errorf("tried again after %v, want %v", got, want)
	}
	if got, want := gaps("3", 3), []time.Duration{15 * s, 30 * s}; !slices.Equal(got, want) {
		t.Errorf("after a save tried again after %v, want %v", got, want)
	}
}

// TestFlushWaitsForTorn: a file that is unknown for a moment, because somebody writes
// to it, is not out of a flush's way.
func TestFlushWaitsForTorn(t *testing.T) {
	g := synced(t, dirOf("a", "1", "b", "1"))
	g.saw(tree.Host, "a", fileOf("2"), "b", fileOf("2"))
	g.step(engine.Flush{N: 1})
	for _, on := range []tree.Side{tree.Host, tree.Container} {
		g.step(engine.Flushed{Side: on, N: 1})
	}
	apply := g.take("Apply").(engine.Apply)
	r := g.change(tree.Container, apply.Changes[0])
	r.Status = engine.MovedOn
	g.step(engine.Outcome{Side: tree.Container, Batch: apply.Batch, Results: []engine.Result{r}})
	g.saw(tree.Host, "a", tree.NewUnknown("torn"))
	g.todo = nil
	g.saw(tree.Host, "a", fileOf("3"))
	next := g.take("Apply")
	g.step(engine.Outcome{Side: tree.Container, Batch: apply.Batch, Results: []engine.Result{g.change(tree.Container, apply.Changes[1])}, Done: true})
	if g.count("FlushDone") > 0 {
		t.Fatalf("answered before the save had crossed: %v", g.log)
	}
	g.do(next)
	g.play()
	if g.count("FlushDone") != 1 || showEntry(g.real[tree.Container]) != "{a=3 b=2}" {
		t.Errorf("container %s, %v", showEntry(g.real[tree.Container]), g.log)
	}
}

// TestHeldIsTold: what comes to be held, or is held no more, while nothing else is
// to be done, is news.
func TestHeldIsTold(t *testing.T) {
	g := synced(t, dirOf("a", "1"))
	for _, x := range []struct {
		e    *tree.Entry
		told int
	}{
		{tree.NewOpaque("a pipe"), 1}, {tree.NewOpaque("a pipe"), 1}, {nil, 2},
	} {
		g.saw(tree.Host, "pipe", x.e)
		if n := g.count("InSync"); n != x.told {
			t.Errorf("%+v: told %d times, want %d", x.e, n, x.told)
		}
	}
}
