package simfs

import (
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// Handle is a file that a user's program has open.
type Handle struct {
	u    *User
	fd   descriptor
	path string // by which it was opened: where the user believes it to be
}

// Open opens a file for writing, and makes it if it is missing; truncate
// empties it first.
func (u *User) Open(path string, truncate bool) (*Handle, error) {
	how := forWrite | orCreate | follow
	return u.open(path, how, truncate)
}

func (u *User) open(path string, how flags, truncate bool) (*Handle, error) {
	c, up, name, e := u.at(path)
	if e != 0 {
		return nil, fail("open", path, e)
	}
	fd, e := u.f.open(c, up, name, how, 0o666)
	if e != 0 {
		return nil, fail("open", path, e)
	}
	if fd.at.node().kind == fsx.Other {
		fd.write = false // it was never open
		fd.close()
		return nil, fail("open", path, syscall.ENXIO) // nobody reads the FIFO
	}
	h := &Handle{u: u, fd: fd, path: fd.at.path()}
	if truncate && !fd.made {
		h.Truncate(0)
	}
	return h, nil
}

// change lets the program change the content: what was there is given up, and
// what is there then is precious, also in a file that was moved meanwhile.
func (h *Handle) change(do func() errno) error {
	n, led := h.fd.at.node(), h.u.f.led
	if led == nil {
		return fail("write", h.path, do())
	}
	var was leaving
	if n.tally.linked {
		was = led.leaves(was, h.u.f, n, h.path)
		was = led.leaves(was, h.u.f, n, h.fd.at.path())
		was = led.leavesAll(was, h.u.f, n)
	}
	stamp := n.mtime
	e := do()
	if e == 0 || n.mtime != stamp { // a call that does nothing gives nothing up
		was.giveUp()
		led.want(h.u.f, n, h.path)
	}
	return fail("write", h.path, e)
}

// Write writes behind what was written last.
func (h *Handle) Write(b []byte) error {
	return h.change(func() errno {
		n, e := h.fd.pwrite(b, h.fd.off)
		h.fd.off += int64(n)
		if e == 0 && n < len(b) {
			e = syscall.ENOSPC
		}
		return e
	})
}

// WriteAt writes anywhere.
func (h *Handle) WriteAt(b []byte, off int64) error {
	return h.change(func() errno {
		n, e := h.fd.pwrite(b, off)
		if e == 0 && n < len(b) {
			e = syscall.ENOSPC
		}
		return e
	})
}

// MapWrite writes through a mapping: the stamp changes, but nobody is told.
func (h *Handle) MapWrite(b []byte, off int64) error {
	return h.change(func() errno {
		n := h.fd.at.node()
		if off+int64(len(b)) > int64(len(n.data)) {
			return syscall.EFAULT // SIGBUS
		}
		n.put(b, off)
		n.touch()
		return 0
	})
}

// Truncate changes the size.
func (h *Handle) Truncate(size int64) error {
	return h.change(func() errno { return h.fd.truncate(size) })
}

// Content is what the file holds, whatever its name is by now.
func (h *Handle) Content() string { return string(h.fd.at.node().data) }

// Sync makes the content durable.
func (h *Handle) Sync() { h.fd.at.node().dev.syncFile(h.fd.at.node()) }

// Close ends it. More than once is no error.
func (h *Handle) Close() { h.fd.close() }

// Write replaces the content of a file in place: truncate, write, close.
func (u *User) Write(path, content string) error {
	h, err := u.Open(path, true)
	if err != nil {
		return err
	}
	defer h.Close()
	return h.Write([]byte(content))
}

// Append writes at the end of a file.
func (u *User) Append(path, content string) error {
	h, err := u.Open(path, false)
	if err != nil {
		return err
	}
	defer h.Close()
	return h.WriteAt([]byte(content), int64(len(h.fd.at.node().data)))
}

// WriteAt writes into a file that is there.
func (u *User) WriteAt(path, content string, off int64) error {
	h, err := u.open(path, forWrite|follow, false)
	if err != nil {
		return err
	}
	defer h.Close()
	return h.WriteAt([]byte(content), off)
}

// MapWrite writes through a mapping into a file that is there, and closes it:
// it was opened for writing, so that much is told.
func (u *User) MapWrite(path, content string, off int64) error {
	h, err := u.open(path, forRead|forWrite|follow, false)
	if err != nil {
		return err
	}
	defer h.Close()
	return h.MapWrite([]byte(content), off)
}

// Save replaces a file by a rename: another file beside it is written first.
func (u *User) Save(path, content string) error {
	tmp := path + ".tmp"
	if err := u.Write(tmp, content); err != nil {
		return err
	}
	err := u.Rename(tmp, path)
	if err != nil {
		u.Unlink(tmp)
	}
	return err
}

// Read returns what a file holds.
func (u *User) Read(path string) (string, error) {
	c := u.cred()
	at, e := u.f.walk(c, path, true)
	if e == 0 {
		e = c.mayOpen(at.node(), forRead)
	}
	switch {
	case e != 0:
		return "", fail("read", path, e)
	case at.node().kind != fsx.Regular:
		return "", fail("read", path, syscall.ENXIO)
	}
	return string(at.node().data), nil
}

// Readlink returns where a link leads.
func (u *User) Readlink(path string) (string, error) {
	at, e := u.f.walk(u.cred(), path, false)
	if e == 0 && at.node().kind != fsx.Symlink {
		e = syscall.EINVAL
	}
	if e != 0 {
		return "", fail("readlink", path, e)
	}
	return string(at.node().data), nil
}

// Stat looks at a name, not through a link.
func (u *User) Stat(path string) (fsx.Stat, error) {
	at, e := u.f.walk(u.cred(), path, false)
	if e != 0 {
		return fsx.Stat{}, fail("stat", path, e)
	}
	return at.node().stat(), nil
}

// Found is one name of a Walk.
type Found struct {
	Path    string
	Stat    fsx.Stat
	Content string // of a file; the target of a link
}

// Walk calls f for everything below path, in the order of names, whatever the
// modes say and across mounts. With false it does not go below a directory.
func (u *User) Walk(path string, f func(Found) bool) error {
	at, err := u.f.find(path)
	if err != nil {
		return err
	}
	walk(at, path, f)
	return nil
}

func walk(at ref, path string, f func(Found) bool) {
	for _, d := range inOrder(at.node()) {
		r := ref{at.mnt, d}.cross()
		n := r.node()
		found := Found{Path: path + "/" + d.name, Stat: n.stat(), Content: string(n.data)}
		if path == "/" {
			found.Path = "/" + d.name
		}
		if f(found) && n.isDir() {
			walk(r, found.Path, f)
		}
	}
}

// ReadDir lists a directory in the order of names.
func (u *User) ReadDir(path string) (list []string, err error) {
	c := u.cred()
	at, e := u.f.walk(c, path, true)
	if e == 0 {
		e = mayHold(c, at.node())
	}
	if e != 0 {
		return nil, fail("list", path, e)
	}
	for _, d := range inOrder(at.node()) {
		list = append(list, d.name)
	}
	return list, nil
}
