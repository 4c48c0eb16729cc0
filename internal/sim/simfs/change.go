package simfs

import (
	"io/fs"
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// This file is the part of fsx.Dir that changes something.

// change makes a call on a name that changes something.
func (d *dir) change(c Call, do func(c *Call, cr *cred) errno) error {
	if err := d.ready(c.Op, c.Name); err != nil {
		return err
	}
	c.Changes, c.at = true, d.at
	return d.p.run(c, func(c *Call) error {
		cr := d.p.cred()
		return fail(c.Op, c.Name, do(c, &cr))
	})
}

func (d *dir) Create(site fsx.Site, name string, perm fs.FileMode) (fsx.File, error) {
	return d.openFile(Call{Op: OpCreate, Site: site, Name: name, Changes: true}, forRead|forWrite|orCreate|mustCreate, perm)
}

func (d *dir) Update(site fsx.Site, name string, perm fs.FileMode) (fsx.File, error) {
	return d.openFile(Call{Op: OpUpdate, Site: site, Name: name, Changes: true}, forRead|forWrite|orCreate, perm)
}

func (d *dir) Read(name string) (fsx.File, error) {
	return d.openFile(Call{Op: OpRead, Name: name}, forRead, 0)
}

// openFile opens what is a regular file.
func (d *dir) openFile(c Call, how flags, perm fs.FileMode) (fsx.File, error) {
	if err := d.ready(c.Op, c.Name); err != nil {
		return nil, err
	}
	c.at = d.at
	var f *file
	err := d.p.run(c, func(c *Call) (err error) {
		if f != nil {
			f.shut() // of the call that was interrupted
		}
		f, err = d.regular(c, how, perm)
		return err
	})
	if err == nil {
		return f, nil
	}
	if f != nil {
		f.shut()
	}
	return nil, err
}

func (d *dir) regular(c *Call, how flags, perm fs.FileMode) (*file, error) {
	cr := d.p.cred()
	if d.p.crowded() {
		return nil, fail("open", c.Name, syscall.EMFILE)
	}
	fd, e := d.p.fs.open(&cr, d.at, c.Name, how, uint32(perm.Perm()))
	if e != 0 {
		return nil, fail(c.Op, c.Name, e)
	}
	switch fd.at.node().kind {
	case fsx.Regular:
		f := &file{p: d.p, fd: fd, site: c.Site}
		f.n = d.p.take(f)
		return f, nil
	case fsx.Directory:
		e = syscall.EISDIR
	default:
		e = syscall.ENXIO
	}
	fd.close()
	return nil, &opError{"open", c.Name, word(e), nil}
}

func (d *dir) Mkdir(site fsx.Site, name string, perm fs.FileMode) error {
	return d.change(Call{Op: OpMkdir, Site: site, Name: name}, func(_ *Call, cr *cred) errno {
		_, e := cr.make(d.at, name, fsx.Directory, uint32(perm.Perm()), "")
		return e
	})
}

// maxTarget is the longest target of a link.
const maxTarget = 4095

func (d *dir) Symlink(site fsx.Site, target, name string) error {
	return d.change(Call{Op: OpSymlink, Site: site, Name: name}, func(_ *Call, cr *cred) errno {
		return symlink(cr, d.at, target, name)
	})
}

func symlink(cr *cred, at ref, target, name string) errno {
	switch {
	case target == "":
		return syscall.ENOENT
	case len(target) > maxTarget:
		return syscall.ENAMETOOLONG
	}
	_, e := cr.make(at, name, fsx.Symlink, 0o777, target)
	return e
}

func (d *dir) Rename(site fsx.Site, name string, to fsx.Dir, toName string, how fsx.How) error {
	t := d.p.mine(to)
	if err := t.ready("rename", toName); err != nil {
		return err
	}
	c := Call{Op: OpRename, Site: site, Name: name, ToName: toName, How: how, to: t.at}
	return d.change(c, func(c *Call, cr *cred) errno {
		e := cr.rename(d.at, name, t.at, toName, how)
		if e != syscall.EINVAL || how == fsx.Replace {
			return e
		}
		if how == fsx.Exchange {
			return syscall.ENOSYS
		}
		return d.inSteps(c, cr, t)
	})
}

// inSteps is a rename that must not replace, where the kernel does not refuse
// to: as package fsx makes it, with a moment in the middle.
func (d *dir) inSteps(c *Call, cr *cred, t *dir) errno {
	name, e := cr.lookup(d.at.node(), c.Name)
	switch {
	case e != 0:
		return e
	case name == nil:
		return syscall.ENOENT
	}
	if !name.node.isDir() {
		switch e := cr.link(d.at, c.Name, t.at, c.ToName); e {
		case 0:
			if e := d.within(c); e != 0 {
				return e
			}
			return cr.remove(d.at, c.Name, false)
		case syscall.EPERM:
			return syscall.ENOSYS
		default:
			return e
		}
	}
	mine := *cr
	if _, e := mine.make(t.at, c.ToName, fsx.Directory, 0o700, ""); e != 0 {
		return e
	}
	if e := d.within(c); e != 0 {
		return e
	}
	if e = cr.rename(d.at, c.Name, t.at, c.ToName, fsx.Replace); e != 0 {
		cr.remove(t.at, c.ToName, true)
	}
	return e
}

// within lets the hook act between two steps. A process can be killed there,
// but no call fails.
func (d *dir) within(c *Call) errno {
	if d.p.Hook != nil {
		d.p.tell(c, Within, nil)
	}
	if d.p.dead {
		return syscall.EINTR // nobody is there to read it
	}
	return 0
}

func (d *dir) Unlink(site fsx.Site, name string) error {
	return d.change(Call{Op: OpUnlink, Site: site, Name: name}, func(_ *Call, cr *cred) errno {
		return cr.remove(d.at, name, false)
	})
}

func (d *dir) Rmdir(site fsx.Site, name string) error {
	return d.change(Call{Op: OpRmdir, Site: site, Name: name}, func(_ *Call, cr *cred) errno {
		return cr.remove(d.at, name, true)
	})
}

func (d *dir) Chmod(site fsx.Site, name string, perm fs.FileMode) error {
	if err := d.ready("chmod", name); err != nil {
		return err
	}
	c := Call{Op: OpChmod, Site: site, Name: name, Changes: true, at: d.at}
	return d.p.run(c, func(*Call) error {
		cr := d.p.cred()
		if d.p.crowded() {
			return fail("chmod", name, syscall.EMFILE)
		}
		at, e := d.p.fs.next(&cr, d.at, name)
		switch {
		case e != 0:
		case at.node().kind == fsx.Symlink:
			return &opError{"chmod", name, fsx.ErrIsLink, syscall.ELOOP}
		case at.node().kind == fsx.Other:
			return &opError{"chmod", name, fsx.ErrNotRegular, nil}
		default:
			e = cr.chmod(at.d, uint32(perm.Perm()))
		}
		return fail("chmod", name, e)
	})
}

func (d *dir) Chown(site fsx.Site, name string, uid, gid uint32) error {
	return d.change(Call{Op: OpChown, Site: site, Name: name}, func(_ *Call, cr *cred) errno {
		at, e := d.p.fs.next(cr, d.at, name)
		if e != 0 {
			return e
		}
		return cr.chown(at.d, uid, gid)
	})
}

func (d *dir) Sync(site fsx.Site) error {
	if err := d.held("sync", ""); err != nil {
		return err
	}
	c := Call{Op: OpSync, Site: site, Changes: true, at: d.at}
	return d.p.run(c, func(*Call) error {
		n := d.at.node()
		n.dev.syncDir(n)
		return nil
	})
}

// Lock implements fsx.Dir. The lock ends with the process.
func (d *dir) Lock(site fsx.Site, name string) (unlock func() error, err error) {
	if err := d.ready("lock", name); err != nil {
		return nil, err
	}
	var f *file
	c := Call{Op: OpLock, Site: site, Name: name, Changes: true, at: d.at}
	err = d.p.run(c, func(c *Call) (err error) {
		if f != nil {
			f.shut()
		}
		f, err = d.regular(c, forRead|forWrite|orCreate, 0o600)
		if err != nil {
			return err
		}
		n := f.fd.at.node()
		if n.lock != nil {
			return fail("lock", name, syscall.EAGAIN)
		}
		n.lock = f
		return nil
	})
	if err != nil {
		if f != nil {
			f.shut()
		}
		return nil, err
	}
	return f.unlock, nil
}
