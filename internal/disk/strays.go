package disk

import (
	"context"
	"errors"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

const siteStray fsx.Site = "stray.rename"

// stray announces what is in a slot and belongs to no path any more. Its new name
// says so: whatever happens, it stays until it is released. What can't have that name
// is tried again, and keeps an intent until then: without one, the next start would
// take it for a file that was being built.
func (d *Disk) stray(name, path, why string) {
	if name[:1] != strayed {
		to := d.slots.name(strayed)
		if err := d.stage().Rename(siteStray, name, d.stage(), to, fsx.Replace); err != nil && !d.taken(to, err) {
			d.strayLater(name, path, why)
			return
		}
		name = to
	}
	e := d.readCaptured(d.stage(), name)
	if e == nil {
		d.strayDir(name, path, why)
		return
	}
	x := &replica.Stray{Slot: name, Path: path, Entry: e, Why: why}
	d.slots.mu.Lock()
	if d.slots.strays == nil {
		d.slots.strays = make(map[string]*replica.Stray)
	}
	d.slots.strays[name] = x
	d.slots.mu.Unlock()
	d.report(replica.Report{Stray: x})
}

// strayLater lets a stray rest that can't be announced, or not be had as it was
// announced. It is announced then, whatever it holds.
func (d *Disk) strayLater(name, path, why string) {
	unlike := &tree.Entry{Kind: tree.File} // nothing that it holds is that
	d.letRest(&slot{name: name, path: path, entry: unlike, st: fsx.Stat{Ino: ^uint64(0)}}, why)
}

// strayDir announces everything in a captured directory, file by file. What is
// neither a file, a link nor a directory stays in the stage folder.
func (d *Disk) strayDir(name, path, why string) {
	dir, err := d.stage().Open(name)
	if err != nil { // it may be a file that somebody writes to all the time
		if !isAbsent(err) {
			d.strayLater(name, path, why)
		}
		return
	}
	defer dir.Close()
	items, err := dir.List()
	if err != nil {
		d.strayLater(name, path, why)
		return
	}
	for _, it := range items {
		below := ""
		if path != "" {
			below = tree.Join(path, it.Name)
		}
		d.strayUp(dir, it.Name, below, why)
	}
	d.stage().Rmdir(siteSlotRmdir, name)
}

// strayUp announces one name of a captured directory.
func (d *Disk) strayUp(dir fsx.Dir, name, path, why string) error {
	up := d.slots.name(strayed)
	if err := dir.Rename(siteSlotUp, name, d.stage(), up, fsx.Replace); err != nil {
		return err
	}
	d.stray(up, path, why)
	return nil
}

// Release implements replica.Replica.
func (d *Disk) Release(_ context.Context, names []string) error {
	var errs []error
	for _, n := range names {
		errs = append(errs, d.release(n))
	}
	return errors.Join(errs...)
}

// release drops a stray that is kept elsewhere by now, if it still is what was
// announced: of all files, strays are those that somebody has open. One that
// was written to rests like a captured file, and is announced again then, not
// at once, because whoever writes to it may do so for hours.
func (d *Disk) release(name string) error {
	was := d.takeStray(name)
	if was == nil {
		return nil
	}
	if !tree.Equal(d.readCaptured(d.stage(), name), was.Entry) {
		st := fsx.Stat{Ino: ^uint64(0)} // of no file: it is read again, whatever its stat is then
		d.letRest(&slot{name: name, path: was.Path, entry: was.Entry, st: st}, "displaced")
		return nil
	}
	return d.stage().Unlink(siteSlotDrop, name)
}

// takeStray forgets a stray that was announced.
func (d *Disk) takeStray(name string) *replica.Stray {
	d.slots.mu.Lock()
	defer d.slots.mu.Unlock()
	x := d.slots.strays[name]
	delete(d.slots.strays, name)
	return x
}

// openStray opens a stray that was announced.
func (d *Disk) openStray(name string) (fsx.File, error) {
	d.slots.mu.Lock()
	_, ok := d.slots.strays[name]
	d.slots.mu.Unlock()
	if !ok {
		return nil, errNoSlot
	}
	return d.stage().Read(name)
}
