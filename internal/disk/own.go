package disk

import (
	"context"
	"errors"
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
)

// own are our folders, and the lock in one of them.
type own struct {
	private fsx.Dir
	stage   fsx.Dir
	unlock  func() error

	self, locked fsx.Stat // of private, and of the lock in it
	inner        fsx.Stat // of stage, if that is in private
}

func (o *own) isInner() bool { return o.inner.Kind != 0 }

// close gives up what is open of them; folders have nothing to lose by it.
func (o *own) close() error {
	if o.stage != nil {
		o.stage.Close()
	}
	o.private.Close()
	if o.unlock == nil {
		return nil
	}
	return o.unlock()
}

func (d *Disk) private() fsx.Dir { return d.own.Load().private }

func (d *Disk) stage() fsx.Dir { return d.own.Load().stage }

func (d *Disk) openOwn(ctx context.Context) error {
	o, err := d.openPrivate(ctx)
	if err != nil {
		return err
	}
	d.own.Store(o)
	with := *o
	if err := d.openStage(&with); err != nil {
		return err
	}
	d.own.Store(&with)
	return nil
}

// checkOwn makes our folders again if somebody removed them, as git clean does
// and whoever wants to be rid of everything. Until then nothing would become
// durable, and another session could take the lock beside this one; if one has,
// this one halts.
func (d *Disk) checkOwn() error {
	o := d.own.Load()
	if d.locks(o) && o.staged() {
		return nil
	}
	d.tokenMu.Lock()
	defer d.tokenMu.Unlock()
	err := d.mendOwn(*d.own.Load())
	if root, ok := err.(*RootError); ok {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.halt(privateName+" was removed, and "+root.Msg, root.Remedy)
	}
	return err
}

// locks says whether the lock that we hold is the one that others find.
func (d *Disk) locks(o *own) bool {
	return still(d.root, privateName, o.self) && still(o.private, lockName, o.locked)
}

func (o *own) staged() bool { return !o.isInner() || still(o.private, stageName, o.inner) }

// still says whether a name stands for what it did. What can't be looked at is
// taken to be there.
func still(dir fsx.Dir, name string, was fsx.Stat) bool {
	st, err := dir.Stat(name)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return st.Ino == was.Ino && st.Dev == was.Dev
}

// mendOwn makes again what is missing of o, and puts it to use when all of it
// is there. Callers hold tokenMu.
func (d *Disk) mendOwn(o own) error {
	was := o
	if !d.locks(&o) {
		fresh, err := d.openPrivate(d.life)
		if err != nil {
			return err
		}
		o.private, o.unlock, o.self, o.locked = fresh.private, fresh.unlock, fresh.self, fresh.locked
	}
	err := d.refill(&o)
	if err != nil && o.private != was.private {
		o.private.Close()
		o.unlock()
	}
	if err != nil {
		return err
	}
	d.own.Store(&o)
	if o.private != was.private {
		was.private.Close()
		was.unlock() // of a file that nobody finds any more
	}
	if o.stage != was.stage {
		was.stage.Close()
	}
	return nil
}

// refill puts into our folder what has to be in it: the token, and the stage
// folder if that is its place. What rested in that is gone with it.
func (d *Disk) refill(o *own) error {
	if d.id != (replica.ID{}) {
		if err := d.replaceToken(o.private, d.id, d.gen); err != nil {
			return err
		}
	}
	if o.staged() {
		return nil
	}
	if err := o.openInner(); err != nil {
		return err
	}
	d.intents.mu.Lock()
	defer d.intents.mu.Unlock()
	err := d.intents.renew(o.stage, d.boot, nil)
	if err != nil {
		o.stage.Close()
	}
	return err
}
