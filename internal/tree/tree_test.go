package tree_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/tree"
)

func newRand(t *testing.T) *rand.Rand {
	s := rand.Uint64()
	t.Logf("seed %d", s)
	return rand.New(rand.NewPCG(s, 1))
}

func fileOf(text string) *tree.Entry {
	return tree.NewFile(tree.DigestOf([]byte(text)), int64(len(text)), false)
}

// leaf returns one of few values, so that equal ones are met often.
func leaf(r *rand.Rand) *tree.Entry {
	switch r.IntN(8) {
	case 0:
		return tree.NewLink("target")
	case 1:
		return tree.NewUnknown("unreadable")
	case 2:
		return tree.NewOpaque("a socket")
	case 3:
		return tree.NewFile(tree.DigestOf([]byte("1")), 1, true)
	}
	return fileOf(fmt.Sprint(r.IntN(3)))
}

// model is what a directory must be: a plain map.
type model map[string]*tree.Entry

// check compares e with the model in everything that can be asked.
func (m model) check(t *testing.T, e *tree.Entry) {
	t.Helper()
	names := slices.Sorted(maps.Keys(m))
	var got []string
	var files, bytes, murky int64
	for name, child := range e.Children() {
		if child != m[name] {
			t.Fatalf("%s is %v, want %v", name, child, m[name])
		}
		got = append(got, name)
		files, bytes = files+child.Files(), bytes+child.Bytes()
		if child.Murky() {
			murky++
		}
	}
	if !slices.Equal(got, names) {
		t.Fatalf("names are %d in number, want %d, or out of order", len(got), len(names))
	}
	if e.Width() != len(m) || e.Count() != int64(len(m))+1 || e.Files() != files || e.Bytes() != bytes {
		t.Fatalf("width %d, count %d, files %d, bytes %d; want %d, %d, %d, %d",
			e.Width(), e.Count(), e.Files(), e.Bytes(), len(m), len(m)+1, files, bytes)
	}
	if e.Murky() != (murky > 0) {
		t.Fatalf("murky is %v with %d murky children", e.Murky(), murky)
	}
	if fresh := m.build(); fresh.Digest != e.Digest || !tree.Same(fresh, e) {
		t.Fatal("the digest depends on how the directory came to be")
	}
}

// build makes the directory at once, from children in no order.
func (m model) build() *tree.Entry {
	var children []tree.Child
	for name, e := range m {
		children = append(children, tree.Child{Name: name, Entry: e})
	}
	return tree.NewDir(children)
}

// TestModel edits directories of all widths at random, next to a map. It grows
// them, shrinks them to nothing, and looks at old versions again: they must
// not have changed.
func TestModel(t *testing.T) {
	r := newRand(t)
	for _, width := range []int{1, 10, 100, 3_000} {
		for range 30_000 / (width + 1_000) {
			m := model{}
			for range r.IntN(width + 1) {
				m[fmt.Sprint("n", r.IntN(2*width))] = leaf(r)
			}
			e := m.build()
			m.check(t, e)
			old, oldModel := e, maps.Clone(m)
			grow := r.IntN(3)
			for range width {
				name := fmt.Sprint("n", r.IntN(2*width))
				if r.IntN(3) < grow {
					m[name] = leaf(r)
				} else {
					delete(m, name)
				}
				e = e.With(name, m[name])
				if e.Child(name) != m[name] {
					t.Fatalf("%s is %v after With(%v)", name, e.Child(name), m[name])
				}
			}
			m.check(t, e)
			oldModel.check(t, old)
		}
	}
}

// TestEmptied takes every child out, from the front, from the back and at
// random, of directories around the widths at which a level is added.
func TestEmptied(t *testing.T) {
	r := newRand(t)
	for _, width := range []int{1, 2, 36, 48, 49, 72, 73, 36*36 + 1, 36*48 + 1, 5_000} {
		for _, order := range []string{"front", "back", "random"} {
			m := model{}
			for i := range width {
				m[fmt.Sprintf("n%05d", i)] = fileOf("1")
			}
			e, names := m.build(), slices.Sorted(maps.Keys(m))
			switch order {
			case "back":
				slices.Reverse(names)
			case "random":
				r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			}
			for i, name := range names {
				if e = e.With(name, nil); e.Child(name) != nil || e.Width() != width-i-1 {
					t.Fatalf("width %d from the %s: %s is still there", width, order, name)
				}
			}
			if !tree.Same(e, tree.NewDir(nil)) || e.Digest != (tree.Digest{}) {
				t.Fatalf("width %d from the %s: not empty", width, order)
			}
		}
	}
}

