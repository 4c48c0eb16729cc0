//go:build !windows

package disk

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

var everyRace = flag.Bool("every", false, "run all races and faults, not one in eight")

// picked says whether a race or fault is among those that always run.
func picked(name string) bool {
	d := tree.DigestOf([]byte(name))
	return *everyRace || d[0]%8 == 0
}

// TestMain lets many tests wait at the same time: they wait for quiet, mostly.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	verifyRead = 1 << 20
	minIntents = 4 << 10
	closeFor = time.Minute
	os.Exit(m.Run())
}

// noExchange is a file system that can't exchange two names, or, with layer,
// one whose directory x comes from an image layer and can't be renamed.
type noExchange struct {
	fsx.FS
	layer bool
}

type noExchangeDir struct {
	fsx.Dir
	layer bool
}

func (f noExchange) OpenRoot(path string) (fsx.Dir, error) {
	d, err := f.FS.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return noExchangeDir{d, f.layer}, nil
}
func (f noExchange) SyncFS(s fsx.Site, d fsx.Dir) error { return f.FS.SyncFS(s, d.(noExchangeDir).Dir) }
func (f noExchange) Granularity(d fsx.Dir) int64        { return f.FS.Granularity(d.(noExchangeDir).Dir) }
func (f noExchange) Magic(d fsx.Dir) string             { return f.FS.Magic(d.(noExchangeDir).Dir) }

func (d noExchangeDir) Open(name string) (fsx.Dir, error) {
	sub, err := d.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	return noExchangeDir{sub, d.layer}, nil
}

func (d noExchangeDir) Rename(s fsx.Site, name string, to fsx.Dir, toName string, how fsx.How) error {
	st, err := d.Dir.Stat(name)
	switch {
	case d.layer && err == nil && st.Kind == fsx.Directory && name == "x":
		return fsx.ErrCrossDevice
	case !d.layer && how == fsx.Exchange:
		return fsx.ErrUnsupported
	}
	return d.Dir.Rename(s, name, to.(noExchangeDir).Dir, toName, how)
}

// world is a root with p/x in it, and a canary outside.
type world struct {
	t       *testing.T
	dir     string // holds root and outside
	root, x string // x is what the batch changes
	c       contents
	held    *os.File // of x or x/a, opened before the batch
	user    string   // what the user wrote and did not take away again
	mu      sync.Mutex
	partial string
}

const canary = "canary"

