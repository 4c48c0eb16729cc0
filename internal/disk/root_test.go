//go:build !windows

package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

func startError(t *testing.T, dir string, opt Options) *RootError {
	t.Helper()
	d := New(dir, opt)
	defer d.Close()
	_, err := d.Start(t.Context(), replica.Start{Rules: rulesText(t)})
	var root *RootError
	if !errors.As(err, &root) || root.Remedy == "" {
		t.Fatalf("start: %v", err)
	}
	return root
}

// F8, H4, C11: roots that can't be, with what to do about it.
func TestRootErrors(t *testing.T) {
	dir := t.TempDir()
	at := func(p string) string { return filepath.Join(dir, p) }
	os.WriteFile(at("file"), nil, 0o666)
	os.MkdirAll(at("a"), 0o777)
	os.WriteFile(at("a/.twosync"), []byte("mine"), 0o666)
	os.MkdirAll(at("b"), 0o777)
	os.Symlink(dir, at("b/.twosync"))
	for p, want := range map[string]string{"missing": "does not exist", "file": "is not a directory", "a": "not twosync's folder", "b": "not twosync's folder"} {
		if err := startError(t, at(p), Options{}); !strings.Contains(err.Msg, want) {
			t.Errorf("%s: %s", p, err.Msg)
		}
	}
	if b, _ := os.ReadFile(at("a/.twosync")); string(b) != "mine" {
		t.Error("the file is gone")
	}
	r := open(t, at("made/by/us"), Options{Make: true})
	if err := startError(t, at("made/by/us"), Options{}); !strings.Contains(err.Msg, "another session") {
		t.Error(err.Msg)
	}
	r.d.Close()
	r = open(t, at("made/by/us"), Options{Holder: "us"})
	r.check()
	if r.d.Shared() {
		t.Error("a root of ours alone is said to be shared")
	}
	os.WriteFile(at("made/by/us/.twosync/lock"), []byte("the agent of us"), 0o600)
	if !r.d.Shared() {
		t.Error("a lock that another signed is not noticed")
	}
}

// H7: a link on the way to the root is fine, also where it has to be made.
func TestRootBehindLink(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(dir+"/real", 0o777)
	os.Symlink("real", dir+"/link")
	r := open(t, dir+"/link/new", Options{Make: true})
	if real, _ := filepath.EvalSymlinks(dir + "/real/new"); r.id.Root != real {
		t.Errorf("root is %s", r.id.Root)
	}
	r.write("f", "x")
	r.flush()
	r.check()
}

// C11, H1, H8: a root that is replaced, moved or removed halts, and nothing is
// applied any more. What was below it is not reported as deleted.
func TestRootGone(t *testing.T) {
	for name, act := range map[string]func(root string){
		"moved":    func(root string) { os.Rename(root, root+"2") },
		"replaced": func(root string) { os.Rename(root, root+"2"); os.Mkdir(root, 0o777) },
		"removed":  func(root string) { os.Rename(root+"/f", root+"/../f"); os.RemoveAll(root) },
		"link":     func(root string) { os.Rename(root, root+"2"); os.Symlink("/tmp", root) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := contents{}
			root := filepath.Join(t.TempDir(), "root")
			os.Mkdir(root, 0o777)
			r := open(t, root, Options{})
			r.write("f", "x")
			r.flush()
			act(root)
			// Whether it was noticed or not: nothing is applied.
			fresh := c.file("new")
			if res := r.apply(c, tree.Change{Path: "g", New: fresh})["g"]; res.Status != replica.Held {
				t.Errorf("result %+v", res)
			}
			if !r.halted {
				r.until(func(rep replica.Report) bool { return rep.Notice != nil && rep.Notice.Level == replica.Halt })
			}
			r.flush()
			if name != "removed" && tree.Get(r.tree, "f") == nil {
				t.Error("what was in the root is reported as deleted")
			}
			if b, err := os.ReadFile(root + "/g"); err == nil {
				t.Errorf("applied all the same: %q", b)
			}
		})
	}
}

// counted counts the files that are opened for reading below a root.
type counted struct {
	mu    sync.Mutex
	reads map[string]int
	sites map[fsx.Site]int
	ops   []string
}

func (c *counted) fs() fsx.FS {
	c.reads, c.sites = make(map[string]int), make(map[fsx.Site]int)
	note := func(site fsx.Site, op, name string) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sites[site]++
		c.ops = append(c.ops, op+" "+string(site))
		if op == "read.open" {
			c.reads[name]++
		}
		return nil
	}
	return fsxtest.Hooks{Before: note, Read: note}.Wrap(fsx.OS())
}

func (c *counted) total(prefix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, k := range c.reads {
		if strings.HasPrefix(name, prefix) {
			n += k
		}
	}
	return n
}

