//go:build linux

package hostile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"
)

// kind says how a value is written, and so what may be put in its place.
type kind int

const (
	number kind = iota
	text        // a string of any sort: text, path, name
	fixed       // bytes without a length: a digest, an id
	single      // one byte
	rest        // the rest of the body
	group       // its parts, one after the other
	list        // a count, and its parts
)

// value is a field of a message, or several. A lie is put into over, which is
// then written in its place.
type value struct {
	kind  kind
	n     uint64
	b     []byte
	parts []*value
	over  []byte
}

func num(n uint64) *value     { return &value{kind: number, n: n} }
func str(s string) *value     { return &value{kind: text, b: []byte(s)} }
func raw(b []byte) *value     { return &value{kind: fixed, b: b} }
func one(b byte) *value       { return &value{kind: single, n: uint64(b)} }
func tail(b []byte) *value    { return &value{kind: rest, b: b} }
func all(p ...*value) *value  { return &value{kind: group, parts: p} }
func many(p ...*value) *value { return &value{kind: list, n: uint64(len(p)), parts: p} }

func boolean(v bool) *value {
	if v {
		return one(1)
	}
	return one(0)
}

func (v *value) write(b []byte) []byte {
	if v.over != nil {
		return append(b, v.over...)
	}
	switch v.kind {
	case number:
		return binary.AppendUvarint(b, v.n)
	case text:
		return append(binary.AppendUvarint(b, uint64(len(v.b))), v.b...)
	case fixed, rest:
		return append(b, v.b...)
	case single:
		return append(b, byte(v.n))
	case list:
		b = binary.AppendUvarint(b, v.n)
	}
	for _, p := range v.parts {
		b = p.write(b)
	}
	return b
}

// every returns v and all that it is made of.
func (v *value) every() []*value {
	out := []*value{v}
	for _, p := range v.parts {
		out = append(out, p.every()...)
	}
	return out
}

// The kinds of entries.
const (
	absent = iota
	file
	link
	folder
	opaque
	unknown
)

// node is an entry. A file has its data where it is ours.
type node struct {
	kind byte
	exec bool
	sum  [16]byte
	size uint64
	data []byte
	text string
	kids map[string]*node
}

func fileOf(data string) *node {
	return &node{kind: file, sum: sumOf([]byte(data)), size: uint64(len(data)), data: []byte(data)}
}

func linkTo(target string) *node { return &node{kind: link, text: target} }
func newFolder() *node           { return &node{kind: folder, kids: map[string]*node{}} }

func sumOf(b []byte) [16]byte { return xxh3.Hash128(b).Bytes() }

func (n *node) value() *value {
	switch {
	case n == nil:
		return all(one(absent))
	case n.kind == file && n.exec:
		return all(one(file|0x80), raw(n.sum[:]), num(n.size))
	case n.kind == file:
		return all(one(file), raw(n.sum[:]), num(n.size))
	case n.kind != folder:
		return all(one(n.kind), str(n.text))
	}
	kids := many()
	for _, name := range slices.Sorted(maps.Keys(n.kids)) {
		kids.parts = append(kids.parts, all(str(name), n.kids[name].value()))
		kids.n++
	}
	return all(one(folder), kids)
}

func (n *node) same(o *node) bool {
	if n == nil || o == nil {
		return n == o
	}
	if n.kind != o.kind || n.exec != o.exec || n.sum != o.sum || n.size != o.size || n.text != o.text || len(n.kids) != len(o.kids) {
		return false
	}
	for name, k := range n.kids {
		if !k.same(o.kids[name]) {
			return false
		}
	}
	return true
}

// get returns what is at path, nil where nothing is.
func (n *node) get(path string) *node {
	for path != "" && n != nil {
		var name string
		name, path, _ = strings.Cut(path, "/")
		n = n.kids[name]
	}
	return n
}

// put makes path hold e; false where a parent is no folder.
func (n *node) put(path string, e *node) bool {
	parent, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent, name = path[:i], path[i+1:]
	}
	dir := n.get(parent)
	switch {
	case path == "" || dir == nil || dir.kind != folder:
		return false
	case e == nil:
		delete(dir.kids, name)
	default:
		dir.kids[name] = e
	}
	return true
}

// walk calls f for n and all below it.
func (n *node) walk(path string, f func(path string, n *node)) {
	if n == nil {
		return
	}
	f(path, n)
	for _, name := range slices.Sorted(maps.Keys(n.kids)) {
		n.kids[name].walk(strings.TrimPrefix(path+"/"+name, "/"), f)
	}
}

// reader takes values. The first that is not as specified is its error.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.b = nil
}

func (r *reader) num() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail("no number")
		return 0
	}
	if len(binary.AppendUvarint(nil, n)) != size {
		r.fail("a number of more bytes than it needs")
	}
	r.b = r.b[min(size, len(r.b)):]
	return n
}

func (r *reader) raw(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("%d bytes of %d", n, len(r.b))
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return slices.Clone(b)
}

func (r *reader) one() byte {
	b := r.raw(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *reader) str() string { return string(r.raw(r.num())) }

func (r *reader) sum() (s [16]byte) {
	copy(s[:], r.raw(16))
	return s
}

func (r *reader) path() string {
	p := r.str()
	if p == "" {
		return p
	}
	for name := range strings.SplitSeq(p, "/") {
		r.name(name)
	}
	return p
}

func (r *reader) name(name string) {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsRune(name, 0) {
		r.fail("the name %q", name)
	}
}

func (r *reader) node() *node {
	k := r.one()
	switch k {
	case absent:
		return nil
	case file, file | 0x80:
		return &node{kind: file, exec: k != file, sum: r.sum(), size: r.num()}
	case link, opaque, unknown:
		return &node{kind: k, text: r.str()}
	case folder:
		n, last := newFolder(), ""
		for range r.num() {
			name := r.str()
			r.name(name)
			if name <= last {
				r.fail("names that do not rise: %q, %q", last, name)
			}
			kid := r.node()
			if kid == nil {
				r.fail("an absent child")
			}
			if r.err != nil {
				break
			}
			n.kids[name], last = kid, name
		}
		return n
	}
	r.fail("an entry of kind %d", k)
	return nil
}

func (r *reader) contents() map[[16]byte][]byte {
	out, total := map[[16]byte][]byte{}, 0
	for range r.num() {
		sum, b := r.sum(), []byte(r.str())
		if r.err != nil {
			break
		}
		if total += len(b); total > 256<<10 || sumOf(b) != sum {
			r.fail("contents of %d bytes, or of another digest", total)
		}
		out[sum] = b
	}
	return out
}

// signature takes one and drops it.
func (r *reader) signature() {
	block := r.num()
	if block == 0 {
		return
	}
	size := r.num()
	if block < 2<<10 || block > 1<<20 {
		r.fail("blocks of %d", block)
		return
	}
	r.raw((size + block - 1) / block * 20)
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		return errors.New("something behind the last field")
	}
	return r.err
}
