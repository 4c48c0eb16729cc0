package fsx

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

const readWrite = windows.GENERIC_READ | windows.GENERIC_WRITE

func (d *dir) Create(_ Site, name string, _ fs.FileMode) (File, error) {
	return d.openFile("create", name, readWrite, windows.CREATE_NEW)
}

func (d *dir) Update(_ Site, name string, _ fs.FileMode) (File, error) {
	return d.openFile("update", name, readWrite, windows.OPEN_ALWAYS)
}

// openFile opens the thing itself, and looks at what it got.
func (d *dir) openFile(op, name string, access, disposition uint32) (File, error) {
	path, err := d.at(op, name)
	if err != nil {
		return nil, err
	}
	f, err := createFile(path, access, shareAll, disposition, itself)
	if err != nil {
		return nil, fail(op, name, err)
	}
	st, err := statFile(f)
	if err == nil {
		switch st.Kind {
		case Regular:
			return &file{f}, nil
		case Directory:
			err = failAs(op, name, ErrIsDir, nil)
		default:
			err = failAs(op, name, ErrIsLink, nil)
		}
	}
	_ = f.Close() // nothing was written to it
	return nil, err
}

func (d *dir) Mkdir(_ Site, name string, perm fs.FileMode) error {
	path, err := d.at("mkdir", name)
	if err != nil {
		return err
	}
	return fail("mkdir", name, os.Mkdir(path, perm.Perm()))
}

func (d *dir) Symlink(_ Site, target, name string) error {
	path, err := d.at("symlink", name)
	if err != nil {
		return err
	}
	return fail("symlink", name, os.Symlink(filepath.FromSlash(target), path))
}

// Unlink removes a link to a directory in the way in which Windows has it: as
// a directory.
func (d *dir) Unlink(_ Site, name string) error {
	path, err := d.at("unlink", name)
	if err != nil {
		return err
	}
	st, err := d.Stat(name)
	if err != nil {
		return err
	}
	if st.Kind == Directory {
		return failAs("unlink", name, ErrIsDir, nil)
	}
	return fail("unlink", name, os.Remove(path))
}

func (d *dir) Rmdir(_ Site, name string) error {
	path, err := d.at("rmdir", name)
	if err != nil {
		return err
	}
	st, err := d.Stat(name)
	if err != nil {
		return err
	}
	if st.Kind != Directory {
		return failAs("rmdir", name, ErrNotDir, nil)
	}
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return fail("rmdir", name, err)
	}
	return fail("rmdir", name, windows.RemoveDirectory(p))
}

// Chmod says that there is no exec bit to store; a caller keeps base's.
func (d *dir) Chmod(_ Site, name string, _ fs.FileMode) error { return d.unsupported("chmod", name) }

func (d *dir) Chown(_ Site, name string, _, _ uint32) error { return d.unsupported("chown", name) }

func (d *dir) unsupported(op, name string) error {
	if _, err := d.at(op, name); err != nil {
		return err
	}
	return failAs(op, name, ErrUnsupported, nil)
}

// Sync needs a handle with the right to write, which the held one does not
// have, lest a read-only directory could not be opened.
func (d *dir) Sync(Site) error {
	if d.closed() {
		return failAs("sync", "", fs.ErrClosed, nil)
	}
	f, err := createFile(d.path+`\`, windows.GENERIC_WRITE, shareAll, windows.OPEN_EXISTING, itself)
	if err != nil {
		return fail("sync", "", err)
	}
	defer f.Close() //nolint:errcheck // the flush said what there was to say
	return fail("sync", "", f.Sync())
}

// Lock locks the first byte, which need not be there: Windows has locks on
// ranges only.
func (d *dir) Lock(_ Site, name string) (unlock func() error, err error) {
	opened, err := d.openFile("lock", name, readWrite, windows.OPEN_ALWAYS)
	if err != nil {
		return nil, err
	}
	f := opened.(*file).f
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = control(f, func(h windows.Handle) error {
		return windows.LockFileEx(h, how, 0, 1, 0, new(windows.Overlapped))
	})
	if err != nil {
		_ = f.Close() // nothing was written to it
		return nil, fail("lock", name, err)
	}
	return opened.Close, nil
}
