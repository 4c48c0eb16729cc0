package simfs

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// Ledger knows every content that a user wrote and has not given up, on all
// the file systems that share it, and notices when a call of a process takes
// away the last file that holds one.
//
// A content is precious from the moment a user makes it visible at a path below
// a side's root, until a user replaces or deletes it at that path, on either
// side: who does that has seen it there. A user who takes away the last file
// that holds it gives it up by every path. It may be precious by several paths.
// The empty file and the shortest contents are not: too many files hold them.
type Ledger struct {
	// OnLost is called for each loss as it happens; it may panic. May be nil.
	OnLost func(*Loss)
	// Lost are the losses so far.
	Lost []*Loss
	// Drowned counts what users wrote into files that had no name any more.
	Drowned int

	contents map[tree.Digest]*content
	stale    []*inode // linked files whose content was not looked at since it changed
	all      []*FS
}

// minPrecious is the shortest content that counts.
const minPrecious = 4

// content is one content that is, or was, in some file.
type content struct {
	digest  tree.Digest
	sample  string
	holders int // linked inodes
	wanted  []claim
	dropped []claim   // by whom it was given up since Forget
	safe    []claim   // by which it was precious and durable, with its name
	moves   []carried // since Forget
	story   []event
}

// claim is a path by which a content is precious.
type claim struct{ side, path string }

// tally is what the ledger knows of an inode.
type tally struct {
	c      *content // nil if it is not known, or too short
	linked bool
	stale  bool   // in the ledger's list
	moved  int64  // when a process renamed it last
	early  string // the call that took its last name before it had rested
}

// rest is how long what a process moved out of the way has to stay, for programs that
// have it open: what they write is found there.
const rest = int64(59 * time.Second)

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{contents: make(map[tree.Digest]*content)} }

// Side enters a file system, under the name of its side. The paths of both
// sides below their roots mean the same. What is there already is counted, but
// not precious until a user writes it.
func (l *Ledger) Side(name string, f *FS, root string) {
	f.led, f.side, f.base = l, name, strings.TrimSuffix(root, "/")+"/"
	l.all = append(l.all, f)
	f.eachFile(func(n *inode) { l.linked(f, n) })
}

// eachFile calls fn once for each linked file of a machine.
func (f *FS) eachFile(fn func(n *inode)) {
	seen := make(map[*inode]bool)
	for _, dev := range f.devices {
		dev.root.each(func(d *dentry) {
			if n := d.node; n.kind == fsx.Regular && !seen[n] {
				seen[n] = true
				fn(n)
			}
		})
	}
}

// linked counts an inode that got its first name.
func (l *Ledger) linked(_ *FS, n *inode) {
	if l == nil || n.kind != fsx.Regular {
		return
	}
	n.tally.linked = true
	l.doubt(n)
}

func (l *Ledger) doubt(n *inode) {
	if !n.tally.stale {
		n.tally.stale = true
		l.stale = append(l.stale, n)
	}
}

// before is asked before a content changes, after is told behind it.
func (l *Ledger) before(_ *FS, n *inode) *content {
	if l == nil {
		return nil
	}
	return n.tally.c
}

func (l *Ledger) after(f *FS, n *inode, was *content) {
	if l == nil || n.kind != fsx.Regular || !n.tally.linked {
		return
	}
	l.doubt(n)
	l.leave(f, n, was)
}

// unlinked is told of an inode that lost its last name.
func (l *Ledger) unlinked(f *FS, n *inode) {
	if l == nil || !n.tally.linked {
		return
	}
	n.tally.linked = false
	if f.acting != nil && !f.acting.Proc.Ending && n.tally.moved > 0 && f.Now()-n.tally.moved < rest {
		n.tally.early = f.acting.String()
	}
	l.leave(f, n, n.tally.c)
}

// moved is told of an inode that was renamed.
func (l *Ledger) moved(f *FS, n *inode) {
	if l != nil && f.acting != nil {
		n.tally.moved = f.Now()
	}
}

// leave takes an inode from the holders of a content.
func (l *Ledger) leave(f *FS, n *inode, c *content) {
	if c == nil {
		return
	}
	n.tally.c = nil
	c.holders--
	if len(c.wanted) > 0 && f.acting != nil {
		c.note("gone from", f.acting, f.acting.Path())
	}
	l.judge(c, f.acting)
}

// judge looks whether the last holder is gone, and whose doing that was.
func (l *Ledger) judge(c *content, by *Call) {
	if c.holders > 0 {
		return
	}
	if len(c.wanted) == 0 {
		delete(l.contents, c.digest)
		return
	}
	switch l.flush(); {
	case c.holders > 0:
	case by == nil: // a user took the last one away, wherever it was
		c.wanted = nil
		delete(l.contents, c.digest)
	default:
		l.lose(c, by.String())
	}
}

// flush looks at every file that was written to.
func (l *Ledger) flush() {
	for _, n := range l.stale {
		l.count(n)
	}
	l.stale = l.stale[:0]
}

// count finds out what a file holds now.
func (l *Ledger) count(n *inode) *content {
	if !n.tally.stale || !n.tally.linked {
		n.tally.stale = false
		return n.tally.c
	}
	n.tally.stale = false
	if len(n.data) < minPrecious {
		return nil
	}
	digest := tree.DigestOf(n.data)
	c := l.contents[digest]
	if c == nil {
		c = &content{digest: digest}
		l.contents[digest] = c
	}
	c.holders++
	n.tally.c = c
	return c
}

// look is count at a time when others are not looked at.
func (l *Ledger) look(n *inode) *content {
	if n.kind != fsx.Regular {
		return nil
	}
	if n.tally.stale {
		l.stale = without(l.stale, n)
	}
	return l.count(n)
}

