package simfs

import (
	"fmt"
	"strings"
)

// FS is what one machine has mounted. It is used by one goroutine.
type FS struct {
	// config

	// Now is the time in nanoseconds since 1970.
	Now func() int64

	// state
	devices []*device
	top     *mount // at "/"
	mounts  []*mount
	lastDev uint64
	cookie  uint32 // of the last rename
	procs   []*Proc
	led     *Ledger
	side    string // of the ledger
	base    string // the root in the ledger, with a slash behind it
	acting  *Call  // the call of a process that is under way; nil while a user acts
}

// mount is a directory tree that is shown at a place.
type mount struct {
	in   *mount  // the mount of the place; nil for the top
	on   *dentry // the place
	root *dentry // what is shown
}

// ref is a place as seen by whoever came there: what is mounted where makes a
// difference that an inode alone does not show.
type ref struct {
	mnt *mount
	d   *dentry
}

func (r ref) node() *inode { return r.d.node }

// New returns an empty file system at "/". now is the clock, in nanoseconds
// since 1970; it may go back.
func New(now func() int64, opt Options) *FS {
	f := &FS{Now: now}
	f.top = &mount{root: f.newDevice(opt).root}
	return f
}

// Mount puts a new file system at a directory or a file that exists: what was
// there is hidden until Unmount. At a file it shows an empty file, as the
// engine's /etc/hosts in a container.
func (f *FS) Mount(path string, opt Options) error {
	at, err := f.find(path)
	if err != nil {
		return err
	}
	dev := f.newDevice(opt)
	m := &mount{in: at.mnt, on: at.d, root: dev.root}
	if !at.node().isDir() {
		m.root = dev.root.node.enter(dev.newInode(at.node().kind, 0o644, 0, 0), "file")
	}
	f.attach(m)
	return nil
}

// Bind shows the directory or file at from at path too.
func (f *FS) Bind(from, path string) error {
	src, err := f.find(from)
	if err != nil {
		return err
	}
	at, err := f.find(path)
	if err != nil {
		return err
	}
	f.attach(&mount{in: at.mnt, on: at.d, root: src.d})
	return nil
}

func (f *FS) attach(m *mount) {
	m.root.hold() // it stays as long as it is shown, removed or not
	m.on.node.mounts = append(m.on.node.mounts, m)
	f.mounts = append(f.mounts, m)
}

// Unmount takes the last mount at path away, whoever has files open on it
// (umount -l). What the device holds is lost to paths, and stays for those.
func (f *FS) Unmount(path string) error {
	at, err := f.find(path)
	if err != nil {
		return err
	}
	m := at.mnt
	if m.in == nil || m.root != at.d {
		return fmt.Errorf("unmount %s: nothing is mounted there", path)
	}
	m.on.node.mounts = without(m.on.node.mounts, m)
	f.mounts = without(f.mounts, m)
	if m.root == m.root.node.dev.root {
		f.unmounted(m.root.node)
	}
	m.root.put()
	return nil
}

// unmounted tells the watches on a device that it is gone. Those who still
// hold something there are ignored: in Linux it would be told when the last of
// them is done.
func (f *FS) unmounted(n *inode) {
	for _, d := range n.names.list {
		f.unmounted(d.node)
	}
	if len(n.marks) > 0 {
		n.tell(inUnmount, 0, "")
		n.forgetMarks()
	}
}

func without[T comparable](list []T, x T) []T {
	for i, y := range list {
		if x == y {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

// cross goes from a place to what is mounted there.
func (r ref) cross() ref {
	for i := 0; i < len(r.d.node.mounts); i++ {
		if m := r.d.node.mounts[len(r.d.node.mounts)-1-i]; m.in == r.mnt && m.on == r.d {
			r, i = ref{m, m.root}, -1
		}
	}
	return r
}

// above is the directory that a place is in; the top is in itself.
func (r ref) above() ref {
	for r.d == r.mnt.root {
		if r.mnt.in == nil {
			return r
		}
		r = ref{r.mnt.in, r.mnt.on}
	}
	return ref{r.mnt, r.d.parent}
}

// Path of a place; that of a removed one is where it was last.
func (r ref) path() string {
	var parts []string
	for r.mnt != nil && r.d != nil {
		if r.d == r.mnt.root {
			r = ref{r.mnt.in, r.mnt.on}
			continue
		}
		parts = append(parts, r.d.name)
		r.d = r.d.parent
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(parts[i])
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// Layer makes every directory at and below path one of an image layer: it
// can't be renamed, only what is in it.
func (f *FS) Layer(path string) error {
	at, err := f.find(path)
	if err != nil {
		return err
	}
	var mark func(n *inode)
	mark = func(n *inode) {
		n.layer = n.isDir()
		for _, d := range n.names.list {
			mark(d.node)
		}
	}
	mark(at.node())
	return nil
}

// Set changes what the file system at path is like, from now on: it becomes
// full, read-only, or coarse.
func (f *FS) Set(path string, change func(*Options)) error {
	at, err := f.find(path)
	if err != nil {
		return err
	}
	change(&at.node().dev.opt)
	return nil
}
