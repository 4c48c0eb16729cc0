package watch

import (
	"slices"
	"strings"
)

// fewChildren is how many children a node keeps in a slice. Nearly all directories
// have fewer; above it a map keeps a directory with 100k children from being searched
// from end to end for each event.
const fewChildren = 16

// node is one name in a tree of names. Moving a node moves all that is below it,
// because paths are spelled by walking up. The pointers are all there is: a
// directory of a source costs 64 bytes here, and its name.
type node[T any] struct {
	parent *node[T] // nil for a root, and for what was detached
	name   string
	few    []*node[T]          // children, while there are few
	many   map[string]*node[T] // children, once there were many
	val    T
}

// child returns the child of that name, or nil.
func (n *node[T]) child(name string) *node[T] {
	if n.many != nil {
		return n.many[name]
	}
	for _, c := range n.few {
		if c.name == name {
			return c
		}
	}
	return nil
}

// find returns the node at a path below n, or nil.
func (n *node[T]) find(path string) *node[T] {
	for n != nil && path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		n = n.child(name)
	}
	return n
}

// attach puts a detached node below n. The name must be free.
func (n *node[T]) attach(c *node[T], name string) {
	if c.parent != nil || n.child(name) != nil {
		panic("watch: internal error: attach of a node that has a place, or to a taken one")
	}
	c.parent, c.name = n, name
	if n.many == nil && len(n.few) == fewChildren {
		n.many = make(map[string]*node[T], 2*fewChildren)
		for _, old := range n.few {
			n.many[old.name] = old
		}
		n.few = nil
	}
	if n.many != nil {
		n.many[name] = c
		return
	}
	n.few = append(n.few, c)
}

// detach takes n, and all that is below it, out of its parent.
func (n *node[T]) detach() {
	p := n.parent
	if p == nil {
		return
	}
	n.parent = nil
	if p.many != nil {
		delete(p.many, n.name)
		return
	}
	i := slices.Index(p.few, n)
	last := len(p.few) - 1
	p.few[i] = p.few[last]
	p.few[last] = nil // or the slice would keep the whole subtree alive
	p.few = p.few[:last]
}

// clear takes all children away from n.
func (n *node[T]) clear() {
	for _, c := range n.few {
		c.parent = nil
	}
	for _, c := range n.many {
		c.parent = nil
	}
	n.few, n.many = nil, nil
}

// leaf says that nothing is below n.
func (n *node[T]) leaf() bool { return len(n.few) == 0 && len(n.many) == 0 }

// top is the root that n hangs from; for a detached subtree, its own top.
func (n *node[T]) top() *node[T] {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

// path spells the way from the top to n. The top has no name.
func (n *node[T]) path() string {
	if n.parent == nil {
		return ""
	}
	if n.parent.parent == nil {
		return n.name
	}
	size := -1
	for c := n; c.parent != nil; c = c.parent {
		size += len(c.name) + 1
	}
	b := make([]byte, size)
	for c := n; c.parent != nil; c = c.parent {
		size -= len(c.name)
		copy(b[size:], c.name)
		if size > 0 {
			size--
			b[size] = '/'
		}
	}
	return string(b)
}

// each calls f for n and all that is below it, children after their parent.
func (n *node[T]) each(f func(*node[T])) {
	f(n)
	for _, c := range n.few {
		c.each(f)
	}
	for _, c := range n.many {
		c.each(f)
	}
}

// split parts a path into its directory and its last name.
func split(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}