func newWorld(t *testing.T, old *tree.Entry) *world {
	w := &world{t: t, dir: t.TempDir(), c: contents{}}
	w.root = filepath.Join(w.dir, "root")
	w.x = filepath.Join(w.root, "p", "x")
	shapes(w.c)
	for _, d := range []string{"root", "root/p", "outside"} {
		if err := os.Mkdir(filepath.Join(w.dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(w.dir, "outside", "x"), []byte(canary), 0o666)
	w.c.put(t, filepath.Join(w.root, "p", "stays"), w.c.file("stays"))
	w.c.put(t, w.x, old)
	if f, err := os.OpenFile(w.target(), os.O_RDWR, 0); err == nil {
		w.held = f
		t.Cleanup(func() { f.Close() })
	}
	return w
}

// target is the file that the user is at work on.
func (w *world) target() string {
	if st, err := os.Lstat(w.x); err == nil && st.IsDir() {
		return filepath.Join(w.x, "a")
	}
	return w.x
}

// actions are what a user may do at any moment.
var actions = map[string]func(w *world){
	"modify in place": func(w *world) {
		if st, err := os.Lstat(w.target()); err == nil && st.Mode().IsRegular() {
			w.save(os.WriteFile(w.target(), []byte("user"), 0o666), "user")
		}
	},
	"atomic replace": func(w *world) {
		tmp := filepath.Join(w.root, "tmp")
		os.WriteFile(tmp, []byte("user"), 0o666)
		if err := os.Rename(tmp, w.target()); err != nil {
			os.Remove(tmp)
			return
		}
		w.user = "user"
	},
	"delete": func(w *world) { os.Remove(w.target()) },
	"recreate alike": func(w *world) {
		st, err := os.Lstat(w.target())
		if err != nil || !st.Mode().IsRegular() {
			return
		}
		os.Remove(w.target())
		u := strings.Repeat("u", int(st.Size()))
		w.save(os.WriteFile(w.target(), []byte(u), st.Mode().Perm()), u)
		os.Chtimes(w.target(), st.ModTime(), st.ModTime())
	},
	"modify and set back": func(w *world) {
		st, err := os.Lstat(w.target())
		if err != nil || !st.Mode().IsRegular() {
			return
		}
		u := strings.Repeat("v", int(st.Size()))
		w.save(os.WriteFile(w.target(), []byte(u), 0o666), u)
		os.Chtimes(w.target(), st.ModTime(), st.ModTime())
	},
	"chmod":   func(w *world) { os.Chmod(w.target(), 0o755) },
	"unchmod": func(w *world) { os.Chmod(w.target(), 0o644) },
	"make dir": func(w *world) {
		os.Remove(w.target())
		if err := os.Mkdir(w.target(), 0o777); err == nil {
			in := filepath.Join(w.target(), "in")
			w.save(os.WriteFile(in, []byte("user"), 0o666), "user")
		}
	},
	"link outside": func(w *world) {
		os.Remove(w.target())
		os.Symlink(filepath.Join(w.dir, "outside", "x"), w.target())
	},
	"rename away": func(w *world) { os.Rename(w.target(), w.target()+"2") },
	"rename parent": func(w *world) {
		os.Rename(filepath.Join(w.root, "p"), filepath.Join(w.root, "p2"))
	},
	"swap parent for link": func(w *world) {
		os.Rename(filepath.Join(w.root, "p"), filepath.Join(w.root, "p2"))
		os.Symlink(filepath.Join(w.dir, "outside"), filepath.Join(w.root, "p"))
	},
	"add to directory": func(w *world) {
		if st, err := os.Lstat(w.x); err == nil && st.IsDir() {
			w.save(os.WriteFile(filepath.Join(w.x, "added"), []byte("user"), 0o666), "user")
		}
	},
	"write through old descriptor": func(w *world) {
		if w.held != nil {
			w.held.Truncate(0)
			_, err := w.held.WriteAt([]byte("user"), 0)
			w.save(err, "user")
		}
	},
}

func (w *world) save(err error, content string) {
	if err == nil {
		w.user = content
	}
}

// look fails if any file of the root holds a part of something.
func (w *world) look(where string) {
	filepath.WalkDir(w.root, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == privateName {
			return fs.SkipDir
		}
		if err != nil || !e.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil || string(b) == w.user || string(b) == "user" || w.c[tree.DigestOf(b)] != "" || len(b) == 0 && w.c != nil {
			return nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.partial = fmt.Sprintf("%s: %s holds %q", where, p, b[:min(len(b), 60)])
		return nil
	})
}

// has says whether some file below the root holds content.
func (w *world) has(content string) bool {
	found := false
	filepath.WalkDir(w.root, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == privateName {
			return fs.SkipDir
		}
		if err == nil && e.Type().IsRegular() {
			b, _ := os.ReadFile(p)
			found = found || string(b) == content
		}
		return nil
	})
	return found
}

// scenario is one change that is interrupted.
type scenario struct {
	name     string
	from, to string
	plain    bool // no exchange
	layer    bool // no rename of directories
}

var scenarios = []scenario{
	{"replace", "file", "file2", false, false},
	{"replace large", "huge", "bigger", false, false},
	{"replace without exchange", "file", "file2", true, false},
	{"delete", "file", "absent", false, false},
	{"create", "absent", "file", false, false},
	{"create dir", "absent", "onefile", false, false},
	{"file to dir", "file", "onefile", false, false},
	{"dir to file", "onefile", "file2", false, false},
	{"dir to file without exchange", "onefile", "file2", true, false},
	{"delete dir", "dir2", "absent", false, false},
	{"delete dir of a layer", "dir2", "absent", false, true},
	{"dir of a layer to file", "onefile", "file2", false, true},
	{"dir to dir", "onefile", "dir2", false, false},
	{"link", "link", "link2", false, false},
	{"file to link", "file", "link", false, false},
	{"link to file", "link", "file", false, false},
	{"chmod", "file", "exec", false, false},
}

// steps counts the changes that a scenario makes, or does something at one.
type steps struct {
	armed bool
	n, at int
	do    func(s string)
	every func(s string)
	fail  error // what the step at fails with, and with stop everything after it
	stop  bool
	where string // the step at which it failed
	mu    sync.Mutex
}

func (s *steps) arm(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = on
}

func (s *steps) hook(when string) fsxtest.Hook {
	return func(site fsx.Site, op, name string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.stop && s.n >= s.at && s.at > 0 {
			return s.fail
		}
		if !s.armed || when == "read" {
			return nil
		}
		s.n++
		where := fmt.Sprintf("%s %s at %s", when, op, site)
		if s.n == s.at && s.do != nil {
			s.do(where)
		}
		if s.n == s.at && s.fail != nil {
			s.where = where
			return s.fail
		}
		if s.every != nil {
			s.every(where)
		}
		return nil
	}
}

func (s scenario) fs(st *steps) fsx.FS {
	inner := fsx.OS()
	if s.plain || s.layer {
		inner = noExchange{inner, s.layer}
	}
	return fsxtest.Hooks{Before: st.hook("before"), After: st.hook("after"), Read: st.hook("read")}.Wrap(inner)
}

// A6, C4, C5, D9, H10: CASES L2, in small: at every step of every change, the user does everything.
// No content that the user wrote is lost, nothing outside the root is touched,
// nobody sees a part of a file, and afterwards the disk knows what it holds.
func TestRaces(t *testing.T) {
	for _, s := range scenarios {
		n := countSteps(t, s)
		if n < 2 {
			t.Fatalf("%s has %d steps", s.name, n)
		}
		for action := range actions {
			if s.from == "huge" && (action == "modify and set back" || action == "recreate alike") {
				continue // the limit that verifyRead speaks of
			}
			for at := 1; at <= n; at++ {
				name := fmt.Sprintf("%s/%s/%d", s.name, action, at)
				if !picked(name) {
					continue
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					race(t, s, action, at)
				})
			}
		}
	}
}

