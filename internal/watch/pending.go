package watch

import (
	"container/heap"
	"maps"
	"slices"
	"strings"
	"time"
)

// pending is a name in the tree of what waits. As a tree, a renamed directory takes
// along what waits below it, and a look at a directory finds what it makes needless.
type pending = node[*item]

// item is one path that waits for its look.
type item struct {
	node  *pending
	since time.Time // the first event since the last look
	due   time.Time
	index int  // in the queue; parked if it waits for the look above it
	wait  wait // for what
	cut   bool // due before the wait was over: the ceiling, or Expedite

	gone     bool // the last word was an absence
	open     bool // written and not closed
	modified bool
	begun    bool // made anew, and not written yet
	deep     bool
	created  bool // renamed into place, or closed where nothing was known
	always   bool // even if the path is not known
	renamed  bool // the name appeared by a rename

	// The other end of a move. The origin is queued, the target parked.
	pair   *item
	target bool
	isDir  bool // the target is a directory
}

const parked = -1

type wait uint8

const (
	waitNothing wait = iota
	waitAbsence      // of a name, or of content
	waitQuiet
	waitClose // of a file that was emptied and is open
	waitRough
)

// everything forgets what waits and asks for one look at the whole tree.
func (s *Settle) everything(now time.Time) {
	s.top, s.queue, s.count = nil, nil, 0
	clear(s.halves)
	clear(s.hot)
	it := s.item(now, "")
	it.deep = true
	s.schedule(now, it, waitNothing)
}

// lookup returns the item of a path, or nil.
func (s *Settle) lookup(path string) *item {
	if n := s.top.find(path); n != nil {
		return n.val
	}
	return nil
}

// item returns the item of a path, and makes it if there is none. The caller
// schedules or parks it.
func (s *Settle) item(now time.Time, path string) *item {
	if s.top == nil {
		s.top = &pending{}
	}
	n := s.top
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		c := n.child(name)
		if c == nil {
			c = &pending{}
			n.attach(c, name)
		}
		n = c
	}
	if n.val == nil {
		n.val = &item{node: n, since: now, index: parked}
		s.count++
	}
	return n.val
}

// cover returns the item above path whose look comes first: a deep one makes looks
// below it needless, and below the target of a move they wait for the move.
func (s *Settle) cover(path string) *item {
	for n := s.top; n != nil && path != ""; {
		if it := n.val; it != nil && (it.deep || it.target && it.isDir) {
			return it
		}
		var name string
		name, path, _ = strings.Cut(path, "/")
		n = n.child(name)
	}
	return nil
}

// park notes a path below its cover c. A deep look finds what is there by itself, but
// not that content was written which looks the same to stat. After lost events even
// that is moot: the look at the root trusts no stat that could hide a write.
func (s *Settle) park(now time.Time, c *item, path string, deep, modified bool) {
	if c.node == s.top || c.deep && !modified {
		return
	}
	it := s.item(now, path)
	it.modified = it.modified || modified
	if deep {
		s.deepen(it)
	}
}

// deepen makes an item a deep one, which takes over what waits below it.
func (s *Settle) deepen(it *item) {
	it.deep = true
	s.settleBelow(it.node, keepModified)
}

type keep uint8

const (
	keepNone keep = iota
	keepModified
	keepAll
)

// settleBelow takes everything below n out of the queue and keeps what keep says.
func (s *Settle) settleBelow(n *pending, keep keep) {
	for _, it := range itemsBelow(n) {
		if it.node.val != it {
			continue // went with the end of a move
		}
		s.unqueue(it)
		if keep == keepNone || keep == keepModified && !it.modified {
			s.discard(it)
		}
	}
}

// itemsBelow collects, so that the caller may change the tree.
func itemsBelow(n *pending) (below []*item) {
	n.each(func(c *pending) {
		if c != n && c.val != nil {
			below = append(below, c.val)
		}
	})
	return below
}

// unqueue parks an item. A move that it was part of is one no more: the other end is
// looked at by itself.
func (s *Settle) unqueue(it *item) {
	if it.index >= 0 {
		heap.Remove(&s.queue, it.index)
	}
	s.unpair(it.since, it)
}

// discard forgets an item, and the names that were there for its sake.
func (s *Settle) discard(it *item) {
	it.node.val = nil
	s.count--
	prune(it.node)
}

// prune takes away names that nothing needs any more, from n upwards.
func prune(n *pending) {
	for n.parent != nil && n.val == nil && n.leaf() {
		above := n.parent
		n.detach()
		n = above
	}
}

