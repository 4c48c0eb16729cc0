//go:build !windows

package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// G1, I1r: CASES L4, in small: each change that the disk asks for fails, before it is
// made or behind it. The path holds the old or the new; the disk goes on
// working, and the change can be made afterwards.
func TestFailAtEveryStep(t *testing.T) {
	errs := map[string]error{"no space": fsx.ErrNoSpace, "permission": os.ErrPermission, "error": fsxtest.ErrInjected}
	for _, s := range scenarios {
		n := countSteps(t, s)
		for kind, err := range errs {
			for at := 1; at <= n; at++ {
				name := fmt.Sprintf("%s/%s/%d", s.name, kind, at)
				if !picked(name) {
					continue
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					failAt(t, s, err, at)
				})
			}
		}
	}
}

func failAt(t *testing.T, s scenario, err error, at int) {
	all := shapes(contents{})
	old, fresh := all[s.from], all[s.to]
	w := newWorld(t, old)
	st := &steps{at: at, fail: err, every: w.look}
	r := open(t, w.root, Options{FS: s.fs(st), Each: inOrder})
	st.arm(true)
	res := r.apply(w.c, tree.Change{Path: "p/x", Old: old, New: fresh})["p/x"]
	st.arm(false)
	defer func() {
		if t.Failed() {
			t.Logf("failed %s; result %+v; root:\n%s", st.where, res, show(r.tree))
		}
	}()
	r.flush()
	r.check()
	if w.partial != "" {
		t.Error(w.partial)
	}
	now := tree.Get(r.tree, "p/x")
	if !s.mayHold(now, old, fresh) {
		t.Errorf("the path holds neither the old nor the new")
	}
	if res.Status == replica.Applied && !tree.Same(now, fresh) {
		t.Errorf("applied, and it is not there")
	}
	// It works afterwards.
	if !tree.Same(now, fresh) {
		r.applyAll(w.c, tree.Change{Path: "p/x", Old: now, New: fresh})
	}
	r.write("p/stays", "edited")
	r.flush()
	r.check()
	r.d.Close()
	r.drain()
	w.onlyKnown(st)
}

// mayHold says whether a change that was interrupted may leave e behind: the
// old or the new, and something between only where that can't be helped.
func (s scenario) mayHold(e, old, fresh *tree.Entry) bool {
	return tree.Same(e, old) || tree.Same(e, fresh) || partOf(e, old) || s.layer && e == nil
}

// partOf says whether e holds some of what old holds: a directory that was
// taken away leaf by leaf.
func partOf(e, old *tree.Entry) bool {
	if !e.IsDir() || !old.IsDir() {
		return tree.Same(e, old)
	}
	for name, child := range e.Children() {
		if !partOf(child, old.Child(name)) {
			return false
		}
	}
	return true
}

// onlyKnown fails if something is left in the stage folder of a disk that was
// closed and had no stray.
func (w *world) onlyKnown(st *steps) {
	for _, name := range slotsIn(w.root) {
		if !strings.HasPrefix(name, strayed) {
			w.t.Errorf("left over in the stage folder: %s (%s)", name, st.where)
		}
	}
}

// slotsIn lists the stage folder of a root, without the intents.
func slotsIn(root string) (names []string) {
	items, _ := os.ReadDir(filepath.Join(root, privateName, stageName))
	for _, it := range items {
		if it.Name() != intentsName {
			names = append(names, it.Name())
		}
	}
	return names
}

// A12, J1: a crash at every step, with and without a save of the user in
// the middle. What a new process finds is settled: the path holds old or new,
// and a save that was captured and not compared is there, or a stray.
func TestCrashAtEveryStep(t *testing.T) {
	for _, s := range scenarios {
		n := countSteps(t, s)
		for _, action := range []string{"nothing", "modify in place", "atomic replace", "add to directory"} {
			for at := 1; at <= n+8; at++ {
				name := fmt.Sprintf("%s/%s/%d", s.name, action, at)
				if !picked(name) {
					continue
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					crash(t, s, action, at)
				})
			}
		}
	}
}

func crash(t *testing.T, s scenario, action string, at int) {
	all := shapes(contents{})
	old, fresh := all[s.from], all[s.to]
	w := newWorld(t, old)
	done := false
	st := &steps{at: at, fail: fsxtest.ErrInjected, stop: true}
	st.every = func(where string) {
		w.look(where)
		// The user saves at the last moment before something is captured.
		capture := strings.Contains(where, "before rename at put.exchange") || strings.Contains(where, "before rename at put.capture")
		if act := actions[action]; act != nil && capture && !done {
			done = true
			act(w)
		}
	}
	r := open(t, w.root, Options{FS: s.fs(st), Each: inOrder})
	st.arm(true)
	r.d.Apply(r.ctx, &replica.Batch{ID: 1, Changes: []tree.Change{{Path: "p/x", Old: old, New: fresh}}}, w.c)
	r.d.Close()
	st.arm(false)

	again := open(t, w.root, Options{})
	defer func() {
		if t.Failed() {
			t.Logf("crashed %s; root:\n%s", st.where, show(again.tree))
		}
	}()
	again.flush()
	again.check()
	now := tree.Get(again.tree, "p/x")
	switch {
	case w.partial != "":
		t.Error(w.partial)
	case w.user != "" && !w.has(w.user) && !again.strays[tree.DigestOf([]byte(w.user))]:
		t.Error("what the user wrote is lost")
	case w.user == "" && !s.mayHold(now, old, fresh):
		t.Error("the path holds neither the old nor the new")
	case w.user == "" && len(again.strays) > 0 && !strings.Contains(st.where, " at slot."):
		// What was left of a directory that was being cleaned is given out
		// leaf by leaf; base knows all of it.
		t.Errorf("%d strays", len(again.strays))
	}
	if b, err := os.ReadFile(filepath.Join(w.dir, "outside", "x")); string(b) != canary || err != nil {
		t.Errorf("outside: %q %v", b, err)
	}
	again.d.Close()
	w.onlyKnown(st)
}

// J3: what nobody released is announced again, however often that is, and can
// be read and given up each time.
func TestStraysOutliveSessions(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, Options{})
	r.d.Close()
	for _, name := range []string{"b0123", "t4567"} {
		if err := os.WriteFile(filepath.Join(dir, privateName, stageName, name), []byte("left "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Another boot: nothing may be concluded from the lack of an intent.
	if err := os.WriteFile(filepath.Join(dir, privateName, stageName, intentsName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r := open(t, dir, Options{})
		r.flush()
		for _, name := range []string{"b0123", "t4567"} {
			if !r.strays[tree.DigestOf([]byte("left "+name))] {
				t.Errorf("%s was not announced", name)
			}
		}
		r.d.Close()
	}
	r = open(t, dir, Options{})
	var slots []string
	r.d.slots.mu.Lock()
	for name := range r.d.slots.strays {
		slots = append(slots, name)
	}
	r.d.slots.mu.Unlock()
	if err := r.d.Release(r.ctx, slots); err != nil || len(slots) != 2 {
		t.Fatal(slots, err)
	}
	r.d.Close()
	if items := slotsIn(dir); len(items) != 0 {
		t.Errorf("left over: %v", items)
	}
}
