//go:build linux

package failpoint

import (
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var (
	all = flag.Bool("all", false, "kill before and after each step, not at one of the two")

	built struct{ dir, twosync string }
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "twosync-failpoint-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.dir, built.twosync = dir, filepath.Join(dir, "twosync")
	code := 1
	cmd := exec.Command("go", "build", "-tags", "failpoints", "-o", built.twosync, "../../host/twosync")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build twosync: %v: %s\n", err, out)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// end is what a scenario leaves.
type end struct {
	tree string
	kept map[string]string
}

// play plays a scenario in which somebody may be killed, and returns its end. Steps
// of the last session but for the mending ones are in the logs.
func (sc scenario) play(t *testing.T, k kill) (*place, end) {
	t.Helper()
	p := newPlace(t)
	sc.first(p)
	if sc.later != nil || sc.live != nil {
		p.once(kill{})
	}
	if sc.later != nil {
		sc.later(p)
	}
	if sc.broken.at != "" {
		p.arm()
		p.begin(sc.broken)
		p.until("killed", p.hit)
		_ = p.up.Process.Kill()
		<-p.ended
	}
	for _, role := range []string{"HOST", "AGENT"} {
		must(t, os.WriteFile(p.log(role), nil, 0o644))
	}
	if k.at != "" {
		p.arm()
	}
	if sc.live != nil {
		p.begin(k)
		p.barrier()
		sc.live(p)
		p.end(k)
	} else {
		p.once(k)
	}
	if k.at != "" {
		if !p.hit() {
			t.Logf("nobody was at %s %s this time", k.role, k.at)
		}
		p.once(kill{})
	}
	tree, other := tree(t, p.host), tree(t, p.container)
	if tree != other {
		t.Errorf("the sides differ:\n%s", diff(tree, other))
	}
	return p, end{tree, p.kept()}
}

// J1, J3: wherever a process was killed, the next session ends as one does in
// which nobody was.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some hundred processes")
	}
	seen := make(map[string]bool) // steps that were looked at, by role
	for _, sc := range scenarios {
		p, want := sc.play(t, kill{})
		if t.Failed() {
			t.FailNow()
		}
		t.Run(sc.name, func(t *testing.T) {
			for _, k := range sc.kills(t, p, seen) {
				t.Run(k.role+"/"+strings.ReplaceAll(k.at, " ", "/"), func(t *testing.T) {
					t.Parallel()
					_, got := sc.play(t, k)
					if sc.live != nil {
						want.everyLine(t, got)
						return
					}
					if got.tree != want.tree {
						t.Errorf("not what it is when nobody is killed:\n%s", diff(want.tree, got.tree))
					}
					for digest, text := range want.kept {
						if _, ok := got.kept[digest]; !ok {
							t.Errorf("not kept: %s", text)
						}
					}
				})
			}
		})
	}
	unreached(t, seen)
}

// everyLine fails the test unless all that one end has in its tree is in the other
// end's, or kept. That is what holds where users go on while nobody syncs: they may
// edit what the other side just got, before that was written down as agreed, and
// then it is a conflict.
func (e end) everyLine(t *testing.T, other end) {
	t.Helper()
	for l := range strings.Lines(e.tree) {
		f := strings.Fields(l)
		if digest := f[len(f)-1]; !strings.Contains(other.tree, l) && other.kept[digest] == "" {
			t.Errorf("neither there nor kept: %s", l)
		}
	}
}

// kills are the steps of the scenario that no earlier one has.
func (sc scenario) kills(t *testing.T, p *place, seen map[string]bool) (list []kill) {
	t.Helper()
	for _, role := range []string{"HOST", "AGENT"} {
		text, err := os.ReadFile(p.log(role))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		steps := strings.Split(strings.TrimSpace(string(text)), "\n")
		for _, step := range steps {
			at, ok := strings.CutSuffix(step, " before")
			if !ok || seen[role+" "+at] {
				continue
			}
			seen[role+" "+at] = true
			succeeds := slices.Contains(steps, at+" after")
			for _, when := range []string{"before", "after"} {
				if when == "after" && !succeeds {
					continue
				}
				if *all || !succeeds || when == chosen(role+at) {
					list = append(list, kill{role, at + " " + when})
				}
			}
		}
	}
	return list
}

// chosen is before or after, the same for a step each time.
func chosen(step string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(step))
	if h.Sum32()%2 == 0 {
		return "before"
	}
	return "after"
}

// diff lists the lines in which two texts differ.
func diff(a, b string) string {
	in := func(s string) map[string]bool {
		m := make(map[string]bool)
		for l := range strings.Lines(s) {
			m[l] = true
		}
		return m
	}
	var out strings.Builder
	x, y := in(a), in(b)
	for _, l := range slices.Sorted(maps.Keys(x)) {
		if !y[l] {
			out.WriteString("- " + l)
		}
	}
	for _, l := range slices.Sorted(maps.Keys(y)) {
		if !x[l] {
			out.WriteString("+ " + l)
		}
	}
	return out.String()
}
