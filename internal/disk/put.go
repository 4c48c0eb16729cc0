package disk

import (
	"errors"
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of changing a path.
const (
	siteCreate   fsx.Site = "put.create"
	siteExchange fsx.Site = "put.exchange"
	sitePutBack  fsx.Site = "put.back"
	siteNewest   fsx.Site = "put.newest"
	siteCapture  fsx.Site = "put.capture"
	siteChmod    fsx.Site = "put.chmod"
)

const (
	lostRace = "a save that lost a race"
	// ours is why something rests that we had put in place for a moment.
	ours = "put back"
)

// reopenEvery is after how many changes the way to a directory is gone again: a
// directory that is held open is followed wherever the user moves it, also out
// of the root.
const reopenEvery = 32

// putter makes changes whose contents are staged, one path at a time.
type putter struct {
	d    *Disk
	cur  *cursor // below the root
	done int     // changes since the beginning
}

// place is where a change is made.
type place struct {
	c    tree.Change
	dir  fsx.Dir
	name string
	was  found  // what the index held when the change began
	hid  bool   // that was a directory with ignored names in it
	up   *place // of dir, where that is no directory of the cursor
}

// gone says whether the directory in which a change was made is not where it was,
// or was not at the time: it is held open, and what was captured in it has
// another name by now, by which nobody has given it up.
func (p *putter) gone(at place) bool {
	if at.up != nil {
		return !isAt(at.up.dir, at.up.name, at.dir) || p.gone(*at.up)
	}
	return !p.cur.still()
}

// put makes one change. m is what was staged for it, or the slot for what it
// takes away.
func (p *putter) put(c tree.Change, m *staged) replica.Result {
	d := p.d
	d.mu.Lock()
	at := place{c: c, was: d.index.get(c.Path)}
	at.hid = c.Old.IsDir() && at.was.stats.hides()
	gone := d.gone
	d.mu.Unlock()
	switch {
	case gone:
		return d.held(c, errRootGone)
	case m.err != nil:
		return d.held(c, m.err)
	case m.gone != "":
		return replica.Result{Path: c.Path, Status: replica.MovedOn, Entry: at.was.entry, Reason: m.gone}
	case !tree.Same(at.was.entry, c.Old):
		return d.movedOn(c, changedMeanwhile)
	}
	if p.done++; p.done%reopenEvery == 0 {
		p.cur.close()
	}
	parent, name := tree.Split(c.Path)
	dir, err := p.cur.at(parent)
	if err != nil {
		return d.movedOn(c, "its directory is gone")
	}
	at.dir, at.name = dir, name
	switch {
	case c.New == nil && c.Old == nil:
		return d.applied(c, found{})
	case c.New == nil && c.Old.IsDir():
		return p.removeDir(at, m.name)
	case c.New == nil:
		return p.remove(at, m.name)
	case c.Old == nil:
		return p.create(at, m)
	case chmodOnly(c) && m.name == "":
		return p.chmod(at)
	}
	return p.replace(at, m)
}

var errRootGone = errors.New("the root is gone")

// create puts something where nothing is.
func (p *putter) create(at place, m *staged) replica.Result {
	err := p.d.stage().Rename(siteCreate, m.name, at.dir, at.name, fsx.NoReplace)
	if err != nil && !made(at.dir, at.name, m, err) {
		return p.notPut(at, err)
	}
	return p.inPlace(at, m)
}

// made says whether a rename that failed was made all the same, as an
// interrupted one on a network file system is. If that can't be told, what is
// in the stage folder is not dropped unseen.
func made(dir fsx.Dir, name string, m *staged, err error) bool {
	if expected(err) {
		return false
	}
	m.doubt = true
	st, serr := dir.Stat(name)
	return serr == nil && m.st.Ino != 0 && st.Ino == m.st.Ino
}

// expected says whether a rename that fails with err has surely done nothing.
func expected(err error) bool {
	return errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, fsx.ErrUnsupported) || errors.Is(err, fsx.ErrCrossDevice)
}

// notPut is the result of a rename that failed.
func (p *putter) notPut(at place, err error) replica.Result {
	if errors.Is(err, fs.ErrExist) {
		if _, err := p.d.statAs(&spelling{}, "", at.dir, at.name); err == errSpelled {
			return p.d.heldFor(at.c, reasonTwin)
		}
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return p.d.movedOn(at.c, changedMeanwhile)
	}
	return p.d.held(at.c, err)
}

// inPlace is the result of a change that is in place now.
func (p *putter) inPlace(at place, m *staged) replica.Result {
	m.name = ""
	f := found{entry: at.c.New, stats: m.stats, meta: metaOf(m.st, placed)}
	for _, path := range m.lacks {
		f.entry, _ = tree.Put(f.entry, below(path, at.c.Path), nil)
	}
	if m.stats != nil {
		p.d.shown(m.stats)
	}
	return p.d.applied(at.c, f)
}

// shown decides which stats of a staged directory stand for the contents now
// that everybody sees it. There was no watch on it, so only those that are
// older than anything that can be written from now on. The others are read
// again when the directory is met.
func (d *Disk) shown(top *stats) {
	now := d.opt.Clock.Now().UnixNano()
	top.each("", func(_ string, s *stats) {
		for name, m := range s.files.all() {
			if m.trust = stale; d.settledBefore(m.mtime, now) {
				m.trust = proven
			}
			s.files.set(name, m)
		}
	})
}

