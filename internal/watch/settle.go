package watch

import (
	"container/heap"
	"sort"
	"time"
)

// How long things wait.
const (
	// AbsenceWait is how long a name must be absent, or a file empty, before that is
	// believed. Safe writes and in-place saves leave such a gap for well under a
	// millisecond; 20 ms also cover a busy machine and are not felt.
	AbsenceWait = 20 * time.Millisecond
	// QuietWait is how long a file that is open for writing must rest.
	QuietWait = 20 * time.Millisecond
	// QuietMax is when a file that does not rest is looked at all the same.
	QuietMax = 500 * time.Millisecond
	// TurnMax is the longest time between two looks at a file that never rests. The
	// time begins with QuietMax and doubles, so that a log that is always written
	// costs little, and its reader is never further behind than this.
	TurnMax = 5 * time.Second
	// RoughWait and RoughMax are quiet and ceiling where the source is not Precise.
	RoughWait = 10 * time.Millisecond
	RoughMax  = 100 * time.Millisecond
)

// Limits.
const (
	// maxPending is how many paths wait at the same time before one look at everything
	// is cheaper to remember: at some 250 bytes each, 32 MB.
	maxPending = 1 << 17
	// maxBatch is the size of a batch. A reader acts on a batch as a whole, and in a
	// storm the first changes should not wait for the last.
	maxBatch = 4096
	// maxHot is how many restless files are remembered, maxHalves how many renames
	// without a partner. Forgetting costs a look, or a copy instead of a rename.
	maxHot    = 1024
	maxHalves = 1024
	// tornMax is how often in a row a file may change while it is read before even a
	// closed write waits for its turn: somebody appends faster than it can be read.
	tornMax = 2
	// slowRead is from when on a read counts as long, and slowRest how many times as
	// long it is not repeated: a file that is saved again and again takes no more than a
	// tenth of the time of all others.
	slowRead = 5 * time.Millisecond
	slowRest = 10
)

// Look is a path to be looked at.
type Look struct {
	Path string
	// Deep: whatever is below is in question too, and the watches there.
	Deep bool
	// Modified: the content was written since the last look. Hash it again, whatever
	// stat says. A Deep look at the root comes after lost events: there no write since
	// the last look is known, and a stat as young as the file itself proves nothing.
	Modified bool
	// TrustAbsent: if nothing is there, that has lasted. Without it, a look that finds
	// nothing goes back to Defer, even if the path was not known: the directory above
	// may be on its way to another name.
	TrustAbsent bool
	// TrustEmpty: an empty file is meant to be empty. Without it, a file that is empty
	// and was not, or is new, goes back to Defer.
	TrustEmpty bool
	// Open: somebody writes to the file, and has not closed it.
	Open bool
}

// Move is a rename inside the tree, as the kernel told it.
type Move struct {
	From, To string
	IsDir    bool
}

// Batch is what to look at together. Both ends of a Move are among its Looks, so a
// reader that does not trust a Move is right too.
type Batch struct {
	Looks []Look // by path
	Moves []Move
}

// Sort puts the looks in order.
func (b Batch) Sort() { sort.Sort(byPath(b.Looks)) }

type byPath []Look

func (l byPath) Len() int           { return len(l) }
func (l byPath) Less(i, j int) bool { return l[i].Path < l[j].Path }
func (l byPath) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }

// Why says what a look found that must not be believed yet.
type Why uint8

const (
	// Absent: a known path is not there.
	Absent Why = iota + 1
	// Empty: a regular file is empty that was not, or is new and has no writer's close.
	Empty
	// Unclosed: the same, and it is Open. Its writer gets longer: on a busy machine the
	// two halves of a save are more than a moment apart.
	Unclosed
	// Changed: the file changed while it was read, or before that was told to anybody.
	Changed
)

