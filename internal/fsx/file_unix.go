//go:build linux || darwin

package fsx

import (
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// maxIO is the most that one call moves: macOS refuses 2 GiB and more, Linux
// moves less than that at once.
const maxIO = 1 << 30

// file is a File on a bare descriptor. Package os would ask each one for its
// flags and try it on the poller, which takes no regular file: two or three
// calls more a file, at up to 0.4 ms each on FUSE.
type file struct{ handle }

func newFile(fd int) *file {
	f := &file{}
	f.init(fd)
	return f
}

// do runs a call on the descriptor.
func (f *file) do(op string, call func(fd int) error) error {
	fd, err := f.hold(op, "")
	if err != nil {
		return err
	}
	defer f.release() //nolint:errcheck // the owner's Close reports it
	return fail(op, "", retry(func() error { return call(fd) }))
}

func (f *file) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	err = f.do("read", func(fd int) (err error) {
		n, err = unix.Read(fd, p[:min(len(p), maxIO)])
		return err
	})
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n := 0
		err := f.do("read", func(fd int) (err error) {
			n, err = unix.Pread(fd, p[done:min(len(p), done+maxIO)], off+int64(done))
			return err
		})
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

func (f *file) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n := 0
		err := f.do("write", func(fd int) (err error) {
			n, err = unix.Write(fd, p[done:min(len(p), done+maxIO)])
			return err
		})
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.ErrUnexpectedEOF
		}
		done += n
	}
	return done, nil
}

func (f *file) Stat() (Stat, error) { return f.fstat() }

func (f *file) Seek(offset int64, whence int) (pos int64, err error) {
	err = f.do("seek", func(fd int) (err error) {
		pos, err = unix.Seek(fd, offset, whence)
		return err
	})
	return pos, err
}

func (f *file) Truncate(_ Site, size int64) error {
	return f.do("truncate", func(fd int) error { return unix.Ftruncate(fd, size) })
}

func (f *file) Chmod(_ Site, perm fs.FileMode) error {
	return f.do("chmod", func(fd int) error { return unix.Fchmod(fd, uint32(perm.Perm())) })
}

func (f *file) Chown(_ Site, uid, gid uint32) error {
	return f.do("chown", func(fd int) error { return unix.Fchown(fd, int(uid), int(gid)) })
}

func (f *file) Sync(Site) error { return f.do("sync", syncFile) }

func (f *file) Close() error { return f.close() }
