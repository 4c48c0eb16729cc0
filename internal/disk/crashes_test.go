//go:build linux

package disk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// moving is a root in which a directory of some files moves, and a file.
func moving(t *testing.T, dir string, c contents) []tree.Change {
	var children []tree.Child
	for i := range 20 {
		children = append(children, tree.Child{Name: fmt.Sprint(i), Entry: c.file(fmt.Sprint("content ", i))})
	}
	d, f := tree.NewDir(children), c.file("of the file")
	c.put(t, dir+"/d", d)
	c.put(t, dir+"/f", f)
	c.put(t, dir+"/to", dirOf())
	return []tree.Change{{Path: "d", Old: d}, {Path: "to/d", New: d}, {Path: "f", Old: f}, {Path: "to/f", New: f}}
}

// B8, B14: the process ends at any step of a batch in which things move. Each
// content is at its old or at its new name, and the rest of the move needs
// nothing that would have to be sent.
func TestCrashWhileMoving(t *testing.T) {
	total := 0
	for at := 1; at == 1 || at <= total; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			c := contents{}
			dir := t.TempDir()
			changes := moving(t, dir, c)
			st := &steps{at: at, fail: fsxtest.ErrInjected, stop: true}
			fs := fsxtest.Hooks{Before: st.hook("before"), After: st.hook("after"), Read: st.hook("read")}.Wrap(fsx.OS())
			r := open(t, dir, Options{FS: fs, Each: inOrder})
			st.arm(true)
			r.d.Apply(r.ctx, &replica.Batch{ID: 1, Changes: changes}, noSource{t})
			r.d.Close()
			st.arm(false)
			if at == 1 {
				total = stepsOf(t)
			}
			again := open(t, dir, Options{})
			again.flush()
			again.check()
			var rest []tree.Change
			for i := 0; i < len(changes); i += 2 {
				from, to := changes[i], changes[i+1]
				was, is := tree.Get(again.tree, from.Path), tree.Get(again.tree, to.Path)
				if !tree.Same(was, from.Old) && !tree.Same(is, to.New) {
					t.Fatalf("%s: neither %s nor %s holds it:\n%s", st.where, from.Path, to.Path, show(again.tree))
				}
				if !tree.Same(is, to.New) {
					rest = append(rest, tree.Change{Path: to.Path, Old: is, New: to.New})
				}
				if was != nil {
					rest = append(rest, tree.Change{Path: from.Path, Old: was})
				}
			}
			again.applyAll(noSource{t}, rest...)
			again.flush()
			again.check()
			if n := len(again.strays); n > 0 {
				t.Errorf("%s: %d strays", st.where, n)
			}
		})
	}
	if total < 4 {
		t.Errorf("%d steps", total)
	}
}

// stepsOf counts the steps of a batch in which things move.
func stepsOf(t *testing.T) int {
	c := contents{}
	dir := t.TempDir()
	changes := moving(t, dir, c)
	st := &steps{}
	fs := fsxtest.Hooks{Before: st.hook("before"), After: st.hook("after"), Read: st.hook("read")}.Wrap(fsx.OS())
	r := open(t, dir, Options{FS: fs, Each: inOrder})
	st.arm(true)
	r.applyAll(noSource{t}, changes...)
	st.arm(false)
	return st.n
}

// J3: a crash in the middle of a replacement, then a crash at any step of the
// recovery from it, and once more. What the user saved at the last moment is
// there, or a stray; else the path holds old or new.
func TestCrashInRecovery(t *testing.T) {
	most := 6
	if *everyRace {
		most = 12
	}
	for _, s := range scenarios {
		n := countSteps(t, s)
		for first := 1; first <= n; first++ {
			for second := 1; second <= most; second++ {
				name := fmt.Sprintf("%s/%d/%d", s.name, first, second)
				if !picked(name) {
					continue
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					crashTwice(t, s, first, second)
				})
			}
		}
	}
}

func crashTwice(t *testing.T, s scenario, first, second int) {
	all := shapes(contents{})
	old, fresh := all[s.from], all[s.to]
	w := newWorld(t, old)
	saved := false
	st := &steps{at: first, fail: fsxtest.ErrInjected, stop: true}
	st.every = func(where string) {
		capture := strings.Contains(where, "before rename at put.exchange") || strings.Contains(where, "before rename at put.capture")
		if capture && !saved {
			saved = true
			actions["atomic replace"](w)
		}
	}
	r := open(t, w.root, Options{FS: s.fs(st), Each: inOrder})
	st.arm(true)
	r.d.Apply(r.ctx, &replica.Batch{ID: 1, Changes: []tree.Change{{Path: "p/x", Old: old, New: fresh}}}, w.c)
	r.d.Close()
	st.arm(false)
	for at := second; at > 0; at /= 3 {
		st := &steps{at: at, fail: fsxtest.ErrInjected, stop: true, every: w.look, armed: true}
		d := New(w.root, Options{FS: s.fs(st), Each: inOrder})
		d.Start(t.Context(), replica.Start{Rules: rulesText(t)}) // it may well fail
		d.Close()
	}
	again := open(t, w.root, Options{})
	again.flush()
	again.check()
	now := tree.Get(again.tree, "p/x")
	switch {
	case w.partial != "":
		t.Error(w.partial)
	case w.user != "" && !w.has(w.user) && !again.strays[tree.DigestOf([]byte(w.user))]:
		t.Error("what the user wrote is lost")
	case w.user == "" && !s.mayHold(now, old, fresh):
		t.Errorf("the path holds neither the old nor the new:\n%s", show(again.tree))
	}
	again.d.Close()
	w.onlyKnown(st)
}
