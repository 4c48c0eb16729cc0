package simfs

import (
	"io"
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
)

// file is a regular file that a process has open.
type file struct {
	p    *Proc
	fd   descriptor
	n    int      // its number
	site fsx.Site // of its opening
}

// shut closes it without asking anybody, and gives up its lock.
func (f *file) shut() {
	if f.fd.closed {
		return
	}
	if n := f.fd.at.node(); n.lock == f {
		n.lock = nil
	}
	f.p.drop(f.n)
	f.fd.close()
}

func (f *file) call(op string) (Call, error) {
	if f.fd.closed && !f.p.dead {
		return Call{}, &opError{op, "", fs.ErrClosed, nil}
	}
	return Call{Op: op, Site: f.site, at: f.fd.at}, nil
}

func (f *file) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := f.call(OpBytes)
	if err != nil {
		return 0, err
	}
	err = f.p.run(c, func(*Call) error {
		var e errno
		n, e = f.fd.pread(p, f.fd.off)
		f.fd.off += int64(n)
		return fail("read", "", e)
	})
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		c, err := f.call(OpBytes)
		if err != nil {
			return done, err
		}
		n := 0
		err = f.p.run(c, func(*Call) error {
			var e errno
			n, e = f.fd.pread(p[done:], off+int64(done))
			return fail("read", "", e)
		})
		switch {
		case err != nil:
			return done, err
		case n == 0:
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

func (f *file) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		c, err := f.call(OpWrite)
		if err != nil {
			return done, err
		}
		c.Changes, c.Size = true, len(p)-done
		before := done
		err = f.p.run(c, func(c *Call) error {
			done = before // it was interrupted, and nothing was written
			n, e := f.fd.pwrite(p[done:done+c.Size], f.fd.off)
			f.fd.off += int64(n)
			done += n
			return fail("write", "", e)
		})
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (f *file) Stat() (st fsx.Stat, err error) {
	c, err := f.call(OpStat)
	if err != nil {
		return st, err
	}
	err = f.p.run(c, func(*Call) error {
		st = f.fd.at.node().stat()
		return nil
	})
	return st, err
}

func (f *file) Seek(offset int64, whence int) (pos int64, err error) {
	c, err := f.call(OpSeek)
	if err != nil {
		return 0, err
	}
	err = f.p.run(c, func(*Call) error {
		var e errno
		pos, e = f.fd.seek(offset, whence)
		return fail("seek", "", e)
	})
	return pos, err
}

// change is a call that changes something.
func (f *file) change(op string, site fsx.Site, do func() errno) error {
	c, err := f.call(op)
	if err != nil {
		return err
	}
	c.Site, c.Changes = site, true
	return f.p.run(c, func(*Call) error { return fail(op, "", do()) })
}

func (f *file) Truncate(site fsx.Site, size int64) error {
	return f.change(OpTruncate, site, func() errno { return f.fd.truncate(size) })
}

func (f *file) Chmod(site fsx.Site, perm fs.FileMode) error {
	return f.change(OpChmod, site, func() errno {
		cr := f.p.cred()
		return cr.chmod(f.fd.at.d, uint32(perm.Perm()))
	})
}

func (f *file) Chown(site fsx.Site, uid, gid uint32) error {
	return f.change(OpChown, site, func() errno {
		cr := f.p.cred()
		return cr.chown(f.fd.at.d, uid, gid)
	})
}

func (f *file) Sync(site fsx.Site) error {
	return f.change(OpSync, site, func() errno {
		n := f.fd.at.node()
		n.dev.syncFile(n)
		return 0
	})
}

func (f *file) Close() error {
	if f.fd.closed {
		return nil
	}
	c := Call{Op: OpClose, Site: f.site, at: f.fd.at}
	err := f.p.run(c, func(*Call) error { return nil })
	f.shut()
	return err
}

// unlock gives the lock up; more than once is no error.
func (f *file) unlock() error {
	if f.fd.closed {
		return nil
	}
	c := Call{Op: OpUnlock, Site: f.site, at: f.fd.at, Changes: true}
	err := f.p.run(c, func(*Call) error { return nil })
	f.shut()
	return err
}
