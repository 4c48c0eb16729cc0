//go:build linux

package disk

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// E5: a pipe, or a link out of the root, takes the place of a file between its stat and its
// read, on its own and while its directory is scanned. Nothing waits for the
// pipe and nothing is read through the link.
func TestReplacedBeforeItsRead(t *testing.T) {
	for name, replace := range map[string]func(p string) error{
		"pipe": func(p string) error { return syscall.Mkfifo(p, 0o666) },
		"link": func(p string) error { return os.Symlink("/etc/passwd", p) },
	} {
		kind := map[string]tree.Kind{"pipe": tree.Opaque, "link": tree.Link}[name]
		for _, path := range []string{"f", "d/f"} {
			t.Run(name+" "+path, func(t *testing.T) {
				on := &onRead{}
				r := open(t, t.TempDir(), Options{FS: on.fs(), Each: inOrder})
				r.write("d/f", "before")
				r.write("f", "before")
				r.flush()
				on.set(map[string]func(){"read.open f": func() {
					if err := errors.Join(os.Remove(r.path(path)), replace(r.path(path))); err != nil {
						t.Error(err)
					}
				}})
				r.write(path, "edited")
				r.flush()
				if e := tree.Get(r.tree, path); e == nil || e.Kind != kind {
					t.Errorf("%s is reported as %+v", path, e)
				}
			})
		}
	}
}

// E3: a file shrinks, grows or goes while it is sent. That one is gone, the others
// come whole.
func TestShrinksWhileItIsSent(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 100_000)
	for name, spoil := range map[string]func(p string) error{
		"shrinks": func(p string) error { return os.Truncate(p, int64(len(large)/3)) },
		"emptied": func(p string) error { return os.Truncate(p, 0) },
		"changes": func(p string) error { return os.WriteFile(p, []byte(strings.ToUpper(large)), 0o666) },
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, t.TempDir(), Options{})
			r.write("a", "small")
			r.write("large", large)
			r.write("z", "last")
			r.flush()
			wants := []replica.Want{r.wantOf("a"), r.wantOf("large"), r.wantOf("z")}
			got, gone := make([]string, 3), make([]string, 3)
			err := r.d.Send(r.ctx, wants, func(p replica.Piece) error {
				if p.Want == 1 && got[1] == "" && len(p.Data) > 0 {
					if err := spoil(r.path("large")); err != nil {
						return err
					}
				}
				got[p.Want] += string(p.Data)
				gone[p.Want] += p.Gone
				return nil
			})
			if err != nil || got[0] != "small" || got[2] != "last" || gone[0] != "" || gone[2] != "" {
				t.Errorf("%v; %q %q, %q", err, got[0], got[2], gone)
			}
			if gone[1] == "" {
				t.Errorf("%d bytes of %d are said to be what was wanted", len(got[1]), len(large))
			}
			r.flush()
			r.check()
		})
	}
}

func (r *rig) wantOf(path string) replica.Want {
	e := tree.Get(r.tree, path)
	return replica.Want{Path: path, Digest: e.Digest, Size: e.Size}
}

