package disk

import (
	"fmt"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

const (
	// slotRest is how long a captured file stays in its slot: a program that
	// has it open may still write to it (CASES A6).
	slotRest = 60 * time.Second
	// maxSlots and maxSlotBytes bound what rests. Beyond them the oldest are
	// looked at early.
	maxSlots     = 20_000
	maxSlotBytes = 1 << 30
	// slotRetry is how long nothing is looked at early after a slot could not be
	// ended.
	slotRetry = 10 * time.Second
)

// slots are the captured files, and the names of private files.
type slots struct {
	mu     sync.Mutex
	list   []*slot                   // guarded by mu: in the order of due
	bytes  int64                     // guarded by mu: of the list
	strays map[string]*replica.Stray // guarded by mu: by slot name
	retry  time.Time                 // guarded by mu: nothing is looked at early before
	seq    uint64                    // guarded by mu
	prefix string                    // of this process's names
}

// slot is one captured file or directory.
type slot struct {
	name  string
	path  string // where it was
	entry *tree.Entry
	stats *stats    // of a directory, when it was captured
	st    fsx.Stat  // the same of a file
	tells bool      // whoever writes to it later leaves another stat
	why   string    // "replaced", "deleted", or ours
	at    time.Time // when it was captured
	due   time.Time
}

// The first letter of a private name says what the file began as.
const (
	builtHere = "b" // staged by us, and possibly exchanged since
	takenAway = "t" // captured from the root
	strayed   = "s" // belongs to no path any more
)

// name returns a name that no private file has. It has no extension: every
// watcher on the root may see it.
func (s *slots) name(began string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	return fmt.Sprintf("%s%s%012x", began, s.prefix, s.seq)
}

// letRest puts a captured file, or directory, among those that rest.
func (d *Disk) letRest(x *slot, why string) {
	now := d.opt.Clock.Now()
	if x.why = why; x.at.IsZero() {
		x.at = now
	}
	d.slots.add(x, now.Add(slotRest))
}

func (s *slots) add(x *slot, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.due = due
	s.list = append(s.list, x)
	s.bytes += x.entry.Bytes()
}

// again lets slots rest that could not be ended.
func (s *slots) again(failed []*slot, now time.Time) {
	for _, x := range failed {
		s.add(x, now.Add(slotRest))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(failed) > 0 {
		s.retry = now.Add(slotRetry)
	}
}

// first puts back a slot whose end was begun.
func (s *slots) first(x *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append([]*slot{x}, s.list...)
	s.bytes += x.entry.Bytes()
}

// next returns when the oldest slot is due.
func (s *slots) next() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.list) == 0:
		return time.Time{}, false
	case s.full() && s.retry.Before(s.list[0].due):
		return s.retry, true
	}
	return s.list[0].due, true
}

func (s *slots) full() bool { return len(s.list) > maxSlots || s.bytes > maxSlotBytes }

// take removes and returns the next slot that is due, or over the limit; nil
// when there is none.
func (s *slots) take(now time.Time, all bool) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	early := all || s.full() && !now.Before(s.retry)
	if len(s.list) == 0 || !early && now.Before(s.list[0].due) {
		return nil
	}
	x := s.list[0]
	s.list[0] = nil
	if s.list = s.list[1:]; len(s.list) == 0 {
		s.list = nil
	}
	s.bytes -= x.entry.Bytes()
	return x
}

// intents says what the slots that rest are for.
func (s *slots) intents() []intent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []intent
	for _, x := range s.list {
		all = append(all, x.intent())
	}
	return all
}

// intent says what a slot is for that rests. What replaced its content does not
// matter any more, only that something did.
func (x *slot) intent() intent {
	in := intentOf(x.name, tree.Change{Path: x.path, Old: x.entry})
	if x.name[:1] == builtHere {
		in.to.kind = x.entry.Kind
	}
	return in
}
