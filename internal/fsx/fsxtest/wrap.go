// Package fsxtest puts a hook in front of a file system, so that a test can
// count its steps, and fail or stop at each of them.
//
// Its promise: every call that changes something passes the hook, with its
// site, and nothing else about the file system is different. It refuses to
// imitate errors of its own: what a hook returns is what the caller gets.
//
// # Why
//
// A disk operation is right when it leaves "old or new, nothing else" behind
// wherever it is interrupted. Only a test that interrupts it everywhere shows
// that, and the one place that everything passes is the file-system seam.
package fsxtest

import (
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
)

// Hook is told of a call: where in twosync it comes from, what it does and to
// which name ("" where there is none but a directory's or a file's own). Calls
// come at the same time where the code under test makes them so.
//
// The changing calls: create, update, mkdir, symlink, rename, unlink, rmdir,
// chmod, chown, sync, syncfs, lock, write, truncate. The reading ones have no
// site: open, list, stat, read.open, readlink. A rename is told with the name
// that it moves.
type Hook func(site fsx.Site, op, name string) error

// Hooks are the hooks of a wrapped file system. Each may be nil.
type Hooks struct {
	// Before is called before a change; with an error the change is not made.
	Before Hook
	// After is called after a change that succeeded; its error is what the
	// caller gets, though the change is there: a crash, seen from the disk.
	After Hook
	// Read is called before a reading call, and may fail it.
	Read Hook
}

// Wrap returns inner with hook before every change.
func Wrap(inner fsx.FS, hook Hook) fsx.FS { return Hooks{Before: hook}.Wrap(inner) }

// Wrap returns inner with these hooks. Its directories work with each other,
// not with those of inner.
func (h Hooks) Wrap(inner fsx.FS) fsx.FS { return &wrapFS{inner, &h} }

