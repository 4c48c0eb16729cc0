package record

import (
	"strings"

	"github.com/twosync/twosync/internal/tree"
)

// MaxText bounds a link's target and a reason: PATH_MAX, and none of ours is
// longer.
const MaxText = 4096

// MaxSize bounds a file: 1 TiB (CASES §4.3, safe default 6). MaxEntries times
// MaxSize still fits an int64.
const MaxSize = 1 << 40

// MaxEntries bounds the entries of one tree that is read.
const MaxEntries = 5 << 20

// maxGuess bounds what is allocated because of a number alone: nested
// directories may each claim as many children as there are bytes.
const maxGuess = 1024

const (
	execBit = 0x80
	absent  = 0
)

// AppendEntry appends e with everything below it; e may be nil.
func AppendEntry(b []byte, e *tree.Entry) []byte {
	if e == nil {
		return append(b, absent)
	}
	kind := byte(e.Kind)
	if e.Exec {
		kind |= execBit
	}
	b = append(b, kind)
	switch e.Kind {
	case tree.File:
		return AppendUint(append(b, e.Digest[:]...), uint64(e.Size))
	case tree.Dir:
		b = AppendUint(b, uint64(e.Width()))
		for name, child := range e.Children() {
			b = AppendEntry(AppendString(b, name), child)
		}
		return b
	}
	return AppendString(b, e.Text)
}

// Entry takes a tree of at most MaxEntries entries.
func (r *Reader) Entry() *tree.Entry { return r.EntryAt("") }

// EntryAt is Entry for what is at a path: no path in it is deeper than one may be.
func (r *Reader) EntryAt(path string) *tree.Entry {
	budget, depth := MaxEntries, 0
	if path != "" {
		depth = 1 + strings.Count(path, "/")
	}
	return r.entry(&budget, depth)
}

func (r *Reader) entry(budget *int, depth int) *tree.Entry {
	if *budget--; *budget < 0 || depth > tree.MaxDepth {
		r.Fail("tree too large or too deep")
		return nil
	}
	kind := r.Byte()
	exec := kind&execBit != 0
	switch k := tree.Kind(kind &^ execBit); {
	case kind == absent:
		return nil
	case k == tree.File:
		d := r.Digest()
		return tree.NewFile(d, int64(r.Uint(MaxSize)), exec)
	case exec:
		r.Fail("exec bit on a %v", k)
	case k == tree.Dir:
		return r.dir(budget, depth)
	case k == tree.Link:
		return tree.NewLink(r.String(MaxText))
	case k == tree.Opaque:
		return tree.NewOpaque(r.String(MaxText))
	case k == tree.Unknown:
		return tree.NewUnknown(r.String(MaxText))
	}
	r.Fail("kind %d", kind)
	return nil
}

// dir takes children, which must come in strictly rising order of names.
func (r *Reader) dir(budget *int, depth int) *tree.Entry {
	n := int(r.Uint(uint64(max(*budget, 0))))
	children := make([]tree.Child, 0, min(n, r.Len()/2, maxGuess))
	for i := range n {
		name := r.String(tree.MaxName)
		if !tree.ValidName(name) || i > 0 && children[i-1].Name >= name {
			r.Fail("bad name or bad order")
		}
		child := r.entry(budget, depth+1)
		if r.err == nil && child == nil {
			r.Fail("absent child")
		}
		if r.err != nil {
			return nil
		}
		children = append(children, tree.Child{Name: name, Entry: child})
	}
	return tree.NewDir(children)
}
