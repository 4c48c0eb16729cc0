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
	if sc.broken != "" {
		for _, role := range []string{"AGENT", "HOST"} {
			p.arm()
			p.once(kill{role, sc.broken})
		}
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

// TestKilled: wherever a process was killed, the next session ends as one does in
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

// kills are the steps of the scenario that no earlier one has.
func (sc scenario) kills(t *testing.T, p *place, seen map[string]bool) (list []kill) {
	t.Helper()
	for _, role := range []string{"HOST", "AGENT"} {
		text, err := os.ReadFile(p.log(role))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for step := range strings.Lines(string(text)) {
			at, ok := strings.CutSuffix(strings.TrimSpace(step), " before")
			if !ok || seen[role+" "+at] {
				continue
			}
			seen[role+" "+at] = true
			for _, when := range []string{"before", "after"} {
				if *all || when == chosen(role+at) {
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
