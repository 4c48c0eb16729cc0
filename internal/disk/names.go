package disk

import (
	"iter"
	"slices"
	"strings"
)

// manyNames is the number of names up to which a directory keeps them in a
// sorted slice. Nearly all directories have fewer, and a slice costs half of a
// map; above it a map keeps one edit from moving all the others.
const manyNames = 512

// names maps the names of one directory to values. The zero value is empty.
type names[T any] struct {
	few  []named[T] // sorted, while there are few
	many map[string]T
}

type named[T any] struct {
	name string
	val  T
}

func (n *names[T]) find(name string) (int, bool) {
	return slices.BinarySearchFunc(n.few, name, func(x named[T], name string) int { return strings.Compare(x.name, name) })
}

func (n *names[T]) get(name string) (val T, ok bool) {
	if n.many != nil {
		val, ok = n.many[name]
		return val, ok
	}
	if i, ok := n.find(name); ok {
		return n.few[i].val, true
	}
	return val, false
}

// expect makes room for so many names, and no more, in an empty map.
func (n *names[T]) expect(count int) {
	if count > 0 && count <= manyNames {
		n.few = make([]named[T], 0, count)
	}
}

// set is cheapest in the order of the names.
func (n *names[T]) set(name string, val T) {
	if n.many != nil {
		n.many[name] = val
		return
	}
	i := len(n.few)
	if i > 0 && n.few[i-1].name >= name {
		var ok bool
		if i, ok = n.find(name); ok {
			n.few[i].val = val
			return
		}
	}
	if len(n.few) < manyNames {
		// By hand: slices.Insert is 4 KB of code for each type.
		n.few = append(n.few, named[T]{})
		copy(n.few[i+1:], n.few[i:])
		n.few[i] = named[T]{name, val}
		return
	}
	n.many = make(map[string]T, 2*manyNames)
	for _, x := range n.few {
		n.many[x.name] = x.val
	}
	n.many[name] = val
	n.few = nil
}

func (n *names[T]) delete(name string) {
	if n.many != nil {
		delete(n.many, name)
		return
	}
	if i, ok := n.find(name); ok {
		n.few = slices.Delete(n.few, i, i+1)
	}
}

// all yields the names, in no order.
func (n *names[T]) all() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, x := range n.few {
			if !yield(x.name, x.val) {
				return
			}
		}
		for name, val := range n.many {
			if !yield(name, val) {
				return
			}
		}
	}
}