// forget drops a path and everything below it.
func (s *Settle) forget(path string) {
	n := s.top.find(path)
	if n == nil {
		return
	}
	s.settleBelow(n, keepNone)
	if n.val != nil {
		s.unqueue(n.val)
		s.discard(n.val)
	}
}

// uproot takes out what waits below a directory that is being renamed.
func (s *Settle) uproot(path string) *pending {
	n := s.top.find(path)
	if n == nil || n.leaf() {
		return nil
	}
	s.settleBelow(n, keepAll)
	below := &pending{}
	move(n, below)
	prune(n)
	return below
}

// replant puts it in below the new path. The path is covered, or has an item that
// covers what is below: either way it stays parked.
func (s *Settle) replant(now time.Time, path string, below *pending) {
	n := s.item(now, path).node
	s.settleBelow(n, keepNone)
	move(below, n)
}

// move carries all children of one node to another that has none.
func move(from, to *pending) {
	children := slices.AppendSeq(slices.Clone(from.few), maps.Values(from.many))
	for _, c := range children {
		c.detach()
		to.attach(c, c.name)
	}
}

// join makes two items the ends of a move. The target waits for the absence of the
// origin to be believed.
func (s *Settle) join(from, to *item, isDir bool) {
	if !isDir {
		s.settleBelow(to.node, keepNone)
	}
	s.unqueue(to)
	to.deep = false // what happens below is kept apart: a trusted move is not deep
	to.pair, to.target, to.isDir = from, true, isDir
	from.pair = to
}

// unpair ends a move because one of its ends, it, got other news. The target is looked
// at at once; the origin keeps its time.
func (s *Settle) unpair(now time.Time, it *item) {
	other := it.pair
	if other == nil {
		return
	}
	it.pair, other.pair = nil, nil
	to := it
	if other.target {
		to = other
	}
	to.target = false
	if to.isDir {
		s.deepen(to)
	}
	if to == other {
		s.schedule(now, to, waitNothing)
	}
}

// schedule queues an item for the time at which its wait ends.
func (s *Settle) schedule(now time.Time, it *item, w wait) {
	it.wait, it.cut = w, false
	switch w {
	case waitNothing:
		it.due = now
	case waitAbsence:
		it.due = earlier(now.Add(AbsenceWait), it.since.Add(QuietMax))
		it.cut = it.due.Before(now.Add(AbsenceWait))
	case waitClose:
		it.due = now.Add(QuietMax)
	case waitQuiet:
		it.due = s.turn(now, it)
		it.cut = it.due.Before(now.Add(QuietWait))
	case waitRough:
		it.due = earlier(now.Add(RoughWait), it.since.Add(RoughMax))
		it.cut = true // ten milliseconds are no proof of an absence
	}
	if it.index >= 0 {
		heap.Fix(&s.queue, it.index)
		return
	}
	heap.Push(&s.queue, it)
}

// take turns an item that is due into looks. It is not in the queue any more.
func (s *Settle) take(now time.Time, it *item, b *Batch) {
	path := it.node.path()
	s.looked(now, it, path)
	waited := it.wait != waitNothing && !it.cut
	b.Looks = append(b.Looks, Look{
		Path: path, Deep: it.deep, Modified: it.modified,
		TrustAbsent: it.gone && waited, TrustEmpty: it.created || !it.gone && waited && !it.open, Open: it.open,
	})
	if to := it.pair; to != nil {
		target := to.node.path()
		b.Moves = append(b.Moves, Move{From: path, To: target, IsDir: to.isDir})
		b.Looks = append(b.Looks, Look{Path: target, Deep: to.isDir, Modified: to.modified})
		if to.isDir {
			s.takeBelow(to, b)
		}
		s.discard(to)
	}
	if it.deep {
		s.takeBelow(it, b)
	}
	s.discard(it)
}

// takeBelow adds the looks that were parked below an item.
func (s *Settle) takeBelow(it *item, b *Batch) {
	for _, c := range itemsBelow(it.node) {
		b.Looks = append(b.Looks, Look{Path: c.node.path(), Deep: c.deep, Modified: c.modified})
		s.discard(c)
	}
}

// byDue is a heap of the queued items.
type byDue []*item

func (q byDue) Len() int           { return len(q) }
func (q byDue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q byDue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *byDue) Push(x any) {
	it := x.(*item)
	it.index = len(*q)
	*q = append(*q, it)
}

func (q *byDue) Pop() any {
	last := len(*q) - 1
	it := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	it.index = parked
	return it
}
