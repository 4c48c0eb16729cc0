package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// trees are 100 000 files, in one directory and in many.
func trees() map[string]struct {
	root *tree.Entry
	path string // of one of them
} {
	wide := files(100_000, 1)
	deep := tree.NewDir(nil)
	for i := range 100 {
		d := tree.NewDir(nil)
		for j := range 10 {
			d = d.With(fmt.Sprint("d", j), files(100, 1))
		}
		deep = deep.With(fmt.Sprint("d", i), tree.NewDir(nil).With("sub", d))
	}
	return map[string]struct {
		root *tree.Entry
		path string
	}{
		"wide": {wide, "f05000"},
		"deep": {deep, "d50/sub/d5/f00050"},
	}
}

// edit lets one edit go over and back to rest, as far as the engine goes, but
// for the group.
func (g *rig) edit(path string, n int) {
	e := tree.NewFile(tree.DigestOf([]byte{byte(n), byte(n >> 8)}), 2, false)
	g.step(engine.Observed{Side: tree.Host, Seen: []engine.Seen{{Path: path, Entry: e}}})
	for _, f := range g.todo {
		if a, ok := f.(engine.Apply); ok {
			r := engine.Result{Path: path, Entry: a.Changes[0].New, Status: engine.Applied}
			g.step(engine.Outcome{Side: a.Side, Batch: a.Batch, Results: []engine.Result{r}, Done: true})
		}
	}
	g.todo, g.log = g.todo[:0], g.log[:0]
}

// workLimit bounds the allocations for an edit that goes over: three trees get
// a new path of nodes each, and a group its path. What it does not depend on
// is how large the trees are, and how much else is held.
const workLimit = 400

// I9r: an edit costs what it changes, whatever else there is.
func TestWork(t *testing.T) {
	for name, x := range trees() {
		t.Run(name, func(t *testing.T) {
			g := synced(t, x.root)
			n := 0
			allocs := testing.AllocsPerRun(50, func() { n++; g.edit(x.path, n) })
			t.Logf("%v allocations", allocs)
			if allocs > workLimit {
				t.Errorf("%v allocations for an edit among 100 000 files", allocs)
			}
			if !g.s.InSync() {
				t.Error("not in sync")
			}
		})
	}
}

// I9r: 20 000 held paths, and as many in flight or waiting for what
// is, cost an edit elsewhere nothing. Time is what would show it: looking at
// all of them at each of 2000 edits would be 10^8 steps.
func TestWorkBeside(t *testing.T) {
	const many, edits = 20_000, 2000
	g := synced(t, dirOf("x", "1", "z", "1"))
	g.status = func(tree.Side, tree.Change) engine.Status { return engine.Refused }
	g.saw(tree.Host, "held", tree.NewDir(nil), "flying", tree.NewDir(nil))
	g.status = nil
	g.play1()
	var held, flying []any
	for i := range many {
		held = append(held, fmt.Sprint("held/f", i), fileOf("1"))
		flying = append(flying, fmt.Sprint("flying/f", i), fileOf("1"))
	}
	g.saw(tree.Host, held...)
	g.status = func(tree.Side, tree.Change) engine.Status { return engine.Refused }
	g.play1()
	if n := len(g.s.Summary().Held); n != many {
		t.Fatalf("%d held", n)
	}
	g.status = nil
	g.saw(tree.Host, flying...)
	g.take("Apply")
	for i := range many { // edited again while in flight: blocked
		g.step(engine.Observed{Side: tree.Host, Seen: []engine.Seen{{Path: fmt.Sprint("flying/f", i), Entry: fileOf("2")}}})
	}
	if n := g.s.Summary().Pending; n != 2*many {
		t.Fatalf("%d pending", n)
	}
	g.todo = nil
	n := 0
	allocs := testing.AllocsPerRun(edits, func() { n++; g.edit("x", n) })
	t.Logf("%v allocations", allocs)
	if allocs > workLimit {
		t.Errorf("%v allocations for an edit beside %d waiting paths", allocs, many)
	}
}

// nodes counts the entries that trees hold, each once.
func nodes(seen map[*tree.Entry]bool, roots ...*tree.Entry) int {
	for _, root := range roots {
		tree.Walk("", root, func(_ string, e *tree.Entry) bool {
			if seen[e] {
				return false
			}
			seen[e] = true
			return true
		})
	}
	return len(seen)
}

// TestSharing: what both sides hold is in memory once, after a first contact
// with copies, after a first sync, and after edits.
func TestSharing(t *testing.T) {
	const dirs, each = 100, 100
	build := func() *tree.Entry {
		root := tree.NewDir(nil)
		for i := range dirs {
			root = root.With(fmt.Sprint("d", i), files(each, 1))
		}
		return root
	}
	for name, container := range map[string]*tree.Entry{"copies": build(), "empty": tree.NewDir(nil)} {
		g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(nil, engine.Options{})}
		g.join(build(), container, true)
		g.play()
		for i := range 500 {
			g.edit(fmt.Sprintf("d%d/f%05d", i%dirs, i/dirs), i)
		}
		g.play()
		if !g.s.InSync() || !g.s.Durable() {
			t.Fatal("not in sync")
		}
		const want = 1 + dirs + dirs*each
		if n := nodes(map[*tree.Entry]bool{}, engine.Trees(g.s)...); n != want {
			t.Errorf("%s: %d entries in memory, want %d", name, n, want)
		}
	}
}
