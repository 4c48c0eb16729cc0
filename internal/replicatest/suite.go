package replicatest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// deadline is how long the suite waits for what must happen. It is never
// waited for unless something is broken.
const deadline = 30 * time.Second

// Fixture is a replica that was not started, on a directory. Whoever made it
// cleans up after it; the suite closes the replica.
type Fixture struct {
	Replica replica.Replica
	Dir     string // the root: what a user would edit

	// Again returns another replica on Dir, when the first one is closed. Nil
	// leaves out the cases that need it.
	Again func(t *testing.T) replica.Replica
}

// Run runs the suite. Every case opens a fixture of its own.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, c := range []struct {
		name string
		run  func(*rig)
	}{
		{"Start", testStart},
		{"StartEmpty", testStartEmpty},
		{"Ignored", testIgnored},
		{"Observe", testObserve},
		{"Inline", testInline},
		{"Flush", testFlush},
		{"Look", testLook},
		{"Apply", testApply},
		{"ApplyQuiet", testApplyQuiet},
		{"ApplyLarge", testApplyLarge},
		{"MovedOn", testMovedOn},
		{"ContentGone", testContentGone},
		{"ContentWrong", testContentWrong},
		{"Settle", testSettle},
		{"Send", testSend},
		{"SendDelta", testSendDelta},
		{"SinkFails", testSinkFails},
		{"Adopt", testAdopt},
		{"Close", testClose},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(newRig(t, open))
		})
	}
}

// rig is one case at work.
type rig struct {
	*testing.T
	Fixture
	open  func(t *testing.T) Fixture
	holds *tree.Entry // what the reports say
	n     uint64      // the last number given to a flush or a batch
}

func newRig(t *testing.T, open func(t *testing.T) Fixture) *rig {
	r := &rig{T: t, open: open, Fixture: open(t)}
	t.Cleanup(func() { r.Replica.Close() })
	return r
}

// fresh opens another fixture, for a part of a case.
func (r *rig) fresh(name string, part func(*rig)) {
	r.Run(name, func(t *testing.T) {
		part(newRig(t, r.open))
	})
}

func (r *rig) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.T.Context(), deadline)
}

// must ends the case if an action of the suite itself failed.
func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// start starts the replica and takes its first observation.
func (r *rig) start(patterns ...string) replica.Identity {
	r.Helper()
	rules, err := ignore.New(ignore.Literal("suite", patterns...))
	r.must(err)
	ctx, cancel := r.context()
	defer cancel()
	id, err := r.Replica.Start(ctx, replica.Start{Rules: rules.Text()})
	if err != nil {
		r.Fatalf("start: %v", err)
	}
	for {
		if o := r.next("the first observation").Observed; o != nil {
			if !o.Whole || len(o.Seen) != 1 || o.Seen[0].Path != "" {
				r.Fatalf("the first observation is not whole: %+v", o)
			}
			return id
		}
	}
}

// next takes a report and notes what it says.
func (r *rig) next(what string) replica.Report {
	r.Helper()
	ctx, cancel := r.context()
	defer cancel()
	rep, err := r.Replica.Next(ctx)
	if err != nil {
		r.Fatalf("while waiting for %s: %v; the reports say\n%s", what, err, Show(r.holds))
	}
	if rep.Observed != nil {
		for _, s := range rep.Observed.Seen {
			r.note(s.Path, s.Entry)
		}
		for d, content := range rep.Observed.Contents {
			if tree.DigestOf(content) != d {
				r.Errorf("content %q rides along as %v", content, d)
			}
		}
	}
	if rep.Outcome != nil {
		for _, res := range rep.Outcome.Results {
			r.note(res.Path, res.Entry)
		}
	}
	return rep
}

func (r *rig) note(path string, e *tree.Entry) {
	r.Helper()
	if err := tree.CheckPath(path); err != nil {
		r.Fatalf("report of a bad path: %v", err)
	}
	var ok bool
	if r.holds, ok = tree.Put(r.holds, path, e); !ok {
		r.Fatalf("%q was reported, but above it is something else than a directory:\n%s", path, Show(r.holds))
	}
}

// flush takes reports until everything that was done is known, and compares
// what they say with what the directory holds.
func (r *rig) flush() {
	r.Helper()
	r.n++
	ctx, cancel := r.context()
	defer cancel()
	if err := r.Replica.Flush(ctx, r.n); err != nil {
		r.Fatalf("flush: %v", err)
	}
	for {
		if f := r.next("flushed").Flushed; f != nil {
			if f.N != r.n {
				r.Fatalf("flush %d was answered as %d", r.n, f.N)
			}
			break
		}
	}
	r.compare()
}

// compare says whether the reports say what the directory holds.
func (r *rig) compare() {
	r.Helper()
	want, err := Scan(r.Dir)
	r.must(err)
	if !tree.Equal(r.holds, want) {
		r.Fatalf("the reports say\n%sbut the directory holds\n%s", Show(r.holds), Show(want))
	}
}

// await takes reports until they say what the directory holds.
func (r *rig) await(what string) {
	r.Helper()
	want, err := Scan(r.Dir)
	r.must(err)
	for !tree.Equal(r.holds, want) {
		r.next(what)
	}
}

// Edits, as a user makes them.

func (r *rig) path(name string) string { return filepath.Join(r.Dir, filepath.FromSlash(name)) }

func (r *rig) write(name, content string) {
	r.Helper()
	r.must(os.MkdirAll(filepath.Dir(r.path(name)), 0o777))
	r.must(os.WriteFile(r.path(name), []byte(content), 0o666))
}

// save replaces a file as most editors do: by a rename.
func (r *rig) save(name, content string) {
	r.Helper()
	r.must(os.WriteFile(r.path(name)+".tmp", []byte(content), 0o666))
	r.must(os.Rename(r.path(name)+".tmp", r.path(name)))
}

func (r *rig) mkdir(name string) {
	r.Helper()
	r.must(os.MkdirAll(r.path(name), 0o777))
}

func (r *rig) remove(name string) {
	r.Helper()
	r.must(os.RemoveAll(r.path(name)))
}

func (r *rig) rename(from, to string) {
	r.Helper()
	r.must(os.Rename(r.path(from), r.path(to)))
}

func (r *rig) link(target, name string) {
	r.Helper()
	r.must(os.Symlink(target, r.path(name)))
}

func (r *rig) chmod(name string, mode os.FileMode) {
	r.Helper()
	r.must(os.Chmod(r.path(name), mode))
}

// sees says what the directory holds at name.
func (r *rig) sees(name string) *tree.Entry {
	r.Helper()
	root, err := Scan(r.Dir)
	r.must(err)
	return tree.Get(root, name)
}
