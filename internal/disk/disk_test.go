//go:build !windows

package disk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// deadline is how long a test waits for something that must happen.
const deadline = 20 * time.Second

// rig is a running disk on a temporary directory.
type rig struct {
	t    testing.TB
	dir  string
	d    *Disk
	tree *tree.Entry // what the reports say the root holds
	id   replica.Identity
	ctx  context.Context

	flushes uint64 // and batches: the next number
	strays  map[tree.Digest]bool
	halted  bool
	each    func(replica.Report) // sees every report; nil: nobody
}

func rulesText(t testing.TB, patterns ...string) string {
	t.Helper()
	rules, err := ignore.New(ignore.BuiltIn(), ignore.Literal("test", patterns...))
	if err != nil {
		t.Fatal(err)
	}
	return rules.Text()
}

// open starts a disk on dir and reads its first report.
func open(t testing.TB, dir string, opt Options, patterns ...string) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*deadline)
	r := &rig{t: t, dir: dir, d: New(dir, opt), ctx: ctx, strays: make(map[tree.Digest]bool)}
	done := make(chan struct{})
	id, err := r.d.Start(ctx, replica.Start{Rules: rulesText(t, patterns...)})
	if err != nil {
		t.Fatal(err)
	}
	r.id = id
	go func() { defer close(done); r.d.Run(ctx) }()
	t.Cleanup(func() { r.d.Close(); cancel(); <-done })
	r.until(func(rep replica.Report) bool { return rep.Observed != nil && rep.Observed.Whole })
	return r
}

// next takes a report and follows it.
func (r *rig) next() replica.Report {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, deadline)
	defer cancel()
	rep, err := r.d.Next(ctx)
	if err != nil {
		r.t.Fatalf("next report: %v", err)
	}
	r.follow(rep)
	return rep
}

// follow keeps account of what reports say.
func (r *rig) follow(rep replica.Report) {
	if r.each != nil {
		r.each(rep)
	}
	r.halted = r.halted || rep.Notice != nil && rep.Notice.Level == replica.Halt
	if s := rep.Stray; s != nil && s.Entry.IsFile() {
		r.strays[s.Entry.Digest] = true
	}
	if o := rep.Observed; o != nil {
		for _, s := range o.Seen {
			r.tree, _ = tree.Put(r.tree, s.Path, s.Entry)
		}
	}
	if o := rep.Outcome; o != nil {
		for _, res := range o.Results {
			r.tree, _ = tree.Put(r.tree, res.Path, res.Entry)
		}
	}
}

func (r *rig) until(ok func(replica.Report) bool) replica.Report {
	r.t.Helper()
	for {
		if rep := r.next(); ok(rep) {
			return rep
		}
	}
}

// flush reads reports until everything done before is known.
func (r *rig) flush() {
	r.t.Helper()
	n := r.flushes
	r.flushes++
	if err := r.d.Flush(r.ctx, n); err != nil {
		r.t.Fatal(err)
	}
	r.until(func(rep replica.Report) bool { return rep.Flushed != nil && rep.Flushed.N == n })
}

// apply makes changes and returns the results by path.
func (r *rig) apply(src replica.Source, changes ...tree.Change) map[string]replica.Result {
	r.t.Helper()
	return r.batch(src, &replica.Batch{Changes: changes})
}

// applyAll is apply for what must succeed.
func (r *rig) applyAll(src replica.Source, changes ...tree.Change) {
	r.t.Helper()
	res := r.apply(src, changes...)
	for _, c := range changes {
		if got := res[c.Path]; got.Status != replica.Applied || !tree.Same(got.Entry, c.New) {
			r.t.Errorf("%s: %+v", c.Path, got)
		}
	}
}

func (r *rig) batch(src replica.Source, b *replica.Batch) map[string]replica.Result {
	r.t.Helper()
	b.ID = r.flushes
	r.flushes++
	if err := r.d.Apply(r.ctx, b, src); err != nil {
		r.t.Fatal(err)
	}
	results := make(map[string]replica.Result)
	r.until(func(rep replica.Report) bool {
		if rep.Outcome == nil {
			return false
		}
		for _, res := range rep.Outcome.Results {
			results[res.Path] = res
		}
		return rep.Outcome.Done
	})
	return results
}

func (r *rig) path(p string) string { return filepath.Join(r.dir, p) }

