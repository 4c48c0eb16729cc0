package disk

import (
	"fmt"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of what is settled after a crash.
const (
	siteRecoverBack fsx.Site = "recover.back"
	siteRecoverDrop fsx.Site = "recover.drop"
)

// recoverSlots settles what a crash left in the stage folder. Called under the
// lock, before anything else is done.
func (d *Disk) recoverSlots() error {
	intents, whole, err := d.readIntents(d.stage())
	if err != nil {
		return err
	}
	items, err := d.stage().List()
	if err != nil {
		return fmt.Errorf("list the stage folder: %w", err)
	}
	for _, it := range items {
		in, ok := intents[it.Name]
		switch {
		case it.Name == intentsName, it.Name == intentsNext:
		case it.Name[:1] == strayed:
			d.stray(it.Name, in.path, "left over from an earlier session")
		case ok && d.recoverKnown(in):
		case !ok && it.Name[:1] == builtHere && whole:
			d.dropStaged(it.Name) // it was being built: what is put by exchange has an intent
		default:
			d.stray(it.Name, in.path, "left over from a crash")
		}
	}
	if err := d.recoverInner(); err != nil {
		return err
	}
	return d.intents.renew(d.stage(), d.boot, d.slots.intents()) // other slots have names now that need none
}

// recoverInner gives out what is left in the stage folder inside the root, when
// the one outside is in use: a session had to do without that one.
func (d *Disk) recoverInner() error {
	inner, err := d.private().Open(stageName)
	if err != nil {
		return nil // as a rule it is not there
	}
	defer inner.Close()
	if d.own.Load().isInner() {
		return nil
	}
	intents, _, err := d.readIntents(inner)
	if err != nil {
		return err
	}
	items, err := inner.List()
	for _, it := range items {
		if it.Name != intentsName && it.Name != intentsNext {
			d.strayUp(inner, it.Name, intents[it.Name].path, "left over from an earlier session")
		}
	}
	return err
}

// recoverKnown settles a slot with an intent. It reports whether that is done;
// if not, what is in the slot is a stray. So is everything that is neither what
// was there nor what was to be: it may be a save that was captured at the very
// moment of the crash, but far more often it was written later, to a file that
// had been verified and agreed to be superseded. That must not take the path
// from what is there now. And so is what has a path at which nothing may be
// put: such an intent is not ours, a repository can carry a folder of our name.
func (d *Disk) recoverKnown(in intent) bool {
	st, err := d.stage().Stat(in.slot)
	f := d.scanSlot(in.slot)
	if err != nil || f.entry.Murky() || d.refusal(tree.Change{Path: in.path, New: f.entry}) != "" {
		return false
	}
	switch markOf(f.entry) {
	case in.to: // never put in place, or put back: the content is the other side's
		d.dropStaged(in.slot)
		return true
	case in.from:
		if in.to.kind != 0 && in.slot[:1] == takenAway && d.returnSlot(in) {
			return true // it was taken away to make room, and nothing has come
		}
		d.restAgain(in, f, st)
		return true
	}
	return false
}

// scanSlot reads what is under name in the stage folder.
func (d *Disk) scanSlot(name string) found {
	s := &scanner{d: d, captured: true, prior: reread}
	return s.name("", d.stage(), name, 0)
}

// restAgain lets a slot rest that holds what was superseded. It is not ended
// here: that may take long, and whoever starts waits.
func (d *Disk) restAgain(in intent, f found, st fsx.Stat) {
	why := "replaced"
	if in.to.kind == 0 {
		why = "deleted"
	}
	d.letRest(&slot{name: in.slot, path: in.path, entry: f.entry, stats: f.stats, st: st, at: time.Unix(0, st.Ctime)}, why)
}

// returnSlot puts a slot back to its path if nothing is there.
func (d *Disk) returnSlot(in intent) bool {
	cur := cursor{top: d.root}
	defer cur.close()
	parent, name := tree.Split(in.path)
	dir, err := cur.at(parent)
	return err == nil && d.stage().Rename(siteRecoverBack, in.slot, dir, name, fsx.NoReplace) == nil
}

// dropStaged takes away a private file or directory whose content is not
// needed here: it was built by us from what the other side holds.
func (d *Disk) dropStaged(name string) {
	if d.stage().Unlink(siteStageDrop, name) == nil {
		return
	}
	dropTree(d.stage(), name)
}

func dropTree(parent fsx.Dir, name string) {
	dir, err := parent.Open(name)
	if err != nil {
		return
	}
	defer dir.Close()
	items, _ := dir.List()
	for _, it := range items {
		if dir.Unlink(siteRecoverDrop, it.Name) != nil {
			dropTree(dir, it.Name)
		}
	}
	parent.Rmdir(siteRecoverDrop, name)
}
