//go:build linux

package disk

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
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

// J13: a clock that is a day off, either way, and times of writing from when
// nobody had a computer: what is written between two sessions is read, of whatever
// size.
func TestWrongClock(t *testing.T) {
	for _, off := range []time.Duration{-24 * time.Hour, 0, 24 * time.Hour} {
		for _, stamp := range []time.Time{time.Unix(-1e9, 0), time.Unix(0, 0), time.Unix(1<<33, 0), time.Now()} {
			dir := t.TempDir()
			clock := newClock()
			clock.set(time.Now().Add(off).UnixNano())
			r := open(t, dir, Options{Clock: clock})
			r.write("f", "one")
			os.Chtimes(r.path("f"), stamp, stamp)
			r.flush()
			r.check()
			r.waitSaved(clock)
			r.d.Close()
			r.write("f", "two")
			os.Chtimes(r.path("f"), stamp, stamp)
			again := open(t, dir, Options{Clock: clock})
			again.check()
			again.write("f", "six")
			os.Chtimes(r.path("f"), stamp, stamp)
			again.flush()
			again.check()
			again.d.Close()
			if t.Failed() {
				t.Fatalf("the clock is %v off, the time %v", off, stamp)
			}
		}
	}
}

// H10: a file system without a way to exchange two names and without a watch that
// could be had. It is polled, and that is said; what is applied is in place, also
// where somebody saves meanwhile.
func TestNeitherWatchNorExchange(t *testing.T) {
	c := contents{}
	all := shapes(c)
	dir := t.TempDir()
	c.put(t, dir+"/f", all["file"])
	c.put(t, dir+"/d", all["dir"])
	clock := newClock()
	r := open(t, dir, Options{Clock: clock, FS: noExchange{fsx.OS(), false}, Source: func(string) (watch.Source, error) {
		return nil, &watch.LimitError{Reason: "none left", Remedy: "allow more", Err: errors.New("no")}
	}})
	if f := r.id.Facts; f.Watch != "poll" {
		t.Errorf("watched by %q", f.Watch)
	}
	r.applyAll(c, tree.Change{Path: "f", Old: all["file"], New: all["file2"]}, tree.Change{Path: "d", Old: all["dir"], New: all["file"]},
		tree.Change{Path: "new", New: all["dir2"]})
	r.write("new/by a user", "x")
	r.write("f", "saved")
	stop := pass(func() { clock.advance(time.Second); r.d.watch.Wake() })
	defer stop()
	r.untilEqual()
	res := r.apply(c, tree.Change{Path: "f", Old: all["file2"], New: all["big"]})["f"]
	if res.Status == replica.Applied || r.read("f") != "saved" {
		t.Errorf("f holds %.20q, result %+v", r.read("f"), res)
	}
}
