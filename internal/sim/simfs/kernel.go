package simfs

import (
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// This file, rename.go and content.go are the calls of Linux, as far as there
// is a caller: each checks what the kernel checks, in its order.

// cred is who calls.
type cred struct {
	uid, gid uint32
	umask    uint32
}

// The rights that a call needs.
const (
	mayExec  = 1
	mayWrite = 2
	mayRead  = 4
)

// allows says whether the mode of n gives c what it wants. To root it does.
func (c *cred) allows(n *inode, want uint32) bool {
	mode := n.mode
	switch {
	case c.uid == 0:
		return true
	case c.uid == n.uid:
		mode >>= 6
	case c.gid == n.gid:
		mode >>= 3
	}
	return mode&want == want
}

func (c *cred) owns(n *inode) bool { return c.uid == 0 || c.uid == n.uid }

// lookup finds a name in a directory. There may be none: nil and no error.
func (c *cred) lookup(dir *inode, name string) (*dentry, errno) {
	switch {
	case !dir.isDir():
		return nil, syscall.ENOTDIR
	case !c.allows(dir, mayExec):
		return nil, syscall.EACCES
	case dir.dead():
		return nil, syscall.ENOENT
	}
	return dir.names.get(dir.dev.key(name)), 0
}

// mayCreate is asked before a name is made in a directory, after lookup found
// nothing of that name.
func (c *cred) mayCreate(dir *inode) errno {
	switch {
	case dir.dev.opt.ReadOnly:
		return syscall.EROFS
	case !c.allows(dir, mayWrite|mayExec):
		return syscall.EACCES
	}
	return 0
}

// enter gives an inode a name in the directory.
func (dir *inode) enter(n *inode, name string) *dentry {
	d := &dentry{parent: dir.at, name: name, key: dir.dev.key(name), node: n}
	dir.names.add(d)
	n.at = d
	if n.isDir() {
		n.nlink = 2
		dir.nlink++
	} else {
		n.nlink++
	}
	dir.touch()
	return d
}

// touch stamps a directory in which a name came or went.
func (n *inode) touch() {
	n.mtime = n.dev.now()
	n.ctime = n.mtime
}

// create makes a new inode with a name; lookup has found nothing there.
func (c *cred) create(dir *inode, name string, kind fsx.Kind, mode uint32, target string) (*dentry, errno) {
	if e := c.mayCreate(dir); e != 0 {
		return nil, e
	}
	dev := dir.dev
	if dev.full() {
		return nil, syscall.ENOSPC
	}
	n := dev.newInode(kind, mode&^c.umask, c.uid, c.gid)
	if kind == fsx.Symlink {
		n.mode, n.data = 0o777, []byte(target)
	}
	d := dir.enter(n, name)
	dev.note(edit{dir, d.key, name, nil, n})
	dev.stain(n)
	mask := uint32(inCreate)
	if kind == fsx.Directory {
		mask |= inIsDir
	}
	dir.tell(mask, 0, d.name)
	dev.fs.led.linked(dev.fs, n)
	return d, 0
}

// make is mkdir, symlink and mknod: the name must be new.
func (c *cred) make(at ref, name string, kind fsx.Kind, mode uint32, target string) (*dentry, errno) {
	d, e := c.lookup(at.node(), name)
	switch {
	case e != 0:
		return nil, e
	case d != nil:
		return nil, syscall.EEXIST
	}
	return c.create(at.node(), name, kind, mode, target)
}

// link gives a file another name.
func (c *cred) link(from ref, name string, to ref, toName string) errno {
	d, e := c.lookup(from.node(), name)
	switch {
	case e != 0:
		return e
	case d == nil:
		return syscall.ENOENT
	}
	src := ref{from.mnt, d}.cross()
	twin, e := c.lookup(to.node(), toName)
	switch n := src.node(); {
	case e != 0:
		return e
	case twin != nil:
		return syscall.EEXIST
	case to.node().dev.opt.ReadOnly:
		return syscall.EROFS
	case src.mnt != to.mnt:
		return syscall.EXDEV
	case !c.owns(n) && (n.kind != fsx.Regular || !c.allows(n, mayRead|mayWrite)):
		return syscall.EPERM // protected_hardlinks, which is on everywhere
	case !c.allows(to.node(), mayWrite|mayExec):
		return syscall.EACCES
	case n.isDir(), n.dev.opt.NoLinks:
		return syscall.EPERM
	}
	n, dir := src.node(), to.node()
	fresh := dir.enter(n, toName)
	n.ctime = n.dev.now()
	dir.dev.note(edit{dir, fresh.key, toName, nil, n})
	dir.dev.stain(n)
	dir.tell(inCreate, 0, toName)
	return 0
}

// removable is what unlink, rmdir and rename ask before a name goes; rmdir says
// which kind is meant.
func (c *cred) removable(dir *inode, d *dentry, rmdir bool) errno {
	switch {
	case dir.dead():
		return syscall.ENOENT
	case !c.allows(dir, mayWrite|mayExec):
		return syscall.EACCES
	case rmdir && !d.node.isDir():
		return syscall.ENOTDIR
	case !rmdir && d.node.isDir():
		return syscall.EISDIR
	}
	return 0
}

// remove is unlink and rmdir.
func (c *cred) remove(at ref, name string, rmdir bool) errno {
	dir := at.node()
	if !c.allows(dir, mayExec) {
		return syscall.EACCES
	}
	if dir.dev.opt.ReadOnly {
		return syscall.EROFS
	}
	d, e := c.lookup(dir, name)
	if e == 0 && d == nil {
		e = syscall.ENOENT
	}
	if e == 0 {
		e = c.removable(dir, d, rmdir)
	}
	switch {
	case e != 0:
		return e
	case len(d.node.mounts) > 0:
		return syscall.EBUSY
	case rmdir && len(d.node.names.list) > 0:
		return syscall.ENOTEMPTY
	}
	n := d.node
	dir.names.drop(d)
	dir.touch()
	dir.dev.note(edit{dir, d.key, d.name, n, nil})
	mask := uint32(inDelete)
	if rmdir {
		mask |= inIsDir
		dir.nlink--
	}
	d.remove()
	dir.tell(mask, 0, d.name)
	return 0
}

// remove ends a name that is no longer in its directory. Who has it open keeps
// it, and the directory that it was in.
func (d *dentry) remove() {
	d.gone = true
	n := d.node
	n.ctime = n.dev.now()
	if n.isDir() {
		n.nlink = 0
	} else {
		n.nlink--
	}
	n.dev.stain(n)
	if n.nlink == 0 {
		n.dev.fs.led.unlinked(n.dev.fs, n)
	}
	if d.refs > 0 {
		d.parent.refs++
		return
	}
	d.release()
}

// release is when nobody holds a removed name any more: only then a watch
// learns that its directory is gone.
func (d *dentry) release() {
	n := d.node
	if n.isDir() && len(n.marks) > 0 {
		n.tell(inDeleteSelf, 0, "")
		n.forgetMarks()
	}
	n.dev.free(n)
}

// hold and put count who has a name open.
func (d *dentry) hold() {
	d.refs++
	d.node.opens++
}

func (d *dentry) put() {
	d.node.opens--
	d.unpin()
}

func (d *dentry) unpin() {
	for d.refs--; d.refs == 0 && d.gone; d.refs-- {
		d.release()
		d = d.parent
	}
}

// chmod changes the mode of what a name stands for.
func (c *cred) chmod(d *dentry, mode uint32) errno {
	n := d.node
	switch {
	case n.dev.opt.ReadOnly:
		return syscall.EROFS
	case !c.owns(n):
		return syscall.EPERM
	}
	n.mode = mode & 0o777
	n.ctime = n.dev.now()
	n.dev.stain(n)
	d.attrib(inAttrib)
	return 0
}

// keepID leaves an ID as it is.
const keepID = ^uint32(0)

func (c *cred) chown(d *dentry, uid, gid uint32) errno {
	n := d.node
	switch {
	case n.dev.opt.ReadOnly:
		return syscall.EROFS
	case c.uid == 0:
	case uid != keepID && (uid != n.uid || c.uid != n.uid):
		return syscall.EPERM
	case gid != keepID && (c.uid != n.uid || gid != n.gid && gid != c.gid):
		return syscall.EPERM
	}
	if uid != keepID {
		n.uid = uid
	}
	if gid != keepID {
		n.gid = gid
	}
	n.ctime = n.dev.now()
	n.dev.stain(n)
	if uid != keepID || gid != keepID {
		d.attrib(inAttrib)
	}
	return 0
}
