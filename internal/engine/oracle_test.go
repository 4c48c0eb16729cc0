package engine_test

import (
	"slices"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// checkApply: one effect in flight at a path, not too many batches, and
// nothing murky.
func (w *world) checkApply(f engine.Apply) {
	batches := 1
	for i, c := range f.Changes {
		w.applies[c.Path]++
		w.checkBrake(f.Side, c)
		w.checkGuard(f.Side, c)
		if c.Old.Murky() || c.New.Murky() || tree.Same(c.Old, c.New) {
			w.fail("apply %q: murky, or no change", c.Path)
		}
		for _, d := range f.Changes[:i] {
			if tree.Overlap(c.Path, d.Path) {
				w.fail("apply %q and %q in one batch", c.Path, d.Path)
			}
		}
	}
	for _, t := range w.tasks {
		a, ok := t.(*applying)
		if !ok || a.Side != f.Side {
			continue
		}
		batches++
		for _, c := range f.Changes {
			for _, d := range a.Changes {
				if tree.Overlap(c.Path, d.Path) {
					w.fail("apply %q while %q is in flight on the %v", c.Path, d.Path, f.Side)
				}
			}
		}
	}
	if batches > 8 {
		w.fail("%d batches in flight on the %v", batches, f.Side)
	}
	if w.store.intended <= w.store.gen {
		w.fail("apply %d without an intent", f.Batch)
	}
}

// braked returns the deletions that the brake holds.
func (w *world) braked() []string { return w.s.Braked(1 << 20) }

// checkBrake: what the brake held once does not go before the user has said so,
// or it is off. What only moved is in the container still.
func (w *world) checkBrake(on tree.Side, c tree.Change) {
	if on == tree.Container || len(w.guarded) == 0 {
		return
	}
	contents := map[string]bool{}
	for at := range leaves(w.s.Tree(tree.Container)) {
		contents[at.content] = true
	}
	for at := range leavesAt(c.Path, c.Old) {
		rel := strings.TrimPrefix(strings.TrimPrefix(at.path, c.Path), "/")
		if covers(w.guarded, at.path) && !covers(w.meant, at.path) && contentOf(tree.Get(c.New, rel)) == "" && !contents[at.content] {
			w.fail("%q goes, which the brake held", at.path)
		}
	}
}

func guarded(path string) bool { return slices.Contains(strings.Split(path, "/"), "a-b") }

// checkGuard: what the container made of a guarded path comes to the host only
// when the user has accepted it.
func (w *world) checkGuard(on tree.Side, c tree.Change) {
	if !w.guard || on == tree.Container {
		return
	}
	tree.Diff(c.Path, c.Old, c.New, func(path string, old, new *tree.Entry) bool {
		for _, e := range [...]*tree.Entry{old, new} {
			tree.Walk(path, e, func(path string, _ *tree.Entry) bool {
				if guarded(path) && !covers(w.allowed, path) {
					w.fail("%q is changed on the host, and is guarded", path)
				}
				return true
			})
		}
		return true
	})
}

// covers says whether a path is at or below one of these.
func covers(m map[string]bool, path string) bool {
	for p := range m {
		if tree.Within(path, p) {
			return true
		}
	}
	return false
}

// checkSettle: base can explain the generation that a side is to record.
func (w *world) checkSettle(f engine.Settle) {
	if f.Gen <= w.store.gen || f.Gen > w.store.intended {
		w.fail("settle generation %d: committed %d, intended %d", f.Gen, w.store.gen, w.store.intended)
	}
	for _, t := range w.tasks {
		if _, ok := t.(*committing); ok {
			w.fail("settle generation %d before the last one is committed", f.Gen)
		}
	}
}

// checkCommit: base moves only to what both sides held in this life of theirs.
func (w *world) checkCommit(f engine.Commit) {
	if f.Gen <= w.store.gen || w.side[0].gen < f.Gen || w.side[1].gen < f.Gen {
		w.fail("commit generation %d: the sides are at %d and %d", f.Gen, w.side[0].gen, w.side[1].gen)
	}
	next := w.store.tree
	for _, c := range f.Updates {
		if c.New.Murky() {
			w.fail("commit %q: murky", c.Path)
		}
		var ok bool
		if next, ok = tree.Put(next, c.Path, c.New); !ok {
			w.fail("commit %q: no directory above", c.Path)
		}
	}
	for path, v := range changedLeaves(w.store.tree, next) {
		for on, side := range w.side {
			if !side.hadHeld(path, v) {
				w.fail("base lies: %q never held %q on the %v", path, v, tree.Side(on))
			}
		}
	}
}

// held says whether a path is at, above or below a held one.
func (w *world) held(path string) bool {
	for _, h := range w.s.Summary().Held {
		if tree.Overlap(h.Path, path) {
			return true
		}
	}
	return false
}

// checkInSync: all that is known of both sides is the same, but for what is
// held.
func (w *world) checkInSync() {
	tree.Diff("", w.s.Tree(tree.Host), w.s.Tree(tree.Container), func(path string, _, _ *tree.Entry) bool {
		if !w.held(path) {
			w.fail("in sync, but for %q", path)
		}
		return true
	})
}

// checkFlush: what differed when the barrier was asked for is the same now, or
// held, or was edited again.
func (w *world) checkFlush(n uint64) {
	x := w.flushes[n]
	if x == nil {
		w.fail("flush %d is done twice, or was never asked for", n)
	}
	delete(w.flushes, n)
	if x.excused {
		return
	}
	tree.Diff("", x.was[0], x.was[1], func(path string, _, _ *tree.Entry) bool {
		again := slices.ContainsFunc(x.edited, func(p string) bool { return tree.Overlap(p, path) })
		h, c := w.stored(1, tree.Get(w.side[0].real, path)), w.stored(0, tree.Get(w.side[1].real, path))
		if !again && !w.held(path) && !tree.Same(h, c) {
			w.fail("flush %d is done, and %q is %s on the host, %s in the container", n, path, showEntry(h), showEntry(c))
		}
		return true
	})
}

// checkEnd: after everybody has stopped, all is as it has to be.
func (w *world) checkEnd() {
	for on, f := range w.side {
		if got := w.s.Tree(tree.Side(on)); !tree.Same(w.stored(tree.Side(on), got), f.real) {
			w.fail("the %v is known as %s, and is %s", tree.Side(on), showEntry(got), showEntry(f.real))
		}
	}
	sum := w.s.Summary()
	if !sum.InSync || sum.Pending != 0 || !sum.Durable || len(w.flushes) > 0 || w.synced == 0 || !w.store.settled {
		w.fail("at rest, and not done: %+v, %d flushes, settled %v", sum, len(w.flushes), w.store.settled)
	}
	if w.store.braked {
		w.fail("nothing is held, and the brake is on")
	}
	w.checkInSync()
	tree.Diff("", w.store.tree, w.s.Tree(tree.Host), func(path string, b, h *tree.Entry) bool {
		if !w.held(path) {
			w.fail("base has %s at %q, both sides have %s", showEntry(b), path, showEntry(h))
		}
		return true
	})
	for at := range w.live {
		if !w.kept[at] && contentOf(tree.Get(w.side[0].real, at.path)) != at.content &&
			contentOf(tree.Get(w.side[1].real, at.path)) != at.content {
			w.fail("the content of %q is nowhere in the end", at.path)
		}
	}
	if w.keeps > 0 && !w.upset && !w.opt.Mirror && w.writers != [2]bool{true, true} {
		w.fail("one person alone has %d conflicts", w.keeps)
	}
	if effects := w.s.Step(w.now.Add(time.Hour), engine.Tick{}); len(effects) > 0 {
		w.fail("nothing happened, and yet: %s", show(effects[0]))
	}
}
