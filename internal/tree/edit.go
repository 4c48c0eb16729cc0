package tree

import "iter"

// Change is a path and what it held and holds. Old and New may be whole
// subtrees; nil is absence.
type Change struct {
	Path     string
	Old, New *Entry
}

// Get returns what root holds at path, nil when nothing.
func Get(root *Entry, path string) *Entry {
	for path != "" && root != nil {
		var name string
		name, path = Cut(path)
		root = root.Child(name)
	}
	return root
}

// Put returns root with path set to e, or removed when e is nil. Parents that
// are missing are made when there is something to put; ok is false, and root
// is unchanged, when a parent is there and no directory.
func Put(root *Entry, path string, e *Entry) (_ *Entry, ok bool) {
	if path == "" {
		return e, true
	}
	if root == nil {
		if e == nil {
			return nil, true
		}
		root = emptyDir
	}
	if !root.IsDir() {
		return root, e == nil
	}
	name, rest := Cut(path)
	child := root.Child(name)
	if child == nil && e == nil {
		return root, true
	}
	child, ok = Put(child, rest, e)
	if !ok {
		return root, false
	}
	return root.With(name, child), true
}

// Diff calls visit for the differences from a to b, parents first, until it
// returns false. Where both hold a directory, the directories are compared
// child by child; anywhere else a difference is one visit with both subtrees.
// Equal subtrees cost nothing, whatever their size.
func Diff(path string, a, b *Entry, visit func(path string, a, b *Entry) bool) bool {
	if Same(a, b) {
		return true
	}
	if !a.IsDir() || !b.IsDir() {
		return visit(path, a, b)
	}
	for name, pair := range Pairs(a, b) {
		if !Same(pair[0], pair[1]) && !Diff(Join(path, name), pair[0], pair[1], visit) {
			return false
		}
	}
	return true
}

// Pairs yields the names that a or b has as children, in order, with what both
// hold there.
func Pairs(a, b *Entry) iter.Seq2[string, [2]*Entry] {
	return func(yield func(string, [2]*Entry) bool) {
		for name, t := range Triples(a, b, nil) {
			if !yield(name, [2]*Entry{t[0], t[1]}) {
				return
			}
		}
	}
}

// Triples is Pairs for three.
func Triples(a, b, c *Entry) iter.Seq2[string, [3]*Entry] {
	return func(yield func(string, [3]*Entry) bool) {
		cursors := [3]*cursor{newCursor(a), newCursor(b), newCursor(c)}
		for {
			first := least(cursors[:])
			if first == nil {
				return
			}
			var t [3]*Entry
			for i, cur := range cursors {
				if x := cur.peek(); x != nil && x.Name == first.Name {
					t[i] = x.Entry
					cur.next()
				}
			}
			if !yield(first.Name, t) {
				return
			}
		}
	}
}

// least returns the child with the least name that a cursor is at.
func least(cursors []*cursor) *Child {
	var first *Child
	for _, cur := range cursors {
		if x := cur.peek(); x != nil && (first == nil || x.Name < first.Name) {
			first = x
		}
	}
	return first
}

// cursor walks a directory's children in order.
type cursor struct{ stack []frame }

type frame struct {
	n *node
	i int
}

func newCursor(e *Entry) *cursor {
	c := &cursor{}
	if e.IsDir() && e.dir.root != nil {
		c.push(e.dir.root)
	}
	return c
}

func (c *cursor) push(n *node) {
	for n.kids != nil {
		c.stack = append(c.stack, frame{n, 0})
		n = n.kids[0]
	}
	c.stack = append(c.stack, frame{n, 0})
}

func (c *cursor) peek() *Child {
	if len(c.stack) == 0 {
		return nil
	}
	top := c.stack[len(c.stack)-1]
	return &top.n.slots[top.i]
}

func (c *cursor) next() {
	top := &c.stack[len(c.stack)-1]
	if top.i++; top.i < len(top.n.slots) {
		return
	}
	c.stack = c.stack[:len(c.stack)-1]
	for len(c.stack) > 0 {
		top := &c.stack[len(c.stack)-1]
		if top.i++; top.i < len(top.n.kids) {
			c.push(top.n.kids[top.i])
			return
		}
		c.stack = c.stack[:len(c.stack)-1]
	}
}

// Walk calls visit for e and everything below it, parents first, children in
// the order of their names. What visit returns says whether to go below.
func Walk(path string, e *Entry, visit func(path string, e *Entry) bool) {
	if e == nil || !visit(path, e) {
		return
	}
	for name, child := range e.Children() {
		Walk(Join(path, name), child, visit)
	}
}

// Clear returns e without anything opaque or unknown below it; nil when e is
// opaque or unknown itself.
func Clear(e *Entry) *Entry {
	if !e.Murky() {
		return e
	}
	if !e.IsDir() {
		return nil
	}
	for name, child := range e.Children() {
		if child.Murky() {
			e = e.With(name, Clear(child))
		}
	}
	return e
}

// Share returns e with every subtree that equals the one in from replaced by
// the latter, so that two trees that agree are one in memory.
func Share(e, from *Entry) *Entry {
	if Same(e, from) {
		return from
	}
	if !e.IsDir() || !from.IsDir() {
		return e
	}
	var children []Child
	for name, child := range e.Children() {
		children = append(children, Child{name, Share(child, from.Child(name))})
	}
	return NewDir(children)
}
