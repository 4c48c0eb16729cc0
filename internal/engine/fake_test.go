package engine_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// fake is a side.
type fake struct {
	real    *tree.Entry // what it holds
	told    *tree.Entry // what it has reported
	durable *tree.Entry // what would be left of it after a crash, at least
	hints   []string
	queue   []engine.Event
	joined  bool
	refuse  string // nothing can be changed at, above or below it
	gen     uint64

	held  map[string]bool // every value that any path has held since born
	birth *tree.Entry
}

func (f *fake) reset() {
	f.birth, f.held = f.real, map[string]bool{}
	tree.Walk("", f.real, func(p string, e *tree.Entry) bool { f.held[p+"\x00"+value(e)] = true; return true })
}

// hadHeld says whether a path was seen to hold a value, "" for none.
func (f *fake) hadHeld(path, value string) bool {
	return f.held[path+"\x00"+value] || value == "" && tree.Get(f.birth, path) == nil
}

func value(e *tree.Entry) string {
	if e.IsDir() {
		return "dir"
	}
	return contentOf(e)
}

func contentOf(e *tree.Entry) string {
	switch {
	case e.IsFile():
		return "f" + string(e.Digest[:])
	case e != nil && e.Kind == tree.Link:
		return "l" + e.Text
	case e != nil && e.Kind != tree.Dir:
		return "?"
	}
	return ""
}

// leaves yields the files and links of a tree.
func leaves(root *tree.Entry) iter.Seq[written] { return leavesAt("", root) }

func leavesAt(path string, e *tree.Entry) iter.Seq[written] {
	return func(yield func(written) bool) {
		tree.Walk(path, e, func(p string, e *tree.Entry) bool {
			if c := contentOf(e); c != "" && c != "?" {
				return yield(written{p, c})
			}
			return true
		})
	}
}

// put sets what a side holds at path.
func (w *world) put(on tree.Side, path string, e *tree.Entry) {
	f := w.side[on]
	was := tree.Get(f.real, path)
	f.real = force(f.real, path, e)
	for p := path; p != ""; { // parents that were made
		p, _ = tree.Split(p)
		f.held[p+"\x00dir"] = true
	}
	tree.Walk(path, was, func(p string, _ *tree.Entry) bool {
		f.held[p+"\x00"+value(tree.Get(f.real, p))] = true
		return true
	})
	tree.Walk(path, e, func(p string, e *tree.Entry) bool { f.held[p+"\x00"+value(e)] = true; return true })
}

// stored is e as a side can store it.
func (w *world) stored(on tree.Side, e *tree.Entry) *tree.Entry {
	switch {
	case !w.noExec[on]:
	case e.IsFile() && e.Exec:
		return tree.NewFile(e.Digest, e.Size, false)
	case e.IsDir():
		for name, child := range e.Children() {
			e = e.With(name, w.stored(on, child))
		}
	}
	return e
}

// force is tree.Put, but makes a directory of whatever is in the way.
func force(root *tree.Entry, path string, e *tree.Entry) *tree.Entry {
	if path == "" {
		return e
	}
	if !root.IsDir() {
		if e == nil {
			return root
		}
		root = tree.NewDir(nil)
	}
	name, rest := tree.Cut(path)
	return root.With(name, force(root.Child(name), rest, e))
}

// store is base.
type store struct {
	tree     *tree.Entry
	values   map[string][]string // by path, the latest last
	settled  bool
	gen      uint64
	intended uint64
	braked   bool
}

func (st *store) commit(f engine.Commit) {
	was := st.tree
	for _, c := range f.Updates {
		st.tree, _ = tree.Put(st.tree, c.Path, c.New)
	}
	st.gen = f.Gen
	for p, v := range changedLeaves(was, st.tree) {
		all := slices.DeleteFunc(st.values[p], func(x string) bool { return x == v })
		all = append(all, v)
		st.values[p] = all[max(0, len(all)-8):]
	}
}

// changedLeaves yields every path at which the trees differ, with b's value.
func changedLeaves(a, b *tree.Entry) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		tree.Diff("", a, b, func(path string, x, y *tree.Entry) bool {
			tree.Walk(path, x, func(p string, e *tree.Entry) bool {
				if v := value(tree.Get(b, p)); v != value(e) {
					yield(p, v)
				}
				return true
			})
			tree.Walk(path, y, func(p string, e *tree.Entry) bool {
				if tree.Get(a, p) == nil {
					yield(p, value(e))
				}
				return true
			})
			return true
		})
	}
}

func (st *store) knew(at written) bool { return slices.Contains(st.values[at.path], at.content) }

func (st *store) knows(path string, e *tree.Entry) bool {
	return slices.Contains(st.values[path], value(e))
}

func fileOf(text string) *tree.Entry {
	return tree.NewFile(tree.DigestOf([]byte(text)), int64(len(text)), false)
}

// show writes an event or effect in one line.
func show(x any) string {
	switch x := x.(type) {
	case engine.Observed:
		var b strings.Builder
		fmt.Fprintf(&b, "observed %v whole=%v", x.Side, x.Whole)
		for _, s := range x.Seen {
			fmt.Fprintf(&b, " %s=%s", s.Path, showEntry(s.Entry))
		}
		return b.String()
	case engine.Outcome:
		var b strings.Builder
		fmt.Fprintf(&b, "outcome %v batch %d done=%v", x.Side, x.Batch, x.Done)
		for _, r := range x.Results {
			fmt.Fprintf(&b, " %s=%s %v", r.Path, showEntry(r.Entry), [...]string{"", "applied", "moved on", "refused"}[r.Status])
		}
		return b.String()
	case engine.Apply:
		return fmt.Sprintf("apply %v batch %d%s", x.Side, x.Batch, showChanges(x.Changes))
	case engine.Commit:
		return fmt.Sprintf("commit %d%s", x.Gen, showChanges(x.Updates))
	case engine.Keep:
		return fmt.Sprintf("keep %v %s=%s", x.Side, x.Path, showEntry(x.Entry))
	case engine.Kept:
		return fmt.Sprintf("kept %s=%s %s", x.Path, showEntry(x.Entry), x.Err)
	case engine.Wake:
		return fmt.Sprintf("wake %d", x.At.UnixMilli()-1e12)
	}
	return fmt.Sprintf("%T%+v", x, x)
}

func showChanges(changes []tree.Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, " %s:%s->%s", c.Path, showEntry(c.Old), showEntry(c.New))
	}
	return b.String()
}

// lazy is an entry that is written out when it is printed, if ever.
type lazy struct{ e *tree.Entry }

func (l lazy) String() string { return showEntry(l.e) }

func showEntry(e *tree.Entry) string {
	switch {
	case e == nil:
		return "-"
	case e.IsDir():
		var b strings.Builder
		for name, child := range e.Children() {
			fmt.Fprintf(&b, " %s=%s", name, showEntry(child))
		}
		return "{" + strings.TrimSpace(b.String()) + "}"
	case e.IsFile():
		x := ""
		if e.Exec {
			x = "*"
		}
		return nameOf(e.Digest) + x
	}
	return fmt.Sprintf("%v:%s", e.Kind, e.Text)
}

// nameOf finds out which content a digest is of; tests write small numbers.
func nameOf(d tree.Digest) string {
	for i := range 400 {
		if tree.DigestOf([]byte(fmt.Sprint(i))) == d {
			return fmt.Sprint(i)
		}
	}
	return d.String()[:4]
}
