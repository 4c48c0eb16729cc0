//go:build linux || darwin

package fsx

import (
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

func (d *dir) Create(_ Site, name string, perm fs.FileMode) (File, error) {
	// O_EXCL makes it new and regular: nothing is left to look at.
	fd, err := d.openAt("create", name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|openFile, perm)
	if err != nil {
		return nil, err
	}
	return newFile(fd), nil
}

func (d *dir) Update(_ Site, name string, perm fs.FileMode) (File, error) {
	fd, err := d.openAt("update", name, unix.O_RDWR|unix.O_CREAT|openFile, perm)
	if err != nil {
		return nil, err
	}
	return regular(fd, name)
}

func (d *dir) Mkdir(_ Site, name string, perm fs.FileMode) error {
	return d.at("mkdir", name, func(fd int) error {
		return unix.Mkdirat(fd, name, uint32(perm.Perm()))
	})
}

func (d *dir) Symlink(_ Site, target, name string) error {
	return d.at("symlink", name, func(fd int) error {
		return unix.Symlinkat(target, fd, name)
	})
}

func (d *dir) Rename(_ Site, name string, to Dir, toName string, how How) error {
	t, ok := to.(*dir)
	if !ok {
		panic(fmt.Sprintf("fsx: internal error: rename into a %T", to))
	}
	if err := checkName("rename", toName); err != nil {
		return err
	}
	toFD, err := t.hold("rename", toName)
	if err != nil {
		return err
	}
	defer t.release() //nolint:errcheck // the owner's Close reports it
	return d.at("rename", name, func(fd int) error {
		return renameAt(fd, name, toFD, toName, how)
	})
}

// renameInSteps renames where nothing is, for kernels, filters and file
// systems that cannot refuse to replace. A file gets its new name by a link,
// which refuses, and then loses the old one, which is why that must be ours: a
// user's save under it would go. A directory takes the place of an empty one
// that was made for it, which refuses too.
func renameInSteps(fd int, name string, toFD int, toName string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if kindOf(uint32(st.Mode)) != Directory {
		switch err := unix.Linkat(fd, name, toFD, toName, 0); err {
		case nil:
			return unix.Unlinkat(fd, name, 0)
		case unix.EPERM: // no hard links here: not a matter of rights
			return unix.ENOSYS
		default:
			return err
		}
	}
	if err := unix.Mkdirat(toFD, toName, 0o700); err != nil {
		return err
	}
	err := unix.Renameat(fd, name, toFD, toName)
	if err != nil {
		unix.Unlinkat(toFD, toName, unix.AT_REMOVEDIR)
	}
	return err
}

func (d *dir) Unlink(_ Site, name string) error {
	err := d.at("unlink", name, func(fd int) error { return unix.Unlinkat(fd, name, 0) })
	return d.unlinkError(name, err)
}

func (d *dir) Rmdir(_ Site, name string) error {
	return d.at("rmdir", name, func(fd int) error {
		err := unix.Unlinkat(fd, name, unix.AT_REMOVEDIR)
		if err == unix.EEXIST { // POSIX leaves file systems the choice
			err = unix.ENOTEMPTY
		}
		return err
	})
}

func (d *dir) Chown(_ Site, name string, uid, gid uint32) error {
	return d.at("chown", name, func(fd int) error {
		return unix.Fchownat(fd, name, int(uid), int(gid), unix.AT_SYMLINK_NOFOLLOW)
	})
}

func (d *dir) Sync(Site) error {
	fd, err := d.hold("sync", "")
	if err != nil {
		return err
	}
	defer d.release() //nolint:errcheck // the owner's Close reports it
	return fail("sync", "", retry(func() error { return syncDir(fd) }))
}

// lockTries bounds how often Lock looks for the lock file again after it was
// replaced under its hands. Once is an accident; more is somebody at work.
const lockTries = 3

// Lock uses the kernel's call itself. The lock library of the module opens its
// file by a path of its own, so that it could lock a file of another directory
// than the one held here, and follows a link to it.
func (d *dir) Lock(site Site, name string) (unlock func() error, err error) {
	for range lockTries {
		unlock, err = d.lockOnce(site, name)
		if unlock != nil || err != nil {
			return unlock, err
		}
	}
	return nil, failAs("lock", name, ErrBusy, nil)
}

// lockOnce returns neither an unlock nor an error when the file that it locked
// is not the one of that name any more: two processes must not hold two files.
func (d *dir) lockOnce(site Site, name string) (func() error, error) {
	opened, err := d.Update(site, name, 0o600)
	if err != nil {
		return nil, err
	}
	f := opened.(*file)
	err = retry(func() error { return unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB) })
	if err != nil {
		_ = f.Close() // nothing was written to it
		return nil, fail("lock", name, err)
	}
	held, err1 := f.Stat()
	named, err2 := d.Stat(name)
	if err1 != nil || err2 != nil || held.Dev != named.Dev || held.Ino != named.Ino {
		_ = f.Close() // gives the lock back
		return nil, nil
	}
	return func() error { return unlockFile(f) }, nil
}

// unlockFile gives the lock up by name before it closes: a child process that
// was just forked has the descriptor too, and would keep the lock for a moment.
func unlockFile(f *file) error {
	if fd, err := f.hold("unlock", ""); err == nil {
		_ = unix.Flock(fd, unix.LOCK_UN) // Close does it too
		_ = f.release()
	}
	return f.Close()
}