// change runs one change between its hooks.
func (h *Hooks) change(site fsx.Site, op, name string, do func() error) error {
	if h.Before != nil {
		if err := h.Before(site, op, name); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if h.After != nil {
		return h.After(site, op, name)
	}
	return nil
}

// read asks the hook of the reading calls.
func (h *Hooks) read(op, name string) error {
	if h.Read == nil {
		return nil
	}
	return h.Read("", op, name)
}

type wrapFS struct {
	inner fsx.FS
	hooks *Hooks
}

func (w *wrapFS) OpenRoot(path string) (fsx.Dir, error) {
	if err := w.hooks.read("open", path); err != nil {
		return nil, err
	}
	d, err := w.inner.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &wrapDir{d, w.hooks}, nil
}

func (w *wrapFS) SyncFS(site fsx.Site, d fsx.Dir) error {
	return w.hooks.change(site, "syncfs", "", func() error {
		return w.inner.SyncFS(site, unwrap(d))
	})
}

func (w *wrapFS) Granularity(d fsx.Dir) int64 { return w.inner.Granularity(unwrap(d)) }

func (w *wrapFS) Magic(d fsx.Dir) string { return w.inner.Magic(unwrap(d)) }

// wrapDir takes Fd and Close from the directory that it wraps.
type wrapDir struct {
	fsx.Dir
	hooks *Hooks
}

func unwrap(d fsx.Dir) fsx.Dir { return d.(*wrapDir).Dir }

func (w *wrapDir) Open(name string) (fsx.Dir, error) {
	if err := w.hooks.read("open", name); err != nil {
		return nil, err
	}
	d, err := w.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	return &wrapDir{d, w.hooks}, nil
}

func (w *wrapDir) List() ([]fsx.Item, error) {
	if err := w.hooks.read("list", ""); err != nil {
		return nil, err
	}
	return w.Dir.List()
}

func (w *wrapDir) Stat(name string) (fsx.Stat, error) {
	if err := w.hooks.read("stat", name); err != nil {
		return fsx.Stat{}, err
	}
	return w.Dir.Stat(name)
}

func (w *wrapDir) Self() (fsx.Stat, error) {
	if err := w.hooks.read("stat", ""); err != nil {
		return fsx.Stat{}, err
	}
	return w.Dir.Self()
}

func (w *wrapDir) Read(name string) (fsx.File, error) {
	if err := w.hooks.read("read.open", name); err != nil {
		return nil, err
	}
	f, err := w.Dir.Read(name)
	if err != nil {
		return nil, err
	}
	return &wrapFile{f, w.hooks, "", name}, nil
}

func (w *wrapDir) Readlink(name string) (string, error) {
	if err := w.hooks.read("readlink", name); err != nil {
		return "", err
	}
	return w.Dir.Readlink(name)
}

func (w *wrapDir) Create(site fsx.Site, name string, perm fs.FileMode) (fsx.File, error) {
	return w.opened(site, "create", name, func() (fsx.File, error) {
		return w.Dir.Create(site, name, perm)
	})
}

func (w *wrapDir) Update(site fsx.Site, name string, perm fs.FileMode) (fsx.File, error) {
	return w.opened(site, "update", name, func() (fsx.File, error) {
		return w.Dir.Update(site, name, perm)
	})
}

// opened is change for what gives a file; it is closed when the hook behind
// the change fails, as a crash would.
func (w *wrapDir) opened(site fsx.Site, op, name string, do func() (fsx.File, error)) (fsx.File, error) {
	var f fsx.File
	err := w.hooks.change(site, op, name, func() (err error) {
		f, err = do()
		return err
	})
	if err == nil {
		return &wrapFile{f, w.hooks, site, name}, nil
	}
	if f != nil {
		_ = f.Close() // the test gets the hook's error
	}
	return nil, err
}

func (w *wrapDir) Mkdir(site fsx.Site, name string, perm fs.FileMode) error {
	return w.hooks.change(site, "mkdir", name, func() error { return w.Dir.Mkdir(site, name, perm) })
}

func (w *wrapDir) Symlink(site fsx.Site, target, name string) error {
	return w.hooks.change(site, "symlink", name, func() error { return w.Dir.Symlink(site, target, name) })
}

func (w *wrapDir) Rename(site fsx.Site, name string, to fsx.Dir, toName string, how fsx.How) error {
	return w.hooks.change(site, "rename", name, func() error {
		return w.Dir.Rename(site, name, unwrap(to), toName, how)
	})
}

func (w *wrapDir) Unlink(site fsx.Site, name string) error {
	return w.hooks.change(site, "unlink", name, func() error { return w.Dir.Unlink(site, name) })
}

func (w *wrapDir) Rmdir(site fsx.Site, name string) error {
	return w.hooks.change(site, "rmdir", name, func() error { return w.Dir.Rmdir(site, name) })
}

func (w *wrapDir) Chmod(site fsx.Site, name string, perm fs.FileMode) error {
	return w.hooks.change(site, "chmod", name, func() error { return w.Dir.Chmod(site, name, perm) })
}

func (w *wrapDir) Chown(site fsx.Site, name string, uid, gid uint32) error {
	return w.hooks.change(site, "chown", name, func() error { return w.Dir.Chown(site, name, uid, gid) })
}

func (w *wrapDir) Sync(site fsx.Site) error {
	return w.hooks.change(site, "sync", "", func() error { return w.Dir.Sync(site) })
}

func (w *wrapDir) Lock(site fsx.Site, name string) (unlock func() error, err error) {
	err = w.hooks.change(site, "lock", name, func() (err error) {
		unlock, err = w.Dir.Lock(site, name)
		return err
	})
	if err == nil {
		return unlock, nil
	}
	if unlock != nil {
		_ = unlock() // the test gets the hook's error
	}
	return nil, err
}

// wrapFile takes reading, seeking and closing from the file that it wraps.
// Those change nothing that a crash could show.
type wrapFile struct {
	fsx.File
	hooks *Hooks
	site  fsx.Site // of its opening, for the writes, which have none
	name  string
}

// Write that fails behind the change has written: it says so.
func (w *wrapFile) Write(p []byte) (n int, err error) {
	err = w.hooks.change(w.site, "write", w.name, func() (err error) {
		n, err = w.File.Write(p)
		return err
	})
	return n, err
}

func (w *wrapFile) Truncate(site fsx.Site, size int64) error {
	return w.hooks.change(site, "truncate", w.name, func() error { return w.File.Truncate(site, size) })
}

func (w *wrapFile) Chmod(site fsx.Site, perm fs.FileMode) error {
	return w.hooks.change(site, "chmod", w.name, func() error { return w.File.Chmod(site, perm) })
}

func (w *wrapFile) Chown(site fsx.Site, uid, gid uint32) error {
	return w.hooks.change(site, "chown", w.name, func() error { return w.File.Chown(site, uid, gid) })
}

func (w *wrapFile) Sync(site fsx.Site) error {
	return w.hooks.change(site, "sync", w.name, func() error { return w.File.Sync(site) })
}
