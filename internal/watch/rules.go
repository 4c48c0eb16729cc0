package watch

import (
	"maps"
	"time"
)

// half is the first half of a rename.
type half struct {
	at       time.Time
	path     string
	known    bool     // the other side may know it under that path
	modified bool     // written since the last look, under the old name
	below    *pending // what waited below a directory; it moves along
}

// hot is what is remembered about a file that is written and not closed, or that takes
// long to read.
type hot struct {
	next time.Time     // not to be looked at before
	slow bool          // also when it was closed
	gap  time.Duration // between the last look and next
	torn int           // reads in a row during which it changed
	read bool          // torn counted since the last look
}

// precise handles an event of a source that tells closed writes from writes. The last
// word about a path decides what it waits for.
func (s *Settle) precise(now time.Time, e Event) {
	path := e.Path()
	switch e.Op {
	case Create:
		s.appeared(now, path, e.IsDir, false)
		if it := s.lookup(path); it != nil {
			it.begun = !e.IsDir
		}
	case Delete:
		s.vanished(now, path, e.IsDir, false)
	case DirGone:
		// Always worth a look, known or not: it may be a reused watch descriptor.
		s.vanished(now, path, true, true)
	case MovedFrom:
		s.movedFrom(now, path, e)
	case MovedTo:
		s.movedTo(now, path, e)
	case Modify:
		s.written(now, path)
	case CloseWrite:
		s.closed(now, path)
	case Attrib:
		if s.cover(path) == nil && s.lookup(path) == nil {
			s.schedule(now, s.item(now, path), waitNothing)
		}
	}
}

// rough handles an event of any other source: this path, at some time.
func (s *Settle) rough(now time.Time, e Event) {
	path, deep := e.Path(), e.IsDir && e.Op == Create
	modified := e.Op == Modify
	if c := s.cover(path); c != nil {
		s.park(now, c, path, deep, modified)
		return
	}
	it := s.item(now, path)
	it.modified = it.modified || modified
	if deep {
		s.deepen(it)
	}
	s.schedule(now, it, waitRough)
}

// appeared: the name is there. An absence before it was never seen (A1, A3, A4); but
// what was written and closed before it was another file.
func (s *Settle) appeared(now time.Time, path string, isDir, modified bool) {
	if c := s.cover(path); c != nil {
		s.park(now, c, path, isDir, modified)
		return
	}
	it := s.item(now, path)
	s.unpair(now, it)
	it.modified = it.modified && !it.gone || modified
	it.gone, it.open, it.created, it.renamed = false, false, false, false
	if isDir {
		s.deepen(it)
	}
	s.schedule(now, it, waitNothing)
}

// vanished: the name is absent. What nobody knew leaves no trace (B7), unless the
// look is wanted always.
func (s *Settle) vanished(now time.Time, path string, isDir, always bool) {
	if c := s.cover(path); c != nil {
		s.park(now, c, path, isDir, false)
		return
	}
	delete(s.hot, path)
	it := s.lookup(path)
	always = always || it != nil && it.always
	if !always && !s.known(path) {
		s.forget(path)
		return
	}
	it = s.item(now, path)
	s.unpair(now, it)
	it.always = always
	it.gone, it.open, it.created = true, false, false
	if isDir {
		s.deepen(it)
	}
	s.schedule(now, it, waitAbsence)
}

// written: the content changes, and more may come.
func (s *Settle) written(now time.Time, path string) {
	if c := s.cover(path); c != nil {
		s.park(now, c, path, false, true)
		return
	}
	it := s.item(now, path)
	it.modified = true
	if it.gone || it.pair != nil {
		return // only a new name ends an absence; and a move has its time
	}
	it.open, it.created = true, false
	s.schedule(now, it, waitQuiet)
}

// closed: a writer is done.
func (s *Settle) closed(now time.Time, path string) {
	if c := s.cover(path); c != nil {
		s.park(now, c, path, false, true)
		return
	}
	it := s.item(now, path)
	it.modified = true
	if it.gone || it.pair != nil {
		return
	}
	if h := s.hot[path]; s.Restless(path) || h.slow && now.Before(h.next) {
		it.open = true
		s.schedule(now, it, waitQuiet)
		return
	}
	it.open = false
	it.created = !s.known(path) // a new file that was closed empty is meant to be empty
	s.schedule(now, it, waitNothing)
}