// want makes what a file holds precious by a path of a user.
func (l *Ledger) want(f *FS, n *inode, path string) {
	if l == nil || n.kind != fsx.Regular {
		return
	}
	if !n.tally.linked {
		l.Drowned++
		if n.tally.early != "" {
			l.lose(&content{digest: tree.DigestOf(n.data), sample: string(n.data[:min(len(n.data), 40)]), wanted: []claim{{f.side, path}}},
				n.tally.early+", while a program had it open")
		}
		return
	}
	rel, ok := strings.CutPrefix(path, f.base)
	if !ok {
		return
	}
	c := l.look(n)
	if c == nil {
		return
	}
	if c.sample == "" {
		c.sample = string(n.data[:min(len(n.data), 40)])
	}
	w := claim{f.side, rel}
	if c.takenBack(w) {
		c.note("given up before it came to", nil, f.side+":"+rel)
		return
	}
	if !slices.Contains(c.wanted, w) {
		c.wanted = append(c.wanted, w)
	}
	c.note("written at", nil, f.side+":"+rel)
}

// leaving is what a user is about to give up: contents, each by a path.
type leaving []left

type left struct {
	l          *Ledger
	c          *content
	side, path string
	precious   bool
}

// precious says whether one of them is c, and by which path it was.
func (all leaving) precious(c *content) (path string, ok bool) {
	i := slices.IndexFunc(all, func(x left) bool { return x.c == c && x.precious })
	if i < 0 {
		return "", false
	}
	return all[i].path, true
}

// came notes that somebody moved a content from a path. If it is given up by that
// path on the other side, where nobody knows of the move yet, it is given up: so
// it would be if that had been first.
func (l *Ledger) came(f *FS, c *content, from, path string) {
	rel, ok := strings.CutPrefix(path, f.base)
	if c == nil || !ok {
		return
	}
	for _, m := range c.moves {
		if m.to.side == f.side && m.to.path == from {
			c.moves = append(c.moves, carried{m.from, claim{f.side, rel}})
		}
	}
	c.moves = append(c.moves, carried{from, claim{f.side, rel}})
}

// carried is the move of a content by a user.
type carried struct {
	from string
	to   claim
}

// giveUp ends that the contents are precious by these paths, on both sides.
func (all leaving) giveUp() {
	for _, x := range all {
		x.c.unwant(x.side, x.path)
		x.l.unseen(x.c)
	}
}

// unseen drops the claims of a content by paths at which nobody sees it any more.
// Sync may have moved it, as its user did on the other side; whoever gives it up
// where it is now gives up all that there is of it.
func (l *Ledger) unseen(c *content) {
	c.wanted = slices.DeleteFunc(c.wanted, func(w claim) bool {
		for _, f := range l.all {
			if f.side != w.side {
				continue
			}
			if at, err := f.find(f.base + w.path); err == nil && l.look(at.node()) == c {
				return false
			}
		}
		c.note("given up elsewhere than at", nil, w.side+":"+w.path)
		return true
	})
}

// leaves adds what a file holds, by a path.
func (l *Ledger) leaves(all leaving, f *FS, n *inode, path string) leaving {
	if l == nil || n.kind != fsx.Regular || !n.tally.linked {
		return all
	}
	if rel, ok := strings.CutPrefix(path, f.base); ok {
		if c := l.look(n); c != nil {
			all = append(all, left{l, c, f.side, rel, len(c.wanted) > 0})
		}
	}
	return all
}

// leavesAll is leaves for all the names that a file has: who writes to it by one
// of them has changed what the others show.
func (l *Ledger) leavesAll(all leaving, f *FS, n *inode) leaving {
	if n.nlink > 1 {
		n.dev.root.each(func(d *dentry) {
			if d.node == n {
				all = l.leaves(all, f, n, ref{f.mountOf(n.dev), d}.path())
			}
		})
	}
	return all
}

// takenBack says whether somebody on the other side gave a content up by a path
// to which it is moved now: neither knew of the other, and had it been the other
// way round the content would have been given up as well.
func (c *content) takenBack(w claim) bool {
	c.dropped = slices.DeleteFunc(c.dropped, func(d claim) bool { return d == w })
	return slices.ContainsFunc(c.dropped, func(d claim) bool { return d.path == w.path })
}

// Forget is called when each side has seen all that was done on the other: what
// is moved from now on was not given up before.
func (l *Ledger) Forget() {
	for _, c := range l.contents {
		c.dropped, c.moves = nil, nil
	}
}

func (c *content) unwant(side, path string) {
	if w := (claim{side, path}); !slices.Contains(c.dropped, w) {
		c.dropped = append(c.dropped, w)
	}
	if len(c.wanted) == 0 {
		return
	}
	c.wanted = slices.DeleteFunc(c.wanted, func(w claim) bool {
		return w.path == path || w.side != side && slices.Contains(c.moves, carried{path, w})
	})
	c.note("given up at", nil, side+":"+path)
}

// Release gives a content up for good: a user removed it from the keep store.
func (l *Ledger) Release(b []byte) {
	if c := l.contents[tree.DigestOf(b)]; c != nil {
		c.wanted = nil
	}
}

// Precious says whether a content is, and how many linked files hold it.
func (l *Ledger) Precious(b []byte) (precious bool, holders int) {
	l.flush()
	c := l.contents[tree.DigestOf(b)]
	if c == nil {
		return false, 0
	}
	return len(c.wanted) > 0, c.holders
}

// sorted are all contents, in an order that is always the same.
func (l *Ledger) sorted() []*content {
	all := make([]*content, 0, len(l.contents))
	for _, c := range l.contents {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *content) int { return bytes.Compare(a.digest[:], b.digest[:]) })
	return all
}