// B14, J4: a session that begins again reads nothing that it knows, also what
// was put there by a batch, also when the first process was killed.
func TestStartAgainReadsNothing(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			t.Parallel()
			c := contents{}
			dir := t.TempDir()
			for i := range 100 {
				os.WriteFile(filepath.Join(dir, fmt.Sprint("f-user-", i)), []byte(fmt.Sprint("user", i)), 0o666)
			}
			clock := newClock()
			st := &steps{fail: fsxtest.ErrInjected}
			r := open(t, dir, Options{Clock: clock, FS: scenario{}.fs(st)})
			var children []tree.Child
			changes := []tree.Change{}
			for i := range 100 {
				e := c.file(fmt.Sprint("ours", i))
				children = append(children, tree.Child{Name: fmt.Sprint("f-in-", i), Entry: e})
				changes = append(changes, tree.Change{Path: fmt.Sprint("f-ours-", i), New: e})
			}
			r.applyAll(c, append(changes, tree.Change{Path: "d", New: tree.NewDir(children)})...)
			r.quiet()
			r.waitSaved(clock)
			if killed {
				st.mu.Lock()
				st.stop, st.at, st.n = true, 1, 1
				st.mu.Unlock()
			}
			r.d.Close()
			count := &counted{}
			again := open(t, dir, Options{FS: count.fs()})
			again.check()
			if n := count.total("f-"); n > 0 {
				t.Errorf("%d files were read again", n)
			}
		})
	}
}

// waitSaved pushes the time until the disk has nothing more to put in order.
func (r *rig) waitSaved(clock *clock) {
	r.t.Helper()
	for range 1000 {
		clock.advance(restAfter)
		r.quiet()
		r.d.mu.Lock()
		done := !r.d.restless && !r.d.unsaved && !r.d.saveDue && !r.d.choring
		r.d.mu.Unlock()
		if done {
			return
		}
	}
	r.t.Fatal("never saved")
}

// limited is a source that allows some watches.
type limited struct {
	watch.Source
	mu   sync.Mutex
	left int
}

func (l *limited) Add(dir string, fd int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left--; l.left < 0 {
		return &watch.LimitError{Reason: "no watch left", Remedy: "allow more", Err: errors.New("full")}
	}
	return l.Source.Add(dir, fd)
}

// I6r: where the watch limit is reached it is said once, with the remedy, and
// the rest is polled.
func TestWatchLimit(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		os.MkdirAll(fmt.Sprintf("%s/d%d/e", dir, i), 0o777)
		os.WriteFile(fmt.Sprintf("%s/d%d/e/f", dir, i), []byte("one"), 0o666)
	}
	clock := newClock()
	var notices int
	r := open(t, dir, Options{Clock: clock, Source: func(root string) (watch.Source, error) {
		s, err := watch.Open(root)
		return &limited{Source: s, left: 3}, err
	}})
	r.each = func(rep replica.Report) {
		if rep.Notice != nil {
			notices++
			if rep.Notice.Remedy != "allow more" {
				t.Errorf("notice %+v", rep.Notice)
			}
		}
	}
	r.d.mu.Lock()
	polled := len(r.d.polled)
	r.d.mu.Unlock()
	if polled != 8 {
		t.Errorf("%d directories are polled", polled)
	}
	for i := range 5 {
		os.WriteFile(fmt.Sprintf("%s/d%d/e/f", dir, i), []byte("two"), 0o666) // same size, and perhaps same stamp
		os.MkdirAll(fmt.Sprintf("%s/d%d/n/m", dir, i), 0o777)
	}
	stop := pass(func() { clock.advance(time.Second); r.d.watch.Wake() })
	defer stop()
	r.untilEqual()
	os.WriteFile(dir+"/d4/n/m/deep", []byte("polled too"), 0o666)
	r.untilEqual()
	os.RemoveAll(dir + "/d3")
	r.untilEqual()
	if notices > 1 {
		t.Errorf("said %d times", notices)
	}
}

// pass lets time pass: f is called again and again until stop is. What was seen
// once may be deferred, and is looked at again only when its time has come.
func pass(f func()) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f()
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// untilEqual reads reports until they say what the root holds.
func (r *rig) untilEqual() {
	r.t.Helper()
	want := r.scan()
	for !tree.Equal(want, r.tree) {
		r.next()
	}
}

// A lost event is found by the sweep, a slice at a time.
func TestSweepFindsWhatWasNotNoticed(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 * sweepSlice {
		os.MkdirAll(fmt.Sprintf("%s/%d/e", dir, i), 0o777)
	}
	clock := newClock()
	r := open(t, dir, Options{Clock: clock, Source: func(root string) (watch.Source, error) {
		return deaf{watch.NewPoll(time.Hour)}, nil
	}})
	for i := range 3 * sweepSlice {
		os.WriteFile(fmt.Sprintf("%s/%d/e/f", dir, i), []byte("x"), 0o666)
	}
	clock.advance(sweepEvery)
	want := r.scan()
	for n := 0; !tree.Equal(want, r.tree); n++ {
		clock.advance(sweepEvery / 10)
		r.flush()
		if n > 100 {
			t.Fatalf("the sweep found\n%s", show(r.tree))
		}
	}
}

// deaf is a source that says it is precise and never says anything.
type deaf struct{ watch.Source }

func (deaf) Precise() bool { return true }

// J4, D9: what is written between two sessions is read, also where its size is
// the same and it follows right behind the last look.
func TestStartAgainSeesEdits(t *testing.T) {
	dir := t.TempDir()
	for i := range 30 {
		r := open(t, dir, Options{})
		r.write("f", fmt.Sprintf("%04d", 2*i))
		r.flush()
		r.check()
		r.d.Close()
		r.write("f", fmt.Sprintf("%04d", 2*i+1))
		again := open(t, dir, Options{})
		again.check()
		again.d.Close()
		if t.Failed() {
			t.Fatalf("round %d", i)
		}
	}
}
