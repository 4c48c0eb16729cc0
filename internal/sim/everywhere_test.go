//go:build linux

package sim

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/sim/simfs"
)

// late is when whatever was done before is in sync and durable.
const late = 4 * time.Second

// deed is what users do one after the other.
type deed struct {
	name string
	acts []Act
}

// both says whether both users have a part in it.
func (d deed) both() bool {
	return slices.ContainsFunc(d.acts, func(a Act) bool { return a.Side != d.acts[0].Side })
}

// deeds are what one user does in a tree that is in sync, by what sync makes of it.
var deeds = []deed{
	{"new", []Act{{Op: "write", A: "new", N: 20}}},
	{"replaced", []Act{{Op: "save", A: "f", N: 21}}},
	{"written in place", []Act{{Op: "write", A: "a/g", N: 22}}},
	{"exec bit", []Act{{Op: "chmod", A: "f", N: 1}}},
	{"removed", []Act{{Op: "rm", A: "a/g"}}},
	{"moved", []Act{{Op: "mv", A: "a/g", B: "b/g"}}},
	{"moved over", []Act{{Op: "mv", A: "a/g", B: "f"}}},
	{"swapped", []Act{{Op: "swap", A: "f", B: "a/g"}}},
	{"new directory", []Act{{Op: "mkdir", A: "n/m"}, {Op: "write", A: "n/m/x", N: 23}, {Op: "write", A: "n/y", N: 24}}},
	{"moved directory", []Act{{Op: "mv", A: "a", B: "z"}}},
	{"removed directory", []Act{{Op: "rmall", A: "a"}}},
	{"file for directory", []Act{{Op: "rmall", A: "a"}, {Op: "write", A: "a", N: 25}}},
	{"directory for file", []Act{{Op: "rm", A: "f"}, {Op: "mkdir", A: "f"}, {Op: "write", A: "f/x", N: 26}}},
	{"link", []Act{{Op: "rm", A: "f"}, {Op: "symlink", A: "f", N: 27}}},
	{"large", []Act{{Op: "append", A: "large", N: 28}}}, // a difference is sent
	{"there and back", []Act{{Op: "mv", A: "a/g", B: "b/g"}, {Op: "mv", A: "b/g", B: "a/g"}}},
	{"both sides", []Act{{Op: "save", A: "f", N: 29}, {Op: "save", Side: 1, A: "f", N: 30}}},
	{"removed and saved", []Act{{Op: "rm", A: "f"}, {Op: "save", Side: 1, A: "f", N: 31}}},
}

// after is a history in which a user of a side does a deed in a tree that is in sync,
// and then what is given.
func after(deed []Act, side int, seed uint64, then ...Act) *History {
	h := &History{Seed: seed, Switch: 10, Writer: both, Outer: seed%2 == 0, Acts: []Act{
		{Op: "write", A: "anchor", N: 1}, {Op: "write", A: "f", N: 2}, {Op: "mkdir", A: "a/c"}, {Op: "mkdir", A: "b"},
		{Op: "write", A: "a/g", N: 4}, {Op: "write", A: "a/c/h", N: 5}, {Op: "write", A: "large", N: 13}, {Op: "up"},
	}}
	for i, a := range deed {
		a.Side ^= side
		if i == 0 {
			a.Calls, a.After = 1<<20, late
		}
		h.Acts = append(h.Acts, a)
	}
	h.Acts = append(h.Acts, then...)
	return h
}

// ends are the ways in which a machine or a program ends behind step n of a side.
func ends(side, n int) (all []Act) {
	for _, cut := range simfs.Cuts() {
		all = append(all, Act{Op: "power", Side: side, N: int(cut) + n*len(simfs.Cuts())})
	}
	if side == 1 {
		all = append(all, Act{Op: "recreate", Side: side})
	}
	return append(all, Act{Op: "kill", Side: side})
}

