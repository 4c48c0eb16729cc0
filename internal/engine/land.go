package engine

import (
	"time"

	"github.com/twosync/twosync/internal/tree"
)

const (
	// retryFirst and retryMax are how long a path waits that could not be
	// carried over because it kept changing; the time doubles in between.
	retryFirst = 10 * time.Millisecond
	retryMax   = 5 * time.Second
	// quickTries is how often in a row a path is tried again as soon as a new
	// value of it is seen. Two saves in a row need one; a file that is written
	// for ever shall not be carried over at the pace of its writer.
	quickTries = 3
	// sealFirst and sealMax are how long a change rests that a side refused: a
	// full disk or a missing permission is mended by people. The time doubles, as
	// each attempt may cost the content of a file.
	sealFirst = 15 * time.Second
	sealMax   = 10 * time.Minute
)

// outcome takes in what came of a batch.
func (s *State) outcome(e Outcome) {
	f := s.batches[e.Batch]
	if f == nil || f.side != e.Side {
		return // of a connection that was lost
	}
	for _, r := range e.Results {
		if c, ok := f.changes[r.Path]; ok {
			delete(f.changes, r.Path)
			s.land(f, c, r)
		}
	}
	if !e.Done {
		return
	}
	delete(s.batches, e.Batch)
	s.sides[e.Side].flights--
	for path, c := range f.changes { // not touched
		s.arrive(f, c, false)
		s.sides[e.Side].landed(path)
		s.park(path)
		s.unblock(path)
	}
}

// land ends one change.
func (s *State) land(f *flight, c tree.Change, r Result) {
	sd, e := &s.sides[f.side], c.New
	if r.Status != Applied {
		e = s.normal(f.side, c.Path, r.Entry)
	}
	sd.landed(c.Path)
	s.arrive(f, c, r.Status == Applied)
	s.note(f.side, c.Path, e)
	s.brake.stir(c.Path, &s.dirty)
	s.agreeSeen(f, c.Path, e)
	s.dirty.add(c.Path)
	s.unblock(c.Path)
	switch r.Status {
	case Applied:
		delete(s.tries, c.Path)
		s.refusals.drop(c.Path)
		s.turned(f.side, c)
	case Refused:
		delete(s.tries, c.Path)
		s.seal(f.side, c.Path, r.Reason)
	default:
		s.park(c.Path)
		s.emit(Look{Side: f.side, Paths: []string{c.Path}})
	}
}

// landing is what a side held at a path when a change had landed there, and
// what the other side, which was lost meanwhile, had held.
type landing struct {
	path        string
	holds, held *tree.Entry
}

// agreeSeen moves base where holds, which landed at path, is what the other side
// was seen to hold. What either side became meanwhile is a change from there; a
// side may not even know that the directory above path is one any more.
func (s *State) agreeSeen(f *flight, path string, holds *tree.Entry) {
	if f.other == nil {
		return
	}
	l := landing{path, holds, tree.Get(f.other, path)}
	if f.late {
		s.late = append(s.late, l) // the other side may have lost it
		return
	}
	s.agreeOn(path, f.side, l.holds, l.held)
}

// park makes a path wait: for the report that will say what it holds now, or
// for a while.
func (s *State) park(path string) {
	n := s.tries[path]
	s.tries[path] = n + 1
	s.parked.put(path, rest{until: s.now.Add(backoff(retryFirst, retryMax, n))})
}

// seal makes a change on a side rest that can't be made there.
func (s *State) seal(on tree.Side, path, reason string) {
	n, _ := s.refusals.get(path)
	s.refusals.put(path, n+1)
	s.sides[on].sealed.put(path, rest{s.now.Add(backoff(sealFirst, sealMax, n)), reason})
}

// backoff doubles a time for each time before, up to last.
func backoff(first, last time.Duration, n int) time.Duration {
	const cap = 10 // beyond any last, below any overflow
	return min(first<<min(n, cap), last)
}

// unblock makes dirty again what waited for something in flight at path.
func (s *State) unblock(path string) {
	for _, p := range s.blocked.overlapping(path) {
		if !s.busy(tree.Host, p) && !s.busy(tree.Container, p) {
			s.blocked.drop(p)
			s.dirty.add(p)
		}
	}
}

func (s *State) busy(on tree.Side, path string) bool { return s.sides[on].flying.overlaps(path) }
