package simfs

import (
	"slices"
	"strings"
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// errno is what a call of the kernel says; 0 is that all went well. A number
// is no allocation, and most calls of a search fail.
type errno = syscall.Errno

// inode is one file, directory, link or special file.
type inode struct {
	dev          *device
	ino          uint64
	kind         fsx.Kind
	mode         uint32 // permission bits
	uid, gid     uint32
	nlink        uint32
	mtime, ctime int64

	data   []byte // of a file; the target of a link
	shared bool   // data is somebody else's too: copied before it is written to

	names names   // of a directory
	at    *dentry // of a directory: its one place; of others: the last name that it was given
	layer bool    // a directory of an image layer

	opens  int     // descriptors, of processes and of users
	freed  bool    // nobody can reach it any more
	marks  []*mark // watches on it
	mounts []*mount
	lock   *file // whose lock it has

	safe  safe  // what a power cut leaves of it
	tally tally // its part in the ledger
}

// dentry is one name of an inode. It stays the same when it is renamed, and
// whoever has opened the inode by it follows it, as in Linux.
type dentry struct {
	parent *dentry // of the directory that it is in, or was in last; nil for the root of a device
	name   string
	key    string // the name as the file system compares it
	node   *inode
	pos    int // in the parent's names
	refs   int // descriptors, and removed names below it that are still open
	gone   bool
}

// names are the entries of a directory. Their order is that of a listing, and
// depends on nothing but what was done to them.
type names struct {
	list []*dentry
	byID map[string]*dentry // by key; only once there are many
}

// manyNames is from when on a map is faster than a look at each.
const manyNames = 12

func (n *names) get(key string) *dentry {
	if n.byID != nil {
		return n.byID[key]
	}
	for _, d := range n.list {
		if d.key == key {
			return d
		}
	}
	return nil
}

func (n *names) add(d *dentry) {
	d.pos = len(n.list)
	n.list = append(n.list, d)
	switch {
	case n.byID != nil:
		n.byID[d.key] = d
	case len(n.list) > manyNames:
		n.byID = make(map[string]*dentry, 2*len(n.list))
		for _, d := range n.list {
			n.byID[d.key] = d
		}
	}
}

func (n *names) drop(d *dentry) {
	last := n.list[len(n.list)-1]
	n.list[d.pos] = last
	last.pos = d.pos
	n.list[len(n.list)-1] = nil
	n.list = n.list[:len(n.list)-1]
	if n.byID != nil {
		delete(n.byID, d.key)
	}
}

// inOrder are the names of a directory, sorted.
func inOrder(n *inode) []*dentry {
	list := slices.Clone(n.names.list)
	slices.SortFunc(list, func(a, b *dentry) int { return strings.Compare(a.name, b.name) })
	return list
}

func (n *inode) isDir() bool { return n.kind == fsx.Directory }

// dead says whether a directory was removed while somebody held it.
func (n *inode) dead() bool { return n.at != nil && n.at.gone }

// size is what stat calls it.
func (n *inode) size() int64 {
	if n.isDir() {
		return dirSize
	}
	return int64(len(n.data))
}

// dirSize is that of a small directory of ext4; nobody may depend on it.
const dirSize = 4096

func (n *inode) stat() fsx.Stat {
	return fsx.Stat{
		Kind: n.kind, Mode: n.dev.shownMode(n), Size: n.size(), Mtime: n.mtime, Ctime: n.ctime,
		Dev: n.dev.id, Ino: n.ino, Nlink: uint64(n.nlink), UID: n.uid, GID: n.gid,
	}
}

// own makes the data the inode's alone, so that it can be written to.
func (n *inode) own(room int) {
	if n.shared || cap(n.data) < room {
		data := make([]byte, len(n.data), max(room, len(n.data)))
		copy(data, n.data)
		n.data, n.shared = data, false
	}
}