// movedFrom keeps the half for its partner, and treats the name as absent. But an
// exchange is told as two renames, there and back, and leaves no name empty: a name
// that was only just filled by a rename is looked at, so that nothing is concluded.
func (s *Settle) movedFrom(now time.Time, path string, e Event) {
	h, there := half{at: now, path: path}, false
	if it := s.lookup(path); it != nil {
		h.modified, there = it.modified, it.renamed
	}
	if e.IsDir && e.Cookie != 0 {
		h.below = s.uproot(path)
	}
	h.known = s.cover(path) == nil && s.known(path)
	if there {
		s.appeared(now, path, e.IsDir, false)
	} else {
		s.vanished(now, path, e.IsDir, false)
	}
	if e.Cookie != 0 {
		s.keepHalf(now, e.Cookie, h)
	}
}

// movedTo joins the halves. If the origin was known and the target was not, the target
// waits with it, so that the other side sees one rename. Anything else is a save: a
// temporary file was renamed into place, and whoever saves does not wait because his
// temporary file was seen.
func (s *Settle) movedTo(now time.Time, path string, e Event) {
	h, joined := s.halves[e.Cookie]
	delete(s.halves, e.Cookie)
	isDir := e.IsDir || h.below != nil
	s.appeared(now, path, isDir, h.modified)
	if h.below != nil {
		s.replant(now, path, h.below)
	}
	it := s.lookup(path)
	if it == nil || s.cover(path) != nil {
		return
	}
	it.renamed = true
	if from := s.lookup(h.path); joined && h.known && !s.known(path) && joinable(from, it) {
		s.join(from, it, isDir)
		return
	}
	it.created = !isDir // whole, as whoever renamed it wants it
}

// joinable says whether the first half is still as it was left, and may be an end of a
// move to the second. No kernel moves a name to one above or below it; events might.
func joinable(from, to *item) bool {
	return from != nil && from.gone && from.pair == nil && from.index >= 0 &&
		!within(from.node, to.node) && !within(to.node, from.node)
}

// within says whether n is the other name, or below it.
func within(n, above *pending) bool {
	for n != nil && n != above {
		n = n.parent
	}
	return n != nil
}

func (s *Settle) known(path string) bool { return s.Known == nil || s.Known(path) }

func (s *Settle) keepHalf(now time.Time, cookie uint32, h half) {
	if s.halves == nil {
		s.halves = map[uint32]half{}
	}
	if len(s.halves) >= maxHalves {
		for c, old := range s.halves {
			if now.Sub(old.at) > AbsenceWait {
				s.dropHalf(c)
			}
		}
	}
	if len(s.halves) >= maxHalves {
		for c := range s.halves {
			s.dropHalf(c)
		}
	}
	s.dropHalf(cookie) // the kernel's counter went round
	s.halves[cookie] = h
}

func (s *Settle) dropHalf(cookie uint32) {
	if b := s.halves[cookie].below; b != nil {
		s.count -= len(itemsBelow(b))
	}
	delete(s.halves, cookie)
}

// turn says when an open file is due: after quiet, in its turn, or at the ceiling.
func (s *Settle) turn(now time.Time, it *item) time.Time {
	due, ceiling := now.Add(QuietWait), it.since.Add(QuietMax)
	if h, ok := s.hot[it.node.path()]; ok {
		due, ceiling = later(due, h.next), later(ceiling, h.next)
	}
	return earlier(due, ceiling)
}

// looked notes that a file gets its look, and when the next one may be. A file that
// was closed, and did not change while it was read the last time, is restless no more.
func (s *Settle) looked(now time.Time, it *item, path string) {
	h, ok := s.hot[path]
	if !h.read {
		h.torn = 0
	}
	h.read = false
	if !it.open && h.torn == 0 {
		delete(s.hot, path)
		return
	}
	if !ok || it.since.After(h.next) {
		h.gap = QuietMax // it has rested
	} else {
		h.gap = max(QuietMax, min(2*h.gap, TurnMax))
	}
	h.next = now.Add(h.gap)
	s.setHot(now, path, h)
}

// Took notes how long it took to read a file. Where that is felt, the next look at it
// has its time, whatever happens to the file: the others should not wait all the time.
func (s *Settle) Took(now time.Time, path string, took time.Duration) {
	if took < slowRead {
		return
	}
	h := s.hot[path]
	h.slow, h.next = true, later(h.next, now.Add(slowRest*took))
	s.setHot(now, path, h)
}

// torn counts a read during which the file changed.
func (s *Settle) torn(now time.Time, path string) {
	h := s.hot[path]
	h.torn, h.read = h.torn+1, true
	s.setHot(now, path, h)
}

func (s *Settle) setHot(now time.Time, path string, h hot) {
	if s.hot == nil {
		s.hot = map[string]hot{}
	}
	if len(s.hot) >= maxHot {
		maps.DeleteFunc(s.hot, func(_ string, h hot) bool { return h.next.Before(now) })
	}
	if len(s.hot) >= maxHot {
		clear(s.hot)
	}
	s.hot[path] = h
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