func (r *rig) write(p, content string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(p)), 0o777); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(p), []byte(content), 0o666); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) read(p string) string {
	b, err := os.ReadFile(r.path(p))
	if err != nil {
		return "error: " + err.Error()
	}
	return string(b)
}

// contents is a source that holds what it is given.
type contents map[tree.Digest]string

func (c contents) file(content string) *tree.Entry {
	d := tree.DigestOf([]byte(content))
	c[d] = content
	return tree.NewFile(d, int64(len(content)), false)
}

func (c contents) Send(_ context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	for i, w := range wants {
		content, ok := c[w.Digest]
		if !ok {
			if err := sink(replica.Piece{Want: i, Gone: "it is gone"}); err != nil {
				return err
			}
			continue
		}
		for len(content) > 0 {
			n := min(len(content), replica.MaxPiece)
			if err := sink(replica.Piece{Want: i, Data: []byte(content[:n])}); err != nil {
				return err
			}
			content = content[n:]
		}
		if err := sink(replica.Piece{Want: i, End: true}); err != nil {
			return err
		}
	}
	return nil
}

// show prints a tree, one line a path.
func show(e *tree.Entry) string {
	var b strings.Builder
	tree.Walk("", e, func(p string, e *tree.Entry) bool {
		fmt.Fprintf(&b, "%s %s %d %s\n", p, e.Kind, e.Size, e.Text)
		return true
	})
	return b.String()
}

// scan reads the directory with a disk of its own.
func (r *rig) scan() *tree.Entry {
	r.t.Helper()
	blind := watch.NewPoll(time.Hour)
	defer blind.Close()
	d := &Disk{opt: r.d.opt, rules: r.d.rules, watch: blind, rootDev: r.d.rootDev, facts: r.d.facts, life: context.Background(),
		polled: make(map[string]struct{}), again: make(map[string]asked)}
	d.opt.FS, d.opt.Clock = fsx.OS(), systemClock{}
	root, err := d.opt.FS.OpenRoot(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	defer root.Close()
	s := &scanner{d: d, prior: reread}
	return s.dir("", root).entry
}

// check compares what the reports say with what the directory holds.
func (r *rig) check() {
	r.t.Helper()
	if e := r.scan(); !tree.Equal(e, r.tree) {
		r.t.Errorf("the reports say\n%sbut the root holds\n%s", show(r.tree), show(e))
	}
}

func TestScan(t *testing.T) {
	dir := t.TempDir()
	r0 := &rig{t: t, dir: dir}
	r0.write("a/b/c", "hello")
	r0.write("a/x", "")
	r0.write("node_modules/m", "ignored")
	os.Symlink("a/x", r0.path("l"))
	r := open(t, dir, Options{}, "node_modules")
	want := tree.NewDir([]tree.Child{
		{Name: "a", Entry: tree.NewDir([]tree.Child{
			{Name: "b", Entry: tree.NewDir([]tree.Child{{Name: "c", Entry: contents{}.file("hello")}})},
			{Name: "x", Entry: contents{}.file("")},
		})},
		{Name: "l", Entry: tree.NewLink("a/x")},
	})
	if !tree.Equal(r.tree, want) {
		t.Errorf("scan gave\n%swant\n%s", show(r.tree), show(want))
	}
	r.check()
}

func TestObserve(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, Options{}, "node_modules")
	steps := []func(){
		func() { r.write("f", "one") },
		func() { r.write("f", "two") },
		func() { os.Rename(r.path("f"), r.path("g")) },
		func() { r.write("d/e/f", "deep") },
		func() { os.Rename(r.path("d"), r.path("d2")) },
		func() { r.write("d2/e/f", "deeper") },
		func() { os.RemoveAll(r.path("d2")); r.write("d2/x", "new") },
		func() { os.Chmod(r.path("g"), 0o755) },
		func() { os.Remove(r.path("g")); os.Symlink("nowhere", r.path("g")) },
		func() { os.Truncate(r.path("d2/x"), 0) },
		func() { r.write("node_modules/x", "ignored") },
		func() {
			for i := range 300 {
				r.write(fmt.Sprintf("many/%d/%d", i%10, i), fmt.Sprint(i))
			}
		},
		func() { os.RemoveAll(r.path("many")) },
	}
	for i, step := range steps {
		step()
		r.flush()
		r.check()
		if t.Failed() {
			t.Fatalf("after step %d", i)
		}
	}
}
