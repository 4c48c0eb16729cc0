package base

import (
	"cmp"
	"slices"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

const (
	// maxValues is how many values are known for a path, the current one
	// included. A branch that is switched back and forth has two or three.
	maxValues = 8
	// maxGone bounds the paths that base does not hold and of which values are
	// still known. At about 100 bytes each they take 20 MB at most.
	maxGone = 200_000
	// maxHistory bounds what is read of one path: eight targets of links.
	maxHistory = maxValues * (record.MaxText + 16)
)

// key stands for a path.
type key = tree.Digest

func keyOf(path string) key { return tree.DigestOf([]byte(path)) }

// history holds the former values of the paths that ever changed.
type history struct {
	m     map[key]past
	seq   uint64 // the last past.gone that was given out
	queue []exit // paths that left base, in order; some have come back since
	gone  int    // how many in m are not in base
}

// past is what is known of one path besides its current value.
type past struct {
	values string // one entry behind the other, without children; the oldest first
	gone   uint64 // when the path left base; 0 while base holds it
}

type exit struct {
	key key
	seq uint64
}

// values returns the former values of a path, the oldest first.
func (h *history) values(path string) []*tree.Entry {
	if len(h.m) == 0 {
		return nil
	}
	values, err := decodeValues(h.m[keyOf(path)].values)
	if err != nil {
		panic("base: internal error: bad history in memory")
	}
	return values
}

// note takes in that a subtree was displaced by another.
func (h *history) note(c tree.Change) {
	if len(h.m) == 0 && c.Old == nil {
		return
	}
	tree.Diff(c.Path, c.Old, c.New, func(path string, old, e *tree.Entry) bool {
		h.change(path, old, e)
		if old.IsDir() {
			below(path, old, func(p string, e *tree.Entry) { h.change(p, e, nil) })
		}
		if e.IsDir() && len(h.m) > 0 {
			below(path, e, func(p string, e *tree.Entry) { h.change(p, nil, e) })
		}
		return true
	})
}

// below calls visit for everything below dir.
func below(path string, dir *tree.Entry, visit func(string, *tree.Entry)) {
	tree.Walk(path, dir, func(p string, e *tree.Entry) bool {
		if e != dir {
			visit(p, e)
		}
		return true
	})
}

// change takes in that a path's value old became e.
func (h *history) change(path string, old, e *tree.Entry) {
	k := keyOf(path)
	p, known := h.m[k]
	if sameValue(old, e) || old == nil && !known {
		return
	}
	values := h.values(path)
	if old != nil {
		values = push(values, old)
	}
	if e == nil {
		h.set(k, p, push(values, nil), true)
		return
	}
	values = without(values, e) // it is the current one
	h.set(k, p, values[max(0, len(values)-maxValues+1):], false)
}

// forget takes in that base no longer says anything about path and what is
// below it, unless t does, which is what base will hold.
func (h *history) forget(path string, old, t *tree.Entry) {
	tree.Walk(path, old, func(p string, e *tree.Entry) bool {
		now := tree.Get(t, p)
		if !sameValue(now, e) {
			k := keyOf(p)
			h.set(k, h.m[k], push(h.values(p), e), now == nil)
		}
		return true
	})
}

// set stores what is known of a path, and drops what was known of the paths
// that left base longest ago when there are too many.
func (h *history) set(k key, was past, values []*tree.Entry, gone bool) {
	if h.m == nil {
		h.m = map[key]past{}
	}
	if was.gone != 0 {
		h.gone--
	}
	if len(values) == 0 {
		delete(h.m, k)
		return
	}
	p := past{values: encodeValues(values[max(0, len(values)-maxValues):])}
	if gone {
		h.seq++
		h.gone++
		p.gone = h.seq
		h.queue = append(h.queue, exit{k, h.seq})
	}
	h.m[k] = p
	h.bound()
}

func (h *history) bound() {
	for h.gone > maxGone {
		first := h.queue[0]
		h.queue = h.queue[1:]
		if h.m[first.key].gone == first.seq {
			delete(h.m, first.key)
			h.gone--
		}
	}
	if len(h.queue) > 2*h.gone+1024 {
		h.queue = slices.Clip(slices.DeleteFunc(h.queue, func(x exit) bool {
			return h.m[x.key].gone != x.seq
		}))
	}
}

// keys returns the paths in the order in which a snapshot lists them: first
// those that left base, the oldest first.
func (h *history) keys() []key {
	keys := make([]key, 0, len(h.m))
	for k := range h.m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		x, y := h.m[a].gone-1, h.m[b].gone-1 // 0, the path is in base, comes last
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
		return slices.Compare(a[:], b[:])
	})
	return keys
}

// push appends a value, and removes it from where it was.
func push(values []*tree.Entry, e *tree.Entry) []*tree.Entry {
	if e.IsDir() {
		e = tree.NewDir(nil)
	}
	return append(without(values, e), e)
}

func without(values []*tree.Entry, e *tree.Entry) []*tree.Entry {
	return slices.DeleteFunc(values, func(v *tree.Entry) bool { return sameValue(v, e) })
}

// sameValue says whether two values are one as far as history cares.
func sameValue(a, b *tree.Entry) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case a.Kind != b.Kind || a.Kind >= tree.Opaque:
		return false
	case a.Kind == tree.File:
		return a.Digest == b.Digest
	case a.Kind == tree.Link:
		return a.Text == b.Text
	}
	return true
}

func encodeValues(values []*tree.Entry) string {
	var buf [256]byte
	b := buf[:0]
	for _, v := range values {
		b = record.AppendEntry(b, v)
	}
	return string(b)
}

func decodeValues(s string) ([]*tree.Entry, error) {
	r := record.NewReader([]byte(s))
	var values []*tree.Entry
	for r.Len() > 0 {
		e := r.Entry()
		if e.IsDir() && e.Width() > 0 || e.Murky() || len(values) == maxValues {
			r.Fail("no value of a path")
		}
		values = append(values, e)
	}
	return values, r.Err()
}
