package reconcile_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/tree"
)

var triples = flag.Int("triples", 400, "random triples that are given to Unison, too")

// TestUnison gives random triples to Unison, a peer of 25 years. What it carries
// over without asking we must carry over just so; where it asks, because both
// sides changed something, ours must be what CASES R4 to R7 say. Those are the
// documented differences: we go on, and keep what loses.
func TestUnison(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("unison")
	if err != nil && os.Getenv("TWOSYNC_REQUIRE_DOCKER") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	r := newRand(t)
	u := &unison{t: t, path: path, dir: t.TempDir()}
	var worlds []world
	for range *triples {
		base := perturb(r, tree.NewDir(nil), 3+r.IntN(8), false)
		worlds = append(worlds, world{base, [2]*tree.Entry{
			perturb(r, base, r.IntN(5), false), perturb(r, base, r.IntN(5), false),
		}})
	}
	after := u.sync(worlds)
	differences := map[string]int{}
	for i, w := range worlds {
		if after[i].side[0] == nil || after[i].side[1] == nil {
			t.Fatalf("Unison lost triple %d", i)
		}
		compare(t, w, after[i], differences)
	}
	for _, kind := range slices.Sorted(maps.Keys(differences)) {
		t.Logf("%6d %s", differences[kind], kind)
	}
}

// compare holds our result for a world against Unison's.
func compare(t *testing.T, w, theirs world, differences map[string]int) {
	t.Helper()
	c := checker{t: t, w: w}
	c.first, c.all = w.plan(c.p), w.plan(keepEverything(c.p, nil))
	c.settles()
	ours, want := c.final.side[tree.Host], oracle{}.want(w.base, w.side[0], w.side[1])
	if !tree.Same(ours, c.final.side[tree.Container]) {
		c.fatal("the sides differ in the end")
	}
	if tree.Same(theirs.side[0], theirs.side[1]) {
		differences["carried over alike"]++
	}
	apart("", theirs.side[0], theirs.side[1], ours, func(path string) {
		if tree.Same(tree.Get(theirs.side[0], path), tree.Get(theirs.side[1], path)) {
			c.fatal("Unison made %q %s, we %s", path, showAt(theirs.side[0], path), showAt(ours, path))
		}
		if !tree.Same(tree.Get(ours, path), tree.Get(want, path)) {
			c.fatal("Unison asks about %q, and we make it %s, not %s", path, showAt(ours, path), showAt(want, path))
		}
		differences[kindOf(tree.Get(w.base, path), tree.Get(w.side[0], path), tree.Get(w.side[1], path))]++
	})
}

func showAt(root *tree.Entry, path string) string {
	return (&script{}).show(tree.Get(root, path))
}

// apart visits the highest paths at which not all three hold the same, and not
// all three a directory.
func apart(path string, a, b, c *tree.Entry, visit func(path string)) {
	switch {
	case tree.Same(a, b) && tree.Same(b, c):
	case a.IsDir() && b.IsDir() && c.IsDir():
		names := map[string]bool{}
		for _, e := range []*tree.Entry{a, b, c} {
			for name := range e.Children() {
				names[name] = true
			}
		}
		for name := range names {
			apart(tree.Join(path, name), a.Child(name), b.Child(name), c.Child(name), visit)
		}
	default:
		visit(path)
	}
}

// kindOf names the rule by which a difference is one.
func kindOf(b, h, c *tree.Entry) string {
	switch {
	case tree.Same(b, h) || tree.Same(b, c):
		return "only one side changed it: a directory above is in conflict"
	case (h == nil || c == nil) && !h.IsDir() && !c.IsDir():
		return "R4: edited here, deleted there; the edit wins"
	case h == nil || c == nil:
		return "R7: a directory was deleted here, and changed within there"
	case h.IsFile() && c.IsFile() && (h.Digest == c.Digest || b.IsFile() && (b.Digest == h.Digest || b.Digest == c.Digest)):
		return "R5: exec bit here, content there; both are applied"
	case h.IsDir() != c.IsDir():
		return "R6: a directory here, none there"
	case h.IsFile() && c.IsFile() && (h.Size == 0) != (c.Size == 0):
		return "R6: both changed it, and one is empty, which gives way"
	}
	return "R6: both changed it; the host's has the path"
}