// TestGrown adds children in order and in reverse, one by one.
func TestGrown(t *testing.T) {
	for _, step := range []int{1, -1} {
		e, m := tree.NewDir(nil), model{}
		for i := range 10_000 {
			name := fmt.Sprintf("n%05d", 10_000+step*i)
			m[name] = fileOf("1")
			e = e.With(name, m[name])
		}
		m.check(t, e)
	}
}

// TestDigest: every part of a child counts, stat data and history do not.
func TestDigest(t *testing.T) {
	f := fileOf("1")
	dirs := []*tree.Entry{
		tree.NewDir(nil),
		one("a", f), one("b", f), one("a", fileOf("2")),
		one("a", tree.NewFile(f.Digest, f.Size, true)),
		one("a", tree.NewLink("t")), one("a", tree.NewLink("u")),
		one("a", tree.NewDir(nil)), one("a", one("a", f)),
		one("a", tree.NewUnknown("t")), one("a", tree.NewOpaque("t")), one("a", tree.NewOpaque("u")),
		one("a", f).With("b", f), one("a", one("b", f)),
	}
	for i, a := range dirs {
		for j, b := range dirs {
			if tree.Same(a, b) != (i == j) {
				t.Errorf("dirs %d and %d: same is %v", i, j, tree.Same(a, b))
			}
			if want := i == j && !a.Murky(); tree.Equal(a, b) != want {
				t.Errorf("dirs %d and %d: equal is %v", i, j, tree.Equal(a, b))
			}
		}
	}
}

func one(name string, e *tree.Entry) *tree.Entry { return tree.NewDir(nil).With(name, e) }

// TestEqual: what is murky equals nothing, not even itself.
func TestEqual(t *testing.T) {
	unknown := tree.NewUnknown("why")
	for _, e := range []*tree.Entry{unknown, tree.NewOpaque("why"), one("a", unknown)} {
		if tree.Equal(e, e) || !tree.Same(e, e) || !e.Murky() {
			t.Errorf("%v: equal to itself, or not the same", e)
		}
	}
	if !tree.Equal(nil, nil) || tree.Equal(nil, fileOf("")) || tree.Same(nil, fileOf("")) {
		t.Error("absence equals only absence")
	}
}

func randomPath(r *rand.Rand) string {
	path := ""
	for range 1 + r.IntN(4) {
		path = tree.Join(path, string(rune('a'+r.IntN(3))))
	}
	return path
}

func randomTree(r *rand.Rand, root *tree.Entry, edits int) *tree.Entry {
	for range edits {
		e := leaf(r)
		switch r.IntN(4) {
		case 0:
			e = nil
		case 1:
			e = tree.NewDir(nil)
		}
		root, _ = tree.Put(root, randomPath(r), e)
	}
	return root
}

// flat lists every entry below root; directories show as such only.
func flat(root *tree.Entry) map[string]string {
	all := map[string]string{}
	tree.Walk("", root, func(path string, e *tree.Entry) bool {
		if all[path] = "dir"; !e.IsDir() {
			all[path] = fmt.Sprintf("%v %v %v %s", e.Kind, e.Exec, e.Digest, e.Text)
		}
		return true
	})
	return all
}

// TestPut holds Put and Get against a flat list of paths.
func TestPut(t *testing.T) {
	r := newRand(t)
	for range 20_000 {
		root := randomTree(r, tree.NewDir(nil), r.IntN(12))
		path, e := randomPath(r), leaf(r)
		if r.IntN(3) == 0 {
			e = nil
		}
		want, blocked := flat(root), false
		for parent := path; parent != ""; {
			parent, _ = tree.Split(parent)
			kind, there := want[parent]
			blocked = blocked || there && kind != "dir"
			if !there && e != nil {
				want[parent] = "dir"
			}
		}
		got, ok := tree.Put(root, path, e)
		if blocked {
			if ok != (e == nil) || got != root {
				t.Fatalf("put %q below what is no directory: ok %v", path, ok)
			}
			continue
		}
		maps.DeleteFunc(want, func(p, _ string) bool { return tree.Within(p, path) })
		if e != nil {
			maps.Copy(want, map[string]string{path: flat(e)[""]})
		}
		if !ok || !maps.Equal(flat(got), want) || tree.Get(got, path) != e {
			t.Fatalf("put %q: %v, want %v", path, flat(got), want)
		}
	}
}

