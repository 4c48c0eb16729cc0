package simfs

import (
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
)

// Options say what a file system is like. The zero value is an ext4 that does
// all that Linux can, with stamps as fine as the clock.
type Options struct {
	// Magic is its name; "ext4" when empty.
	Magic string
	// Granule is the step of its stamps in nanoseconds; 1 when 0.
	Granule int64
	// Told is what Granularity says; 0 is the truth, or a tick of 4 ms if that
	// is more, as for the real one.
	Told int64
	// Fold makes names one that it returns the same for; nil where names differ
	// if their bytes do.
	Fold func(name string) string
	// NoExchange, NoNoReplace and NoLinks are calls that it has not.
	NoExchange, NoNoReplace, NoLinks bool
	// NoExec: no exec bit is stored. AllExec: every file has it.
	NoExec, AllExec bool
	ReadOnly        bool
	// NoKinds: a listing does not say what its names are.
	NoKinds bool
	// ReuseInodes gives the number of a removed inode to the next new one.
	ReuseInodes bool
	// Bytes and Inodes are its room; 0 is without a limit.
	Bytes, Inodes int64
	// Journal: whatever is made durable makes every earlier change of names on
	// the device durable too, as ext4 and xfs do. Without it, only what POSIX
	// promises.
	Journal bool
}

// device is a file system on a disk of its own.
type device struct {
	fs    *FS
	id    uint64
	opt   Options
	root  *dentry
	last  uint64   // inode number
	spare []uint64 // numbers that are free again, the next one last

	bytes, inodes int64 // in use

	log   []*change // changes of names that a power cut may take back, oldest first
	dirty []*inode  // whose content or attributes are not durable
}

func (f *FS) newDevice(opt Options) *device {
	if opt.Magic == "" {
		opt.Magic = "ext4"
	}
	f.lastDev++
	d := &device{fs: f, id: f.lastDev, opt: opt, last: 1}
	root := d.newInode(fsx.Directory, 0o755, 0, 0)
	root.nlink = 2
	d.root = &dentry{node: root}
	root.at = d.root
	f.devices = append(f.devices, d)
	return d
}

// newInode makes an inode without a name.
func (d *device) newInode(kind fsx.Kind, mode uint32, uid, gid uint32) *inode {
	var ino uint64
	if n := len(d.spare); n > 0 && d.opt.ReuseInodes {
		ino, d.spare = d.spare[n-1], d.spare[:n-1]
	} else {
		d.last++
		ino = d.last
	}
	d.inodes++
	now := d.now()
	return &inode{dev: d, ino: ino, kind: kind, mode: mode, uid: uid, gid: gid, mtime: now, ctime: now}
}

// full says whether there is no inode left.
func (d *device) full() bool { return d.opt.Inodes > 0 && d.inodes >= d.opt.Inodes }

// free gives back what an inode has, when it has neither a name nor a user.
func (d *device) free(n *inode) {
	if n.nlink > 0 || n.opens > 0 || n.freed {
		return
	}
	n.freed = true
	d.inodes--
	if n.kind == fsx.Regular {
		d.bytes -= int64(len(n.data))
	}
	if d.opt.ReuseInodes {
		d.spare = append(d.spare, n.ino)
	}
}

// now is the time as the device stamps it.
func (d *device) now() int64 {
	now := d.fs.Now()
	if g := d.opt.Granule; g > 1 {
		now -= (now%g + g) % g
	}
	return now
}

// tick is how coarse Linux stamps at best.
const tick = 4e6

func (d *device) granularity() int64 {
	if d.opt.Told != 0 {
		return d.opt.Told
	}
	return max(d.opt.Granule, tick)
}

// shownMode is the mode as the file system can store it.
func (d *device) shownMode(n *inode) fs.FileMode {
	mode := fs.FileMode(n.mode)
	if n.kind == fsx.Regular {
		switch {
		case d.opt.NoExec:
			mode &^= 0o111
		case d.opt.AllExec:
			mode |= 0o111
		}
	}
	return mode
}

// key is a name as the file system compares it.
func (d *device) key(name string) string {
	if d.opt.Fold != nil {
		return d.opt.Fold(name)
	}
	return name
}
