package engine

import (
	"slices"

	"github.com/twosync/twosync/internal/tree"
)

// barrier is a flush that is under way: first both sides report everything
// from before it, then what that made dirty is carried over.
type barrier struct {
	n       uint64
	waiting [2]bool  // for a side's Flushed
	open    *backlog // nil: not both sides have answered
}

// backlog are paths that were not in sync at one moment, in order. Those at the
// front of open that have been since are taken off. One that is held may be
// held for a moment only, as a file is that was met while somebody writes to it:
// it has to be in sync or held in the end, too.
type backlog struct{ open, held []string }

func (s *State) flush(n uint64) {
	s.flushes = append(s.flushes, &barrier{n: n, waiting: [2]bool{true, true}})
	for _, on := range both {
		if s.sides[on].whole {
			s.emit(AskFlush{Side: on, N: n})
		}
	}
}

// askAgain asks a side that was just scanned whole for the flushes that it
// has not answered.
func (s *State) askAgain(on tree.Side) {
	for _, b := range s.flushes {
		if b.waiting[on] {
			s.emit(AskFlush{Side: on, N: b.n})
		}
	}
}

func (s *State) flushed(e Flushed) {
	for _, b := range s.flushes {
		if b.n == e.N && s.sides[e.Side].whole {
			b.waiting[e.Side] = false
		}
	}
}

// passBarriers ends the flushes whose paths have all been carried over or held.
func (s *State) passBarriers() {
	rest := s.flushes[:0]
	for _, b := range s.flushes {
		if b.waiting == [2]bool{} && s.passes(b) {
			s.emit(FlushDone{N: b.n})
		} else {
			rest = append(rest, b)
		}
	}
	clear(s.flushes[len(rest):])
	s.flushes = rest
}

func (s *State) passes(b *barrier) bool {
	if b.open == nil {
		b.open = s.backlog()
	}
	return s.worked(b.open)
}

// backlog returns every path that is neither in sync nor held for good.
func (s *State) backlog() *backlog {
	var all set
	for _, waiting := range [...][]string{s.dirty.tops(), s.blocked.tops(), s.parked.tops(), s.brake.ebb.tops()} {
		for _, path := range waiting {
			all.add(path)
		}
	}
	for _, f := range s.batches {
		for path := range f.changes {
			all.add(path)
		}
	}
	b := &backlog{open: all.tops()}
	for _, path := range s.held.all() {
		h, _ := s.held.get(path)
		if e := tree.Get(s.sides[h.Side].tree, path); e != nil && e.Kind == tree.Unknown {
			b.held = append(b.held, path) // somebody may just be writing to it
		}
	}
	return b
}

// worked says whether a backlog has been worked off.
func (s *State) worked(b *backlog) bool {
	for len(b.open) > 0 && !s.unfinished(b.open[0]) {
		if s.held.overlaps(b.open[0]) {
			b.held = append(b.held, b.open[0])
		}
		b.open = b.open[1:]
	}
	return len(b.open) == 0 && !slices.ContainsFunc(b.held, s.unfinished)
}

func (s *State) unfinished(path string) bool {
	// What is blocked is blocked by something that is busy.
	return s.dirty.overlaps(path) || s.parked.overlaps(path) || s.brake.ebb.overlaps(path) ||
		s.busy(tree.Host, path) || s.busy(tree.Container, path)
}