// Settle decides when an event deserves a look. It has no clock: time is passed in,
// and must not go backwards. The zero value works.
type Settle struct {
	// config

	// Known says that the last look at this path found something, which may have been
	// told to the other side. Nil: every path is known.
	Known func(path string) bool
	// Precise is what Source.Precise says.
	Precise bool

	// state
	top    *pending        // what waits, by path
	queue  byDue           // what waits, by time; parked items are not in it
	count  int             // items, queued and parked
	halves map[uint32]half // renames that wait for their partner, by cookie
	hot    map[string]hot  // files that are written and not closed
}

// Add takes in events in the order in which they came.
func (s *Settle) Add(now time.Time, events []Event) {
	for _, e := range events {
		switch {
		case e.Op == Overflow || e.Op == RootGone:
			s.everything(now)
		case s.Precise:
			s.precise(now, e)
		default:
			s.rough(now, e)
		}
		if s.count > maxPending {
			s.everything(now)
		}
	}
}

// Defer gives back a path that was looked at: what was found may be a moment inside a
// save. If an event about the path has come meanwhile, that decides.
func (s *Settle) Defer(now time.Time, path string, why Why) {
	if why == Changed {
		s.torn(now, path)
		if it := s.lookup(path); it == nil || !it.modified {
			s.written(now, path)
		}
		return
	}
	if s.cover(path) != nil || s.lookup(path) != nil {
		return
	}
	it := s.item(now, path)
	it.gone = why == Absent
	it.modified = true // that look may have been a Modified one, and it took nothing in
	w := waitAbsence
	if why == Unclosed {
		w = waitClose
	}
	s.schedule(now, it, w)
}

// Overtaken returns the files at or below path that were written or made anew since
// their last look, and the names that went away: what was found there may be half of
// a save, or was a temporary file. It leaves out files that are Restless.
func (s *Settle) Overtaken(path string) (written, gone []string) {
	n := s.top.find(path)
	if n == nil {
		return nil, nil
	}
	n.each(func(n *pending) {
		if n.val == nil {
			return
		}
		p := n.path()
		switch {
		case n.val.gone:
			gone = append(gone, p)
		case (n.val.modified || n.val.begun) && !s.Restless(p):
			written = append(written, p)
		}
	})
	return written, gone
}

// Restless says that a file changed so often while it was read that what is read of it
// counts all the same, or nobody would ever hear of it.
func (s *Settle) Restless(path string) bool { return s.hot[path].torn >= tornMax }

// Due returns what is to be looked at now, and forgets it. Before each call, the source
// is drained and its events are added: a rename that happened before the last looks
// must be known before the next.
func (s *Settle) Due(now time.Time) []Batch {
	var batches []Batch
	var b Batch
	for len(s.queue) > 0 && !s.queue[0].due.After(now) {
		s.take(now, heap.Pop(&s.queue).(*item), &b)
		if len(b.Looks) >= maxBatch {
			batches = append(batches, b)
			b = Batch{}
		}
	}
	if len(b.Looks) > 0 {
		batches = append(batches, b)
	}
	for _, b := range batches {
		b.Sort()
	}
	return batches
}

// Next says when Due will have something.
func (s *Settle) Next() (time.Time, bool) {
	if len(s.queue) == 0 {
		return time.Time{}, false
	}
	return s.queue[0].due, true
}

// Idle says that nothing waits.
func (s *Settle) Idle() bool { return len(s.queue) == 0 }

// Expedite makes due what waits for quiet or for its turn. An absence and an empty
// file keep AbsenceWait: cut short, it would publish the gap inside somebody's save. Whoever needs everything calls Due until Idle.
func (s *Settle) Expedite(now time.Time) {
	for _, it := range s.queue {
		switch {
		case it.wait == waitAbsence:
		case it.wait == waitClose:
			it.due = earlier(it.due, now.Add(AbsenceWait))
		case it.due.After(now):
			it.due, it.cut = now, true
		}
	}
	heap.Init(&s.queue)
}
