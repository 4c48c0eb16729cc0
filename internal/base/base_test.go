package base_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

const session = "s1"

func openDir(t testing.TB, fs fsx.FS, path string) fsx.Dir {
	t.Helper()
	d, err := fs.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, d fsx.Dir) (*base.Store, base.Loaded) {
	t.Helper()
	s, l, err := base.Open(d, session)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, l
}

func epoch(gen uint64) base.Epoch {
	return base.Epoch{Host: replica.ID{1}, Container: replica.ID{2}, Gen: gen}
}

func file(content string) *tree.Entry {
	return tree.NewFile(tree.DigestOf([]byte(content)), int64(len(content)), false)
}

// put is an update; with nothing behind the path it removes it.
func put(path string, e ...*tree.Entry) tree.Change {
	return tree.Change{Path: path, New: append(e, nil)[0]}
}

// dir makes a directory of "name content" pairs.
func dir(pairs ...string) *tree.Entry {
	e := tree.NewDir(nil)
	for i := 0; i < len(pairs); i += 2 {
		e, _ = tree.Put(e, pairs[i], file(pairs[i+1]))
	}
	return e
}

// show prints everything that a store says of itself and of some paths.
func show(s *base.Store, l base.Loaded) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v %q pending %v to %d lost %v\n", l.Epoch, l.Settled, l.Rules, l.Pending, l.PendingGen, l.Lost != "")
	tree.Walk("", l.Tree, func(p string, e *tree.Entry) bool {
		fmt.Fprintf(&b, "%q %s\n", p, value(e))
		return true
	})
	return b.String() + showHistory(s)
}

var probed = []string{"", "a", "a/x", "a/y", "b", "c", "c/d", "c/d/e", "l"}