// TestDiff: applying what Diff shows to a gives b; what is the same is not
// shown; parents come first and nothing overlaps.
func TestDiff(t *testing.T) {
	r := newRand(t)
	for range 20_000 {
		a := randomTree(r, tree.NewDir(nil), r.IntN(20))
		b := randomTree(r, a, r.IntN(5))
		if r.IntN(2) == 0 {
			b = randomTree(r, tree.NewDir(nil), r.IntN(20)) // shares nothing
		}
		got, seen := a, []string{}
		tree.Diff("", a, b, func(path string, x, y *tree.Entry) bool {
			if tree.Get(a, path) != x || tree.Get(b, path) != y || tree.Same(x, y) || x.IsDir() && y.IsDir() {
				t.Fatalf("%q: shown %v and %v", path, x, y)
			}
			for _, other := range seen {
				if tree.Overlap(path, other) {
					t.Fatalf("%q overlaps %q", path, other)
				}
			}
			seen = append(seen, path)
			got, _ = tree.Put(got, path, y)
			return true
		})
		if !tree.Same(got, b) {
			t.Fatalf("ended as %v, want %v", flat(got), flat(b))
		}
		calls := 0
		tree.Diff("", a, b, func(string, *tree.Entry, *tree.Entry) bool { calls++; return false })
		if calls != min(1, len(seen)) {
			t.Fatalf("went on after false: %d calls", calls)
		}
	}
}

// TestTriples holds the merge of three directories against sets of names.
func TestTriples(t *testing.T) {
	r := newRand(t)
	for range 300 {
		var dirs [3]*tree.Entry
		all := map[string]bool{}
		for i := range dirs {
			if r.IntN(6) == 0 {
				continue // absent
			}
			m := model{}
			for range r.IntN(500) {
				name := fmt.Sprint(r.IntN(600))
				m[name], all[name] = leaf(r), true
			}
			dirs[i] = m.build()
		}
		var got []string
		for name, entries := range tree.Triples(dirs[0], dirs[1], dirs[2]) {
			for i, e := range entries {
				if e != dirs[i].Child(name) {
					t.Fatalf("%s: entry %d is %v", name, i, e)
				}
			}
			got = append(got, name)
		}
		if !slices.Equal(got, slices.Sorted(maps.Keys(all))) {
			t.Fatalf("names %q", got)
		}
		for range tree.Pairs(dirs[0], dirs[1]) {
			break // must not panic
		}
	}
}

// TestClear: what is left is exactly what is not murky.
func TestClear(t *testing.T) {
	r := newRand(t)
	for range 5_000 {
		root := randomTree(r, tree.NewDir(nil), r.IntN(30))
		want := flat(root)
		maps.DeleteFunc(want, func(_, what string) bool {
			return strings.HasPrefix(what, "unknown") || strings.HasPrefix(what, "opaque")
		})
		if got := tree.Clear(root); got.Murky() || !maps.Equal(flat(got), want) {
			t.Fatalf("%v, want %v", flat(got), want)
		}
	}
	if tree.Clear(nil) != nil || tree.Clear(tree.NewUnknown("why")) != nil {
		t.Error("want absence")
	}
}

// TestShare: the result is the same as e, and whatever is the same in from is
// from's.
func TestShare(t *testing.T) {
	r := newRand(t)
	for range 5_000 {
		from := randomTree(r, tree.NewDir(nil), r.IntN(30))
		e := copyOf(randomTree(r, from, r.IntN(4)))
		got := tree.Share(e, from)
		if !tree.Same(got, e) {
			t.Fatalf("%v, want %v", flat(got), flat(e))
		}
		tree.Walk("", got, func(path string, x *tree.Entry) bool {
			y := tree.Get(from, path)
			if tree.Same(x, y) && x != y {
				t.Fatalf("%q is there twice", path)
			}
			return true
		})
	}
	if tree.Share(nil, fileOf("1")) != nil {
		t.Error("want absence")
	}
}

