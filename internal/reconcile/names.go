package reconcile

import (
	"fmt"
	"strings"

	"github.com/twosync/twosync/internal/tree"
)

// Names says what names a side can hold. The zero value holds all of them, each
// beside any other.
type Names struct {
	// Fold returns the same for names of which a directory can hold one only.
	// Nil: there are none.
	Fold func(name string) string

	// Bad says why the side can't hold a name, "" where it can. Nil: it can
	// hold all.
	Bad func(name string) (reason string)
}

// folds says whether a side takes some names for one.
func (p Policy) folds() bool {
	return p.Names[tree.Host].Fold != nil || p.Names[tree.Container].Fold != nil
}

// shelf is a directory whose children are decided on.
type shelf struct {
	base  *tree.Entry
	v     both
	alike [2]map[string][]string // by folded name, names of which the side lacks one
	comes [2]map[string]bool     // names that the plan gives the side
}

// twins returns the names that a side takes for name.
func (s *shelf) twins(side tree.Side, name string, fold func(string) string) []string {
	if s.alike[side] == nil {
		alike := make(map[string][]string)
		for n, e := range tree.Pairs(s.v[side], s.v[side.Other()]) {
			if e[0] == nil {
				alike[fold(n)] = append(alike[fold(n)], n)
			}
		}
		for n := range s.v[side].Children() {
			if in, ok := alike[fold(n)]; ok {
				alike[fold(n)] = append(in, n)
			}
		}
		s.alike[side] = alike
	}
	return s.alike[side][fold(name)]
}

// named returns what of e the side can hold at path, and holds the rest: names
// that it can't hold at all, and those that it takes for a name beside them.
// Fresh says that it holds nothing at path yet.
func (m *merge) named(side tree.Side, path string, fresh bool, e *tree.Entry) *tree.Entry {
	parent, name := tree.Split(path)
	switch n := m.Names[side]; {
	case n.Fold == nil && n.Bad == nil:
		return e
	case fresh && (!m.allowed(side, path, name) || !m.fits(side, parent, name, e)):
		return nil
	}
	return m.namedBelow(side, path, e)
}

// allowed says whether a side can hold a name, and holds path if not.
func (m *merge) allowed(side tree.Side, path, name string) bool {
	if m.Names[side].Bad == nil {
		return true
	}
	reason := m.Names[side].Bad(name)
	if reason != "" {
		m.plan.Held = append(m.plan.Held, Held{Side: side, Path: path, Reason: reason})
	}
	return reason == ""
}

// fits says whether e can come to a side under a name that is new there. Where it
// has to wait for a name that goes, nothing is said: the end of that is a change
// in the same directory.
func (m *merge) fits(side tree.Side, parent, name string, e *tree.Entry) bool {
	fold := m.Names[side].Fold
	if fold == nil || m.shelf == nil {
		return true
	}
	for _, twin := range m.shelf.twins(side, name, fold) {
		if twin == name {
			continue
		}
		switch m.fate(side, tree.Join(parent, twin), twin, e) {
		case stays:
			m.holdTwin(side, tree.Join(parent, name), twin)
			return false
		case goes:
			return false
		}
	}
	if m.shelf.comes[side] == nil {
		m.shelf.comes[side] = make(map[string]bool)
	}
	m.shelf.comes[side][name] = true
	return true
}

// fate is what becomes of a name that a side takes for a new one.
type fate uint8

const (
	absent fate = iota // it is not there, and does not come
	moves              // it is to become the new one: a rename
	goes               // it is to be removed
	stays              // it is there, or comes, and stays
)

func (m *merge) fate(side tree.Side, path, name string, e *tree.Entry) fate {
	base, own, other := m.shelf.base.Child(name), m.shelf.v[side].Child(name), m.shelf.v[side.Other()].Child(name)
	switch {
	case m.shelf.comes[side][name]:
		return stays
	case own == nil && m.Busy != nil && m.Busy(side, path) && !tree.Equal(base, other):
		return stays
	case own == nil:
		return absent
	case other != nil || own.Murky() || m.isSealed(side, path) || m.isGuarded(side, path, own):
		return stays
	case tree.Equal(base, own) && tree.Equal(own, e) && e.Bytes() > 0 && !m.busy(path):
		return moves
	case m.Mirror && m.Winner != side:
		return goes
	}
	if left, _ := survivors(base, own); left != nil {
		return stays
	}
	return goes
}

// namedBelow leaves out of a directory that is new what the side can't hold. Of
// names that it takes for one, the first stays.
func (m *merge) namedBelow(side tree.Side, path string, e *tree.Entry) *tree.Entry {
	fold := m.Names[side].Fold
	if fold == nil {
		fold = func(name string) string { return name }
	}
	first := make(map[string]string)
	for name, child := range e.Children() {
		below, folded := tree.Join(path, name), fold(name)
		twin, met := first[folded]
		var fit *tree.Entry
		switch {
		case !m.allowed(side, below, name):
		case met:
			m.holdTwin(side, below, twin)
		default:
			first[folded], fit = name, m.namedBelow(side, below, child)
		}
		if fit != child {
			e = e.With(name, fit)
		}
	}
	return e
}

// holdTwin holds a name that a side takes for one that it has.
func (m *merge) holdTwin(side tree.Side, path, twin string) {
	_, name := tree.Split(path)
	how := "only in case"
	if !strings.EqualFold(name, twin) {
		how = "only in how its letters are written"
	}
	m.plan.Held = append(m.plan.Held, Held{Side: side, Path: path,
		Reason: fmt.Sprintf("differs from %q %s, which the %v can't hold beside it: rename one", twin, how, side)})
}