// E6: what is written through a memory mapping makes no event. The next sweep
// finds it.
func TestWrittenThroughMapping(t *testing.T) {
	clock := newClock()
	r := open(t, t.TempDir(), Options{Clock: clock})
	r.write("f", strings.Repeat("x", 8192))
	r.flush()
	f, err := os.OpenFile(r.path("f"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	copy(m[5000:], "through a mapping")
	want := r.scan()
	if tree.Equal(want, r.tree) {
		t.Fatal("nothing was written")
	}
	clock.advance(sweepEvery)
	for n := 0; !tree.Equal(want, r.tree); n++ {
		clock.advance(sweepEvery / 10)
		r.flush()
		if n > 100 {
			t.Fatal("the sweep does not find it")
		}
	}
}

// F6: paths of more than the 4096 bytes that the kernel takes in one piece.
func TestLongerThanPaths(t *testing.T) {
	c := contents{}
	name := strings.Repeat("n", 250)
	const deep = 30
	e := c.file("bottom")
	for range deep {
		e = dirOf(name, e)
	}
	dir := t.TempDir()
	r := open(t, dir, Options{})
	r.applyAll(c, tree.Change{Path: "d", New: e})
	r.quiet()
	r.check()
	path := "d" + strings.Repeat("/"+name, deep)
	if len(path) <= unix.PathMax {
		t.Fatalf("%d bytes are not enough", len(path))
	}
	old, fresh := tree.Get(r.tree, path), c.file("edited")
	r.applyAll(c, tree.Change{Path: path, Old: old, New: fresh})
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if b, err := root.ReadFile(path); string(b) != "edited" {
		t.Errorf("the bottom holds %q: %v", b, err)
	}
	if err := root.WriteFile(path, []byte("by a user"), 0o666); err != nil {
		t.Fatal(err)
	}
	r.flush()
	r.check()
	if got := r.fetch(r.wantOf(path)); got != "by a user" {
		t.Errorf("sent is %q", got)
	}
	if err := root.RemoveAll("d"); err != nil {
		t.Fatal(err)
	}
	r.flush()
	r.check()
}

// fetch returns a content that was wanted.
func (r *rig) fetch(w replica.Want) string {
	r.t.Helper()
	got := ""
	err := r.d.Send(r.ctx, []replica.Want{w}, func(p replica.Piece) error { got += string(p.Data) + p.Gone; return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// moving is a root in which a directory of some files moves, and a file.
func moving(t *testing.T, dir string, c contents) []tree.Change {
	var children []tree.Child
	for i := range 20 {
		children = append(children, tree.Child{Name: fmt.Sprint(i), Entry: c.file(fmt.Sprint("content ", i))})
	}
	d, f := tree.NewDir(children), c.file("of the file")
	c.put(t, dir+"/d", d)
	c.put(t, dir+"/f", f)
	c.put(t, dir+"/to", dirOf())
	return []tree.Change{{Path: "d", Old: d}, {Path: "to/d", New: d}, {Path: "f", Old: f}, {Path: "to/f", New: f}}
}

// B8, B14: the process ends at any step of a batch in which things move. Each
// content is at its old or at its new name, and the rest of the move needs
// nothing that would have to be sent.
func TestCrashWhileMoving(t *testing.T) {
	total := 0
	for at := 1; at == 1 || at <= total; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			c := contents{}
			dir := t.TempDir()
			changes := moving(t, dir, c)
			st := &steps{at: at, fail: fsxtest.ErrInjected, stop: true}
			fs := fsxtest.Hooks{Before: st.hook("before"), After: st.hook("after"), Read: st.hook("read")}.Wrap(fsx.OS())
			r := open(t, dir, Options{FS: fs, Each: inOrder})
			st.arm(true)
			r.d.Apply(r.ctx, &replica.Batch{ID: 1, Changes: changes}, noSource{t})
			r.d.Close()
			st.arm(false)
			if at == 1 {
				total = stepsOf(t)
			}
			again := open(t, dir, Options{})
			again.flush()
			again.check()
			var rest []tree.Change
			for i := 0; i < len(changes); i += 2 {
				from, to := changes[i], changes[i+1]
				was, is := tree.Get(again.tree, from.Path), tree.Get(again.tree, to.Path)
				if !tree.Same(was, from.Old) && !tree.Same(is, to.New) {
					t.Fatalf("%s: neither %s nor %s holds it:\n%s", st.where, from.Path, to.Path, show(again.tree))
				}
				if !tree.Same(is, to.New) {
					rest = append(rest, tree.Change{Path: to.Path, Old: is, New: to.New})
				}
				if was != nil {
					rest = append(rest, tree.Change{Path: from.Path, Old: was})
				}
			}
			again.applyAll(noSource{t}, rest...)
			again.flush()
			again.check()
			if n := len(again.strays); n > 0 {
				t.Errorf("%s: %d strays", st.where, n)
			}
		})
	}
	if total < 4 {
		t.Errorf("%d steps", total)
	}
}

// stepsOf counts the steps of a batch in which things move.
func stepsOf(t *testing.T) int {
	c := contents{}
	dir := t.TempDir()
	changes := moving(t, dir, c)
	st := &steps{}
	fs := fsxtest.Hooks{Before: st.hook("before"), After: st.hook("after"), Read: st.hook("read")}.Wrap(fsx.OS())
	r := open(t, dir, Options{FS: fs, Each: inOrder})
	st.arm(true)
	r.applyAll(noSource{t}, changes...)
	st.arm(false)
	return st.n
}

// J3: a crash in the middle of a replacement, then a crash at any step of the
// recovery from it, and once more. What the user saved at the last moment is
// there, or a stray; else the path holds old or new.
func TestCrashInRecovery(t *testing.T) {
	for _, s := range scenarios {
		n := countSteps(t, s)
		for first := 1; first <= n; first++ {
			for second := 1; second <= 12; second++ {
				name := fmt.Sprintf("%s/%d/%d", s.name, first, second)
				if !picked(name) {
					continue
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					crashTwice(t, s, first, second)
				})
			}
		}
	}
}

func crashTwice(t *testing.T, s scenario, first, second int) {
	all := shapes(contents{})
	old, fresh := all[s.from], all[s.to]
	w := newWorld(t, old)
	saved := false
	st := &steps{at: first, fail: fsxtest.ErrInjected, stop: true}
	st.every = func(where string) {
		capture := strings.Contains(where, "before rename at put.exchange") || strings.Contains(where, "before rename at put.capture")
		if capture && !saved {
			saved = true
			actions["atomic replace"](w)
		}
	}
	r := open(t, w.root, Options{FS: s.fs(st), Each: inOrder})
	st.arm(true)
	r.d.Apply(r.ctx, &replica.Batch{ID: 1, Changes: []tree.Change{{Path: "p/x", Old: old, New: fresh}}}, w.c)
	r.d.Close()
	st.arm(false)
	for at := second; at > 0; at /= 3 {
		st := &steps{at: at, fail: fsxtest.ErrInjected, stop: true, every: w.look, armed: true}
		d := New(w.root, Options{FS: s.fs(st), Each: inOrder})
		d.Start(t.Context(), replica.Start{Rules: rulesText(t)}) // it may well fail
		d.Close()
	}
	again := open(t, w.root, Options{})
	again.flush()
	again.check()
	now := tree.Get(again.tree, "p/x")
	switch {
	case w.partial != "":
		t.Error(w.partial)
	case w.user != "" && !w.has(w.user) && !again.strays[tree.DigestOf([]byte(w.user))]:
		t.Error("what the user wrote is lost")
	case w.user == "" && !s.mayHold(now, old, fresh):
		t.Errorf("the path holds neither the old nor the new:\n%s", show(again.tree))
	}
	again.d.Close()
	w.onlyKnown(st)
}
