package simfs

import (
	"io"
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// descriptor is an open file.
type descriptor struct {
	at          ref
	read, write bool
	off         int64
	made        bool // by this opening
	closed      bool
}

// The ways to open.
type flags uint8

const (
	forRead flags = 1 << iota
	forWrite
	orCreate
	mustCreate // with orCreate
	isPlace    // O_PATH: nothing is asked of the inode
	follow
)

// open is openat for anything but directories. It follows a link only with
// follow, and then by at's own place.
func (f *FS) open(c *cred, at ref, name string, how flags, mode uint32) (descriptor, errno) {
	d, e := c.lookup(at.node(), name)
	switch {
	case e != 0:
		return descriptor{}, e
	case d == nil && how&orCreate == 0:
		return descriptor{}, syscall.ENOENT
	case d == nil:
		d, e = c.create(at.node(), name, fsx.Regular, mode, "")
		fd, e := descr(ref{at.mnt, d}, how, e)
		fd.made = true
		return fd, e
	case how&mustCreate != 0:
		return descriptor{}, syscall.EEXIST
	}
	to := ref{at.mnt, d}.cross()
	if n := to.node(); n.kind == fsx.Symlink && how&isPlace == 0 {
		if how&follow == 0 {
			return descriptor{}, syscall.ELOOP
		}
		up, last, e := f.target(c, at, string(n.data), 0)
		if e != 0 {
			return descriptor{}, e
		}
		return f.open(c, up, last, how&^follow, mode)
	}
	if e := c.mayOpen(to.node(), how); e != 0 {
		return descriptor{}, e
	}
	fd, _ := descr(to, how, 0)
	return fd, 0
}

func (c *cred) mayOpen(n *inode, how flags) errno {
	if how&isPlace != 0 {
		return 0
	}
	want := uint32(0)
	if how&forRead != 0 {
		want |= mayRead
	}
	if how&forWrite != 0 {
		want |= mayWrite
	}
	switch {
	case n.isDir() && how&(forWrite|orCreate) != 0:
		return syscall.EISDIR
	case how&forWrite != 0 && n.dev.opt.ReadOnly && n.kind != fsx.Other:
		return syscall.EROFS
	case !c.allows(n, want):
		return syscall.EACCES
	}
	return 0
}

func descr(to ref, how flags, e errno) (descriptor, errno) {
	if e != 0 {
		return descriptor{}, e
	}
	to.d.hold()
	return descriptor{at: to, read: how&forRead != 0, write: how&forWrite != 0}, 0
}

// close may be called again.
func (fd *descriptor) close() {
	if fd.closed {
		return
	}
	fd.closed = true
	if fd.write {
		fd.at.d.written(inCloseWrite)
	}
	fd.at.d.put()
}

// pread reads at off; 0 bytes are the end.
func (fd *descriptor) pread(p []byte, off int64) (int, errno) {
	switch n := fd.at.node(); {
	case !fd.read:
		return 0, syscall.EBADF
	case off < 0:
		return 0, syscall.EINVAL
	case off >= int64(len(n.data)):
		return 0, 0
	default:
		return copy(p, n.data[off:]), 0
	}
}

// pwrite writes at off, as much as there is room for.
func (fd *descriptor) pwrite(p []byte, off int64) (int, errno) {
	n := fd.at.node()
	switch {
	case !fd.write:
		return 0, syscall.EBADF
	case len(p) == 0:
		return 0, 0
	}
	room := n.dev.room(int64(len(n.data)), off+int64(len(p))) - off
	if room <= 0 {
		return 0, syscall.ENOSPC
	}
	p = p[:min(int64(len(p)), room)]
	n.put(p, off)
	n.touch()
	fd.at.d.written(inModify)
	return len(p), 0
}

// room is up to which size a file of a given size can grow on its way to want.
func (d *device) room(size, want int64) int64 {
	if d.opt.Bytes == 0 || want <= size {
		return want
	}
	return min(want, size+max(d.opt.Bytes-d.bytes, 0))
}

// put changes the content of a file, and nothing else.
func (n *inode) put(p []byte, off int64) {
	end := off + int64(len(p))
	n.dev.stain(n)
	n.safe.written = true
	before := n.dev.fs.led.before(n.dev.fs, n)
	size := int64(len(n.data))
	if end > size {
		n.own(grown(int(size), int(end)))
		n.data = n.data[:end]
		clear(n.data[size:])
		n.dev.bytes += end - size
	} else {
		n.own(0)
	}
	copy(n.data[off:], p)
	n.dev.fs.led.after(n.dev.fs, n, before)
}

// grown is the room for a file of that size which grows by steps.
func grown(size, end int) int {
	if end < 2*size {
		return 2 * size
	}
	return end
}

// truncate is ftruncate, and O_TRUNC. A hole takes no room until it is written
// to; here its bytes are counted, but nobody is refused for them.
func (fd *descriptor) truncate(size int64) errno {
	n := fd.at.node()
	if size < 0 || !fd.write {
		return syscall.EINVAL
	}
	n.resize(size)
	n.touch()
	fd.at.d.attrib(inModify)
	return 0
}

func (n *inode) resize(size int64) {
	n.dev.stain(n)
	if size == int64(len(n.data)) {
		return
	}
	n.safe.written = true
	n.safe.cut = n.safe.cut || size < int64(len(n.data))
	before := n.dev.fs.led.before(n.dev.fs, n)
	n.dev.bytes += size - int64(len(n.data))
	if size < int64(len(n.data)) {
		n.data = n.data[:size:size]
	} else {
		was := len(n.data)
		n.own(int(size))
		n.data = n.data[:size]
		clear(n.data[was:])
	}
	n.dev.fs.led.after(n.dev.fs, n, before)
}

func (fd *descriptor) seek(offset int64, whence int) (int64, errno) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += fd.off
	case io.SeekEnd:
		offset += int64(len(fd.at.node().data))
	default:
		return -1, syscall.EINVAL
	}
	if offset < 0 {
		return -1, syscall.EINVAL
	}
	fd.off = offset
	return offset, 0
}