// failures are the errors that the next step of a side may meet behind step n: each
// errno, a few times in a row or for long, before or after the call has done its work.
func failures(side, n int) (all []Act) {
	for i := range errnos {
		few := 7 * (i + len(errnos)*(n%13)) // 7: from the very next step on
		for _, n := range []int{few, few + 7*lasts} {
			all = append(all, Act{Op: "errno", Side: side, N: n})
		}
	}
	return all
}

// ended is a history in which something ends, or fails, in the middle.
type ended struct {
	name string
	*History
	held string // what both sides hold in the end, where that is known
	cut  bool   // it is the host's power that is cut
}

// allEnds are the histories in which each step of sync that changes something or makes
// it durable is the last one of its process or its machine, or the next one fails.
func allEnds(t *testing.T) (all []ended) {
	t.Helper()
	for _, d := range deeds {
		for side := range 2 {
			whole := Run(after(d.acts, side, *seed, Act{Op: "files", Calls: 1 << 20, After: late}), nil)
			if whole.Violation != nil {
				t.Fatalf("%s: %v", d.name, whole.Violation)
			}
			for of, steps := range whole.Steps {
				for _, n := range steps {
					for _, end := range append(ends(of, n), failures(of, n)...) {
						end.Calls, end.After = n, late
						e := ended{name: d.name, History: after(d.acts, side, *seed, end, Act{Op: "up", Calls: 1 << 20, After: late / 100})}
						if of != side && !d.both() {
							e.held, e.cut = whole.Held, of == 0 && end.Op == "power"
						}
						all = append(all, e)
					}
				}
			}
		}
	}
	return all
}

// stands says whether both sides hold what they should. Of a file that the host was
// given in the moment before its power was cut, its disk may have a part only, and
// that wins, as the host's does: the whole of it is kept.
func (e ended) stands(held string) bool {
	got, want := strings.Split(held, "\n"), strings.Split(e.held, "\n")
	return len(got) == len(want) && !slices.ContainsFunc(got, func(line string) bool {
		w := want[slices.Index(got, line)]
		return line != w && !(e.cut && partOf(line, w))
	})
}

// partOf says whether a line of a listing is of a file with a part of the content that
// another is of.
func partOf(line, whole string) bool {
	var a, b struct {
		path, content string
		size          int
	}
	n, _ := fmt.Sscanf(line, "%s %d %q", &a.path, &a.size, &a.content)
	m, _ := fmt.Sscanf(whole, "%s %d %q", &b.path, &b.size, &b.content)
	return n == 3 && m == 3 && a.path == b.path && a.size <= b.size &&
		strings.HasPrefix(b.content, strings.TrimRight(a.content, "\x00"))
}

func (e ended) play() error {
	r := Run(e.History, sayer())
	switch {
	case r.Violation != nil:
		return r.Violation
	case e.held != "" && !e.stands(r.Held):
		return fmt.Errorf("in the end there is\n%sin the place of\n%s", r.Held, e.held)
	}
	return nil
}

// L4: whatever sync was at when the power of a machine was cut, its process was killed,
// its container made anew or a call failed, and whatever the disk kept of it, nothing is lost and
// both sides are the same in the end. What a user alone did on one side stands, whatever
// came of the other.
func TestEndsEverywhere(t *testing.T) {
	all := allEnds(t)
	if len(all) < 1000 {
		t.Errorf("there are %d steps only", len(all))
	}
	var next, bad atomic.Int64
	t.Run("workers", func(t *testing.T) {
		for w := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(w), func(t *testing.T) {
				t.Parallel()
				for bad.Load() < int64(*most) {
					i := int(next.Add(1)-1) * slow
					if i >= len(all) {
						return
					}
					if err := all[i].play(); err != nil {
						bad.Add(1)
						t.Errorf("%s: %v\n%s", all[i].name, err, all[i])
					}
				}
			})
		}
	})
	t.Logf("%d ends", len(all))
}
