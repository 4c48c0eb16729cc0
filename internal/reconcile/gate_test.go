package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

// TestBusy: nothing that overlaps an effect in flight is decided, what was
// left alone is named, and once the effects have ended the end is the same.
func TestBusy(t *testing.T) {
	r := newRand(t)
	for range 5_000 {
		w := perturbedWorld(r)
		at, flight, p := tree.Side(r.IntN(2)), randomPath(r), policies()[r.IntN(4)]
		busy := keepEverything(p, nil)
		busy.Busy = func(s tree.Side, path string) bool { return s == at && tree.Overlap(path, flight) }
		got, whole := w.plan(busy), w.plan(keepEverything(p, nil))
		for _, path := range paths(got) {
			if tree.Overlap(path, flight) {
				t.Fatalf("%q decided while %q is in flight\n%v", path, flight, w)
			}
		}
		for _, path := range paths(whole) {
			covered := slices.ContainsFunc(got.Busy, func(b string) bool { return tree.Overlap(b, path) })
			if !slices.Contains(paths(got), path) && !covered {
				t.Fatalf("%q was left out in silence while %q is in flight\n%v", path, flight, w)
			}
		}
	}
}

func perturbedWorld(r *rand.Rand) world {
	base := perturb(r, tree.NewDir(nil), 40, false)
	w := world{base: base}
	for s := range w.side {
		w.side[s] = perturb(r, base, r.IntN(8), r.IntN(4) == 0)
	}
	return w
}

// paths returns every path that a plan speaks of, but for Busy.
func paths(p *reconcile.Plan) (all []string) {
	for _, list := range [][]tree.Change{p.Host, p.Container, p.Agreed} {
		for _, c := range list {
			all = append(all, c.Path)
		}
	}
	for _, k := range p.Keep {
		all = append(all, k.Path)
	}
	for _, h := range p.Held {
		all = append(all, h.Path)
	}
	return all
}

// TestSealed: a sealed change is left out, with everything that would be kept
// for it, and is held for the reason given; all other changes are the same.
func TestSealed(t *testing.T) {
	r := newRand(t)
	for range 5_000 {
		w, p := perturbedWorld(r), policies()[r.IntN(4)]
		whole := w.plan(keepEverything(p, nil))
		if len(whole.Container) == 0 {
			continue
		}
		seal := whole.Container[r.IntN(len(whole.Container))].Path
		p.Sealed = func(s tree.Side, path string) (string, bool) {
			return "read-only", s == tree.Container && path == seal
		}
		for _, k := range w.plan(p).Keep {
			if k.Side == tree.Container && k.Change == seal {
				t.Fatalf("keeps %q for a sealed change\n%v", k.Path, w)
			}
		}
		got := w.plan(keepEverything(p, nil))
		if !slices.Contains(got.Held, reconcile.Held{Side: tree.Container, Path: seal, Reason: "read-only"}) {
			t.Fatalf("%q is sealed and not held\n%v", seal, w)
		}
		whole.Container = slices.DeleteFunc(whole.Container, func(c tree.Change) bool { return c.Path == seal })
		got.Held = slices.DeleteFunc(got.Held, func(h reconcile.Held) bool { return h.Reason == "read-only" })
		if !samePlan(whole, got) {
			t.Fatalf("sealing %q changed more: %s\nwant %s\n%v", seal, showPlan(got), showPlan(whole), w)
		}
	}
}

// TestReach: At, called where Reach says for each path that differs, decides
// all that At decides from the root.
func TestReach(t *testing.T) {
	r := newRand(t)
	for range 5_000 {
		reaches(t, perturbedWorld(r), policies()[r.IntN(4)])
	}
}

func reaches(t *testing.T, w world, p reconcile.Policy) {
	t.Helper()
	at := map[string]bool{}
	note := func(path string, _, _ *tree.Entry) bool {
		at[p.Reach(path, w.base, w.side[0], w.side[1])] = true
		return true
	}
	tree.Diff("", w.base, w.side[0], note)
	tree.Diff("", w.base, w.side[1], note)
	var got reconcile.Plan
	for path := range at {
		if !within(path, at) {
			reconcile.At(path, tree.Get(w.base, path), tree.Get(w.side[0], path), tree.Get(w.side[1], path), p, &got)
		}
	}
	a, b := paths(&got), paths(w.plan(p))
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) {
		t.Fatalf("decided %q, from the root %q\n%v", a, b, w)
	}
}

// within says whether one of all is above path.
func within(path string, all map[string]bool) bool {
	for path != "" {
		if path, _ = tree.Split(path); all[path] {
			return true
		}
	}
	return false
}

// TestWideDirectory: what is equal costs nothing, and one edit is found.
func TestWideDirectory(t *testing.T) {
	var children []tree.Child
	for i := range 100_000 {
		children = append(children, tree.Child{Name: numbered(i), Entry: fileOf("1", false)})
	}
	wide := tree.NewDir(children)
	root := dirOf(wide, wide)
	w := world{root, [2]*tree.Entry{put(root, "a/"+numbered(777), fileOf("2", false)), root}}
	allocs := testing.AllocsPerRun(5, func() {
		if plan := w.plan(reconcile.Policy{}); len(plan.Container) != 1 || len(plan.Host) != 0 {
			t.Fatalf("plan %s", showPlan(plan))
		}
	})
	if allocs > 1000 {
		t.Errorf("%v allocations to find one edit among 100 000 siblings", allocs)
	}
}

func numbered(i int) string { return fmt.Sprintf("n%06d", i) }
