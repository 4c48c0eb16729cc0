package disk

import (
	"errors"
	"io/fs"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of what happens to captured files.
const (
	siteSlotDrop  fsx.Site = "slot.drop"
	siteSlotRmdir fsx.Site = "slot.rmdir"
	siteSlotUp    fsx.Site = "slot.up"
)

// slotSlice is how many slots are seen to before anything else has a turn.
const slotSlice = 256

// closeFor is how long a Close that waits for nothing else spends on captured
// files. What is left then is settled by the next start. Tests have more time.
var closeFor = time.Second / 2

var errLater = errors.New("somebody waits")

// hurried says whether somebody waits for more urgent things than the end of
// captured files. Each may be a copy to another file system, and a directory
// may hold thousands.
func (d *Disk) hurried() bool {
	if !d.cleanBy.IsZero() {
		return d.opt.Clock.Now().After(d.cleanBy)
	}
	return d.life.Err() != nil || len(d.settles) > 0
}

// cleanSlots looks once more at the captured files whose rest is over, and
// hands them over or drops them. One that can't be ended rests again, and its
// intent stays with it: after a crash, a slot that no intent speaks of is taken
// for a file that was being built.
func (d *Disk) cleanSlots(all bool) error {
	var errs []error
	var failed []*slot
	n := 0
	for ; n < maxSlots && (all || n < slotSlice); n++ { // those that are to be tried again come last
		s := d.slots.take(d.opt.Clock.Now(), all)
		if s == nil {
			break
		}
		err := d.cleanSlot(s)
		if errors.Is(err, errLater) {
			d.slots.first(s)
			break
		}
		if err != nil {
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

// cleanSlot ends a slot. Of a directory that can't be ended s holds what is
// left then, and so does its intent.
func (d *Disk) cleanSlot(s *slot) error {
	if d.hurried() {
		return errLater
	}
	if !s.entry.IsDir() {
		return d.cleanFile(s)
	}
	c := cleaner{d: d, top: s.path, why: s.why, at: s.at, left: s.entry}
	err := c.dir(d.stage(), s.name, s.path, s.entry, s.stats)
	if err != nil && c.left != s.entry {
		s.entry = c.left
		err = errors.Join(err, d.intents.write([]intent{s.intent()}))
	}
	return err
}

// cleanFile ends a captured file. Bytes that were written to it after it was
// captured are somebody's, and nowhere else.
func (d *Disk) cleanFile(s *slot) error {
	st, err := d.stage().Stat(s.name)
	if err != nil {
		return goneIsDone(err)
	}
	if s.st.Ino != 0 && !(s.tells && unwritten(st, s.st)) {
		if e := d.readCaptured(d.stage(), s.name); e == nil || !tree.SameContent(e, s.entry) {
			d.stray(s.name, s.path, "written after it was "+s.why)
			return nil
		}
	}
	return d.endLeaf(d.stage(), s.name, Past{s.path, s.entry, s.why, s.at})
}

// goneIsDone is the error of something that can't be ended. If it is gone,
// somebody emptied our folder, and nothing is left to save.
func goneIsDone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// unwritten says whether nobody wrote to a captured file since, not even who set its
// stamp back: was is from after the rename, which changes the ctime.
func unwritten(st, was fsx.Stat) bool {
	return st.Kind == was.Kind && st.Ino == was.Ino && st.Size == was.Size && st.Mtime == was.Mtime && st.Ctime == was.Ctime
}

// endLeaf hands over or drops a file or link that was superseded. What is ours
// came from the other side, and is there.
func (d *Disk) endLeaf(dir fsx.Dir, name string, was Past) error {
	if d.opt.Displaced != nil && was.Why != ours {
		return d.opt.Displaced(dir, name, was)
	}
	return dir.Unlink(siteSlotDrop, name)
}

// cleaner ends a captured directory, leaf by leaf.
type cleaner struct {
	d    *Disk
	top  string // where the directory was
	why  string
	at   time.Time
	left *tree.Entry // what is still there
}

// dir ends the directory under name, which was at path. One that can't be ended
// stays.
func (c *cleaner) dir(parent fsx.Dir, name, path string, e *tree.Entry, st *stats) error {
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
		if c.d.hurried() {
			return errLater
		}
		sub, was := tree.Join(path, it.Name), e.Child(it.Name)
		if it.Kind == fsx.Directory || it.Kind == 0 && was.IsDir() {
			var inner *stats
			if st != nil {
				inner, _ = st.dirs.get(it.Name)
			}
			err = c.dir(dir, it.Name, sub, was, inner)
		} else {
			err = c.leaf(dir, it.Name, sub, was, st)
		}
		if err != nil {
			return err
		}
		c.left, _ = tree.Put(c.left, below(sub, c.top), nil)
	}
	return parent.Rmdir(siteSlotRmdir, name)
}

// leaf ends one name of a captured directory. If it is not what was captured it
// moves up into a slot of its own.
func (c *cleaner) leaf(dir fsx.Dir, name, path string, was *tree.Entry, st *stats) error {
	if !c.d.asCaptured(dir, name, was, st) {
		return c.d.strayUp(dir, name, path, "written after it was "+c.why)
	}
	return c.d.endLeaf(dir, name, Past{path, was, c.why, c.at})
}

// asCaptured says whether a name of a captured directory is what it was.
func (d *Disk) asCaptured(dir fsx.Dir, name string, was *tree.Entry, st *stats) bool {
	if was.IsFile() && st != nil {
		now, err := dir.Stat(name)
		m, ok := st.files.get(name)
		if err == nil && ok && m.trust == proven && m.matches(now) && now.Size == was.Size && now.Kind == fsx.Regular {
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