// copyOf returns e with no memory in common.
func copyOf(e *tree.Entry) *tree.Entry {
	if !e.IsDir() {
		x := *e
		return &x
	}
	var children []tree.Child
	for name, child := range e.Children() {
		children = append(children, tree.Child{Name: name, Entry: copyOf(child)})
	}
	return tree.NewDir(children)
}

// TestWideEdit: one edit among 300 000 siblings copies a few nodes.
func TestWideEdit(t *testing.T) {
	const width, edits, limit = 300_000, 1_000, 20 << 10
	children := make([]tree.Child, width)
	for i := range children {
		children[i] = tree.Child{Name: fmt.Sprintf("n%06d", i), Entry: fileOf("1")}
	}
	root := tree.NewDir(children)
	changed := fileOf("2")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range edits {
		name := children[i*width/edits].Name
		if x := root.With(name, changed); x.Child(name) != changed || x.Width() != width {
			t.Fatal("edit is not there")
		}
		if x := root.With(name+"x", changed); x.Width() != width+1 {
			t.Fatal("new child is not there")
		}
		if x := root.With(name, nil); x.Width() != width-1 {
			t.Fatal("child is still there")
		}
	}
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / (3 * edits)
	t.Logf("%d bytes an edit", each)
	if each > limit {
		t.Errorf("%d bytes allocated for one edit, want %d at most", each, limit)
	}
}

func TestPaths(t *testing.T) {
	deep := strings.Repeat("d/", tree.MaxDepth-1) + "d"
	long := strings.Repeat("n", tree.MaxName)
	for path, ok := range map[string]bool{
		"": true, "a": true, "a/b.c": true, "..a/...": true, deep: true, long: true, "a\nb": true, "\xff": true,
		"/": false, "/a": false, "a/": false, "a//b": false, ".": false, "a/..": false, "a/./b": false,
		"a\x00": false, deep + "/d": false, long + "n": false,
		strings.Repeat(long+"/", 256) + "a": false,
	} {
		if err := tree.CheckPath(path); (err == nil) != ok {
			t.Errorf("%.40q: %v", path, err)
		}
	}
	if !tree.Within("a/b", "a") || !tree.Within("a", "") || tree.Within("ab", "a") || tree.Within("a", "a/b") {
		t.Error("Within")
	}
	if d, n := tree.Split("a/b/c"); d != "a/b" || n != "c" || tree.Join(d, n) != "a/b/c" {
		t.Error("Split and Join")
	}
	if a, b := tree.Cut("a/b/c"); a != "a" || b != "b/c" {
		t.Error("Cut")
	}
}

func TestParseDigest(t *testing.T) {
	d := tree.DigestOf([]byte("x"))
	if got, ok := tree.ParseDigest(d.String()); !ok || got != d {
		t.Errorf("%v is read as %v", d, got)
	}
	for _, s := range []string{"", "00", d.String() + "00", strings.Repeat("x", 32)} {
		if _, ok := tree.ParseDigest(s); ok {
			t.Errorf("%q is a digest", s)
		}
	}
}

// TestSides: the zero Side is the host.
func TestSides(t *testing.T) {
	var s tree.Side
	if s != tree.Host || s.Other() != tree.Container || s.Other().Other() != s || fmt.Sprint(s, s.Other()) != "host container" {
		t.Error(s, s.Other())
	}
}

// TestBugsPanic: a caller's mistake is found where it is made.
func TestBugsPanic(t *testing.T) {
	f := fileOf("1")
	for name, bug := range map[string]func(){
		"twice":      func() { tree.NewDir([]tree.Child{{Name: "a", Entry: f}, {Name: "a", Entry: f}}) },
		"bad name":   func() { tree.NewDir([]tree.Child{{Name: "a/b", Entry: f}}) },
		"no entry":   func() { tree.NewDir([]tree.Child{{Name: "a"}}) },
		"with":       func() { f.With("a", f) },
		"with a bad": func() { tree.NewDir(nil).With("..", f) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, "internal error") {
					t.Errorf("panic %q", s)
				}
			}()
			bug()
		})
	}
}