func countSteps(t *testing.T, s scenario) int {
	all := shapes(contents{})
	w := newWorld(t, all[s.from])
	st := &steps{}
	r := open(t, w.root, Options{FS: s.fs(st), Each: inOrder})
	st.arm(true)
	r.applyAll(w.c, tree.Change{Path: "p/x", Old: all[s.from], New: all[s.to]})
	st.arm(false)
	return st.n
}

func race(t *testing.T, s scenario, action string, at int) {
	all := shapes(contents{})
	w := newWorld(t, all[s.from])
	st := &steps{at: at, every: w.look}
	where := "nowhere"
	st.do = func(step string) { where = step; actions[action](w) }
	r := open(t, w.root, Options{FS: s.fs(st), Each: inOrder})
	st.arm(true)
	res := r.apply(w.c, tree.Change{Path: "p/x", Old: all[s.from], New: all[s.to]})["p/x"]
	st.arm(false)
	defer func() {
		if t.Failed() {
			t.Logf("the action was %s; result %+v; root:\n%s", where, res, show(r.tree))
		}
	}()
	r.flush()
	r.check()
	r.d.Close()
	r.drain()
	if w.partial != "" {
		t.Error(w.partial)
	}
	if w.user != "" && !w.has(w.user) && !r.strays[tree.DigestOf([]byte(w.user))] {
		t.Errorf("what the user wrote is lost")
	}
	if b, err := os.ReadFile(filepath.Join(w.dir, "outside", "x")); string(b) != canary || err != nil {
		t.Errorf("outside: %q %v", b, err)
	}
	if items, _ := os.ReadDir(filepath.Join(w.dir, "outside")); len(items) != 1 {
		t.Errorf("outside: %v", items)
	}
	if strings.HasPrefix(action, "rename") && !w.has("stays") {
		t.Error("a file next to it is lost")
	}
}

// drain reads what is left after the disk was closed.
func (r *rig) drain() {
	for {
		rep, err := r.d.Next(r.ctx)
		if err != nil {
			return
		}
		r.follow(rep)
	}
}

// heldOpen is a directory with a file that a program has open, and a change of it.
func heldOpen(t *testing.T) (c contents, dir string, change tree.Change, held *os.File) {
	t.Helper()
	c, dir = contents{}, t.TempDir()
	change = tree.Change{Path: "f", Old: c.file("old"), New: c.file("new")}
	c.put(t, dir+"/f", change.Old)
	held, err := os.OpenFile(dir+"/f", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { held.Close() })
	return c, dir, change, held
}

