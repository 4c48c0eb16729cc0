package tree

import (
	"slices"
	"sort"
)

// node is a node of a directory's B-tree: a leaf with slots, or an inner node
// with kids, of which kid i holds the names from firsts[i] on. Nodes are
// immutable. A removal may leave a node thin, and takes an empty one away: the
// depth is that of the widest state the directory had, which is harmless.
type node struct {
	slots  []Child
	kids   []*node
	firsts []string
}

// fanout bounds a node. 48 slots are 1152 bytes: one edit of a wide directory
// copies two or three of them.
const fanout = 48

// build makes a B-tree of sorted children.
func build(children []Child) *node {
	if len(children) == 0 {
		return nil
	}
	if len(children) <= fanout {
		return &node{slots: slices.Clip(children)}
	}
	var level []*node
	for part := range slices.Chunk(children, fanout*3/4) {
		level = append(level, &node{slots: slices.Clip(part)})
	}
	for len(level) > 1 {
		var up []*node
		for part := range slices.Chunk(level, fanout*3/4) {
			up = append(up, inner(slices.Clone(part)))
		}
		level = up
	}
	return level[0]
}

func inner(kids []*node) *node {
	n := &node{kids: kids, firsts: make([]string, len(kids))}
	for i, k := range kids {
		n.firsts[i] = k.first()
	}
	return n
}

func (n *node) first() string {
	if n.kids == nil {
		return n.slots[0].Name
	}
	return n.firsts[0]
}

// route returns the kid under which name is or would be.
func (n *node) route(name string) int {
	i := sort.Search(len(n.firsts), func(i int) bool { return n.firsts[i] > name })
	return max(i-1, 0)
}

func (n *node) each(yield func(string, *Entry) bool) bool {
	if n == nil {
		return true
	}
	for _, c := range n.slots {
		if !yield(c.Name, c.Entry) {
			return false
		}
	}
	for _, k := range n.kids {
		if !k.each(yield) {
			return false
		}
	}
	return true
}

// with returns n with c set.
func (n *node) with(c Child) *node {
	if n == nil {
		return &node{slots: []Child{c}}
	}
	left, right := n.set(c)
	if right == nil {
		return left
	}
	return inner([]*node{left, right})
}

// set returns the one or two nodes that take n's place when c is set.
func (n *node) set(c Child) (left, right *node) {
	if n.kids == nil {
		return n.setSlot(c)
	}
	i := n.route(c.Name)
	l, r := n.kids[i].set(c)
	kids := slices.Clone(n.kids)
	kids[i] = l
	if r != nil {
		kids = slices.Insert(kids, i+1, r)
	}
	if len(kids) <= fanout {
		return inner(kids), nil
	}
	half := len(kids) / 2
	return inner(slices.Clone(kids[:half])), inner(slices.Clone(kids[half:]))
}

func (n *node) setSlot(c Child) (left, right *node) {
	i, found := n.find(c.Name)
	if found {
		slots := slices.Clone(n.slots)
		slots[i] = c
		return &node{slots: slots}, nil
	}
	slots := make([]Child, 0, len(n.slots)+1)
	slots = append(append(append(slots, n.slots[:i]...), c), n.slots[i:]...)
	if len(slots) <= fanout {
		return &node{slots: slots}, nil
	}
	half := len(slots) / 2
	if i == len(slots)-1 {
		half = len(slots) - fanout/8 // names that come in order fill their nodes
	}
	return &node{slots: slices.Clone(slots[:half])}, &node{slots: slices.Clone(slots[half:])}
}

// without returns n without name; nil when nothing is left.
func (n *node) without(name string) *node {
	if n == nil {
		return nil
	}
	if n.kids == nil {
		i, found := n.find(name)
		switch {
		case !found:
			return n
		case len(n.slots) == 1:
			return nil
		}
		return &node{slots: slices.Delete(slices.Clone(n.slots), i, i+1)}
	}
	i := n.route(name)
	kid := n.kids[i].without(name)
	switch {
	case kid == n.kids[i]:
		return n
	case kid != nil:
		kids := slices.Clone(n.kids)
		kids[i] = kid
		return inner(kids)
	case len(n.kids) == 1:
		return nil
	case len(n.kids) == 2:
		return n.kids[1-i]
	}
	return inner(slices.Delete(slices.Clone(n.kids), i, i+1))
}
