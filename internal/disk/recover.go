package disk

import (
	"fmt"

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
	intents, whole, err := d.readIntents()
	if err != nil {
		return err
	}
	items, err := d.stage.List()
	if err != nil {
		return fmt.Errorf("list the stage folder: %w", err)
	}
	for _, it := range items {
		in, ok := intents[it.Name]
		switch {
		case it.Name[:1] == strayed:
			d.stray(it.Name, in.path, "left over from an earlier session")
		case ok && d.recoverKnown(in):
		case !ok && it.Name[:1] == builtHere && whole:
			d.dropStaged(it.Name) // it was being built: what is put by exchange has an intent
		default:
			d.stray(it.Name, in.path, "left over from a crash")
		}
	}
	return d.intents.start(d) // every slot has a name now that needs none
}

// recoverKnown settles a slot with an intent. It reports whether that is done;
// if not, what is in the slot is a stray.
func (d *Disk) recoverKnown(in intent) bool {
	now := d.scanSlot(d.stage, in.slot)
	if now == nil {
		return false
	}
	switch markOf(now) {
	case in.to: // never put in place, or put back: the content is the other side's
		d.dropStaged(in.slot)
		return true
	case in.from:
		if in.to.kind != 0 && in.slot[:1] == takenAway && d.returnSlot(in) {
			return true // it was taken away to make room, and nothing has come
		}
		return d.endRecovered(in, now) == nil
	}
	return d.putRecoveredBack(in)
}

// scanSlot reads what is under name; nil when it can't be read whole.
func (d *Disk) scanSlot(dir fsx.Dir, name string) *tree.Entry {
	s := &scanner{d: d, captured: true, prior: reread}
	f := s.name("", dir, name, 0)
	if f.entry.Murky() {
		return nil
	}
	return f.entry
}

// endRecovered ends a slot that holds what was superseded.
func (d *Disk) endRecovered(in intent, now *tree.Entry) error {
	why := "replaced"
	if in.to.kind == 0 {
		why = "deleted"
	}
	if now.IsDir() {
		return d.cleanDir(d.stage, in.slot, in.path, now, nil, why)
	}
	return d.endLeaf(d.stage, in.slot, in.path, now, why)
}

// returnSlot puts a slot back to its path if nothing is there.
func (d *Disk) returnSlot(in intent) bool {
	cur := cursor{top: d.root}
	defer cur.close()
	parent, name := tree.Split(in.path)
	dir, err := cur.at(parent)
	return err == nil && d.stage.Rename(siteRecoverBack, in.slot, dir, name, fsx.NoReplace) == nil
}

// putRecoveredBack puts back what was captured and never compared: a user's
// save. If the path holds what we put there, or nothing, it goes back to it.
func (d *Disk) putRecoveredBack(in intent) bool {
	if d.returnSlot(in) {
		return true
	}
	cur := cursor{top: d.root}
	defer cur.close()
	parent, name := tree.Split(in.path)
	dir, err := cur.at(parent)
	if err != nil {
		return false
	}
	there := d.scanSlot(dir, name)
	if there == nil || in.to.kind == 0 || markOf(there) != in.to {
		return false
	}
	if dir.Rename(siteRecoverBack, name, d.stage, in.slot, fsx.Exchange) != nil {
		return false
	}
	if out := d.scanSlot(d.stage, in.slot); out == nil || markOf(out) != in.to {
		return false // somebody saved at this moment; what came out is a stray
	}
	d.dropStaged(in.slot)
	return true
}

// dropStaged takes away a private file or directory whose content is not
// needed here: it was built by us from what the other side holds.
func (d *Disk) dropStaged(name string) {
	if d.stage.Unlink(siteStageDrop, name) == nil {
		return
	}
	dropTree(d.stage, name)
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
