package simfs

import (
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// rename is renameat2.
func (c *cred) rename(from ref, name string, to ref, toName string, how fsx.How) errno {
	a, b, e := c.ends(from, name, to, toName, how)
	if e != 0 {
		return e
	}
	inCase := b == a && a.name != toName && how == fsx.Replace // its spelling is to change
	if b != nil && b.node == a.node && !inCase {
		return 0 // two names of one file stay as they are
	}
	if inCase {
		b = nil
	}
	if e := c.mayRename(from.node(), a, to.node(), b, how); e != 0 {
		return e
	}
	if e := canRename(a, b, how); e != 0 {
		return e
	}
	if how == fsx.Exchange {
		exchange(a, b)
	} else {
		move(a, to.d, toName, b)
	}
	return 0
}

// ends finds the two names.
func (c *cred) ends(from ref, name string, to ref, toName string, how fsx.How) (a, b *dentry, e errno) {
	src, dst := from.node(), to.node()
	switch {
	case !c.allows(src, mayExec), !c.allows(dst, mayExec):
		return nil, nil, syscall.EACCES
	case from.mnt != to.mnt:
		return nil, nil, syscall.EXDEV
	case src.dev.opt.ReadOnly:
		return nil, nil, syscall.EROFS
	}
	if a, e = c.lookup(src, name); e == 0 && a == nil {
		e = syscall.ENOENT
	}
	if e != 0 {
		return nil, nil, e
	}
	b, e = c.lookup(dst, toName)
	switch {
	case e != 0:
	case b != nil && how == fsx.NoReplace:
		e = syscall.EEXIST
	case b == nil && how == fsx.Exchange:
		e = syscall.ENOENT
	case a.holds(to.d):
		e = syscall.EINVAL
	case b != nil && b.holds(from.d) && how == fsx.Exchange:
		e = syscall.EINVAL
	case b != nil && b.holds(from.d):
		e = syscall.ENOTEMPTY
	}
	return a, b, e
}

// holds says whether place is d or below it.
func (d *dentry) holds(place *dentry) bool {
	if !d.node.isDir() {
		return false
	}
	for ; place != nil; place = place.parent {
		if place == d {
			return true
		}
	}
	return false
}

// mayRename is a matter of rights and kinds.
func (c *cred) mayRename(src *inode, a *dentry, dst *inode, b *dentry, how fsx.How) errno {
	isDir := a.node.isDir()
	if e := c.removable(src, a, isDir); e != 0 {
		return e
	}
	e := errno(0)
	switch {
	case b == nil && dst.dead():
		e = syscall.ENOENT
	case b == nil:
		e = c.mayCreate(dst)
	case how == fsx.Exchange:
		e = c.removable(dst, b, b.node.isDir())
	default:
		e = c.removable(dst, b, isDir)
	}
	if e != 0 || src == dst {
		return e
	}
	if isDir && !c.allows(a.node, mayWrite) || how == fsx.Exchange && b.node.isDir() && !c.allows(b.node, mayWrite) {
		return syscall.EACCES // its ".." changes
	}
	return 0
}

// canRename is a matter of the file system.
func canRename(a, b *dentry, how fsx.How) errno {
	opt := &a.node.dev.opt
	switch {
	case len(a.node.mounts) > 0, b != nil && len(b.node.mounts) > 0:
		return syscall.EBUSY
	case how == fsx.Exchange && opt.NoExchange, how == fsx.NoReplace && opt.NoNoReplace:
		return syscall.EINVAL
	case a.node.layer, how == fsx.Exchange && b.node.layer:
		return syscall.EXDEV
	case how == fsx.Replace && b != nil && len(b.node.names.list) > 0:
		return syscall.ENOTEMPTY
	}
	return 0
}

// move renames a into the directory to, over b if there is one.
func move(a, to *dentry, toName string, b *dentry) {
	dev, src, dst, n := a.node.dev, a.parent.node, to.node, a.node
	if b != nil {
		toName = b.name // which may be spelled otherwise
	}
	was := a.name
	edits := []edit{{src, a.key, a.name, n, nil}, {dst, dev.key(toName), toName, nil, n}}
	if b != nil {
		edits[1].was = b.node
	}
	src.names.drop(a)
	if b != nil {
		dst.names.drop(b)
		if b.node.isDir() {
			dst.nlink--
		}
	}
	a.parent, a.name, a.key = to, toName, dev.key(toName)
	dst.names.add(a)
	if n.isDir() {
		src.nlink--
		dst.nlink++
	}
	src.touch()
	dst.touch()
	n.ctime = dev.now()
	dev.fs.led.moved(dev.fs, n)
	dev.note(edits...)
	dev.stain(n)
	if b != nil {
		b.node.opens++ // it ends when the rename has been told
		b.refs++
		b.remove()
	}
	cookie := dev.fs.nextCookie()
	src.tell(inMovedFrom|isDirBit(n), cookie, was)
	dst.tell(inMovedTo|isDirBit(n), cookie, toName)
	if b != nil {
		b.node.tell(inAttrib|isDirBit(b.node), 0, "")
	}
	n.tell(inMoveSelf, 0, "")
	if b != nil {
		b.put()
	}
}

// exchange swaps two names.
func exchange(a, b *dentry) {
	dev, src, dst := a.node.dev, a.parent, b.parent
	dev.note(edit{src.node, a.key, a.name, a.node, b.node}, edit{dst.node, b.key, b.name, b.node, a.node})
	src.node.names.drop(a)
	dst.node.names.drop(b)
	aName, bName := a.name, b.name
	a.name, a.key, b.name, b.key = b.name, b.key, a.name, a.key
	a.parent, b.parent = dst, src
	dst.node.names.add(a)
	src.node.names.add(b)
	for _, n := range []*inode{a.node, b.node} {
		n.ctime = dev.now()
		dev.fs.led.moved(dev.fs, n)
		dev.stain(n)
	}
	if a.node.isDir() != b.node.isDir() && src != dst {
		up, down := dst.node, src.node
		if b.node.isDir() {
			up, down = down, up
		}
		up.nlink++
		down.nlink--
	}
	src.node.touch()
	dst.node.touch()
	cookie := dev.fs.nextCookie()
	src.node.tell(inMovedFrom|isDirBit(a.node), cookie, aName)
	dst.node.tell(inMovedTo|isDirBit(a.node), cookie, bName)
	a.node.tell(inMoveSelf, 0, "")
	cookie = dev.fs.nextCookie()
	dst.node.tell(inMovedFrom|isDirBit(b.node), cookie, bName)
	src.node.tell(inMovedTo|isDirBit(b.node), cookie, aName)
	b.node.tell(inMoveSelf, 0, "")
}

func isDirBit(n *inode) uint32 {
	if n.isDir() {
		return inIsDir
	}
	return 0
}

// nextCookie joins the halves of a rename. It is never 0.
func (f *FS) nextCookie() uint32 {
	f.cookie++
	return f.cookie
}
