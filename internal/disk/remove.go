package disk

import (
	"errors"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

const siteRmdir fsx.Site = "remove.rmdir"

// What keeps a directory in its place.
const (
	keptIgnored = "it holds files that are ignored; they stay, and so does it"
	keptOpaque  = "it holds something that is not synced; that stays, and so does it"
)

// remove takes a file or link away, by capture.
func (p *putter) remove(at place, name string) replica.Result {
	s, r, _ := p.capture(at, name)
	return p.rest(s, r)
}

// rest lets a slot rest that holds what it should.
func (p *putter) rest(s *slot, r replica.Result) replica.Result {
	if r.Status == replica.Applied {
		p.d.letRest(s, "deleted")
	}
	return r
}

// capture takes what is at the path into a slot, and returns it to its path if
// it is not what was expected. The slot's name is ours and free, so the rename
// need not refuse to replace: in steps it could lose a save under the user's
// name. whole is false for a directory that is where it was, and has to be
// dealt with leaf by leaf.
func (p *putter) capture(at place, name string) (_ *slot, _ replica.Result, whole bool) {
	d := p.d
	at.was.meta.trust = p.trustBefore(at)
	isDir := at.c.Old.IsDir()
	err := at.dir.Rename(siteCapture, at.name, d.stage(), name, fsx.Replace)
	if err != nil && !d.taken(name, err) {
		return nil, p.notPut(at, err), !isDir
	}
	s, _ := d.holds(at.c.Path, d.stage(), name, at.c.Old, at.was.meta)
	if s == nil || p.gone(at) {
		back := p.giveBack(at, name)
		return nil, d.movedOn(at.c, changedMeanwhile), !isDir || !back
	}
	if isDir {
		d.watch.Remove(at.c.Path)
	}
	return s, d.applied(at.c, found{}), true
}

// taken says whether a rename into a slot that failed was made all the same.
func (d *Disk) taken(name string, err error) bool {
	if expected(err) {
		return false
	}
	_, serr := d.stage().Stat(name)
	return serr == nil
}

// removeDir takes a directory away. If nothing in it is ignored, it is
// captured whole and looked at; what can't be captured whole, or turns out to
// be more than was known, goes leaf by leaf, and what is left of it stays.
func (p *putter) removeDir(at place, name string) replica.Result {
	if !at.hid && !at.c.Old.Murky() {
		if s, r, whole := p.capture(at, name); whole {
			return p.rest(s, r)
		}
	}
	return p.removeLeaves(at)
}

// removeLeaves takes away what is known below the directory, children before
// parents, and the directories that are empty then. What remains was not
// known, or can't go: it stays, and so do the directories above it.
func (p *putter) removeLeaves(at place) replica.Result {
	d := p.d
	dir, err := at.dir.Open(at.name)
	if err != nil {
		return d.movedOn(at.c, changedMeanwhile)
	}
	defer dir.Close()
	leaves, err := p.leaves(at, dir)
	if err != nil {
		return d.held(at.c, err)
	}
	stays := "" // why something below can't go
	for _, l := range leaves {
		var r replica.Result
		switch {
		case l.at.c.Old.Kind >= tree.Opaque:
			stays = keptOpaque
			continue
		case l.at.c.Old.IsDir():
			r = p.removeLeaves(l.at)
		default:
			r = p.remove(l.at, l.slot)
		}
		if r.Status == replica.Held {
			stays = r.Reason
		}
	}
	err = at.dir.Rmdir(siteRmdir, at.name)
	switch {
	case err == nil:
		d.watch.Remove(at.c.Path)
		return d.applied(at.c, found{})
	case stays != "" && errors.Is(err, fsx.ErrNotEmpty):
		return d.heldFor(at.c, stays)
	case errors.Is(err, fsx.ErrNotEmpty) && p.onlyIgnored(at, dir):
		return d.heldFor(at.c, keptIgnored)
	case errors.Is(err, fsx.ErrNotEmpty):
		return d.movedOn(at.c, changedMeanwhile)
	}
	return p.notPut(at, err)
}

// leaf is one name of a directory that is taken away.
type leaf struct {
	at   place
	slot string
}

// leaves lists what is as it was when the removal was decided, and records in
// one write where the files will be.
func (p *putter) leaves(at place, dir fsx.Dir) ([]leaf, error) {
	var leaves []leaf
	var intents []intent
	for name, e := range at.c.Old.Children() {
		c := tree.Change{Path: tree.Join(at.c.Path, name), Old: e}
		was := p.d.known(c.Path)
		if !tree.Same(was.entry, e) {
			continue
		}
		l := leaf{at: place{c: c, dir: dir, name: name, was: was, up: &at}}
		if !e.IsDir() {
			l.slot = p.d.slots.name(takenAway)
			intents = append(intents, intentOf(l.slot, c))
		}
		leaves = append(leaves, l)
	}
	return leaves, p.d.intents.write(intents)
}

// onlyIgnored says whether everything that is left in dir is ignored.
func (p *putter) onlyIgnored(at place, dir fsx.Dir) bool {
	items, err := dir.List()
	if err != nil {
		return false
	}
	for _, it := range items {
		if !p.d.ignored(at.c.Path, it.Name, it.Kind == fsx.Directory) {
			return false
		}
	}
	return true
}
