//go:build linux

package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/sim/simfs"
)

// Shrink makes a history that fails shorter, as long as it fails in the same
// way: acts are left out, and what is left is made plainer. It plays at most n
// histories.
func Shrink(h *History, n int) *History {
	x := shrinker{best: h, kind: kindOf(Run(h, nil).Violation), left: n}
	for size := len(h.Acts) / 2; size > 0 && x.left > 0; {
		if x.without(size) {
			size = min(size, max(len(x.best.Acts)/2, 1))
			continue
		}
		size /= 2
	}
	x.plainer()
	return x.best
}

type shrinker struct {
	best *History
	kind string
	left int
}

// kindOf is what a violation has in common with those of the same kind.
func kindOf(v *Violation) string {
	if v == nil {
		return ""
	}
	words := strings.Fields(v.What)
	for i, word := range words {
		if strings.ContainsAny(word, "/0123456789\"") || i > 8 {
			words = words[:i]
			break
		}
	}
	return "violation " + strings.Join(words, " ")
}

// try takes h if it fails as well.
func (x *shrinker) try(h *History) bool {
	if x.left--; x.left < 0 || kindOf(Run(h, nil).Violation) != x.kind {
		return false
	}
	x.best = h
	return true
}

// without tries to leave out runs of so many acts; it says whether one could be.
func (x *shrinker) without(size int) (some bool) {
	for at := 0; at < len(x.best.Acts); {
		h := *x.best
		h.Acts = slices.Delete(slices.Clone(h.Acts), at, min(at+size, len(h.Acts)))
		if x.try(&h) {
			some = true
			continue
		}
		at += size
	}
	return some
}

// plainer tries simpler surroundings, and moments that are round.
func (x *shrinker) plainer() {
	for _, change := range []func(*History){
		func(h *History) { h.Latency = 0 },
		func(h *History) { h.Outer = false },
		func(h *History) { h.Disk[0] = plainDisk },
		func(h *History) { h.Disk[1] = plainDisk },
		func(h *History) { h.Switch = 100 },
	} {
		h := *x.best
		h.Acts = slices.Clone(h.Acts)
		change(&h)
		x.try(&h)
	}
	for i := range x.best.Acts {
		h := *x.best
		h.Acts = slices.Clone(h.Acts)
		a := &h.Acts[i]
		if a.Calls >= 1<<20 {
			a.After = a.After.Round(time.Second)
			x.try(&h)
			continue
		}
		a.Calls, a.After = 1<<20, 3*time.Second
		x.try(&h)
	}
}

// plainDisk has stamps that tell everything apart.
var plainDisk = simfs.Options{Granule: 1}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
