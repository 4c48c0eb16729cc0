package simfs

import (
	"bytes"
	"math/rand/v2"

	"github.com/twosync/twosync/internal/fsx"
)

// Cut says what a power cut leaves of that which was not made durable.
type Cut uint8

// The ways in which it ends. The random ones need a seed.
const (
	KeepNothing Cut = iota // only what is durable
	KeepAll                // as if nothing had happened
	// KeepNames: the names, but no content: a file that is new or was truncated
	// is empty, as after a delayed allocation that never came.
	KeepNames
	// KeepContents: the contents, but no names: what was renamed or removed is
	// where it was.
	KeepContents
	// KeepSome: the names up to a random moment, as with a journal; of each
	// content the new, the old, none, the beginning, or zeros at its end, but
	// all that was durable and only appended to.
	KeepSome
	// Reorder: a random part of the changes of names, whatever their order, if
	// they are of different names; contents as above.
	Reorder
	cuts
)

// Cuts are all of them.
func Cuts() (all []Cut) {
	for c := range cuts {
		all = append(all, c)
	}
	return all
}

func (c Cut) String() string {
	return [...]string{"nothing", "all", "names", "contents", "some", "reordered"}[c]
}

// Crash returns what a power cut at this moment leaves of the disks. The file
// system itself goes on, so that other cuts can be tried. Inodes that have no
// name any more are gone; everything that is left is durable.
func (f *FS) Crash(cut Cut, seed uint64) *FS {
	c := f.clone()
	r := rand.New(rand.NewPCG(seed, uint64(cut)))
	for _, d := range c.to.devices {
		d.loseNames(cut, r)
		d.loseContents(cut, r)
		c.restart(d)
	}
	c.to.unhide()
	return c.to
}

// loseNames takes the changes of names back that the cut loses.
func (d *device) loseNames(cut Cut, r *rand.Rand) {
	keep := 0
	switch cut {
	case KeepAll, KeepNames:
		keep = len(d.log)
	case KeepSome:
		keep = r.IntN(len(d.log) + 1)
	}
	for i, c := range d.log {
		c.kept = i < keep
		if cut == Reorder {
			c.kept = r.IntN(2) == 0
			for _, b := range d.log[:i] {
				c.kept = c.kept && (b.kept || !c.needs(b))
			}
		}
	}
	for i := len(d.log) - 1; i >= 0; i-- {
		c := d.log[i]
		for j := c.n - 1; j >= 0; j-- {
			c.edits[j].set(c.edits[j].was)
		}
	}
	for _, c := range d.log {
		for _, x := range c.edits[:c.n] {
			if c.kept {
				x.set(x.is)
			}
		}
	}
	d.log = nil
}

// set makes a name stand for n.
func (x *edit) set(n *inode) {
	if d := x.dir.names.get(x.key); d != nil {
		x.dir.names.drop(d)
	}
	if n == nil {
		return
	}
	d := &dentry{name: x.name, key: x.key, node: n}
	x.dir.names.add(d)
}

// loseContents sets each file that is not durable back, or part of it.
func (d *device) loseContents(cut Cut, r *rand.Rand) {
	for _, n := range d.dirty {
		switch {
		case n.kind != fsx.Regular, !n.safe.written && cut != KeepNothing:
		case cut == KeepNothing:
			n.revert()
		case cut == KeepNames && (n.safe.cut || !n.safe.ever):
			n.data, n.shared = nil, false
		case cut == KeepNames:
			n.revert()
		case cut == KeepSome, cut == Reorder:
			n.tear(r)
		}
	}
	d.dirty = nil
}

// revert goes back to what is durable. Of what never was there is the inode at
// most, and nothing in it.
func (n *inode) revert() {
	if !n.safe.ever {
		n.data, n.shared = nil, false
		return
	}
	s := &n.safe
	n.data, n.shared = s.data, true
	n.mode, n.uid, n.gid, n.mtime = s.mode, s.uid, s.gid, s.mtime
}

// tear picks one of the states that a file may be found in. What was made durable
// and only appended to since is there in all of them.
func (n *inode) tear(r *rand.Rand) {
	if n.safe.ever && bytes.Equal(n.data, n.safe.data) {
		return // only what is said of it is new: a rename tears nothing
	}
	safe := 0
	if n.safe.ever && !n.safe.cut && bytes.HasPrefix(n.data, n.safe.data) {
		safe = len(n.safe.data)
	}
	size := len(n.data)
	switch from := safe + r.IntN(size-safe+1); r.IntN(6) {
	case 0, 1: // the new one
	case 2:
		n.revert()
	case 3:
		n.data = n.data[:safe]
	case 4:
		n.data = n.data[:from]
	case 5:
		n.own(size)
		clear(n.data[from:])
	}
}

// restart counts links anew, and makes everything durable.
func (c *copier) restart(dev *device) {
	settle := func(d *dentry) {
		n := d.node
		if n.isDir() {
			n.nlink = 2
		} else {
			n.nlink = 0
		}
	}
	dev.root.each(settle)
	var link func(dir *dentry)
	link = func(dir *dentry) {
		dir.node.at = dir
		for _, d := range dir.node.names.list {
			d.parent = dir
			d.node.at = d
			if d.node.isDir() {
				dir.node.nlink++
				link(d)
			} else {
				d.node.nlink++
			}
			d.node.keep()
		}
	}
	link(dev.root)
	dev.root.node.keep()
	dev.spare = nil
	c.recount(dev)
}

// unhide drops the mounts whose places are gone.
func (f *FS) unhide() {
	mounts := f.mounts
	f.mounts = nil
	for _, m := range mounts {
		m.on.node.mounts = nil
		m.root.put()
	}
	for _, m := range mounts {
		n := m.on.node
		if n.isDir() && n.at != nil {
			m.on = n.at
		}
		if r := m.on; r.parent != nil && r.parent.node.names.get(r.key) != r {
			continue
		}
		f.attach(m)
	}
}
