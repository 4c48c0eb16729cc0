package tree

import (
	"iter"
	"sort"
)

// Child is one name in a directory.
type Child struct {
	Name  string
	Entry *Entry
}

// dir is a directory's children and what is derived from them.
type dir struct {
	root *node // nil when empty
	sum  sum
}

// sum is what a directory knows of everything below it. All of it is additive,
// so that an edit corrects it without a look at the siblings.
type sum struct {
	hi, lo uint64 // the digest, lane by lane
	count  int64  // entries below
	files  int64  // files and links below
	bytes  int64  // their sizes
	murky  int64  // unknown and opaque entries below
	width  int    // children
}

func (s *sum) add(name string, e *Entry, sign int64) {
	m := mark(name, e)
	if sign < 0 {
		s.hi, s.lo = s.hi-m.Hi, s.lo-m.Lo
	} else {
		s.hi, s.lo = s.hi+m.Hi, s.lo+m.Lo
	}
	s.count += sign * e.Count()
	s.files += sign * e.Files()
	s.bytes += sign * e.Bytes()
	s.width += int(sign)
	switch {
	case e.Kind == Dir:
		s.murky += sign * e.dir.sum.murky
	case e.Kind >= Opaque:
		s.murky += sign
	}
}

var emptyDir = &Entry{Kind: Dir, dir: &dir{}}

func newDir(root *node, s sum) *Entry {
	if root == nil {
		return emptyDir
	}
	return &Entry{Kind: Dir, Digest: s.digest(), dir: &dir{root: root, sum: s}}
}

// NewDir returns a directory with these children, in any order. The slice is
// the directory's from now on. A name that is there twice, a bad name or a nil
// entry is a bug of the caller.
func NewDir(children []Child) *Entry {
	if !sort.IsSorted(byName(children)) {
		sort.Sort(byName(children))
	}
	var s sum
	for i, c := range children {
		if c.Entry == nil || !ValidName(c.Name) || i > 0 && children[i-1].Name == c.Name {
			panic("tree: internal error: bad or repeated child name, or no entry")
		}
		s.add(c.Name, c.Entry, +1)
	}
	return newDir(build(children), s)
}

// byName sorts children. It, and its like for other types, is sorted by package
// sort, whose code is there once: slices has 15 KB for each type, and the agent
// is small.
type byName []Child

func (c byName) Len() int           { return len(c) }
func (c byName) Less(i, j int) bool { return c[i].Name < c[j].Name }
func (c byName) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }

// Width returns the number of e's children; 0 when e is no directory.
func (e *Entry) Width() int {
	if !e.IsDir() {
		return 0
	}
	return e.dir.sum.width
}

// Child returns what e holds under name; nil when e is no directory.
func (e *Entry) Child(name string) *Entry {
	if !e.IsDir() {
		return nil
	}
	n := e.dir.root
	for n != nil {
		if n.kids == nil {
			i, ok := n.find(name)
			if !ok {
				return nil
			}
			return n.slots[i].Entry
		}
		n = n.kids[n.route(name)]
	}
	return nil
}

// Children yields e's children in the order of their names.
func (e *Entry) Children() iter.Seq2[string, *Entry] {
	return func(yield func(string, *Entry) bool) {
		if e.IsDir() {
			e.dir.root.each(yield)
		}
	}
}

// With returns e with name set to child, or without name when child is nil.
// It is a bug to call it on what is no directory.
func (e *Entry) With(name string, child *Entry) *Entry {
	if !e.IsDir() {
		panic("tree: internal error: With on what is no directory")
	}
	old := e.Child(name)
	if old == child {
		return e
	}
	s := e.dir.sum
	if old != nil {
		s.add(name, old, -1)
	}
	if child == nil {
		return newDir(e.dir.root.without(name), s)
	}
	if !ValidName(name) {
		panic("tree: internal error: bad child name")
	}
	s.add(name, child, +1)
	return newDir(e.dir.root.with(Child{name, child}), s)
}

// find returns where name is or would be among a leaf's slots.
func (n *node) find(name string) (int, bool) {
	i := sort.Search(len(n.slots), func(i int) bool { return n.slots[i].Name >= name })
	return i, i < len(n.slots) && n.slots[i].Name == name
}