// D9, A6: a captured file that is written to through a descriptor that was open
// before is announced, can be read, and goes when it is released.
func TestLateWriteIsAStray(t *testing.T) {
	c, dir, change, held := heldOpen(t)
	clock := newClock()
	r := open(t, dir, Options{Clock: clock})
	r.applyAll(c, change)
	held.WriteAt([]byte("late"), 0)
	clock.advance(slotRest + time.Second)
	r.d.watch.Wake()
	rep := r.until(func(rep replica.Report) bool { return rep.Stray != nil })
	if rep.Stray.Path != "f" || rep.Stray.Entry.Digest != tree.DigestOf([]byte("late")) {
		t.Errorf("stray %+v", rep.Stray)
	}
	if got := r.send(replica.Want{Slot: rep.Stray.Slot, Size: 4}); got != "late" {
		t.Errorf("sent %q", got)
	}
	// Whoever has it open writes once more before it is released.
	held.WriteAt([]byte("last"), 0)
	if err := r.d.Release(r.ctx, []string{rep.Stray.Slot, "unknown"}); err != nil {
		t.Fatal(err)
	}
	clock.advance(slotRest + time.Second)
	r.d.watch.Wake()
	rep = r.until(func(rep replica.Report) bool { return rep.Stray != nil })
	if rep.Stray.Path != "f" || rep.Stray.Entry.Digest != tree.DigestOf([]byte("last")) {
		t.Errorf("stray %+v", rep.Stray)
	}
	if err := r.d.Release(r.ctx, []string{rep.Stray.Slot}); err != nil {
		t.Fatal(err)
	}
	if items := slotsIn(dir); len(items) != 0 {
		t.Errorf("left over: %v", items)
	}
}

// D9: so is one whose stamp was set back after that.
func TestLateWriteWithItsStampSetBack(t *testing.T) {
	c, dir, change, held := heldOpen(t)
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir+"/f", hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir, Options{})
	r.applyAll(c, change)
	held.WriteAt([]byte("OLD"), 0)
	if err := os.Chtimes(r.path(".twosync/stage/"+slotsIn(dir)[0]), hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	r.d.cleanSlots(true)
	rep := r.until(func(rep replica.Report) bool { return rep.Stray != nil })
	if rep.Stray.Entry.Digest != tree.DigestOf([]byte("OLD")) {
		t.Errorf("stray %+v", rep.Stray)
	}
}

// I4r: a stray that can't be read just now, or is written to while it is sent, is
// announced again later, without a new start.
func TestStrayIsAnnouncedAgain(t *testing.T) {
	c, dir, change, held := heldOpen(t)
	var few atomic.Bool
	r := open(t, dir, Options{FS: fsxtest.Hooks{Read: func(_ fsx.Site, op, _ string) error {
		if few.Load() && op != "stat" && op != "list" {
			return fsx.ErrTooMany
		}
		return nil
	}}.Wrap(fsx.OS())})
	r.applyAll(c, change)
	held.WriteAt([]byte("late"), 0)
	few.Store(true)
	r.d.cleanSlots(true)
	few.Store(false)
	for _, content := range []string{"late", "last"} {
		r.d.cleanSlots(true)
		rep := r.until(func(rep replica.Report) bool { return rep.Stray != nil })
		if rep.Stray.Path != "f" || rep.Stray.Entry.Digest != tree.DigestOf([]byte(content)) {
			t.Fatalf("stray %+v", rep.Stray)
		}
		held.WriteAt([]byte("last"), 0)
		want := replica.Want{Slot: rep.Stray.Slot, Digest: rep.Stray.Entry.Digest, Size: 4}
		why := ""
		if err := r.d.Send(r.ctx, []replica.Want{want}, func(p replica.Piece) error { why += p.Gone; return nil }); err != nil {
			t.Fatal(err)
		}
		if (content == "last") != (why == "") {
			t.Errorf("%q was sent with %q", content, why)
		}
	}
}

