package engine

import (
	"slices"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

// loser names a content that loses its path.
type loser struct {
	path   string
	kind   tree.Kind
	digest tree.Digest
}

func loserOf(path string, e *tree.Entry) loser {
	if e.Kind == tree.Link {
		return loser{path, e.Kind, tree.DigestOf([]byte(e.Text))}
	}
	return loser{path, e.Kind, e.Digest}
}

// keeping is a loser on its way to the keep store.
type keeping struct {
	changes []waiting // that wait for it
	stale   bool      // their side was lost since it was asked for
	first   bool      // a first contact wants it
}

// waiting is a change that waits.
type waiting struct {
	side tree.Side
	path string
}

// keep gives out a loser to be kept, once.
func (s *State) keep(k reconcile.Keep) {
	l := loserOf(k.Path, k.Entry)
	if s.keeping[l] == nil {
		s.keeping[l] = &keeping{first: s.FirstContact()}
		s.emit(Keep{Side: k.Side, Path: k.Path, Entry: k.Entry, First: s.FirstContact()})
	}
	w, c := s.keeping[l], waiting{k.Side, k.Change}
	if !slices.Contains(w.changes, c) {
		w.changes = append(w.changes, c)
		s.sides[c.side].fly(c.path)
	}
	s.blocked.add(c.path)
}

// keptLoser goes on with the changes that waited for a loser.
func (s *State) keptLoser(e Kept) {
	if e.Entry == nil {
		return
	}
	l := loserOf(e.Path, e.Entry)
	w := s.keeping[l]
	if w == nil {
		return
	}
	delete(s.keeping, l)
	if e.Err == "" && !s.kept[l] {
		s.kept[l] = true
		switch {
		case e.Path == s.opt.OneWay && e.Path != "":
		case w.first:
			s.versions++
		default:
			s.conflict(e.Path)
		}
	}
	for _, c := range w.changes {
		sd := &s.sides[c.side]
		sd.landed(c.path)
		s.unblock(c.path)
		if e.Err != "" && !w.stale {
			s.seal(c.side, c.path, "its other version can't be kept: "+e.Err)
		}
	}
}

// maxConflicts bounds the conflicts that are remembered. Whoever has more does not
// go through them one by one.
const maxConflicts = 100_000

// conflict remembers a path whose loser is in the keep store.
func (s *State) conflict(path string) {
	if s.conflicts.len() < maxConflicts {
		s.conflicts.put(path, settled{})
	}
}

// settled is what a path was agreed to hold when its conflict was over, if it is.
type settled struct {
	yet bool
	as  *tree.Entry
}

// closeConflicts closes the conflicts at, above and below a path that was just agreed
// on. The first time that is what became of the conflict; when both sides hold
// something else later, somebody has worked there since. The same may be agreed on
// again, by a first contact or after a loss, and closes nothing.
func (s *State) closeConflicts(path string) {
	for _, p := range s.conflicts.overlapping(path) {
		was, _ := s.conflicts.get(p)
		now := tree.Get(s.base, p)
		switch {
		case !was.yet:
			s.conflicts.put(p, settled{true, now})
		case tree.Equal(now, was.as):
		case tree.Equal(now, tree.Get(s.sides[0].tree, p)) && tree.Equal(now, tree.Get(s.sides[1].tree, p)):
			s.decide(p)
		}
	}
}

// decide ends the conflict at a path.
func (s *State) decide(path string) {
	if _, open := s.conflicts.get(path); open {
		s.conflicts.drop(path)
		s.emit(Close{path})
	}
}

// abandon lets nothing wait any more for losers on a side that is lost. Their
// Kept still comes.
func (s *State) abandon(lost tree.Side) {
	for _, w := range s.keeping {
		w.changes = slices.DeleteFunc(w.changes, func(c waiting) bool { return c.side == lost })
		w.stale = true
	}
}
