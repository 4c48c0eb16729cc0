package disk

import (
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// index is what the root holds as far as is known: a tree, and the stats with
// which its files were read. The stats are apart because they change without
// the tree, and because the tree is shared with whoever gets reports.
type index struct {
	tree  *tree.Entry
	stats *stats
}

// stats are those of one directory.
type stats struct {
	ino    uint64 // of the directory; 0: put there by a batch and not looked at since
	hidden bool   // it holds names that the rules ignore
	deaf   bool   // it is not watched: a stat as young as its file proves nothing
	young  bool   // some of its files are not proven
	files  names[meta]
	dirs   names[*stats]
}

// meta is the stat of a file when it was read. The size is in the entry.
type meta struct {
	mtime, ctime int64
	ino          uint64
	trust        trust
}

// trust says how far a meta stands for the content.
type trust uint8

const (
	stale  trust = iota // read again, whatever stat says
	placed              // put there by a batch, whose rename changed the ctime; otherwise racy
	racy                // read within two clock granules of its mtime: good under a watch only
	proven              // equal stat, equal content
)

func newStats(ino uint64) *stats { return &stats{ino: ino} }

func metaOf(st fsx.Stat, t trust) meta {
	return meta{mtime: st.Mtime, ctime: st.Ctime, ino: st.Ino, trust: t}
}

// matches says whether st is that of the file whose stat m is.
func (m meta) matches(st fsx.Stat) bool {
	return m.trust != stale && m.ino == st.Ino && m.mtime == st.Mtime && (m.ctime == st.Ctime || m.trust == placed)
}

// dir returns the stats of the directory at path, nil when there are none.
func (x *index) dir(path string) *stats {
	s := x.stats
	for path != "" && s != nil {
		var name string
		name, path = tree.Cut(path)
		s, _ = s.dirs.get(name)
	}
	return s
}

// file returns what is known of the file at path, and of its directory.
func (x *index) file(path string) (m meta, in *stats, ok bool) {
	parent, name := tree.Split(path)
	if in = x.dir(parent); in == nil {
		return m, nil, false
	}
	m, ok = in.files.get(name)
	return m, in, ok
}

// prior returns what the index holds at path if st says that it is still so,
// and how far that goes. Strict asks for more than an equal stat: that nothing
// could have been written since which looks the same.
func (x *index) prior(path string, st fsx.Stat, strict bool) (*tree.Entry, trust, bool) {
	e := tree.Get(x.tree, path)
	m, in, ok := x.file(path)
	if !ok || !e.IsFile() || e.Size != st.Size || !m.matches(st) {
		return nil, stale, false
	}
	if m.trust != proven && (strict || in.deaf) {
		return nil, stale, false
	}
	return e, max(m.trust, racy), true
}

// found is what a look at one name gave: its entry, and its stat or, for a
// directory, its stats.
type found struct {
	entry *tree.Entry
	meta  meta
	stats *stats
}

// set makes path hold f. A missing parent is a race that was lost; ok is false
// then and nothing changed.
func (x *index) set(path string, f found) (ok bool) {
	if path == "" {
		x.tree, x.stats = f.entry, f.stats
		return true
	}
	parent, name := tree.Split(path)
	s := x.dir(parent)
	if s == nil || !tree.Get(x.tree, parent).IsDir() {
		return f.entry == nil
	}
	x.tree, _ = tree.Put(x.tree, path, f.entry)
	s.put(name, f)
	return true
}

// put sets name in one directory.
func (s *stats) put(name string, f found) {
	if !f.entry.IsFile() {
		s.files.delete(name)
	}
	if !f.entry.IsDir() {
		s.dirs.delete(name)
	}
	switch {
	case f.entry.IsDir():
		s.dirs.set(name, f.stats)
	case f.entry.IsFile():
		s.files.set(name, f.meta)
		s.young = s.young || f.meta.trust != proven
	}
}

// get returns what the index holds at path.
func (x *index) get(path string) found {
	f := found{entry: tree.Get(x.tree, path)}
	switch {
	case f.entry.IsDir():
		f.stats = x.dir(path)
	case f.entry.IsFile():
		f.meta, _, _ = x.file(path)
	}
	return f
}

// hides says whether the directory or one below it holds ignored names.
func (s *stats) hides() bool {
	if s == nil || s.hidden {
		return true
	}
	for _, sub := range s.dirs.all() {
		if sub.hides() {
			return true
		}
	}
	return false
}

// each calls visit for the directory at path and every one below it, parents
// first.
func (s *stats) each(path string, visit func(path string, s *stats)) {
	if s == nil {
		return
	}
	visit(path, s)
	for name, sub := range s.dirs.all() {
		sub.each(tree.Join(path, name), visit)
	}
}