// A6: what was put in place for a moment, until the user's save went back, may
// have been opened in that moment.
func TestPutBackRests(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	old, fresh := c.file("old"), c.file("new")
	c.put(t, dir+"/f", old)
	clock := newClock()
	var held *os.File
	h := fsxtest.Hooks{
		Before: func(site fsx.Site, _, _ string) error {
			if site == siteExchange {
				os.WriteFile(dir+"/f", []byte("user"), 0o666)
			}
			return nil
		},
		After: func(site fsx.Site, _, _ string) (err error) {
			if site == siteExchange {
				held, err = os.OpenFile(dir+"/f", os.O_WRONLY|os.O_APPEND, 0)
			}
			return err
		},
	}
	displaced := func(_ fsx.Dir, _ string, was Past) error {
		t.Errorf("%s is handed over: %s", was.Path, was.Why)
		return nil
	}
	r := open(t, dir, Options{FS: h.Wrap(fsx.OS()), Clock: clock, Displaced: displaced})
	for _, late := range []string{"", "+late"} {
		if got := r.apply(c, tree.Change{Path: "f", Old: old, New: fresh})["f"]; got.Status != replica.MovedOn || r.read("f") != "user" {
			t.Fatalf("%+v, and f holds %q", got, r.read("f"))
		}
		held.WriteString(late)
		held.Close()
		clock.advance(slotRest + time.Second)
		if err := r.d.cleanSlots(false); err != nil {
			t.Fatal(err)
		}
		c.put(t, dir+"/f", old)
		r.flush()
	}
	if !r.strays[tree.DigestOf([]byte("new+late"))] || len(r.strays) != 1 {
		t.Errorf("strays: %v", r.strays)
	}
	if items := slotsIn(dir); len(items) != 1 {
		t.Errorf("left over: %v", items)
	}
}

// send reads one want.
func (r *rig) send(w replica.Want) string {
	r.t.Helper()
	var b strings.Builder
	err := r.d.Send(r.ctx, []replica.Want{w}, func(p replica.Piece) error {
		b.Write(p.Data)
		if p.Gone != "" {
			return errors.New(p.Gone)
		}
		return nil
	})
	if err != nil {
		return "error: " + err.Error()
	}
	return b.String()
}

// clock is a time that a test can push forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func newClock() *clock { return &clock{} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) Pause(ctx context.Context, d time.Duration) error { return systemClock{}.Pause(ctx, d) }

// set makes it the time of a stamp.
func (c *clock) set(stamp int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = time.Until(time.Unix(0, stamp))
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// onlyOurs is a file system without renames that refuse or exchange. What it
// does in steps may only be done to a name that nobody else uses.
type onlyOurs struct {
	noExchange
	t *testing.T
}

type onlyOursDir struct {
	fsx.Dir
	t *testing.T
}

func (f onlyOurs) OpenRoot(path string) (fsx.Dir, error) {
	d, err := f.FS.OpenRoot(path)
	return onlyOursDir{d, f.t}, err
}
func (f onlyOurs) Granularity(d fsx.Dir) int64 { return f.FS.Granularity(d.(onlyOursDir).Dir) }
func (f onlyOurs) Magic(d fsx.Dir) string      { return f.FS.Magic(d.(onlyOursDir).Dir) }

func (d onlyOursDir) Open(name string) (fsx.Dir, error) {
	sub, err := d.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	return onlyOursDir{sub, d.t}, nil
}

func (d onlyOursDir) Rename(s fsx.Site, name string, to fsx.Dir, toName string, how fsx.How) error {
	if how == fsx.Exchange {
		return fsx.ErrUnsupported
	}
	private := len(name) > 20 && strings.Contains(builtHere+takenAway+strayed, name[:1])
	if how == fsx.NoReplace && !private && s != siteProbe {
		d.t.Errorf("%s would link %s and then unlink it", s, name)
	}
	return d.Dir.Rename(s, name, to.(onlyOursDir).Dir, toName, how)
}

// Where a rename that refuses takes two steps, the user's save between them
// must not be what the second one takes away.
func TestStepsAreOnOurNames(t *testing.T) {
	for _, s := range scenarios {
		all := shapes(contents{})
		w := newWorld(t, all[s.from])
		r := open(t, w.root, Options{FS: onlyOurs{noExchange{fsx.OS(), false}, t}})
		r.applyAll(w.c, tree.Change{Path: "p/x", Old: all[s.from], New: all[s.to]})
		if now := all[s.to]; now != nil {
			r.applyAll(w.c, tree.Change{Path: "p/x", Old: now}, tree.Change{Path: "p/y", New: now})
		}
		r.flush()
		r.check()
	}
}

// A file system on which nothing can be put safely is refused before anything
// is taken away.
func TestNoSafePut(t *testing.T) {
	fs := fsxtest.Wrap(noExchange{fsx.OS(), false}, func(site fsx.Site, op, name string) error {
		if op == "rename" && name == probeSecond {
			return fsx.ErrUnsupported
		}
		return nil
	})
	if err := startError(t, t.TempDir(), Options{FS: fs}); !strings.Contains(err.Msg, "without the risk") {
		t.Error(err.Msg)
	}
}
