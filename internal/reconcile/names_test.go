package reconcile_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

// folding returns a policy under which the host takes names for one that differ
// in case only.
func folding(p reconcile.Policy) reconcile.Policy {
	p.Names[tree.Host].Fold = strings.ToLower
	return p
}

// distinct returns e without names that are one with others beside them.
func distinct(e *tree.Entry) *tree.Entry {
	met := map[string]bool{}
	for name, child := range e.Children() {
		if child = distinct(child); met[strings.ToLower(name)] {
			child = nil
		}
		met[strings.ToLower(name)] = true
		e = e.With(name, child)
	}
	return e
}

// cased returns e with some of its names in capitals.
func cased(r *rand.Rand, e *tree.Entry, often int) *tree.Entry {
	for name, child := range e.Children() {
		child = cased(r, child, often)
		if r.IntN(often) == 0 {
			e, name = e.With(name, nil), strings.ToUpper(name)
		}
		e = e.With(name, child)
	}
	return e
}

func foldingWorld(r *rand.Rand) world {
	base := distinct(cased(r, perturb(r, tree.NewDir(nil), 20, false), 3))
	w := world{base: base}
	for s := range w.side {
		w.side[s] = cased(r, perturb(r, base, r.IntN(8), r.IntN(4) == 0), 4)
	}
	w.side[tree.Host] = distinct(w.side[tree.Host])
	return w
}

// possible leaves out of the changes those that a host that folds would refuse.
func possible(host *tree.Entry, changes []tree.Change, r *rand.Rand) (made []tree.Change) {
	for _, removal := range []bool{true, false} {
		for _, c := range changes {
			next := put(host, c.Path, c.New)
			if (c.New == nil) == removal && tree.Same(next, distinct(next)) && r.IntN(4) > 0 {
				host, made = next, append(made, c)
			}
		}
	}
	return made
}

// TestFolding: whatever part of the plans is carried out, a host that folds ends
// with one of each name, and all that differs then is held, for ever. Nothing is
// lost on the way, and no plan asks for two names that are one.
func TestFolding(t *testing.T) {
	r := newRand(t)
	for range *samples / 5 {
		begin, p := foldingWorld(r), folding(policies()[r.IntN(4)])
		kept := map[written]bool{}
		keep := keepEverything(p, func(x written) { kept[x] = true })
		w, wrote := begin, begin.userWrote()
		for round := 0; ; round++ {
			plan := w.plan(keep)
			if len(plan.Host)+len(plan.Container)+len(plan.Agreed) == 0 {
				break
			}
			whole, err := w.apply(tree.Host, plan.Host)
			if err != nil || !tree.Same(whole.side[tree.Host], distinct(whole.side[tree.Host])) || round > 30 {
				t.Fatalf("round %d: %v\nplan %s\nin\n%v\nfrom\n%v", round, err, showPlan(plan), w, begin)
			}
			if w, err = w.commit(plan.Agreed); err == nil {
				w, err = w.apply(tree.Host, possible(w.side[tree.Host], plan.Host, r))
			}
			if err == nil {
				w, err = w.apply(tree.Container, plan.Container)
			}
			if lost, ok := w.lost(wrote, kept); ok || err != nil {
				t.Fatalf("lost %v, %v\nplan %s\nnow\n%v\nfrom\n%v", lost, err, showPlan(plan), w, begin)
			}
		}
		held := w.plan(keep).Held
		tree.Diff("", w.side[0], w.side[1], func(path string, _, _ *tree.Entry) bool {
			if !slices.ContainsFunc(held, func(h reconcile.Held) bool { return tree.Overlap(h.Path, path) }) {
				t.Fatalf("%q differs in silence in\n%v\nfrom\n%v", path, w, begin)
			}
			return true
		})
	}
}

// TestReachFolding is TestReach where a side folds.
func TestReachFolding(t *testing.T) {
	r := newRand(t)
	for range 5_000 {
		reaches(t, foldingWorld(r), folding(policies()[r.IntN(4)]))
	}
}
