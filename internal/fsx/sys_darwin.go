package fsx

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func renameAt(fd int, name string, toFD int, toName string, how How) error {
	flags := uint32(0)
	switch how {
	case NoReplace:
		flags = unix.RENAME_EXCL
	case Exchange:
		flags = unix.RENAME_SWAP
	case Replace:
		return unix.Renameat(fd, name, toFD, toName)
	}
	err := unix.RenameatxNp(fd, name, toFD, toName, flags)
	if err == unix.EINVAL {
		err = unix.ENOTSUP
	}
	if err == unix.ENOTSUP && how == NoReplace {
		return renameInSteps(fd, name, toFD, toName)
	}
	return err
}

// Self says nothing of mounts: on macOS each has a device number of its own.
func (d *dir) Self() (Stat, error) { return d.fstat() }

// unlinkError: macOS says EPERM of a directory, as it does of what may not be
// removed.
func (d *dir) unlinkError(name string, err error) error {
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	if st, statErr := d.Stat(name); statErr == nil && st.Kind == Directory {
		return failAs("unlink", name, ErrIsDir, unix.EISDIR)
	}
	return err
}

// Chmod looks first and changes by name, never through a link: in between, the
// name can only become another thing of the same user's.
func (d *dir) Chmod(_ Site, name string, perm fs.FileMode) error {
	st, err := d.Stat(name)
	switch {
	case err != nil:
		return err
	case st.Kind == Symlink:
		return failAs("chmod", name, ErrIsLink, unix.ELOOP)
	case st.Kind == Other:
		return failAs("chmod", name, ErrNotRegular, nil)
	}
	return d.at("chmod", name, func(fd int) error {
		return unix.Fchmodat(fd, name, uint32(perm.Perm()), unix.AT_SYMLINK_NOFOLLOW)
	})
}

// syncFile: fsync gives macOS's data to the drive, which may forget it;
// F_FULLFSYNC waits until the drive has it. Network file systems know only the
// first.
func syncFile(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
	switch err {
	case unix.ENOTSUP, unix.ENOTTY, unix.EINVAL, unix.ENODEV:
		return unix.Fsync(fd)
	}
	return err
}

func syncDir(fd int) error { return syncFile(fd) }

// SyncFS: there is sync for everything or for one file, and nothing between.
func (osFS) SyncFS(Site, Dir) error { return failAs("syncfs", "", ErrUnsupported, nil) }

// List reads names without kinds, and asks for those. The system's own reader of directories is
// reached through package os, which would ask for a missing kind by a path
// that it does not know here, and drop the name when that fails.
func (d *dir) List() ([]Item, error) {
	held, err := d.hold("list", "")
	if err != nil {
		return nil, err
	}
	defer d.release() //nolint:errcheck // the owner's Close reports it
	fd, err := retryFD(func() (int, error) { return unix.Openat(held, ".", openDir, 0) })
	if err != nil {
		return nil, fail("list", "", err)
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close() //nolint:errcheck // nothing was written to it
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, listError(err)
	}
	items := make([]Item, len(names))
	for i, name := range names {
		items[i].Name = name
	}
	return d.withKinds(items, nil)
}

// listError brings the number back out of what package os made of it.
func listError(err error) error {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		err = errno
	}
	return fail("list", "", err)
}

func (osFS) Magic(on Dir) string {
	d := on.(*dir)
	fd, err := d.hold("statfs", "")
	if err != nil {
		return "unknown"
	}
	defer d.release() //nolint:errcheck // the owner's Close reports it
	var st unix.Statfs_t
	if retry(func() error { return unix.Fstatfs(fd, &st) }) != nil {
		return "unknown"
	}
	name, _, _ := bytes.Cut(st.Fstypename[:], []byte{0})
	return string(name)
}

// Granularity: APFS stamps with nanoseconds; of others that are not known to
// be coarse, the slowest tick is assumed.
func (osFS) Granularity(on Dir) int64 {
	step := 10 * time.Millisecond
	switch (osFS{}).Magic(on) {
	case "apfs":
		step = 4 * time.Millisecond
	case "hfs", "msdos", "exfat":
		step = 2 * time.Second
	case "nfs", "smbfs":
		step = time.Second
	}
	return int64(step)
}
