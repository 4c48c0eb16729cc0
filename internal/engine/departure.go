package engine

import (
	"slices"

	"github.com/twosync/twosync/internal/tree"
)

// departure is a change that took files.
type departure struct {
	tree.Change
	n int64
}

// left counts what of it is not in the container by now, neither there nor
// elsewhere, and was not counted: what comes and goes again and again is one file.
func (d departure) left(container *tree.Entry, elsewhere map[tree.Digest]bool, counted map[string]bool) int64 {
	var n int64
	tree.Walk(d.Path, d.Old, func(path string, e *tree.Entry) bool {
		digest, ok := contentOf(e)
		if now := tree.Get(container, path); ok && (now == nil || now.IsDir()) && !elsewhere[digest] && !counted[path] {
			counted[path] = true
			n++
		}
		return true
	})
	return min(d.n, n)
}

// recount counts again what has gone, goes and is to go with these changes, without what is elsewhere
// in the container by now: a package manager unpacks under one name and renames
// to another, and here the old name goes a moment after the new one came.
func (s *State) recount(changes []tree.Change) (sum int64) {
	b := &s.brake
	container, there := s.sides[tree.Container].tree, make(map[tree.Digest]bool)
	contentsOf(container, there)
	b.gone, b.flying = 0, 0
	counted := make(map[string]bool)
	b.went = slices.DeleteFunc(b.went, func(d departure) bool {
		n := d.left(container, there, counted)
		b.gone += n
		return n == 0
	})
	for _, f := range s.batches {
		for path := range f.takes {
			f.takes[path] = departure{f.changes[path], f.takes[path]}.left(container, there, counted)
			b.flying += f.takes[path]
		}
	}
	for _, c := range changes {
		if n, counts := b.counts[c.Path]; counts {
			b.counts[c.Path] = departure{c, n}.left(container, there, counted)
			sum += b.counts[c.Path]
		}
	}
	return b.gone + b.flying + sum
}

// contentsMade returns the contents that changes put in place.
func contentsMade(changes []tree.Change) map[tree.Digest]bool {
	made := make(map[tree.Digest]bool)
	for _, c := range changes {
		if c.New != nil {
			contentsOf(c.New, made)
		}
	}
	return made
}

func contentsOf(e *tree.Entry, into map[tree.Digest]bool) {
	tree.Walk("", e, func(_ string, e *tree.Entry) bool {
		if d, ok := contentOf(e); ok {
			into[d] = true
		}
		return true
	})
}

// deletions counts what a change takes of what was there for a while.
func (s *State) deletions(c tree.Change, elsewhere map[tree.Digest]bool) int64 {
	return lost(c.Old, c.New, tree.Get(s.brake.old, c.Path), elsewhere)
}

// lost counts the files and links of old that new does not have, at paths that
// were there before, and whose contents are not elsewhere.
func lost(old, new, before *tree.Entry, elsewhere map[tree.Digest]bool) (n int64) {
	switch {
	case old == nil || before == nil:
	case old.IsDir():
		for name, child := range old.Children() {
			n += lost(child, new.Child(name), before.Child(name), elsewhere)
		}
	case new != nil && !new.IsDir():
	default:
		if d, ok := contentOf(old); ok && !elsewhere[d] {
			n = 1
		}
	}
	return n
}

// contentOf names what a file or link holds.
func contentOf(e *tree.Entry) (d tree.Digest, ok bool) {
	switch e.Kind {
	case tree.File:
		return e.Digest, true
	case tree.Link:
		return tree.DigestOf([]byte("link " + e.Text)), true
	}
	return d, false
}
