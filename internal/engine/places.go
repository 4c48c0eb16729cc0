package engine

import (
	"maps"
	"slices"

	"github.com/twosync/twosync/internal/tree"
)

// places maps paths to values and knows what overlaps: asking about a path
// costs as much as it has names, however many others there are. The zero value
// is empty.
type places[V any] struct {
	root place[V]
	n    int
}

// place is one path. One without a value is there for those below it.
type place[V any] struct {
	value V
	set   bool
	below map[string]*place[V] // never empty
}

// set is a set of paths.
type set struct{ places[struct{}] }

func (s *set) add(path string) { s.put(path, struct{}{}) }

func (p *places[V]) len() int { return p.n }

func (p *places[V]) clear() { *p = places[V]{} }

func (p *places[V]) get(path string) (v V, ok bool) {
	if at := p.at(path); at != nil {
		return at.value, at.set
	}
	return v, false
}

func (p *places[V]) at(path string) *place[V] {
	at := &p.root
	for path != "" && at != nil {
		var name string
		name, path = tree.Cut(path)
		at = at.below[name]
	}
	return at
}

func (p *places[V]) put(path string, v V) {
	at := &p.root
	for path != "" {
		var name string
		name, path = tree.Cut(path)
		next := at.below[name]
		if next == nil {
			next = new(place[V])
			if at.below == nil {
				at.below = make(map[string]*place[V])
			}
			at.below[name] = next
		}
		at = next
	}
	if !at.set {
		p.n++
	}
	at.value, at.set = v, true
}

func (p *places[V]) drop(path string) {
	if p.root.drop(path) {
		p.n--
	}
}

// drop leaves no place that neither has a value nor is above one.
func (at *place[V]) drop(path string) bool {
	if path == "" {
		was := at.set
		var none V
		at.value, at.set = none, false
		return was
	}
	name, rest := tree.Cut(path)
	next := at.below[name]
	if next == nil {
		return false
	}
	was := next.drop(rest)
	if !next.set && next.below == nil {
		if delete(at.below, name); len(at.below) == 0 {
			at.below = nil
		}
	}
	return was
}

// covers says whether a path is at or above this one.
func (p *places[V]) covers(path string) bool {
	at := &p.root
	for path != "" && at != nil && !at.set {
		var name string
		name, path = tree.Cut(path)
		at = at.below[name]
	}
	return at != nil && at.set
}

// overlaps says whether a path is at, above or below this one.
func (p *places[V]) overlaps(path string) bool {
	at := &p.root
	for path != "" && at != nil && !at.set {
		var name string
		name, path = tree.Cut(path)
		at = at.below[name]
	}
	return at != nil && (at.set || at.below != nil)
}

// overlapping returns the paths at, above and below this one, in order.
func (p *places[V]) overlapping(path string) (out []string) {
	if p.n == 0 {
		return nil
	}
	at := &p.root
	for i := 0; i < len(path) && at != nil; {
		if at.set {
			out = append(out, path[:max(i-1, 0)])
		}
		name, _ := tree.Cut(path[i:])
		at = at.below[name]
		i += len(name) + 1
	}
	return append(out, p.within(path)...)
}

// within returns the paths at and below this one, in order.
func (p *places[V]) within(path string) (out []string) {
	if at := p.at(path); at != nil {
		at.collect(path, false, &out)
	}
	return out
}

// all returns every path, parents first, in the order of their names.
func (p *places[V]) all() []string { return p.within("") }

// tops returns the paths that are not below others, in order.
func (p *places[V]) tops() (out []string) {
	p.root.collect("", true, &out)
	return out
}

func (at *place[V]) collect(path string, tops bool, out *[]string) {
	if at.set {
		*out = append(*out, path)
		if tops {
			return
		}
	}
	if len(at.below) == 1 { // the usual case needs no sorting
		for name, next := range at.below {
			next.collect(tree.Join(path, name), tops, out)
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(at.below)) {
		at.below[name].collect(tree.Join(path, name), tops, out)
	}
}
