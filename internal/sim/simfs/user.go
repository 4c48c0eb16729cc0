package simfs

import (
	"io/fs"
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// User is somebody who works on the machine, with programs of their own. Each
// method is one system call, or a few that a program makes in a row; what is to
// happen in between, a caller makes of smaller ones. Paths are absolute, links
// in them are followed.
//
// What a user writes is precious from then on, and what a user takes away is
// given up, in the ledger if there is one.
type User struct {
	UID, GID uint32
	Umask    uint32

	f *FS
}

// User returns one, as root with the usual umask.
func (f *FS) User() *User { return &User{Umask: 0o022, f: f} }

func (u *User) cred() *cred { return &cred{u.UID, u.GID, u.Umask} }

// at goes to the directory of a path.
func (u *User) at(path string) (*cred, ref, string, errno) {
	c := u.cred()
	up, name, e := u.f.parent(c, u.f.root(), path)
	return c, up, name, e
}

// Mkdir makes a directory.
func (u *User) Mkdir(path string) error {
	c, up, name, e := u.at(path)
	if e == 0 {
		_, e = c.make(up, name, fsx.Directory, 0o777, "")
	}
	return fail("mkdir", path, e)
}

// MkdirAll makes a directory and what is missing above it.
func (u *User) MkdirAll(path string) error {
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		if err := u.Mkdir(path[:i]); err != nil && word(err.(*opError).cause.(errno)) != fs.ErrExist {
			return err
		}
	}
	return nil
}

// Symlink makes a link.
func (u *User) Symlink(target, path string) error {
	c, up, name, e := u.at(path)
	if e == 0 {
		e = symlink(c, up, target, name)
	}
	return fail("symlink", path, e)
}

// Mkfifo makes something that is neither file, directory nor link.
func (u *User) Mkfifo(path string) error {
	c, up, name, e := u.at(path)
	if e == 0 {
		_, e = c.make(up, name, fsx.Other, 0o666, "")
	}
	return fail("mkfifo", path, e)
}

// Link gives the file at path another name.
func (u *User) Link(path, fresh string) error {
	c, up, name, e := u.at(path)
	if e == 0 {
		_, e = u.f.next(c, up, name)
	}
	if e != 0 {
		return fail("link", path, e)
	}
	to, toName, e := u.f.parent(c, u.f.root(), fresh)
	if e == 0 {
		e = c.link(up, name, to, toName)
	}
	if e == 0 {
		u.wrote(to, toName)
	}
	return fail("link", path, e)
}

// Unlink removes a file or a link, Rmdir an empty directory.
func (u *User) Unlink(path string) error { return u.remove(path, false) }

// Rmdir removes an empty directory.
func (u *User) Rmdir(path string) error { return u.remove(path, true) }

func (u *User) remove(path string, rmdir bool) error {
	c, up, name, e := u.at(path)
	if e == 0 {
		was := u.leaves(u.named(up, name), childPath(up, name))
		if e = c.remove(up, name, rmdir); e == 0 {
			was.giveUp()
		}
	}
	return fail("remove", path, e)
}

// named is what a name stands for; nothing where there is nothing.
func (u *User) named(up ref, name string) ref {
	if !up.node().isDir() {
		return ref{}
	}
	return ref{up.mnt, up.node().names.get(up.node().dev.key(name))}
}

func childPath(up ref, name string) string { return pathBelow(up, name) }

// wrote makes what is at a name precious.
func (u *User) wrote(up ref, name string) {
	if r := u.named(up, name); u.f.led != nil && r.d != nil {
		each(r, childPath(up, name), func(n *inode, path string) { u.f.led.want(u.f, n, path) })
	}
}

// moved is wrote for what came from elsewhere. Whoever moves a file does not
// write it: what its writer has given up meanwhile on the other side is not
// precious because of that.
func (u *User) moved(up ref, name string, was leaving) {
	if r := u.named(up, name); u.f.led != nil && r.d != nil {
		each(r, childPath(up, name), func(n *inode, path string) {
			if from, ok := was.precious(n.tally.c); ok {
				u.f.led.want(u.f, n, path)
				u.f.led.came(u.f, n.tally.c, from, path)
			}
		})
	}
}

// leaves is what a user is about to take away from a name. It is asked for
// before: afterwards nobody knows what was there.
func (u *User) leaves(r ref, path string) (all leaving) {
	if u.f.led == nil || r.d == nil {
		return nil
	}
	each(r, path, func(n *inode, path string) { all = u.f.led.leaves(all, u.f, n, path) })
	return all
}

