package simfs

import (
	"slices"

	"github.com/twosync/twosync/internal/tree"
)

// This file is what becomes of a ledger when a file system is swapped for
// another: by a power cut, or because a container was made anew.

// settled is told that something became durable. Whether that is a user's
// precious content under its own name decides whether a power cut may be the
// excuse for its loss.
func (l *Ledger) settled(dev *device, n *inode) {
	if l == nil || l != dev.fs.led {
		return
	}
	if n.isDir() {
		if n.at != nil && !n.at.gone {
			n.at.each(func(d *dentry) { l.settledAt(dev, d) })
		}
		return
	}
	if c := n.tally.c; c == nil || len(c.wanted) == 0 {
		return
	}
	if n.at != nil && !n.at.gone {
		l.settledAt(dev, n.at)
	}
}

func (l *Ledger) settledAt(dev *device, d *dentry) {
	c := d.node.tally.c
	if c == nil || len(c.wanted) == 0 || d.node.safe.dirty {
		return
	}
	path := ref{dev.fs.mountOf(dev), d}.path()
	if len(path) <= len(dev.fs.base) {
		return
	}
	w := claim{dev.fs.side, path[len(dev.fs.base):]}
	if !slices.Contains(c.wanted, w) || slices.Contains(c.safe, w) {
		return
	}
	if dev.pending(d.node) {
		return
	}
	c.safe = append(c.safe, w)
}

// mountOf is where a device is seen whole.
func (f *FS) mountOf(dev *device) *mount {
	for _, m := range f.mounts {
		if m.root == dev.root {
			return m
		}
	}
	return f.top
}

// Swap puts another file system in the place of one, as after Crash. A content
// that is gone with it is a loss if it had been durable where its user wrote
// it; what had not is what a power cut takes from everybody.
func (l *Ledger) Swap(old, fresh *FS) {
	l.flush()
	l.exclude(old)
	fresh.led, fresh.side, fresh.base = l, old.side, old.base
	l.all = append(l.all, fresh)
	fresh.eachFile(func(n *inode) { l.linked(fresh, n) })
	l.flush()
	for _, c := range l.sorted() {
		l.taken(c, fresh)
		switch {
		case c.holders > 0:
		case slices.ContainsFunc(c.wanted, func(w claim) bool { return slices.Contains(c.safe, w) }):
			l.lose(c, "a power cut, though it had been durable")
		default:
			delete(l.contents, c.digest)
		}
	}
}

// taken drops the claims of a content by paths that a power cut took it from,
// before it was durable there. Whoever else has it by then may give it up.
func (l *Ledger) taken(c *content, fresh *FS) {
	c.wanted = slices.DeleteFunc(c.wanted, func(w claim) bool {
		if w.side != fresh.side || slices.Contains(c.safe, w) {
			return false
		}
		at, err := fresh.find(fresh.base + w.path)
		return err != nil || l.look(at.node()) != c
	})
}

// Drop takes a file system out: its user removed it, and with it what was
// precious by its paths.
func (l *Ledger) Drop(old *FS) {
	l.flush()
	l.exclude(old)
	for _, c := range l.sorted() {
		c.wanted = slices.DeleteFunc(c.wanted, func(w claim) bool { return w.side == old.side })
		switch {
		case c.holders > 0:
		case len(c.wanted) > 0:
			l.lose(c, "the removal of "+old.side)
		default:
			delete(l.contents, c.digest)
		}
	}
}

// exclude stops counting the files of a file system.
func (l *Ledger) exclude(f *FS) {
	f.eachFile(func(n *inode) {
		if n.tally.c != nil {
			n.tally.c.holders--
		}
		n.tally = tally{}
	})
	f.led = nil
	l.all = without(l.all, f)
}

// Check looks at every precious content. A loss is noticed when it happens;
// this one is for what a user did by a way that gives nothing up.
func (l *Ledger) Check() []*Loss {
	l.flush()
	for _, c := range l.sorted() {
		if c.holders == 0 && len(c.wanted) > 0 {
			l.lose(c, "nobody who was seen")
		}
	}
	return l.Lost
}

// Clone copies the ledger with all its file systems, which are returned in the
// order in which they were entered.
func (l *Ledger) Clone() (*Ledger, []*FS) {
	l.flush()
	fresh := &Ledger{Lost: slices.Clone(l.Lost), Drowned: l.Drowned, contents: make(map[tree.Digest]*content, len(l.contents))}
	for digest, c := range l.contents {
		twin := *c
		twin.holders = 0
		twin.wanted, twin.safe, twin.dropped, twin.story = slices.Clone(c.wanted), slices.Clone(c.safe), slices.Clone(c.dropped), slices.Clone(c.story)
		fresh.contents[digest] = &twin
	}
	for _, f := range l.all {
		c := f.clone()
		fresh.all = append(fresh.all, c.to)
		c.to.led = fresh
		f.eachFile(func(n *inode) {
			twin := c.inodes[n]
			twin.tally.linked = true
			if n.tally.c != nil {
				twin.tally.c = fresh.contents[n.tally.c.digest]
				twin.tally.c.holders++
			}
		})
	}
	return fresh, fresh.all
}