// replace swaps what is at the path with what is staged, target first: the
// effect is the same the other way round, but watchers would be told last that
// the path is gone. Then it looks at what came out.
func (p *putter) replace(at place, m *staged) replica.Result {
	d := p.d
	if at.hid {
		return p.replaceByParts(at, m)
	}
	at.was.meta.trust = p.trustBefore(at)
	err := at.dir.Rename(siteExchange, at.name, d.stage(), m.name, fsx.Exchange)
	switch {
	case errors.Is(err, fsx.ErrUnsupported), errors.Is(err, fsx.ErrCrossDevice):
		m.doubt = true // a file system in user space may say so and have done it
		return p.replaceByParts(at, m)
	case err != nil && !made(at.dir, at.name, m, err):
		return p.notPut(at, err)
	}
	s, _ := d.holds(at.c.Path, d.stage(), m.name, at.c.Old, at.was.meta)
	if s == nil || p.gone(at) {
		return p.putBack(at, m)
	}
	if at.c.Old.IsDir() {
		d.watch.Remove(at.c.Path)
	} else if s.st.Nlink > 1 {
		d.sayLinked(at.c.Path)
	}
	d.letRest(s, "replaced")
	return p.inPlace(at, m)
}

// sayLinked says once that a file with several names is one of its own now.
func (d *Disk) sayLinked(path string) {
	if !d.saidLinked.Swap(true) {
		d.report(replica.Report{Notice: &replica.Notice{Level: replica.Info,
			Text: path + " was a hard link; it is a file of its own now, as are others that are replaced"}})
	}
}

// putBack undoes an exchange that captured something else than was expected:
// the user won the race. If what comes out now is not what we had put there,
// it is a still newer save; it goes back once more, so that the newest stays
// at the path, and the older one becomes a stray.
func (p *putter) putBack(at place, m *staged) replica.Result {
	d := p.d
	if err := at.dir.Rename(sitePutBack, at.name, d.stage(), m.name, fsx.Exchange); err != nil {
		p.giveBack(at, m.name)
		m.name = ""
		return d.movedOn(at.c, changedMeanwhile)
	}
	s, err := d.holds(at.c.Path, d.stage(), m.name, at.c.New, metaOf(m.st, placed))
	if s != nil {
		d.letRest(s, ours) // somebody may have opened it while it was there
	} else {
		if err == nil { // else it is ours as far as anybody knows, and must not take the path
			at.dir.Rename(siteNewest, at.name, d.stage(), m.name, fsx.Exchange) // where it fails, both are kept all the same
		}
		d.stray(m.name, at.c.Path, lostRace)
	}
	m.name = ""
	return d.movedOn(at.c, changedMeanwhile)
}

// giveBack returns what was captured to its path, if nobody has put something
// there; else it is a stray.
func (p *putter) giveBack(at place, slot string) bool {
	if err := p.d.stage().Rename(sitePutBack, slot, at.dir, at.name, fsx.NoReplace); err != nil {
		p.d.stray(slot, at.c.Path, lostRace)
		return false
	}
	return true
}

// replaceByParts is for what cannot be exchanged: a file system without
// exchange, a directory of an image layer, a directory with ignored names in
// it. What is there goes first, by capture; then the new one is put. There is a
// short time with neither. If the new one can't be put, the old one returns.
func (p *putter) replaceByParts(at place, m *staged) replica.Result {
	slot := p.d.slots.name(takenAway)
	if err := p.d.intents.write([]intent{intentOf(slot, at.c)}); err != nil {
		return p.d.held(at.c, err)
	}
	old := at
	old.c.New = nil
	if !at.hid && !at.c.Old.Murky() {
		if s, r, whole := p.capture(old, slot); whole {
			return p.fillGap(at, m, s, r)
		}
	}
	if r := p.removeLeaves(old); r.Status != replica.Applied {
		return r
	}
	fresh := at
	fresh.c.Old = nil
	return p.create(fresh, m)
}

// fillGap puts the new one where the old one was captured.
func (p *putter) fillGap(at place, m *staged, old *slot, r replica.Result) replica.Result {
	if r.Status != replica.Applied {
		return r
	}
	err := p.d.stage().Rename(siteCreate, m.name, at.dir, at.name, fsx.NoReplace)
	if err != nil && !made(at.dir, at.name, m, err) {
		if p.giveBack(at, old.name) {
			p.d.applied(tree.Change{Path: at.c.Path, New: at.c.Old}, at.was)
		}
		return p.notPut(at, err)
	}
	// From now on the gap is closed: whoever makes a new one means it. An intent
	// that can't be written leaves the slot as it is: after a crash, and only if
	// the path is empty then, the old one returns.
	p.d.intents.write([]intent{old.intent()})
	p.d.letRest(old, "replaced")
	return p.inPlace(at, m)
}

// chmod sets or clears the exec bit; no content moves.
func (p *putter) chmod(at place) replica.Result {
	st, err := at.dir.Stat(at.name)
	differ := at.c.Old.Exec != at.c.New.Exec
	if err != nil || !at.was.meta.matches(st) || st.Size != at.c.Old.Size || differ && st.Nlink > 1 {
		return p.d.movedOn(at.c, changedMeanwhile)
	}
	if differ {
		if err := at.dir.Chmod(siteChmod, at.name, withExec(st.Mode, at.c.New.Exec)); err != nil {
			return p.d.held(at.c, err)
		}
	}
	after, err := at.dir.Stat(at.name)
	st.Mode = after.Mode
	if err != nil || !after.SameBytes(st) || p.d.execOf(after) != at.c.New.Exec {
		return p.d.movedOn(at.c, changedMeanwhile)
	}
	return p.d.applied(at.c, found{entry: at.c.New, meta: metaOf(after, max(at.was.meta.trust, racy))})
}

// withExec is mode with the exec bits set wherever it can be read, or cleared.
func withExec(mode fs.FileMode, exec bool) fs.FileMode {
	if exec == (mode&0o111 != 0) {
		return mode & 0o777
	}
	if !exec {
		return mode & 0o666
	}
	return mode&0o777 | mode&0o444>>2
}
