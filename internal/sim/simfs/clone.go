package simfs

import "github.com/twosync/twosync/internal/fsx"

// copier makes a copy of a file system. What nobody can reach by a name is
// copied only as far as a power cut could bring it back.
type copier struct {
	to      *FS
	inodes  map[*inode]*inode
	dentrys map[*dentry]*dentry
}

// Clone returns a copy of all that the machine's disks hold, with what is
// durable of it. It has no process, no open file, no watch and no ledger;
// Ledger.Clone copies one with its file systems.
func (f *FS) Clone() *FS { return f.clone().to }

func (f *FS) clone() *copier {
	c := &copier{
		to:      &FS{Now: f.Now, lastDev: f.lastDev, cookie: f.cookie, side: f.side, base: f.base},
		inodes:  make(map[*inode]*inode, 64),
		dentrys: make(map[*dentry]*dentry, 64),
	}
	devices := make(map[*device]*device, len(f.devices))
	for _, d := range f.devices {
		fresh := *d
		fresh.fs = c.to
		fresh.spare = append([]uint64(nil), d.spare...)
		devices[d] = &fresh
		c.to.devices = append(c.to.devices, &fresh)
		fresh.root = c.tree(&fresh, nil, d.root)
	}
	for i, d := range f.devices {
		c.pending(c.to.devices[i], d)
		c.recount(c.to.devices[i])
	}
	mounts := map[*mount]*mount{f.top: {root: c.dentrys[f.top.root]}}
	c.to.top = mounts[f.top]
	for _, m := range f.mounts { // in the order in which they were made: outer before inner
		fresh := &mount{in: mounts[m.in], on: c.dentrys[m.on], root: c.dentrys[m.root]}
		if fresh.on == nil || fresh.root == nil {
			continue // its place was removed
		}
		mounts[m] = fresh
		c.to.attach(fresh)
	}
	return c
}

// tree copies a name and all that is below it.
func (c *copier) tree(dev *device, parent, d *dentry) *dentry {
	fresh := &dentry{parent: parent, name: d.name, key: d.key, pos: d.pos}
	c.dentrys[d] = fresh
	fresh.node = c.inode(dev, d.node)
	fresh.node.at = fresh
	if !d.node.isDir() {
		return fresh
	}
	list := make([]*dentry, 0, len(d.node.names.list))
	for _, child := range d.node.names.list {
		list = append(list, c.tree(dev, fresh, child))
	}
	fresh.node.names = indexed(list)
	return fresh
}

func indexed(list []*dentry) names {
	n := names{list: list}
	if len(list) > manyNames {
		n.byID = make(map[string]*dentry, 2*len(list))
		for _, d := range list {
			n.byID[d.key] = d
		}
	}
	return n
}

// inode copies an inode without its names; both copies share the content.
func (c *copier) inode(dev *device, n *inode) *inode {
	if fresh := c.inodes[n]; fresh != nil {
		return fresh
	}
	n.shared = true
	fresh := *n
	fresh.dev = dev
	fresh.names, fresh.at, fresh.marks, fresh.mounts, fresh.lock = names{}, nil, nil, nil, nil
	fresh.opens, fresh.freed, fresh.tally = 0, false, tally{}
	c.inodes[n] = &fresh
	return &fresh
}

// pending copies what is not durable yet.
func (c *copier) pending(dev, from *device) {
	dev.log, dev.dirty = nil, nil
	for _, old := range from.log {
		fresh := *old
		for i := range fresh.edits[:fresh.n] {
			x := &fresh.edits[i]
			x.dir, x.was, x.is = c.maybe(dev, x.dir), c.maybe(dev, x.was), c.maybe(dev, x.is)
		}
		dev.log = append(dev.log, &fresh)
	}
	for _, n := range from.dirty {
		if fresh := c.inodes[n]; fresh != nil {
			dev.dirty = append(dev.dirty, fresh)
		}
	}
}

// maybe copies an inode that a change speaks of, if it has no name any more.
func (c *copier) maybe(dev *device, n *inode) *inode {
	if n == nil {
		return nil
	}
	fresh := c.inode(dev, n)
	if n.isDir() && fresh.at == nil {
		fresh.at = &dentry{name: n.at.name, key: n.at.key, node: fresh, gone: true}
	}
	return fresh
}

// recount corrects what an open file that has no name had used.
func (c *copier) recount(dev *device) {
	dev.inodes, dev.bytes = 0, 0
	seen := make(map[uint64]*inode)
	dev.root.each(func(d *dentry) {
		n := d.node
		if seen[n.ino] != nil && seen[n.ino] != n { // back from the dead, its number given away
			dev.last++
			n.ino = dev.last
		}
		if seen[n.ino] == nil {
			seen[n.ino] = n
			dev.inodes++
			if n.kind == fsx.Regular {
				dev.bytes += int64(len(n.data))
			}
		}
	})
}

// each calls f for a name and all that is below it.
func (d *dentry) each(f func(*dentry)) {
	f(d)
	for _, c := range d.node.names.list {
		c.each(f)
	}
}
