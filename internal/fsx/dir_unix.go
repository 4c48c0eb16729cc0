//go:build linux || darwin

package fsx

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The flags of everything that is opened: never through a link, never kept by
// a child process, never waiting for a FIFO's other end or a modem's carrier.
const (
	openDir  = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	openFile = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
)

type osFS struct{}

func (osFS) OpenRoot(path string) (Dir, error) {
	if !filepath.IsAbs(path) {
		return nil, failAs("open", path, fs.ErrInvalid, nil)
	}
	fd, err := retryFD(func() (int, error) {
		return unix.Open(path, openDir&^unix.O_NOFOLLOW, 0)
	})
	if err != nil {
		return nil, fail("open", path, err)
	}
	return newDir(fd), nil
}

// dir is a Dir. It is held by its descriptor alone: where it is in the tree,
// and what it is called there, may change while it is open.
type dir struct {
	handle
	listed atomic.Bool // whether the descriptor's position was used up by a List
}

func newDir(fd int) *dir {
	d := &dir{}
	d.init(fd)
	return d
}

// at runs a call on name below d, and is where every such call comes through.
func (d *dir) at(op, name string, call func(fd int) error) error {
	if err := checkName(op, name); err != nil {
		return err
	}
	fd, err := d.hold(op, name)
	if err != nil {
		return err
	}
	defer d.release() //nolint:errcheck // the owner's Close reports it
	return fail(op, name, retry(func() error { return call(fd) }))
}

// openAt is at for what opens name.
func (d *dir) openAt(op, name string, flags int, perm fs.FileMode) (int, error) {
	opened := -1
	err := d.at(op, name, func(fd int) (err error) {
		opened, err = unix.Openat(fd, name, flags, uint32(perm.Perm()))
		return err
	})
	return opened, err
}

func (d *dir) Open(name string) (Dir, error) {
	fd, err := d.openAt("open", name, openDir, 0)
	if errors.Is(err, ErrNotDir) {
		return nil, d.notDir(name, err)
	}
	if err != nil {
		return nil, err
	}
	return newDir(fd), nil
}

// notDir tells a link from other things that are no directory: with
// O_DIRECTORY the kernel says ENOTDIR for both. It only picks the word; the
// name was not opened.
func (d *dir) notDir(name string, err error) error {
	if st, statErr := d.Stat(name); statErr == nil && st.Kind == Symlink {
		return failAs("open", name, ErrIsLink, unix.ELOOP)
	}
	return err
}

func (d *dir) Stat(name string) (Stat, error) {
	var st unix.Stat_t
	err := d.at("stat", name, func(fd int) error {
		return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return Stat{}, err
	}
	return statOf(&st), nil
}

// fstat is what a directory and a file say of themselves.
func (h *handle) fstat() (Stat, error) {
	fd, err := h.hold("stat", "")
	if err != nil {
		return Stat{}, err
	}
	defer h.release() //nolint:errcheck // the owner's Close reports it
	return fstat(fd)
}

func fstat(fd int) (Stat, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return Stat{}, fail("stat", "", err)
	}
	return statOf(&st), nil
}

func statOf(st *unix.Stat_t) Stat {
	return Stat{
		Kind: kindOf(uint32(st.Mode)), Mode: fs.FileMode(st.Mode) & fs.ModePerm,
		Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(),
		Dev: uint64(st.Dev), Ino: st.Ino, Nlink: uint64(st.Nlink),
		UID: st.Uid, GID: st.Gid,
	}
}

func kindOf(mode uint32) Kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return Regular
	case unix.S_IFLNK:
		return Symlink
	case unix.S_IFDIR:
		return Directory
	}
	return Other
}

func (d *dir) Read(name string) (File, error) {
	fd, err := d.openAt("open", name, unix.O_RDONLY|openFile, 0)
	if err != nil {
		return nil, err
	}
	return regular(fd, name)
}

// regular makes a File of fd if it is one. O_NONBLOCK let a FIFO or a device
// open without waiting; it is looked at only now, when the name cannot become
// another thing any more.
func regular(fd int, name string) (File, error) {
	st, err := fstat(fd)
	if err == nil && st.Kind == Regular {
		return newFile(fd), nil
	}
	_ = unix.Close(fd) // nothing was written to it
	switch {
	case err != nil:
		return nil, err
	case st.Kind == Directory:
		return nil, failAs("open", name, ErrIsDir, nil)
	}
	return nil, failAs("open", name, ErrNotRegular, nil)
}

// maxTarget is the longest target of a link: PATH_MAX on both systems with
// room to see that there is more.
const maxTarget = 4096 + 1

func (d *dir) Readlink(name string) (string, error) {
	buf := make([]byte, maxTarget)
	n := 0
	err := d.at("readlink", name, func(fd int) (err error) {
		n, err = unix.Readlinkat(fd, name, buf)
		return err
	})
	if err == nil && n == len(buf) {
		err = fail("readlink", name, unix.ENAMETOOLONG)
	}
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

func (d *dir) Fd() int {
	if d.closed.Load() {
		return -1
	}
	return d.fd
}

func (d *dir) Close() error { return d.close() }
