package disk

import (
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// like says whose something new is to be, and with which mode.
type like struct {
	uid, gid uint32
	known    bool
	mode     fs.FileMode // of the file that is replaced; 0: the default
}

// likeAt is the owner and the mode of the file that a change replaces, or the
// owner of the directory where it makes something.
func likeAt(dir fsx.Dir, name string, c tree.Change) like {
	if c.Old.IsFile() && c.New.IsFile() {
		st, err := dir.Stat(name)
		if err != nil || st.Kind != fsx.Regular {
			return like{}
		}
		return like{st.UID, st.GID, true, withExec(st.Mode, c.New.Exec)}
	}
	st, err := dir.Self()
	return like{st.UID, st.GID, err == nil, 0}
}

// give gives a staged name away, where it is not its owner's already.
func (d *Disk) give(dir fsx.Dir, name string, l like) {
	d.chown(l, func(uid, gid uint32) error { return dir.Chown(siteStageOwner, name, uid, gid) })
}

// chown gives something to its owner, or else to the group: a file without
// rights for others would be out of reach for whoever shares it. It reports
// whether it did something.
func (d *Disk) chown(l like, call func(uid, gid uint32) error) bool {
	const same = ^uint32(0)
	if d.mine(l) {
		return false
	}
	if !d.cantGive.Load() {
		err := call(l.uid, l.gid)
		d.sayOwner(err)
		if err == nil {
			return true
		}
	}
	return l.gid != d.gid && call(same, l.gid) == nil
}

// mine says whether what we make belongs to the right one from the beginning.
func (d *Disk) mine(l like) bool { return !l.known || l.uid == d.uid && l.gid == d.gid }

// finish gives a staged file its owner and mode, and returns its stat.
func (d *Disk) finish(f fsx.File, l like) (fsx.Stat, error) {
	changed := d.chown(l, func(uid, gid uint32) error { return f.Chown(siteStageOwner, uid, gid) })
	st, err := f.Stat()
	if err == nil && l.mode != 0 && st.Mode != l.mode {
		if err = f.Chmod(siteStageMode, l.mode); err == nil {
			changed = true
		}
	}
	if err == nil && changed {
		st, err = f.Stat()
	}
	return st, err
}

// sayOwner says once that new files can't be given to the owner of their
// directory, and makes nobody try again.
func (d *Disk) sayOwner(err error) {
	if err == nil || d.cantGive.Swap(true) {
		return
	}
	d.report(replica.Report{Notice: &replica.Notice{Level: replica.Info,
		Text: "new files belong to the user that twosync runs as, not to the owner of their directory: " + err.Error()}})
}
