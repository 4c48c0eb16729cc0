package fsx

import (
	"bytes"
	"encoding/binary"
	"sync"

	"golang.org/x/sys/unix"
)

// listBuffer is read into by one call of getdents: about 2000 names, where
// more does not get faster and less costs calls.
const listBuffer = 64 << 10

// lister is what a listing needs and the next one can use again.
type lister struct {
	raw   [listBuffer]byte
	names []byte   // of one call, one behind the other
	ends  []uint32 // where each of them ends
}

var listers = sync.Pool{New: func() any { return new(lister) }}

// List reads from the held descriptor the first time, which saves a scan the
// half of its calls, and from one of its own after that: a descriptor has one
// position, which concurrent listings would share, and a file system in user
// space may go on answering from what it saw when it was opened.
func (d *dir) List() ([]Item, error) {
	held, err := d.hold("list", "")
	if err != nil {
		return nil, err
	}
	defer d.release() //nolint:errcheck // the owner's Close reports it
	l := listers.Get().(*lister)
	defer listers.Put(l)
	if !d.listed.Swap(true) {
		return d.withKinds(l.list(held))
	}
	fd, err := retryFD(func() (int, error) { return unix.Openat(held, ".", openDir, 0) })
	if err != nil {
		return nil, fail("list", "", err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written to it
	return d.withKinds(l.list(fd))
}

// list returns all or nothing: a name that an error hid must not look gone.
func (l *lister) list(fd int) (items []Item, err error) {
	for {
		n, err := retryFD(func() (int, error) { return unix.Getdents(fd, l.raw[:]) })
		if err != nil {
			return nil, fail("list", "", err)
		}
		if n == 0 {
			return items, nil
		}
		items = l.parse(items, l.raw[:n])
	}
}

// The layout of struct linux_dirent64: inode and offset of 8 bytes each, then
// the record's length, its type, and the name with a zero behind it.
const (
	direntLen  = 16
	direntType = 18
	direntName = 19
)

// parse appends the entries in raw. Their names become parts of one string, so
// that a listing costs an allocation a call and not one a name.
func (l *lister) parse(items []Item, raw []byte) []Item {
	l.names, l.ends = l.names[:0], l.ends[:0]
	first := len(items)
	for len(raw) > direntName {
		size := int(binary.NativeEndian.Uint16(raw[direntLen:]))
		if size <= direntName || size > len(raw) {
			break // the kernel does not; reading on would only make it worse
		}
		name := raw[direntName:size]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if string(name) != "." && string(name) != ".." {
			l.names = append(l.names, name...)
			l.ends = append(l.ends, uint32(len(l.names)))
			items = append(items, Item{Kind: kindOfDirent(raw[direntType])})
		}
		raw = raw[size:]
	}
	all, start := string(l.names), uint32(0)
	for i, end := range l.ends {
		items[first+i].Name = all[start:end]
		start = end
	}
	return items
}

func kindOfDirent(t byte) Kind {
	switch t {
	case unix.DT_UNKNOWN:
		return 0
	case unix.DT_REG:
		return Regular
	case unix.DT_LNK:
		return Symlink
	case unix.DT_DIR:
		return Directory
	}
	return Other
}
