package disk

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of what happens to captured files.
const (
	siteSlotDrop  fsx.Site = "slot.drop"
	siteSlotRmdir fsx.Site = "slot.rmdir"
	siteSlotUp    fsx.Site = "slot.up"
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
	// slotSlice is how many are seen to before anything else has a turn.
	slotSlice = 256
)

// slots are the captured files, and the names of private files.
type slots struct {
	mu     sync.Mutex
	list   []slot                    // guarded by mu: in the order of due
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
	stats *stats   // of a directory, when it was captured
	st    fsx.Stat // the same of a file
	why   string   // "replaced", "deleted", or ours
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
	if s.prefix == "" {
		id := newID()
		s.prefix = hex.EncodeToString(id[:8])
	}
	s.seq++
	return fmt.Sprintf("%s%s%012x", began, s.prefix, s.seq)
}

func (s *slots) add(x slot, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.due = now.Add(slotRest)
	s.list = append(s.list, x)
	s.bytes += x.entry.Bytes()
}

// again lets slots rest that could not be ended.
func (s *slots) again(failed []slot, now time.Time) {
	for _, x := range failed {
		s.add(x, now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(failed) > 0 {
		s.retry = now.Add(slotRetry)
	}
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

// take removes and returns the next slot that is due, or over the limit.
func (s *slots) take(now time.Time, all bool) (slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	early := all || s.full() && !now.Before(s.retry)
	if len(s.list) == 0 || !early && now.Before(s.list[0].due) {
		return slot{}, false
	}
	x := s.list[0]
	s.list[0] = slot{}
	if s.list = s.list[1:]; len(s.list) == 0 {
		s.list = nil
	}
	s.bytes -= x.entry.Bytes()
	return x, true
}

// intents says what the slots that rest are for. What replaced their contents
// does not matter any more, only that something did.
func (s *slots) intents() []intent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []intent
	for _, x := range s.list {
		in := intentOf(x.name, tree.Change{Path: x.path, Old: x.entry})
		if x.name[:1] == builtHere {
			in.to.kind = x.entry.Kind
		}
		all = append(all, in)
	}
	return all
}

// cleanSlots looks once more at the captured files whose rest is over, and
// hands them over or drops them. One that can't be ended rests again, and its
// intent stays with it: after a crash, a slot that no intent speaks of is taken
// for a file that was being built.
func (d *Disk) cleanSlots(all bool) error {
	var errs []error
	var failed []slot
	n := 0
	for ; all || n < slotSlice; n++ {
		s, ok := d.slots.take(d.opt.Clock.Now(), all)
		if !ok {
			break
		}
		if err := d.cleanSlot(s); err != nil {
			errs, failed = append(errs, err), append(failed, s)
		}
	}
	d.slots.again(failed, d.opt.Clock.Now())
	if n == 0 {
		return nil
	}
	if d.opt.DisplacedDone != nil {
		errs = append(errs, d.opt.DisplacedDone())
	}
	return errors.Join(append(errs, d.tidyIntents())...)
}

func (d *Disk) cleanSlot(s slot) error {
	if s.entry.IsDir() {
		return d.cleanDir(d.stage(), s.name, s.path, s.entry, s.stats, s.why)
	}
	return d.cleanFile(s)
}

// cleanFile ends a captured file. Bytes that were written to it after it was
// captured are somebody's, and nowhere else.
func (d *Disk) cleanFile(s slot) error {
	st, err := d.stage().Stat(s.name)
	if err != nil {
		return goneIsDone(err)
	}
	if s.st.Ino != 0 && !unwritten(st, s.st) {
		if e := d.readCaptured(d.stage(), s.name); e == nil || !tree.SameContent(e, s.entry) {
			d.stray(s.name, s.path, "written after it was "+s.why)
			return nil
		}
	}
	return d.endLeaf(d.stage(), s.name, s.path, s.entry, s.why)
}

// goneIsDone is the error of something that can't be ended. If it is gone,
// somebody emptied our folder, and nothing is left to save.
func goneIsDone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// unwritten says whether nobody wrote to a captured file since.
func unwritten(st, was fsx.Stat) bool {
	return st.Kind == was.Kind && st.Ino == was.Ino && st.Size == was.Size && st.Mtime == was.Mtime
}

// endLeaf hands over or drops a file or link that was superseded. What is ours
// came from the other side, and is there.
func (d *Disk) endLeaf(dir fsx.Dir, name, path string, e *tree.Entry, why string) error {
	if d.opt.Displaced != nil && why != ours {
		return d.opt.Displaced(dir, name, path, e, why)
	}
	return dir.Unlink(siteSlotDrop, name)
}

// cleanDir ends a captured directory, leaf by leaf. One that can't be ended
// stays, and is settled at the next start.
func (d *Disk) cleanDir(parent fsx.Dir, name, path string, e *tree.Entry, st *stats, why string) error {
	dir, err := parent.Open(name)
	if err != nil {
		return goneIsDone(err)
	}
	defer dir.Close()
	items, err := dir.List()
	if err != nil {
		return err
	}
	for _, it := range items {
		sub, was := tree.Join(path, it.Name), e.Child(it.Name)
		if it.Kind == fsx.Directory || it.Kind == 0 && was.IsDir() {
			var below *stats
			if st != nil {
				below, _ = st.dirs.get(it.Name)
			}
			err = d.cleanDir(dir, it.Name, sub, was, below, why)
		} else {
			err = d.cleanLeaf(dir, it.Name, sub, was, st, why)
		}
		if err != nil {
			return err
		}
	}
	return parent.Rmdir(siteSlotRmdir, name)
}

// cleanLeaf ends one name of a captured directory. If it is not what was
// captured it moves up into a slot of its own.
func (d *Disk) cleanLeaf(dir fsx.Dir, name, path string, was *tree.Entry, st *stats, why string) error {
	if !d.asCaptured(dir, name, was, st) {
		return d.strayUp(dir, name, path, "written after it was "+why)
	}
	return d.endLeaf(dir, name, path, was, why)
}

// asCaptured says whether a name of a captured directory is what it was.
func (d *Disk) asCaptured(dir fsx.Dir, name string, was *tree.Entry, st *stats) bool {
	if was.IsFile() && st != nil {
		now, err := dir.Stat(name)
		m, ok := st.files.get(name)
		if err == nil && ok && m.matches(now) && now.Size == was.Size && now.Kind == fsx.Regular {
			return true
		}
	}
	now := d.readCaptured(dir, name)
	return now != nil && tree.Equal(now, was)
}

// readCaptured reads a captured file or link; nil when it is neither.
func (d *Disk) readCaptured(dir fsx.Dir, name string) *tree.Entry {
	s := &scanner{d: d, captured: true, prior: reread}
	f := s.name("", dir, name, 0)
	if f.entry == nil || f.entry.Murky() || f.entry.IsDir() {
		return nil
	}
	return f.entry
}
