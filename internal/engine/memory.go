package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

// memory is what a side held at and below a path when the other side agreed
// with it, or was being given it, and was lost.
type memory struct {
	lost  tree.Side
	path  string
	entry *tree.Entry
	sure  bool // it can't have been lost over there
}

// whole says whether m is about everything.
func (m memory) whole() bool { return m.path == "" }

// bits gives the files of e, on a side that can't store exec bits, those that
// they had there. What was in flight says so only of what has landed: the bit
// of a file that it was to replace is another matter.
func (m memory) bits(e *tree.Entry) *tree.Entry {
	if m.whole() {
		return withBits(e, m.entry, e)
	}
	return landedBits(e, m.entry)
}

func landedBits(e, given *tree.Entry) *tree.Entry {
	if e.IsFile() && tree.SameContent(e, given) {
		return given
	}
	for name, child := range e.Children() {
		if x := landedBits(child, given.Child(name)); x != child {
			e = e.With(name, x)
		}
	}
	return e
}

// remember notes what was agreed with a side, and what it was about to hold.
// What of it is not durable may be lost over there, or not.
func (s *State) remember(on tree.Side) {
	if !slices.ContainsFunc(s.memory, memory.whole) {
		s.memory = append(s.memory, memory{lost: on, entry: s.agreedBase()})
	}
	for _, id := range slices.Sorted(maps.Keys(s.batches)) {
		f := s.batches[id]
		if f.side != on || f.other == nil || f.late {
			continue
		}
		for _, path := range slices.Sorted(maps.Keys(f.changes)) {
			s.memory = append(s.memory, memory{lost: on, path: path, entry: tree.Get(f.other, path)})
		}
	}
}

// agreedBase returns base without what a first contact that is not over took from
// the container as old copies, and the directories that those are in.
func (s *State) agreedBase() *tree.Entry {
	if !s.first.open || !s.first.met {
		return s.base
	}
	agreed := s.group.all()
	return withAgreed(&agreed, "", s.durable, s.base)
}

// withAgreed returns durable, at path, with what was agreed there and below it,
// as base has it.
func withAgreed(agreed *set, path string, durable, base *tree.Entry) *tree.Entry {
	for _, p := range agreed.within(path) {
		at := relative(path, p)
		if next, ok := tree.Put(durable, at, tree.Get(base, at)); ok {
			durable = next
		}
	}
	return durable
}

// relative returns the path from path to p, which is there or below it.
func relative(path, p string) string { return strings.TrimPrefix(strings.TrimPrefix(p, path), "/") }

// recall moves base to what was remembered wherever the side that is back
// still holds it. Elsewhere nothing is known but what was durable. This holds
// for a new replica too: what the host gave up since is an old copy there.
func (s *State) recall() {
	for _, m := range s.memory {
		sd := &s.sides[m.lost]
		if m.sure {
			both := with(s.base, m.entry)
			s.agreeOn("", m.lost, both, both)
			continue
		}
		e := tree.Get(sd.tree, m.path)
		if sd.noExec && e != nil {
			e = m.bits(e)
			s.note(m.lost, m.path, e)
		}
		s.agreeOn(m.path, m.lost, e, m.entry)
	}
	s.memory = nil
}

// with returns e with all that x holds, and nothing less.
func with(e, x *tree.Entry) *tree.Entry {
	if !e.IsDir() || !x.IsDir() {
		return x
	}
	for name, child := range x.Children() {
		e = e.With(name, with(e.Child(name), child))
	}
	return e
}

// agreeOn moves base at path to as much as a side holds of what the other held.
func (s *State) agreeOn(path string, on tree.Side, holds, held *tree.Entry) {
	var v [2]*tree.Entry
	v[on], v[on.Other()] = holds, held
	var p reconcile.Plan
	reconcile.At(path, tree.Get(s.base, path), v[tree.Host], v[tree.Container], reconcile.Policy{}, &p)
	for _, c := range p.Agreed {
		s.agree(c)
	}
}

// agree moves base. Who agrees on a path agrees that what is above it are
// directories; base may hold something else there since a side was lost.
func (s *State) agree(c tree.Change) {
	s.group.supersede(c.Path, tree.Get(s.base, c.Path))
	for _, p := range s.stale.overlapping(c.Path) {
		s.stale.drop(p)
	}
	t, ok := tree.Put(s.base, c.Path, c.New)
	if !ok {
		parent, _ := tree.Split(c.Path)
		s.agree(tree.Change{Path: parent, New: tree.NewDir(nil)})
		t, _ = tree.Put(s.base, c.Path, c.New)
	}
	host := s.sides[tree.Host].tree
	s.base = alike(t, host, c.Path)
	s.sides[tree.Container].tree = alike(s.sides[tree.Container].tree, host, c.Path)
	s.group.add(c.Path, s.now)
	s.closeConflicts(c.Path)
	s.news = true
}

// alike returns e with the subtree on the way to path that is the same in from
// replaced by that one, so that trees that agree are one in memory.
func alike(e, from *tree.Entry, path string) *tree.Entry {
	if tree.Same(e, from) {
		return from
	}
	if path == "" || !e.IsDir() || !from.IsDir() {
		return e
	}
	name, rest := tree.Cut(path)
	child := e.Child(name)
	if child == nil {
		return e
	}
	return e.With(name, alike(child, from.Child(name), rest))
}