// unison runs the program on two roots that hold a directory for each triple.
type unison struct {
	t    *testing.T
	path string
	dir  string
}

func (u *unison) root(s tree.Side) string { return filepath.Join(u.dir, s.String()) }

// sync lets both roots hold the bases, lets Unison know that, edits them, and
// returns what it makes of that.
func (u *unison) sync(worlds []world) []world {
	u.t.Helper()
	for i, w := range worlds {
		for _, s := range []tree.Side{tree.Host, tree.Container} {
			u.put(filepath.Join(u.root(s), fmt.Sprint(i)), w.base)
		}
	}
	if code := u.run(); code != 0 {
		u.t.Fatalf("unison ended with %d where both sides are the same", code)
	}
	for i, w := range worlds {
		for _, s := range []tree.Side{tree.Host, tree.Container} {
			top := filepath.Join(u.root(s), fmt.Sprint(i))
			if err := os.RemoveAll(top); err != nil {
				u.t.Fatal(err)
			}
			u.put(top, w.side[s])
		}
	}
	if code := u.run(); code != 0 && code != 1 { // 1: it would have asked
		u.t.Fatalf("unison ended with %d", code)
	}
	after := make([]world, len(worlds))
	for i := range worlds {
		for _, s := range []tree.Side{tree.Host, tree.Container} {
			after[i].side[s] = u.read(filepath.Join(u.root(s), fmt.Sprint(i)))
		}
	}
	return after
}

// run runs Unison. It is not to believe stamps: all of this happens within a
// second or two.
func (u *unison) run() int {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, u.path, u.root(tree.Host), u.root(tree.Container),
		"-batch", "-ui", "text", "-silent", "-fastcheck", "false", "-confirmbigdel=false", "-logfile", filepath.Join(u.dir, "log"))
	cmd.Env = append(os.Environ(), "UNISON="+filepath.Join(u.dir, "archives"), "HOME="+u.dir)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || ctx.Err() != nil || cmd.ProcessState.ExitCode() > 1 {
		u.t.Fatalf("unison: %v: %s", err, out)
	}
	return cmd.ProcessState.ExitCode()
}

// texts are the contents of the files that wild has.
var texts = []string{"", "1", "2", "3"}

func (u *unison) put(path string, e *tree.Entry) {
	u.t.Helper()
	var err error
	switch {
	case e.IsDir():
		err = os.MkdirAll(path, 0o755)
		for name, child := range e.Children() {
			u.put(filepath.Join(path, name), child)
		}
	case e.IsFile():
		i := slices.IndexFunc(texts, func(s string) bool { return tree.DigestOf([]byte(s)) == e.Digest })
		mode := os.FileMode(0o644)
		if e.Exec {
			mode = 0o755
		}
		err = os.WriteFile(path, []byte(texts[i]), mode)
	default:
		err = os.Symlink(e.Text, path)
	}
	if err != nil {
		u.t.Fatal(err)
	}
}

func (u *unison) read(path string) *tree.Entry {
	u.t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		u.t.Fatal(err)
	}
	switch {
	case st.IsDir():
		d := tree.NewDir(nil)
		items, err := os.ReadDir(path)
		if err != nil {
			u.t.Fatal(err)
		}
		for _, it := range items {
			d = d.With(it.Name(), u.read(filepath.Join(path, it.Name())))
		}
		return d
	case st.Mode().IsRegular():
		b, err := os.ReadFile(path)
		if err != nil {
			u.t.Fatal(err)
		}
		return fileOf(string(b), st.Mode()&0o100 != 0)
	}
	text, err := os.Readlink(path)
	if err != nil {
		u.t.Fatal(err)
	}
	return tree.NewLink(text)
}
