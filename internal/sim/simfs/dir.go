package simfs

import (
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// dir is a directory that a process holds open.
type dir struct {
	p      *Proc
	at     ref
	fd     int
	closed bool
	listed bool
}

func (p *Proc) newDir(at ref) *dir {
	d := &dir{p: p, at: at}
	at.d.hold()
	d.fd = p.take(d)
	return d
}

// shut closes it without asking anybody.
func (d *dir) shut() {
	if !d.closed {
		d.closed = true
		d.p.drop(d.fd)
		d.at.d.put()
	}
}

// ready is what package fsx looks at before it asks the kernel.
func (d *dir) ready(op, name string) error {
	if err := checkName(op, name); err != nil {
		return err
	}
	return d.held(op, name)
}

func (d *dir) held(op, name string) error {
	if d.closed && !d.p.dead {
		return &opError{op, name, fs.ErrClosed, nil}
	}
	return nil
}

// OpenRoot implements fsx.FS.
func (p *Proc) OpenRoot(path string) (fsx.Dir, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, &opError{"open", path, fs.ErrInvalid, nil}
	}
	var d *dir
	c := Call{Op: OpOpen, Name: path}
	err := p.run(c, func(*Call) error {
		cr := p.cred()
		if p.crowded() {
			return fail("open", path, syscall.EMFILE)
		}
		at, e := p.fs.walk(&cr, path, true)
		if e == 0 {
			e = mayHold(&cr, at.node())
		}
		if e != 0 {
			return fail("open", path, e)
		}
		d = p.newDir(at)
		return nil
	})
	return opened(d, err)
}

// opened closes what the caller is not told of.
func opened(d *dir, err error) (fsx.Dir, error) {
	if err == nil {
		return d, nil
	}
	if d != nil {
		d.shut()
	}
	return nil, err
}

// mayHold is asked before a directory is opened.
func mayHold(c *cred, n *inode) errno {
	switch {
	case !n.isDir():
		return syscall.ENOTDIR
	case !c.allows(n, mayRead):
		return syscall.EACCES
	}
	return 0
}

func (d *dir) Open(name string) (fsx.Dir, error) {
	if err := d.ready("open", name); err != nil {
		return nil, err
	}
	var sub *dir
	c := Call{Op: OpOpen, Name: name, at: d.at}
	err := d.p.run(c, func(*Call) error {
		cr := d.p.cred()
		if d.p.crowded() {
			return fail("open", name, syscall.EMFILE)
		}
		at, e := d.p.fs.next(&cr, d.at, name)
		if e != 0 {
			return fail("open", name, e)
		}
		if at.node().kind == fsx.Symlink {
			return &opError{"open", name, fsx.ErrIsLink, syscall.ELOOP}
		}
		if e := mayHold(&cr, at.node()); e != 0 {
			return fail("open", name, e)
		}
		sub = d.p.newDir(at)
		return nil
	})
	return opened(sub, err)
}

func (d *dir) List() (items []fsx.Item, err error) {
	if err := d.held("list", ""); err != nil {
		return nil, err
	}
	c := Call{Op: OpList, at: d.at}
	err = d.p.run(c, func(*Call) (err error) {
		items, err = d.list()
		return err
	})
	if err != nil {
		return nil, err
	}
	if d.p.Lie != nil {
		items = d.p.Lie(d.at.path(), items)
	}
	return items, nil
}

// list needs another descriptor each time but the first.
func (d *dir) list() ([]fsx.Item, error) {
	cr := d.p.cred()
	n := d.at.node()
	e := errno(0)
	switch {
	case d.listed && !cr.allows(n, mayExec|mayRead):
		e = syscall.EACCES
	case d.listed && d.p.crowded():
		e = syscall.EMFILE
	case n.dead():
		e = syscall.ENOENT
	}
	d.listed = true
	if e != 0 {
		return nil, fail("list", "", e)
	}
	if len(n.names.list) == 0 {
		return nil, nil
	}
	items := make([]fsx.Item, len(n.names.list))
	unsaid := n.dev.opt.NoKinds && !cr.allows(n, mayExec) // nor does a stat say it
	for i, name := range n.names.list {
		items[i] = fsx.Item{Name: name.name, Kind: name.node.kind}
		if unsaid {
			items[i].Kind = 0
		}
	}
	return items, nil
}

func (d *dir) Stat(name string) (st fsx.Stat, err error) {
	if err := d.ready("stat", name); err != nil {
		return fsx.Stat{}, err
	}
	c := Call{Op: OpStat, Name: name, at: d.at}
	err = d.p.run(c, func(*Call) error {
		cr := d.p.cred()
		at, e := d.p.fs.next(&cr, d.at, name)
		if e != 0 {
			return fail("stat", name, e)
		}
		st = at.node().stat()
		return nil
	})
	return st, err
}

func (d *dir) Self() (st fsx.Stat, err error) {
	if err := d.held("stat", ""); err != nil {
		return fsx.Stat{}, err
	}
	c := Call{Op: OpStat, at: d.at}
	err = d.p.run(c, func(*Call) error {
		st = d.at.node().stat()
		st.Mount = d.at.d == d.at.mnt.root
		return nil
	})
	return st, err
}

func (d *dir) Readlink(name string) (target string, err error) {
	if err := d.ready("readlink", name); err != nil {
		return "", err
	}
	c := Call{Op: OpReadlink, Name: name, at: d.at}
	err = d.p.run(c, func(*Call) error {
		cr := d.p.cred()
		at, e := d.p.fs.next(&cr, d.at, name)
		if e == 0 && at.node().kind != fsx.Symlink {
			e = syscall.EINVAL
		}
		if e != 0 {
			return fail("readlink", name, e)
		}
		target = string(at.node().data)
		return nil
	})
	return target, err
}

func (d *dir) Fd() int {
	if d.closed {
		return -1
	}
	return d.fd
}

func (d *dir) Close() error {
	if d.closed {
		return nil
	}
	c := Call{Op: OpClose, at: d.at}
	err := d.p.run(c, func(*Call) error { return nil })
	d.shut() // it is closed whatever is said of it
	return err
}

// SyncFS implements fsx.FS.
func (p *Proc) SyncFS(site fsx.Site, on fsx.Dir) error {
	d := p.mine(on)
	if err := d.held("syncfs", ""); err != nil {
		return err
	}
	c := Call{Op: OpSyncFS, Site: site, Changes: true, at: d.at}
	return p.run(c, func(*Call) error {
		dev := d.at.node().dev
		switch dev.opt.Magic {
		case "fuse", "9p", "nfs", "cifs", "smb2", "smb", "ceph", "afs", "vboxsf", "ecryptfs":
			p.fs.SyncAll()
		default:
			dev.syncAll()
		}
		return nil
	})
}

// SyncAll makes everything on the machine durable, as sync(1) does.
func (f *FS) SyncAll() {
	for _, dev := range f.devices {
		dev.syncAll()
	}
}

func (p *Proc) mine(on fsx.Dir) *dir {
	d, ok := on.(*dir)
	if !ok || d.p != p {
		panic(fmt.Sprintf("simfs: internal error: a directory of somebody else: %T", on))
	}
	return d
}

// Granularity implements fsx.FS.
func (p *Proc) Granularity(on fsx.Dir) int64 { return p.mine(on).at.node().dev.granularity() }

// Magic implements fsx.FS.
func (p *Proc) Magic(on fsx.Dir) string {
	d := p.mine(on)
	if d.closed {
		return "unknown"
	}
	return d.at.node().dev.opt.Magic
}