// each calls f for each file at or below a place.
func each(r ref, path string, f func(n *inode, path string)) {
	if n := r.node(); !n.isDir() {
		f(n, path)
		return
	}
	for _, d := range r.node().names.list {
		each(ref{r.mnt, d}, path+"/"+d.name, f)
	}
}

// Rename moves a file or a tree, over a file if there is one.
func (u *User) Rename(from, to string) error { return u.rename(from, to, fsx.Replace) }

// Exchange swaps two names.
func (u *User) Exchange(from, to string) error { return u.rename(from, to, fsx.Exchange) }

func (u *User) rename(from, to string, how fsx.How) error {
	c, up, name, e := u.at(from)
	if e != 0 {
		return fail("rename", from, e)
	}
	toUp, toName, e := u.f.parent(c, u.f.root(), to)
	if e != 0 {
		return fail("rename", to, e)
	}
	a, b := u.named(up, name), u.named(toUp, toName)
	if b.d != nil && a.d != nil && a.node() == b.node() {
		return fail("rename", from, c.rename(up, name, toUp, toName, how))
	}
	aPath, bPath := childPath(up, name), childPath(toUp, toName)
	was := append(u.leaves(a, aPath), u.leaves(b, bPath)...)
	if e = c.rename(up, name, toUp, toName, how); e != 0 {
		return fail("rename", from, e)
	}
	was.giveUp()
	if how == fsx.Exchange {
		u.moved(up, name, was)
	}
	u.moved(toUp, toName, was)
	return nil
}

// RemoveAll removes a tree as a program does it: children first. It goes on
// behind what can't be removed, and returns the first error.
func (u *User) RemoveAll(path string) error {
	c, up, name, e := u.at(path)
	r := ref{}
	if e == 0 {
		r.mnt = up.mnt
		r.d, e = c.lookup(up.node(), name)
	}
	switch {
	case e == syscall.ENOENT, e == 0 && r.d == nil:
		return nil
	case e != 0:
		return fail("remove", path, e)
	}
	var first error
	if to := r.cross(); to.node().isDir() {
		var list []*dentry
		if e := mayHold(c, to.node()); e != 0 {
			first = fail("remove", path, e)
		} else {
			list = inOrder(to.node())
		}
		for _, d := range list {
			if err := u.RemoveAll(path + "/" + d.name); err != nil && first == nil {
				first = err
			}
		}
		if err := u.Rmdir(path); err != nil && first == nil {
			first = err
		}
		return first
	}
	return u.Unlink(path)
}

// Chmod changes the mode, of a link's target too.
func (u *User) Chmod(path string, mode fs.FileMode) error {
	c := u.cred()
	at, e := u.f.walk(c, path, true)
	if e == 0 {
		e = c.chmod(at.d, uint32(mode.Perm()))
	}
	return fail("chmod", path, e)
}

// Chown changes the owner of a name, a link's own too.
func (u *User) Chown(path string, uid, gid uint32) error {
	c := u.cred()
	at, e := u.f.walk(c, path, false)
	if e == 0 {
		e = c.chown(at.d, uid, gid)
	}
	return fail("chown", path, e)
}

// Utimes sets the time of the last write, as touch -d does.
func (u *User) Utimes(path string, mtime int64) error {
	c := u.cred()
	at, e := u.f.walk(c, path, true)
	if e == 0 {
		n := at.node()
		switch {
		case n.dev.opt.ReadOnly:
			e = syscall.EROFS
		case !c.owns(n):
			e = syscall.EPERM
		default:
			if g := n.dev.opt.Granule; g > 1 {
				mtime -= (mtime%g + g) % g
			}
			n.mtime, n.ctime = mtime, n.dev.now()
			n.dev.stain(n)
			at.d.attrib(inAttrib)
		}
	}
	return fail("utimes", path, e)
}

// SyncFile makes a file durable, and its name: what a careful editor does.
func (u *User) SyncFile(path string) error {
	at, e := u.f.walk(u.cred(), path, true)
	if e == 0 {
		n := at.node()
		n.dev.syncFile(n)
		if d := at.d.parent; d != nil {
			n.dev.syncDir(d.node)
		}
	}
	return fail("sync", path, e)
}
