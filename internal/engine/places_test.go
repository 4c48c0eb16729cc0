package engine

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/tree"
)

func randomPath(r *rand.Rand) string {
	path := ""
	for range r.IntN(4) {
		path = tree.Join(path, []string{"a", "a-b", "b"}[r.IntN(3)])
	}
	return path
}

// TestPlaces holds places against a map that is walked.
func TestPlaces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		var p places[int]
		model := map[string]int{}
		for i := range 60 {
			path := randomPath(r)
			if r.IntN(2) == 0 {
				p.put(path, i)
				model[path] = i
			} else {
				p.drop(path)
				delete(model, path)
			}
			checkPlaces(t, &p, model, randomPath(r))
		}
		for path := range model {
			p.drop(path)
		}
		if p.n != 0 || p.root.below != nil || p.root.set {
			t.Fatal("something is left")
		}
	}
}

func checkPlaces(t *testing.T, p *places[int], model map[string]int, q string) {
	t.Helper()
	pick := func(is func(x string) bool) (out []string) {
		for x := range maps.Keys(model) {
			if is(x) {
				out = append(out, x)
			}
		}
		return sorted(out)
	}
	same := func(what string, got, want []string) {
		if !slices.Equal(sorted(got), want) {
			t.Fatalf("%s %q of %v: %q, want %q", what, q, model, got, want)
		}
	}
	overlapping := pick(func(x string) bool { return tree.Overlap(x, q) })
	same("overlapping", p.overlapping(q), overlapping)
	same("within", p.within(q), pick(func(x string) bool { return tree.Within(x, q) }))
	same("tops", p.tops(), pick(func(x string) bool {
		return len(pick(func(y string) bool { return y != x && tree.Within(x, y) })) == 0
	}))
	above := pick(func(x string) bool { return tree.Within(q, x) })
	if p.overlaps(q) != (len(overlapping) > 0) || p.covers(q) != (len(above) > 0) || p.len() != len(model) {
		t.Fatalf("%q of %v: overlaps %v, covers %v, len %d", q, model, p.overlaps(q), p.covers(q), p.len())
	}
	v, ok := p.get(q)
	if want, there := model[q]; v != want || ok != there {
		t.Fatalf("get %q of %v: %d %v", q, model, v, ok)
	}
	// Whatever is said twice comes in the same order.
	if all := p.all(); !slices.Equal(all, p.all()) || len(all) != len(model) {
		t.Fatalf("all of %v: %q", model, all)
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// TestRests: what was dropped or put again is due at its time only.
func TestRests(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	var r rests
	for path, until := range map[string]int{"a": 3, "b": 2, "c": 1, "d": 5} {
		r.put(path, rest{until: at(until)})
	}
	r.drop("c")
	r.put("b", rest{until: at(4)})
	if r.next() != at(3) {
		t.Errorf("next at %v", r.next())
	}
	for s, want := range [][]string{2: nil, 3: {"a"}, 4: {"b"}, 5: {"d"}, 6: nil} {
		if got := r.due(at(s)); !slices.Equal(got, want) {
			t.Errorf("due at %d: %q, want %q", s, got, want)
		}
	}
	if !r.next().IsZero() || len(r.alarms) > 0 || r.len() > 0 {
		t.Error("something is left")
	}
}