func showHistory(s *base.Store) string {
	var b strings.Builder
	for _, p := range probed {
		fmt.Fprintf(&b, "%q was", p)
		for _, v := range s.History(p) {
			fmt.Fprintf(&b, " %s", value(v))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func value(e *tree.Entry) string {
	switch {
	case e == nil:
		return "absent"
	case e.Kind == tree.File:
		return fmt.Sprintf("%s+%d,%v", e.Digest.String()[:6], e.Size, e.Exec)
	case e.Kind == tree.Link:
		return "->" + e.Text
	}
	return e.Kind.String()
}

// script is a session in steps. Each is one call, so that a test can stop
// between any two of them.
func script() []func(s *base.Store) error {
	commit := func(gen uint64, updates ...tree.Change) func(*base.Store) error {
		return func(s *base.Store) error { return s.Commit(epoch(gen), updates) }
	}
	intend := func(gen uint64, paths ...string) func(*base.Store) error {
		return func(s *base.Store) error { return s.Intend(gen, paths) }
	}
	return []func(s *base.Store) error{
		func(s *base.Store) error { return s.Begin(epoch(0), "*.o\n", nil) },
		commit(1, put("", dir("a/x", "1", "a/y", "1", "b", "1"))),
		(*base.Store).SetSettled,
		intend(2, "b", "l"),
		commit(2, put("b", file("2")), put("l", tree.NewLink("b"))),
		intend(3, "a"),
		intend(4, "c/d"),
		commit(3, put("a", file("now a file"))),
		commit(4, put("c/d", tree.NewDir(nil)), put("c/d/e", file("1")), put("b")),
		func(s *base.Store) error {
			t, _ := tree.Put(s.Tree(), "c", nil)
			return s.SetRules("*.o\nc\n", t)
		},
		intend(5, "a"),
		commit(6, put("a", dir("x", "3"))),
		func(s *base.Store) error {
			return s.Begin(base.Epoch{Host: replica.ID{1}, Container: replica.ID{9}}, "", nil)
		},
		func(s *base.Store) error {
			e := s.Epoch()
			e.Gen++
			return s.Commit(e, []tree.Change{put("a/x", file("4"))})
		},
		func(s *base.Store) error { return s.Intend(2, []string{"b"}) },
		(*base.Store).SetSettled,
	}
}

// states returns what a store holds after each step of the script, after a
// clean reopening.
func states(t *testing.T) []string {
	path := t.TempDir()
	d := openDir(t, fsx.OS(), path)
	var shown []string
	s, l := open(t, d)
	shown = append(shown, show(s, l))
	for i, step := range script() {
		if err := step(s); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		live := showHistory(s)
		must(t, s.Close())
		s, l = open(t, d)
		if got := showHistory(s); got != live {
			t.Fatalf("step %d: reopened\n%s\nwas\n%s", i, got, live)
		}
		shown = append(shown, show(s, l))
	}
	return shown
}

func content(t testing.TB, d fsx.Dir, name string) []byte {
	t.Helper()
	f, err := d.Read(name)
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	must(t, err)
	return b
}

func overwrite(t testing.TB, d fsx.Dir, name string, b []byte) {
	t.Helper()
	f, err := d.Update("t", name, 0o600)
	must(t, err, f.Truncate("t", 0))
	_, err = f.Write(b)
	must(t, err, f.Close())
}

// journal runs the script in one go and returns the file and the length it had
// after each step.
func journal(t testing.TB, steps []func(*base.Store) error) (b []byte, ends []int) {
	d := openDir(t, fsx.OS(), t.TempDir())
	s, _ := open(t, d)
	ends = append(ends, len(content(t, d, "base")))
	for _, step := range steps {
		must(t, step(s))
		ends = append(ends, len(content(t, d, "base")))
	}
	return content(t, d, "base"), ends
}

func TestScript(t *testing.T) {
	last := states(t)
	got := last[len(last)-1]
	for _, want := range []string{
		`pending [b] to 2 lost false`,
		`"b" was c4103f+1,false 9afa66+1,false absent`,
		`"a/y" was c4103f+1,false absent`,
		`"c/d/e" was c4103f+1,false` + "\n",
		`"l" was ->b` + "\n",
	} {
		if !strings.Contains(got, strings.NewReplacer("c4103f", hex("1"), "9afa66", hex("2")).Replace(want)) {
			t.Errorf("lacks %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func hex(content string) string { return tree.DigestOf([]byte(content)).String()[:6] }

// J10: cuts the file at every byte: what is loaded is a state that
// was there, and the store works on.
func TestCutEverywhere(t *testing.T) {
	want := states(t)
	b, ends := journal(t, script())
	path := t.TempDir()
	d := openDir(t, fsx.OS(), path)
	for n := range b {
		overwrite(t, d, "base", b[:n])
		s, l := open(t, d)
		if n < ends[0] {
			checkLost(t, fmt.Sprint("cut at ", n), d, s, l, b[:n])
			continue
		}
		done := 0
		for ends[done+1] <= n {
			done++
		}
		if got := show(s, l); got != want[done] {
			t.Fatalf("cut at %d: got\n%s\nwant\n%s", n, got, want[done])
		}
		if done < 1 {
			continue // no epoch
		}
		e := s.Epoch()
		e.Gen += 7
		must(t, s.Commit(e, []tree.Change{put("new", file("n"))}), s.Close())
		if s, l := open(t, d); l.Epoch != e || !s.Knows("new", file("n")) || l.Lost != "" {
			t.Fatalf("cut at %d: does not go on: %+v", n, l)
		}
	}
}

// checkLost checks that nothing is left but history, and the file itself.
func checkLost(t *testing.T, what string, d fsx.Dir, s *base.Store, l base.Loaded, b []byte) {
	t.Helper()
	if l.Lost == "" || l.Tree != nil || l.Epoch != (base.Epoch{}) || l.Settled || l.Pending != nil || l.PendingGen != 0 {
		t.Fatalf("%s: loaded %+v", what, l)
	}
	must(t, s.Close())
	if !bytes.Equal(content(t, d, "base.lost-1"), b) {
		t.Fatalf("%s: damaged file not kept", what)
	}
	must(t, d.Unlink("t", "base.lost-1"))
	s, l = open(t, d)
	if l.Lost != "" || l.Tree != nil {
		t.Fatalf("%s: lost again: %+v", what, l)
	}
	must(t, s.Close())
}

// J10: flips a bit of every byte: what is loaded is a state that
// was there, or base is lost.
func TestFlipEverywhere(t *testing.T) {
	want := states(t)
	b, ends := journal(t, script())
	flipAll(t, b, 1, func(i int, s *base.Store, l base.Loaded) {
		// Only what was not synced when the last record was written can be
		// taken for what a crash left: an intent, and that record.
		if last := ends[len(ends)-3]; i < last {
			t.Fatalf("flip at %d: not lost", i)
		}
		if got := show(s, l); !slices.Contains(want, got) {
			t.Fatalf("flip at %d: got\n%s", i, got)
		}
	})
}

// flipAll flips a bit of every so manieth byte, and calls found unless base is
// properly lost.
func flipAll(t *testing.T, b []byte, step int, found func(i int, s *base.Store, l base.Loaded)) {
	d := openDir(t, fsx.OS(), t.TempDir())
	for i := 0; i < len(b); i += step {
		bad := bytes.Clone(b)
		bad[i] ^= 1 << (i % 8)
		overwrite(t, d, "base", bad)
		s, l := open(t, d)
		if l.Lost != "" {
			checkLost(t, fmt.Sprint("flip at ", i), d, s, l, bad)
			continue
		}
		found(i, s, l)
		must(t, s.Close())
	}
}

// TestLargeJournal does the same to 64 KiB, in steps.
func TestLargeJournal(t *testing.T) {
	steps := []func(*base.Store) error{func(s *base.Store) error { return s.Begin(epoch(0), "", nil) }}
	for gen := uint64(1); len(steps) < 600; gen++ {
		steps = append(steps, func(s *base.Store) error {
			path := fmt.Sprintf("some/where/file-%d", gen%70)
			return errors.Join(s.Intend(gen, []string{path}),
				s.Commit(epoch(gen), []tree.Change{put(path, file(fmt.Sprint(gen)))}))
		})
	}
	b, ends := journal(t, steps)
	if len(b) < 64<<10 {
		t.Fatalf("%d bytes", len(b))
	}
	d := openDir(t, fsx.OS(), t.TempDir())
	for n := ends[0]; n < len(b); n += 397 {
		overwrite(t, d, "base", b[:n])
		s, l := open(t, d)
		gens := 0
		for ends[gens+1] <= n {
			gens++
		}
		if want := uint64(max(gens-1, 0)); l.Lost != "" || l.Epoch.Gen != want || s.History("some/where/file-1") == nil && want > 0 {
			t.Fatalf("cut at %d: %+v, want %d", n, l.Epoch, want)
		}
		must(t, s.Close())
	}
	flipAll(t, b, 299, func(i int, _ *base.Store, l base.Loaded) {
		if i < ends[len(ends)-2] {
			t.Fatalf("flip at %d: not lost", i)
		}
	})
}

// TestLostKeepsHistory: what was agreed before the damage is still known.
func TestLostKeepsHistory(t *testing.T) {
	b, ends := journal(t, script())
	d := openDir(t, fsx.OS(), t.TempDir())
	b[ends[5]+10] ^= 1 // behind commit 2
	overwrite(t, d, "base", b)
	s, l := open(t, d)
	if l.Lost == "" {
		t.Fatal("not lost")
	}
	for range 2 {
		if !s.Knows("b", file("1")) || !s.Knows("b", file("2")) || !s.Knows("a/x", file("1")) || s.Knows("a", file("now a file")) {
			t.Fatalf("history:\n%s", showHistory(s))
		}
		must(t, s.Close())
		s, _ = open(t, d)
	}
}

// J10: base of another session, or of another version of us.
func TestLostReasons(t *testing.T) {
	d := openDir(t, fsx.OS(), t.TempDir())
	s, _ := open(t, d)
	must(t, s.Close())
	_, l, err := base.Open(d, "another")
	must(t, err)
	if !strings.Contains(l.Lost, "another session") {
		t.Errorf("other session: %q", l.Lost)
	}
	b := record.AppendString(record.AppendUint(record.AppendString([]byte{'H'}, "twosync base"), 99), "future")
	must(t, d.Unlink("t", "base"))
	f, err := d.Create("t", "base", 0o600)
	must(t, err)
	log, err := record.NewLog("t", f, 0)
	must(t, err, log.Append("t", b), log.Close())
	_, l, err = base.Open(d, session)
	must(t, err)
	if !strings.Contains(l.Lost, "format 99") || !strings.Contains(l.Lost, "base.lost-2") {
		t.Errorf("other version: %q", l.Lost)
	}
}

// TestReadErrorIsNotLoss: a file that can't be read is an error. It may be
// readable tomorrow.
func TestReadErrorIsNotLoss(t *testing.T) {
	path := t.TempDir()
	s, _ := open(t, openDir(t, fsx.OS(), path))
	must(t, s.Close())
	hooks := fsxtest.Hooks{Read: func(_ fsx.Site, op, _ string) error {
		if op == "read.open" {
			return fsxtest.ErrInjected
		}
		return nil
	}}
	_, _, err := base.Open(openDir(t, hooks.Wrap(fsx.OS()), path), session)
	if !errors.Is(err, fsxtest.ErrInjected) {
		t.Fatal(err)
	}
	if _, l := open(t, openDir(t, fsx.OS(), path)); l.Lost != "" {
		t.Fatal(l.Lost)
	}
}

func runScript(d fsx.Dir) (done int, err error) {
	s, _, err := base.Open(d, session)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	for _, step := range script() {
		if err := step(s); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// J1: stops at each step of the script. What was reported as
// done is there, and at most the one call that was under way besides.
func TestCrashEverywhere(t *testing.T) {
	want := states(t)
	for at := 1; ; at++ {
		path := t.TempDir()
		faults := &fsxtest.Faults{At: at, Stop: true}
		done, err := runScript(openDir(t, faults.Wrap(fsx.OS()), path))
		if !faults.Hit() {
			must(t, err)
			return
		}
		s, l := open(t, openDir(t, fsx.OS(), path))
		got := show(s, l)
		if got != want[done] && (done == len(want)-1 || got != want[done+1]) {
			t.Fatalf("%v: done %d, got\n%s", faults.Steps()[at-1], done, got)
		}
	}
}

// I2r: fails each step once and goes on: a call that reported
// success has happened, one that reported failure has not or is the last that
// the store let through.
func TestFailEverywhere(t *testing.T) {
	for _, cause := range []error{fsx.ErrNoSpace, fsxtest.ErrInjected} {
		for at := 1; ; at++ {
			path := t.TempDir()
			faults := &fsxtest.Faults{At: at, Err: cause}
			gen, failed := manyCommits(t, openDir(t, faults.Wrap(fsx.OS()), path), 5)
			if !faults.Hit() {
				break
			}
			step := faults.Steps()[at-1]
			_, l := open(t, openDir(t, fsx.OS(), path))
			if l.Lost != "" || l.Epoch.Gen != gen {
				t.Fatalf("%v: generation %d lost %q, want %d", step, l.Epoch.Gen, l.Lost, gen)
			}
			if step.Op == "write" && step.Site == "base.open" && failed > 1 {
				t.Fatalf("%v: %d calls failed", step, failed)
			}
		}
	}
}

// manyCommits reopens the store and commits, whatever fails, and returns the
// last generation that was committed. A log that refuses must refuse for ever.
func manyCommits(t *testing.T, d fsx.Dir, n uint64) (last uint64, failed int) {
	s, _, err := base.Open(d, session)
	if err != nil {
		return 0, 1
	}
	if s.Begin(epoch(0), "", nil) != nil {
		_ = s.Close()
		return 0, 1
	}
	_ = s.Close()
	if s, _, err = base.Open(d, session); err != nil {
		return 0, 1
	}
	defer s.Close()
	refused := false
	for gen := uint64(1); gen <= n; gen++ {
		err := s.Intend(gen, []string{"a"})
		if err == nil {
			err = s.Commit(epoch(gen), []tree.Change{put("a", file(fmt.Sprint(gen)))})
		}
		switch {
		case err == nil && refused:
			t.Fatal("a refusing store wrote")
		case err == nil:
			last = gen
		default:
			refused = refused || errors.Is(err, record.ErrRefused)
			failed++
		}
	}
	return last, failed
}

func TestCommitIsChecked(t *testing.T) {
	s, _ := open(t, openDir(t, fsx.OS(), t.TempDir()))
	e := epoch(1)
	if s.Commit(e, nil) == nil {
		t.Error("commit without an epoch")
	}
	must(t, s.Begin(epoch(3), "", dir("f", "1")))
	e.Container[5]++
	e.Gen = 4
	for name, err := range map[string]error{
		"other replica":  s.Commit(e, nil),
		"generation":     s.Commit(epoch(3), nil),
		"intent":         s.Intend(3, nil),
		"path":           s.Commit(epoch(4), []tree.Change{put("a//b", file("1"))}),
		"intent's path":  s.Intend(4, []string{"../x"}),
		"below a file":   s.Commit(epoch(4), []tree.Change{put("a", file("1")), put("f/x", file("1"))}),
		"unreadable":     s.Begin(epoch(1<<62+1), "", nil),
		"rules too long": s.SetRules(strings.Repeat("x", base.MaxRules+1), s.Tree()),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if !tree.Equal(s.Tree(), dir("f", "1")) || s.Epoch() != epoch(3) {
		t.Error("a refused commit changed base")
	}
	for name, f := range map[string]func(){
		"murky commit":   func() { _ = s.Commit(epoch(4), []tree.Change{put("a", tree.NewUnknown("why"))}) },
		"rules that add": func() { _ = s.SetRules("", dir("f", "1", "g", "1")) },
	} {
		if !panics(f) {
			t.Errorf("%s: no panic", name)
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func TestPending(t *testing.T) {
	d := openDir(t, fsx.OS(), t.TempDir())
	s, _ := open(t, d)
	must(t, s.Begin(epoch(0), "", nil), s.Intend(1, []string{"b", "a"}), s.Intend(1, []string{"a", "c"}),
		s.Intend(2, []string{"d"}), s.Close())
	s, l := open(t, d)
	if fmt.Sprint(l.Pending) != "[a b c d]" || l.PendingGen != 2 {
		t.Fatalf("%+v", l)
	}
	must(t, s.Commit(epoch(1), nil), s.Close())
	if _, l = open(t, d); fmt.Sprint(l.Pending) != "[d]" || l.PendingGen != 2 || l.Epoch.Gen != 1 {
		t.Fatalf("%+v", l)
	}
}

// TestBigCommit is more than one frame, and still all or nothing.
func TestBigCommit(t *testing.T) {
	big := wide(30_000, "v1")
	d := openDir(t, fsx.OS(), t.TempDir())
	s, _ := open(t, d)
	must(t, s.Begin(epoch(0), "", nil))
	before := len(content(t, d, "base"))
	must(t, s.Commit(epoch(1), []tree.Change{put("big", big)}), s.Close())
	b := content(t, d, "base")
	if len(b)-before < 1<<20 {
		t.Fatalf("only %d bytes", len(b)-before)
	}
	for n := before; n < len(b); n += len(b) / 37 {
		overwrite(t, d, "base", b[:n])
		s, l := open(t, d)
		if l.Tree != nil || l.Lost != "" || l.Epoch.Gen != 0 {
			t.Fatalf("cut at %d: %d entries, lost %q", n, l.Tree.Count(), l.Lost)
		}
		must(t, s.Close())
	}
	overwrite(t, d, "base", b)
	if _, l := open(t, d); !tree.Equal(tree.Get(l.Tree, "big"), big) {
		t.Fatal("not whole")
	}
}

// wide makes a tree of n files in directories of 100.
func wide(n int, content string) *tree.Entry {
	var dirs []tree.Child
	for i := 0; i < n; i += 100 {
		var files []tree.Child
		for j := range min(100, n-i) {
			name := fmt.Sprintf("a-name-of-usual-length-%02d.go", j)
			files = append(files, tree.Child{Name: name, Entry: file(fmt.Sprint(content, i, j))})
		}
		dirs = append(dirs, tree.Child{Name: fmt.Sprintf("dir-%07d", i), Entry: tree.NewDir(files)})
	}
	return tree.NewDir(dirs)
}

// TestCompaction: the file stays bounded, and what it says does not change.
func TestCompaction(t *testing.T) {
	d := openDir(t, fsx.OS(), t.TempDir())
	s, _ := open(t, d)
	must(t, s.Begin(epoch(0), "rules", nil), s.SetSettled())
	trees := []*tree.Entry{wide(5_000, "v1"), wide(5_000, "v2"), wide(4_000, "v3")}
	largest := 0
	for gen := uint64(1); gen < 60; gen++ {
		must(t, s.Intend(gen+1, []string{"later"}),
			s.Commit(epoch(gen), []tree.Change{put("t", trees[gen%3]), put("n", file(fmt.Sprint(gen)))}))
		largest = max(largest, len(content(t, d, "base")))
	}
	if largest > 12<<20 {
		t.Fatalf("grew to %d bytes", largest)
	}
	live := fmt.Sprint(values(s.History("n")))
	must(t, s.Close())
	s, l := open(t, d)
	gone := "t/dir-0004900/a-name-of-usual-length-99.go" // not in the third tree
	if !tree.Equal(tree.Get(l.Tree, "t"), trees[59%3]) || l.Epoch != epoch(59) || !l.Settled || l.Rules != "rules" ||
		fmt.Sprint(values(s.History("n"))) != live || len(s.History("n")) != 8 || len(s.History(gone)) != 3 || l.PendingGen != 60 {
		t.Fatalf("%+v, %v, was %v, %d", l.Epoch, values(s.History("n")), live, len(s.History(gone)))
	}
}

func values(all []*tree.Entry) (shown []string) {
	for _, e := range all {
		shown = append(shown, value(e))
	}
	return shown
}

// TestCompactedCommit: the commit that makes the journal too long is in the
// file that is written because of it.
func TestCompactedCommit(t *testing.T) {
	d := openDir(t, fsx.OS(), t.TempDir())
	s, _ := open(t, d)
	must(t, s.Begin(epoch(0), "", nil), s.Commit(epoch(1), []tree.Change{put("t", wide(100_000, "v1")), put("n", file("last"))}))
	if b := content(t, d, "base"); bytes.Contains(b[len(b)-100:], []byte("dir-")) || b[len(b)-1] != 'E' {
		t.Fatal("not compacted")
	}
	must(t, s.Close())
	if s, l := open(t, d); l.Epoch.Gen != 1 || l.Tree.Count() < 100_000 || !s.Knows("n", file("last")) {
		t.Fatalf("%+v", l.Epoch)
	}
}

// TestEndlessAttempts: groups that are never committed do not add up.
func TestEndlessAttempts(t *testing.T) {
	d := openDir(t, fsx.OS(), t.TempDir())
	s, _ := open(t, d)
	must(t, s.Begin(epoch(0), "", nil))
	var paths []string
	for i := range 2_000 {
		paths = append(paths, fmt.Sprintf("some/where/file-%d", i))
	}
	must(t, s.Intend(1, []string{"only/in/the/first"}))
	for gen := uint64(2); gen < 500; gen++ {
		must(t, s.Intend(gen, paths))
	}
	if n := len(content(t, d, "base")); n > 9<<20 {
		t.Errorf("the file has %d bytes", n)
	}
	must(t, s.Close())
	s, l := open(t, d)
	if len(l.Pending) != 2_001 || l.PendingGen != 499 {
		t.Fatalf("%d paths up to %d", len(l.Pending), l.PendingGen)
	}
	must(t, s.Intend(500, []string{"later"}), s.Commit(epoch(499), nil), s.Close())
	if _, l = open(t, d); fmt.Sprint(l.Pending) != "[later]" {
		t.Fatalf("%v", l.Pending)
	}
}

// J3: stops at each step of opening a damaged file. Whoever gets
// through is told of the loss, and has the history.
func TestCrashWhileLost(t *testing.T) {
	b, ends := journal(t, script())
	b[ends[5]+10] ^= 1 // behind commit 2
	for at := 1; ; at++ {
		path := t.TempDir()
		overwrite(t, openDir(t, fsx.OS(), path), "base", b)
		faults := &fsxtest.Faults{At: at, Stop: true}
		s, l, err := base.Open(openDir(t, faults.Wrap(fsx.OS()), path), session)
		told := err == nil && l.Lost != ""
		if err == nil {
			_ = s.Close()
		}
		for range 2 {
			s, l := open(t, openDir(t, fsx.OS(), path))
			told = told || l.Lost != ""
			if l.Tree != nil || !s.Knows("b", file("1")) || !s.Knows("b", file("2")) || !s.Knows("a/x", file("1")) {
				t.Fatalf("fault %d: %+v\n%s", at, l, showHistory(s))
			}
			must(t, s.Close())
		}
		if !told && faults.Hit() {
			// The new file was in place, and only the answer was lost.
			if step := faults.Steps()[at-1]; step.Site != "base.dirsync" && step.String() != `after rename "base.new" (base.replace)` {
				t.Fatalf("%v: nobody was told", step)
			}
		}
		if !faults.Hit() {
			return
		}
	}
}

// TestOrderOfSyncs: what is made durable, and when.
func TestOrderOfSyncs(t *testing.T) {
	var steps []string
	d := openDir(t, fsxtest.Hooks{After: func(site fsx.Site, op, _ string) error {
		steps = append(steps, op+" "+string(site))
		return nil
	}}.Wrap(fsx.OS()), t.TempDir())
	var s *base.Store
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"first start", func() (err error) { s, _, err = base.Open(d, session); return err },
			"create base.new.create, write base.new.create, write base.new.create, write base.new.create, " +
				"sync base.new.sync, rename base.replace, sync base.dirsync"},
		{"begin", func() error { return s.Begin(epoch(0), "", nil) }, "write base.new.create, sync base.begin.sync"},
		{"intend", func() error { return s.Intend(1, []string{"a"}) }, "write base.new.create"},
		{"commit", func() error { return s.Commit(epoch(1), []tree.Change{put("a", file("1"))}) }, "write base.new.create, sync base.commit.sync"},
		{"settle", func() error { return s.SetSettled() }, "write base.new.create, sync base.settle.sync"},
		{"braked", func() error { return s.SetBraked(true) }, "write base.new.create, sync base.braked.sync"},
		{"braked again", func() error { return s.SetBraked(true) }, ""},
		{"rules", func() error { return s.SetRules("x", nil) }, "write base.new.create, sync base.rules.sync"},
		{"close", func() error { return s.Close() }, ""},
		// A process that was killed may have left what is not durable.
		{"start", func() (err error) { s, _, err = base.Open(d, session); return err }, "update base.open, sync base.open.log"},
		{"is braked", func() error { return s.SetBraked(true) }, ""},
		{"no more", func() error { return s.SetBraked(false) }, "write base.open, sync base.braked.sync"},
		{"end", func() error { return s.Close() }, ""},
	} {
		steps = nil
		must(t, c.do())
		if got := strings.Join(steps, ", "); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// TestWrongRecord: a record that is whole and can't have been written by us
// means that nothing is to be believed.
func TestWrongRecord(t *testing.T) {
	b, _ := journal(t, script())
	d := openDir(t, fsx.OS(), t.TempDir())
	for name, rec := range map[string][]byte{
		"unknown": {'?'}, "empty": {}, "behind the end": {'E'}, "something left over": {'D', 0},
		"generation 0": append(append([]byte{'C'}, make([]byte, 32)...), 0, 0),
	} {
		overwrite(t, d, "base", b)
		f, err := d.Update("t", "base", 0o600)
		must(t, err)
		log, err := record.NewLog("t", f, int64(len(b)))
		must(t, err, log.Append("t", rec), log.Close())
		s, l := open(t, d)
		if l.Lost == "" || l.Tree != nil {
			t.Errorf("%s: %+v", name, l)
		}
		must(t, s.Close())
	}
}

// TestTornIntents: of records that were never durable, those behind the first
// torn one go, and nothing else.
func TestTornIntents(t *testing.T) {
	steps := script()[:5]
	for _, p := range []string{"first", "second"} {
		steps = append(steps, func(s *base.Store) error { return s.Intend(3, []string{p}) })
	}
	b, ends := journal(t, steps)
	b[ends[5]+10] ^= 1
	d := openDir(t, fsx.OS(), t.TempDir())
	overwrite(t, d, "base", b)
	if _, l := open(t, d); l.Lost != "" || l.Pending != nil || l.Epoch.Gen != 2 {
		t.Fatalf("%+v", l)
	}
}

// TestCompactionFails: a commit that made the file too long has happened, and
// the store works on, whatever became of the compaction.
func TestCompactionFails(t *testing.T) {
	if testing.Short() {
		t.Skip("writes some 200 MB")
	}
	for at := 1; ; at++ {
		path := t.TempDir()
		armed := false
		steps := 0
		hooks := fsxtest.Hooks{}
		hooks.Before = func(site fsx.Site, _, _ string) error {
			if !armed || !strings.HasPrefix(string(site), "base.new") && site != "base.replace" && site != "base.dirsync" {
				return nil
			}
			if steps++; steps == at {
				return fsx.ErrNoSpace
			}
			return nil
		}
		s, _ := open(t, openDir(t, hooks.Wrap(fsx.OS()), path))
		must(t, s.Begin(epoch(0), "", nil), s.Close())
		s, _ = open(t, openDir(t, hooks.Wrap(fsx.OS()), path)) // the site of its writes is another now
		armed = true
		must(t, s.Commit(epoch(1), []tree.Change{put("t", wide(70_000, "v1"))}))
		refuses := s.Commit(epoch(2), []tree.Change{put("n", file("1"))})
		want := uint64(2)
		if errors.Is(refuses, record.ErrRefused) {
			want = 1
		} else {
			must(t, refuses)
		}
		must(t, s.Close())
		if _, l := open(t, openDir(t, fsx.OS(), path)); l.Epoch.Gen != want || l.Tree.Count() < 70_000 {
			t.Fatalf("step %d: %+v", at, l.Epoch)
		}
		if steps < at {
			break
		}
	}
}

// TestHistoryCostsNothing: paths that never changed take no memory besides
// the tree.
func TestHistoryCostsNothing(t *testing.T) {
	d := openDir(t, fsx.OS(), t.TempDir())
	s, _ := open(t, d)
	big, again := wide(100_000, "v1"), wide(100_000, "v1")
	must(t, s.Begin(epoch(0), "", nil))
	before := heap()
	must(t, s.Commit(epoch(1), []tree.Change{put("", big)}))
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("a commit of 100 000 files keeps %d bytes", grown)
	}
	must(t, s.Begin(base.Epoch{}, "", nil), s.Commit(base.Epoch{Gen: 1}, []tree.Change{put("", again)}), s.SetSettled())
	if grown := heap() - before; grown > 3<<20 {
		t.Errorf("a new epoch with the same files keeps %d bytes", grown)
	}
	runtime.KeepAlive([]any{big, again, s})
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
