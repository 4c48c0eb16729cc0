package reconcile_test

import (
	"fmt"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

// world is what base and the sides hold.
type world struct {
	base *tree.Entry
	side [2]*tree.Entry // by tree.Side
}

func (w world) plan(p reconcile.Policy) *reconcile.Plan {
	plan := &reconcile.Plan{}
	reconcile.At("", w.base, w.side[tree.Host], w.side[tree.Container], p, plan)
	return plan
}

func (w world) swapped() world {
	return world{w.base, [2]*tree.Entry{w.side[1], w.side[0]}}
}

func (w world) murky() bool { return w.side[0].Murky() || w.side[1].Murky() }

func (w world) String() string {
	show := (&script{}).show
	return fmt.Sprintf("base %s\nhost %s\ncontainer %s", show(w.base), show(w.side[0]), show(w.side[1]))
}

// oracle says what both sides must hold in the end. It is written leaf by
// leaf: what does each path want as a leaf, what as a directory, and which of
// the two gives way where both are wanted.
type oracle struct {
	winner tree.Side
	mirror bool
}

func (o oracle) want(b, h, c *tree.Entry) *tree.Entry {
	if o.mirror {
		return [2]*tree.Entry{h, c}[o.winner]
	}
	names := map[string]bool{}
	for _, e := range []*tree.Entry{b, h, c} {
		for name := range e.Children() {
			names[name] = true
		}
	}
	var below []tree.Child
	for name := range names {
		if e := o.want(b.Child(name), h.Child(name), c.Child(name)); e != nil {
			below = append(below, tree.Child{Name: name, Entry: e})
		}
	}
	made := h.IsDir()
	if h.IsDir() != c.IsDir() {
		made = !b.IsDir() // the side that changed
	}
	dir, leaf := tree.NewDir(below), o.leaf(leafOf(b), leafOf(h), leafOf(c))
	wantsDir := made || len(below) > 0
	switch {
	case !wantsDir:
		return leaf
	case leaf == nil || b.IsDir(): // C3: the tree keeps the path
		return dir
	case [2]*tree.Entry{h, c}[o.winner].IsDir():
		return dir
	}
	return leaf
}

// leaf is the table of CASES §1.3 for files, links and absence.
func (o oracle) leaf(b, h, c *tree.Entry) *tree.Entry {
	switch {
	case tree.Equal(h, c):
		return h
	case tree.Equal(c, b):
		return h
	case tree.Equal(h, b):
		return c
	case h == nil:
		return c
	case c == nil:
		return h
	}
	winner := [2]*tree.Entry{h, c}[o.winner]
	if !h.IsFile() || !c.IsFile() {
		return winner
	}
	content := winner
	switch {
	case h.Digest == c.Digest:
	case b.IsFile() && b.Digest == h.Digest:
		content = c
	case b.IsFile() && b.Digest == c.Digest:
		content = h
	case h.Size == 0:
		return c
	case c.Size == 0:
		return h
	default:
		return winner
	}
	exec := winner.Exec
	if b.IsFile() && b.Exec == exec {
		exec = h.Exec != c.Exec != b.Exec // the changed one, if there is one
	}
	return tree.NewFile(content.Digest, content.Size, exec)
}

func leafOf(e *tree.Entry) *tree.Entry {
	if e.IsDir() {
		return nil
	}
	return e
}

// written is a content and where it is.
type written struct{ path, content string }

func (x written) holdsNothing() bool { return x.content == contentOf(fileOf("", false)) }

// contentOf names the bytes of a leaf, whatever its exec bit.
func contentOf(e *tree.Entry) string {
	switch {
	case e.IsFile():
		return "file " + e.Digest.String()
	case e != nil && e.Kind == tree.Link:
		return "link " + e.Text
	}
	return ""
}

// userWrote returns the contents that a side's user wrote since base.
func (w world) userWrote() map[written]bool {
	all := map[written]bool{}
	for _, e := range w.side {
		newIn("", w.base, e, all)
	}
	return all
}

func newIn(path string, b, e *tree.Entry, all map[written]bool) {
	if tree.Equal(b, e) {
		return
	}
	if c := contentOf(e); c != "" && c != contentOf(b) {
		all[written{path, c}] = true
	}
	for name, child := range e.Children() {
		newIn(tree.Join(path, name), b.Child(name), child, all)
	}
}

// lost returns a content that was written and is nowhere any more: not at its
// path on either side, and not kept. With an empty file no byte is lost.
func (w world) lost(was, kept map[written]bool) (written, bool) {
	for x := range was {
		if x.holdsNothing() {
			continue
		}
		at := func(s tree.Side) bool { return contentOf(tree.Get(w.side[s], x.path)) == x.content }
		if !at(tree.Host) && !at(tree.Container) && !kept[x] {
			return x, true
		}
	}
	return written{}, false
}

// apply returns w with a side's changes made. It fails unless each could be
// made just so: the side holds Old, and a directory to put New into.
func (w world) apply(s tree.Side, changes []tree.Change) (world, error) {
	for _, c := range changes {
		if !tree.Same(tree.Get(w.side[s], c.Path), c.Old) {
			return w, fmt.Errorf("%v %q does not hold Old", s, c.Path)
		}
		parent, _ := tree.Split(c.Path)
		if !tree.Get(w.side[s], parent).IsDir() {
			return w, fmt.Errorf("%v %q has no directory above", s, c.Path)
		}
		w.side[s], _ = tree.Put(w.side[s], c.Path, c.New)
	}
	return w, nil
}

// commit moves base.
func (w world) commit(agreed []tree.Change) (world, error) {
	for _, c := range agreed {
		if !tree.Same(tree.Get(w.base, c.Path), c.Old) {
			return w, fmt.Errorf("base %q does not hold Old", c.Path)
		}
		for _, side := range w.side {
			if !heldBy(c.New, tree.Get(side, c.Path), c.Old.IsDir()) {
				return w, fmt.Errorf("base %q would lie", c.Path)
			}
		}
		var ok bool
		if w.base, ok = tree.Put(w.base, c.Path, c.New); !ok {
			return w, fmt.Errorf("base has no directory above %q", c.Path)
		}
	}
	return w, nil
}

// heldBy says whether all of agreed is in e; whole asks for nothing more in e.
func heldBy(agreed, e *tree.Entry, whole bool) bool {
	if !agreed.IsDir() || whole {
		return tree.Equal(agreed, e)
	}
	for name, child := range agreed.Children() {
		if !heldBy(child, e.Child(name), false) {
			return false
		}
	}
	return e.IsDir()
}

// wellFormed checks what the doc comment of Plan promises.
func (w world) wellFormed(p *reconcile.Plan) error {
	for _, list := range [][]tree.Change{p.Host, p.Container, p.Agreed} {
		for i, c := range list {
			if c.Old.Murky() || c.New.Murky() || tree.Same(c.Old, c.New) {
				return fmt.Errorf("%q: murky or no change", c.Path)
			}
			for _, d := range list[:i] {
				if tree.Overlap(c.Path, d.Path) {
					return fmt.Errorf("%q overlaps %q", c.Path, d.Path)
				}
			}
		}
	}
	for s, list := range [][]tree.Change{p.Host, p.Container} {
		if _, err := w.apply(tree.Side(s), list); err != nil {
			return err
		}
	}
	_, err := w.commit(p.Agreed)
	return err
}
