package fsx

import (
	"io/fs"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// renameAt does not exchange in steps: that is the caller's to decide, who
// knows what may be absent for a moment.
func renameAt(fd int, name string, toFD int, toName string, how How) error {
	flags := uint(0)
	switch how {
	case NoReplace:
		flags = unix.RENAME_NOREPLACE
	case Exchange:
		flags = unix.RENAME_EXCHANGE
	case Replace:
		return unix.Renameat(fd, name, toFD, toName)
	}
	err := unix.Renameat2(fd, name, toFD, toName, flags)
	if err == unix.EINVAL || err == unix.EPERM && !haveRenameat2() {
		err = unix.ENOSYS
	}
	if err == unix.ENOSYS && how == NoReplace {
		return renameInSteps(fd, name, toFD, toName)
	}
	return err
}

// Self says also whether the directory is the root of a mount, which its
// device number does not show when both are on one file system.
func (d *dir) Self() (Stat, error) {
	fd, err := d.hold("stat", "")
	if err != nil {
		return Stat{}, err
	}
	defer d.release() //nolint:errcheck // the owner's Close reports it
	var x unix.Statx_t
	err = retry(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &x) })
	if err != nil {
		return fstat(fd) // an old kernel, or a filter
	}
	return Stat{
		Kind: kindOf(uint32(x.Mode)), Mode: fs.FileMode(x.Mode) & fs.ModePerm,
		Size: int64(x.Size), Mtime: nanos(x.Mtime), Ctime: nanos(x.Ctime),
		Dev: unix.Mkdev(x.Dev_major, x.Dev_minor), Ino: x.Ino, Nlink: uint64(x.Nlink),
		UID: x.Uid, GID: x.Gid,
		Mount: x.Attributes&x.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0,
	}, nil
}

func nanos(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }

// haveRenameat2 asks once whether the call gets through to the kernel at all:
// Docker's filter answers EPERM to calls that it does not know, which is also
// what a sticky directory or an immutable file answers. With a descriptor that
// cannot be, the kernel says EBADF and touches nothing.
var haveRenameat2 = sync.OnceValue(func() bool {
	err := unix.Renameat2(-1, "x", -1, "x", unix.RENAME_NOREPLACE)
	return err != unix.EPERM && err != unix.ENOSYS
})

// unlinkError: Linux says EISDIR by itself.
func (d *dir) unlinkError(_ string, err error) error { return err }

// Chmod holds the inode and looks at it before it changes it: fchmodat follows
// links, and the call that does not is newer than many kernels and filters.
func (d *dir) Chmod(_ Site, name string, perm fs.FileMode) error {
	fd, err := d.openAt("chmod", name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written to it
	st, err := fstat(fd)
	switch {
	case err != nil:
		return err
	case st.Kind == Symlink:
		return failAs("chmod", name, ErrIsLink, unix.ELOOP)
	case st.Kind == Other:
		return failAs("chmod", name, ErrNotRegular, nil)
	}
	// A descriptor that is only a place cannot be changed by fchmod, but by
	// its name in /proc; one that is open for reading would need the right to
	// read, which a file of mode 0200 does not give its owner.
	self := "/proc/self/fd/" + strconv.Itoa(fd)
	err = retry(func() error { return unix.Chmod(self, uint32(perm.Perm())) })
	if err == unix.ENOENT { // it is /proc that is not there
		err = unix.ENOSYS
	}
	return fail("chmod", name, err)
}

func syncFile(fd int) error { return unix.Fdatasync(fd) }

func syncDir(fd int) error { return unix.Fsync(fd) }

// SyncFS uses sync(2) on file systems whose data is somebody else's: syncfs on
// FUSE returns in 5 µs without having done anything. It reaches the disk below,
// also out of a container, and costs what the whole machine has not written.
func (osFS) SyncFS(_ Site, on Dir) error {
	d := on.(*dir)
	fd, err := d.hold("syncfs", "")
	if err != nil {
		return err
	}
	defer d.release() //nolint:errcheck // the owner's Close reports it
	magic, err := magicOf(fd)
	if err != nil {
		return fail("syncfs", "", err)
	}
	if known[magic].noSync {
		unix.Sync() // everything on the machine, and so what is behind this
		return nil
	}
	return fail("syncfs", "", retry(func() error { return unix.Syncfs(fd) }))
}
