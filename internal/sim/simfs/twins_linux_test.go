package simfs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
	"github.com/twosync/twosync/internal/watch"
	"golang.org/x/sys/unix"
)

func realTwin(t *testing.T, root string) *twin {
	src, err := watch.Open(root)
	must(t, err)
	return &twin{name: "real", fs: fsx.OS(), user: realUser{}, src: src, walk: realWalk, be: func(uid uint32) {
		unix.SetfsgidRetGid(int(uid))
		unix.SetfsuidRetUid(int(uid))
	}}
}

func simTwin(t *testing.T, m *simfs.FS, root string) *twin {
	p, u := m.Process("p"), m.User()
	src, err := p.Source(root)
	must(t, err)
	walk := func(root string) (list []seen) {
		must(t, u.Walk(root, func(f simfs.Found) bool {
			list = append(list, seen{f.Path[len(root):], f.Stat, f.Content})
			return true
		}))
		st, err := u.Stat(root)
		must(t, err)
		return append(list, seen{"", st, ""})
	}
	return &twin{name: "sim", fs: p, user: u, src: src, walk: walk, be: func(uid uint32) {
		p.UID, p.GID, u.UID, u.GID = uid, uid, uid, uid
	}}
}

// openPen opens a file for writing.
func (w *twin) openPen(path string, truncate bool) (pen, error) {
	if u, ok := w.user.(*simfs.User); ok {
		return u.Open(path, truncate)
	}
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_CLOEXEC | unix.O_NONBLOCK
	if truncate {
		flags |= unix.O_TRUNC
	}
	fd, err := unix.Open(path, flags, 0o666)
	if err != nil {
		return nil, err
	}
	return &realPen{fd: fd}, nil
}

type realPen struct{ fd int }

func (p *realPen) Write(b []byte) error      { _, err := unix.Write(p.fd, b); return err }
func (p *realPen) Truncate(size int64) error { return unix.Ftruncate(p.fd, size) }
func (p *realPen) Close()                    { unix.Close(p.fd) }

// realWalk looks at a tree, as root.
func realWalk(root string) (list []seen) {
	filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return nil // a removed directory that is still mounted can't be listed
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		s := seen{path: path[len(root):], st: fsx.Stat{
			Mode: fs.FileMode(st.Mode) & fs.ModePerm, Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(),
			Dev: uint64(st.Dev), Ino: st.Ino, Nlink: uint64(st.Nlink), UID: st.Uid, GID: st.Gid,
		}}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			s.st.Kind = fsx.Regular
			b, _ := os.ReadFile(path)
			s.content = string(b)
		case unix.S_IFLNK:
			s.st.Kind = fsx.Symlink
			s.content, _ = os.Readlink(path)
		case unix.S_IFDIR:
			s.st.Kind = fsx.Directory
		default:
			s.st.Kind = fsx.Other
		}
		list = append(list, s)
		return nil
	})
	return append(list[1:], list[0])
}

// realUser makes each call with the kernel's own.
type realUser struct{}

func (realUser) Mkdir(path string) error           { return unix.Mkdir(path, 0o777) }
func (realUser) Symlink(target, path string) error { return unix.Symlink(target, path) }
func (realUser) Mkfifo(path string) error          { return unix.Mkfifo(path, 0o666) }
func (realUser) Link(path, fresh string) error     { return unix.Link(path, fresh) }
func (realUser) Unlink(path string) error          { return unix.Unlink(path) }
func (realUser) Rmdir(path string) error           { return unix.Rmdir(path) }
func (realUser) Rename(from, to string) error      { return unix.Rename(from, to) }
func (realUser) Exchange(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
}

func (u realUser) RemoveAll(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		if err == unix.ENOENT {
			return nil
		}
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.Unlink(path)
	}
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		note(err)
	} else {
		unix.Close(fd)
		entries, _ := os.ReadDir(path)
		for _, e := range entries {
			note(u.RemoveAll(path + "/" + e.Name()))
		}
	}
	note(unix.Rmdir(path))
	return first
}

func (realUser) Chmod(path string, mode fs.FileMode) error { return unix.Chmod(path, uint32(mode)) }

func (realUser) Chown(path string, uid, gid uint32) error {
	return unix.Lchown(path, int(int32(uid)), int(int32(gid)))
}

func (realUser) Utimes(path string, mtime int64) error {
	ts := unix.NsecToTimespec(mtime)
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, 0)
}

func (realUser) writing(path string, flags int, off int64, text string) error {
	fd, err := unix.Open(path, flags|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o666)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if off >= 0 {
		_, err = unix.Pwrite(fd, []byte(text), off)
	} else {
		_, err = unix.Write(fd, []byte(text))
	}
	return err
}

func (u realUser) Write(path, text string) error {
	return u.writing(path, unix.O_CREAT|unix.O_TRUNC, -1, text)
}

func (u realUser) Append(path, text string) error {
	return u.writing(path, unix.O_CREAT|unix.O_APPEND, -1, text)
}

func (u realUser) WriteAt(path, text string, off int64) error { return u.writing(path, 0, off, text) }

func (realUser) Read(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return "", unix.ENXIO
	}
	b := make([]byte, 100)
	n, err := unix.Read(fd, b)
	return string(b[:max(n, 0)]), err
}
