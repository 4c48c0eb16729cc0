package simfs

// safe is what of an inode would survive a power cut: the state at the last
// sync that reached it.
type safe struct {
	ever     bool // it was synced once
	dirty    bool // something has changed since; it is in its device's list
	written  bool // its content has
	cut      bool // it was truncated since
	data     []byte
	mode     uint32
	uid, gid uint32
	mtime    int64
}

// change is one change of names that is made at once or not at all: a journal
// or its equal sees to that in every file system of today.
type change struct {
	edits [2]edit
	n     int
	kept  bool
}

// edit is what becomes of one name.
type edit struct {
	dir       *inode
	key, name string
	was, is   *inode
}

// note puts a change behind the others that are not durable.
func (d *device) note(edits ...edit) {
	c := &change{n: len(edits)}
	copy(c.edits[:], edits)
	d.log = append(d.log, c)
}

// stain notes that an inode differs from what is durable of it.
func (d *device) stain(n *inode) {
	if !n.safe.dirty {
		n.safe.dirty = true
		d.dirty = append(d.dirty, n)
	}
}

// needs says whether c cannot be without the earlier change b.
func (c *change) needs(b *change) bool {
	for _, x := range c.edits[:c.n] {
		for _, y := range b.edits[:b.n] {
			if x.dir == y.dir && x.key == y.key {
				return true // the same name
			}
			if x.was != nil && x.was == y.dir && c.ends(x.was) {
				return true // c removes the directory that b was made in
			}
			if x.is != nil && x.dir == y.is {
				return true // c puts something into the directory that b has made or moved
			}
		}
	}
	return c.movesDir() && b.movesDir() // or a directory could come to be in itself
}

// ends says whether the change takes away the last name of a directory.
func (c *change) ends(dir *inode) bool {
	for _, x := range c.edits[:c.n] {
		if x.is == dir {
			return false
		}
	}
	return true
}

func (c *change) movesDir() bool {
	if c.n < 2 {
		return false
	}
	for _, x := range c.edits[:c.n] {
		if x.is != nil && x.is.isDir() {
			return true
		}
	}
	return false
}

func (c *change) touches(dir *inode) bool {
	for _, x := range c.edits[:c.n] {
		if x.dir == dir {
			return true
		}
	}
	return false
}

// syncDir makes the names in a directory durable, and what they depend on.
func (d *device) syncDir(dir *inode) {
	for i := len(d.log) - 1; i >= 0; i-- {
		c := d.log[i]
		c.kept = d.opt.Journal || c.touches(dir)
		for _, later := range d.log[i+1:] {
			c.kept = c.kept || later.kept && later.needs(c)
		}
	}
	d.keepAttributes(dir)
	d.prune()
}

// prune drops the changes that are durable now.
func (d *device) prune() {
	rest := d.log[:0]
	var kept []*change
	for _, c := range d.log {
		if c.kept {
			kept = append(kept, c)
		} else {
			rest = append(rest, c)
		}
	}
	clear(d.log[len(rest):])
	d.log = rest
	for _, c := range kept {
		for _, x := range c.edits[:c.n] {
			if x.is != nil {
				d.fs.led.settled(d, x.is)
			}
		}
	}
}

// syncFile makes a content durable, not the name of it. With a journal the
// names come along.
func (d *device) syncFile(n *inode) {
	d.keepAttributes(n)
	if d.opt.Journal {
		d.keepNames()
	}
	d.fs.led.settled(d, n)
}

func (d *device) keepNames() {
	for _, c := range d.log {
		c.kept = true
	}
	d.prune()
}

// keepAttributes makes what an inode holds and says of itself durable.
func (d *device) keepAttributes(n *inode) {
	if !n.safe.dirty {
		return
	}
	n.keep()
	d.dirty = without(d.dirty, n)
}

func (n *inode) keep() {
	n.safe = safe{ever: true, data: n.data, mode: n.mode, uid: n.uid, gid: n.gid, mtime: n.mtime}
	n.shared = true
}

// syncAll is syncfs.
func (d *device) syncAll() {
	dirty := d.dirty
	d.dirty = nil
	for _, n := range dirty {
		n.keep()
	}
	d.keepNames()
	for _, n := range dirty {
		d.fs.led.settled(d, n)
	}
}

// pending says whether a directory's own name is not durable yet.
func (d *device) pending(n *inode) bool {
	for _, c := range d.log {
		for _, x := range c.edits[:c.n] {
			if x.is == n {
				return true
			}
		}
	}
	return false
}
