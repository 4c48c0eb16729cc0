package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// deadline ends a test that waits for something that never comes.
const deadline = 20 * time.Second

// kernelCases are scripts: `watch DIR` adds, `remove DIR` forgets, `drain` throws events
// away; the rest changes the tree, or compares: a line with > is what must have come since.
var kernelCases = []struct{ name, script string }{
	{"a save in place", `
		watch .
		write f
		> create /f; modify /f; close-write /f
		write f
		> modify /f; close-write /f`},
	{"a save by rename", `
		watch .
		write t
		drain
		mv t f
		> moved-from /t paired; moved-to /f paired`},
	{"names, links and modes", `
		watch .
		ln f
		chmod .
		rm f
		> create /f; attrib /; delete /f`},
	{"directories are watched when they are added", `
		watch .
		mkdir a/b/c
		> create /a/
		watch a
		watch a/b
		write a/b/f
		> create /a/b/f; modify /a/b/f; close-write /a/b/f`},
	{"a directory renamed: what is below reports the new path", `
		mkdir d/s
		watch .
		watch d
		watch d/s
		mv d e
		write e/s/f
		> moved-from /d/ paired; moved-to /e/ paired; create /e/s/f; modify /e/s/f; close-write /e/s/f`},
	{"moved into another directory and back under a new name", `
		mkdir d/s
		mkdir e
		watch .
		watch d
		watch d/s
		watch e
		mv d e/x
		mv e/x/s s2
		drain
		ln s2/l
		ln e/x/l
		> create /s2/l; create /e/x/l`},
	{"moved out: no ghosts", `
		mkdir d/s
		watch .
		watch d
		watch d/s
		mv d ../out
		write ../out/s/f
		> moved-from /d/
		count 1`},
	{"moved out and in again", `
		mkdir d/s
		watch .
		watch d
		watch d/s
		mv d ../out
		mv ../out d2
		> moved-from /d/; moved-to /d2/
		watch d2
		watch d2/s
		ln d2/s/l
		> create /d2/s/l`},
	{"swapped: mv d d.old, mkdir d, touch d/f", `
		mkdir d
		watch .
		watch d
		mv d d.old
		mkdir d
		> moved-from /d/ paired; moved-to /d.old/ paired; create /d/
		watch d
		watch d.old
		ln d/f
		ln d.old/f
		> create /d/f; create /d.old/f
		count 3`},
	{"removed and made again", `
		mkdir dist/a
		watch .
		watch dist
		watch dist/a
		rm dist/a
		rm dist
		> dir-gone /dist/a/; delete /dist/a/; dir-gone /dist/; delete /dist/
		count 1
		mkdir dist
		watch dist
		ln dist/l
		> create /dist/; create /dist/l`},
	{"renamed over a watched directory", `
		mkdir a
		mkdir b
		watch .
		watch a
		watch b
		mv a b
		ln b/l
		> moved-from /a/ paired; moved-to /b/ paired; create /b/l
		count 2`},
	{"B11 two directories exchanged: nothing is concluded", `
		mkdir a/x
		mkdir b
		watch .
		watch a
		watch a/x
		watch b
		exchange a b
		> moved-from /a/ paired; moved-to /b/ paired; moved-from /b/; moved-to /a/`},
	{"forgotten", `
		mkdir d/s
		watch .
		watch d
		watch d/s
		remove d
		ln d/s/l
		ln d/l
		>
		count 1`},
	{"H8 the root is moved", `
		watch .
		mv . ../elsewhere
		> root-gone /`},
}

func TestKernel(t *testing.T) {
	for _, c := range kernelCases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			k := &kernel{t: t, root: filepath.Join(dir, "root")}
			k.must(os.Mkdir(k.root, 0o755))
			src, err := Open(k.root)
			k.must(err)
			defer src.Close()
			k.src = src
			for line := range strings.Lines(c.script) {
				if f := strings.Fields(line); len(f) > 0 {
					k.line(f)
				}
			}
		})
	}
}

type kernel struct {
	t    *testing.T
	root string
	src  Source
}

func (k *kernel) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *kernel) line(f []string) {
	k.t.Helper()
	path := ""
	if len(f) > 1 {
		path = filepath.Join(k.root, f[1])
	}
	switch f[0] {
	case "watch":
		k.must(add(k.src, k.root, strings.TrimPrefix(f[1], ".")))
	case "remove":
		k.src.Remove(f[1])
	case "drain":
		k.drain()
	case "mkdir":
		k.must(os.MkdirAll(path, 0o755))
	case "write":
		k.must(os.WriteFile(path, []byte("x"), 0o644))
	case "ln":
		k.must(os.Symlink("nowhere", path))
	case "chmod":
		k.must(os.Chmod(path, 0o700))
	case "rm":
		k.must(os.Remove(path))
	case "mv":
		k.must(unix.Rename(path, filepath.Join(k.root, f[2])))
	case "exchange":
		k.must(unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, filepath.Join(k.root, f[2]), unix.RENAME_EXCHANGE))
	case "count":
		if got := fmt.Sprint(k.src.Count()); got != f[1] {
			k.t.Errorf("%s watches, want %s", got, f[1])
		}
	case ">":
		if got, want := strings.Join(k.drain(), "; "), strings.Join(f[1:], " "); got != want {
			k.t.Fatalf("got  %s\nwant %s", got, want)
		}
	default:
		k.t.Fatalf("no command %q", f[0])
	}
}

func (k *kernel) drain() (got []string) {
	events, err := k.src.Wait(0)
	k.must(err)
	for _, e := range events {
		got = append(got, e.String())
	}
	return got
}

func add(src Source, root, dir string) error {
	f, err := os.Open(filepath.Join(root, dir))
	if err != nil {
		return err
	}
	defer f.Close()
	return src.Add(dir, int(f.Fd()))
}

// Without /proc the path is used, and a path that names something else is refused.
func TestAddByPath(t *testing.T) {
	root := t.TempDir()
	src, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	src.(*inotify).proc = false
	for _, d := range []string{"d", "e"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(add(src, root, ""), add(src, root, "d")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(root, "e"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := src.Add("d", int(f.Fd())); !errors.Is(err, ErrStale) {
		t.Errorf("add of a swapped directory: %v", err)
	}
	if err := os.Remove(filepath.Join(root, "e")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("d", filepath.Join(root, "e")); err != nil {
		t.Fatal(err)
	}
	if err := src.Add("e", int(f.Fd())); err == nil {
		t.Error("a link was followed")
	}
}

// I6r: each limit of inotify is told with the setting that raises it.
func TestLimits(t *testing.T) {
	for _, err := range []error{initError(unix.EMFILE), watchError("d", unix.ENOSPC)} {
		limit, ok := errors.AsType[*LimitError](err)
		if !ok || !errors.Is(err, ErrLimit) || !strings.Contains(limit.Remedy, "sysctl fs.inotify.max_user_") {
			t.Errorf("%v", err)
		}
	}
	for _, err := range []error{initError(unix.EPERM), watchError("d", unix.EACCES)} {
		if errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), ":") {
			t.Errorf("%v", err)
		}
	}
}

func TestCloseUnblocksWait(t *testing.T) {
	src, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const waiters = 3
	errs := make(chan error, waiters)
	for range waiters {
		go func() {
			_, err := src.Wait(-1)
			errs <- err
		}()
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	for range waiters {
		select {
		case err := <-errs:
			if !errors.Is(err, ErrClosed) {
				t.Errorf("wait: %v", err)
			}
		case <-time.After(deadline):
			t.Fatal("wait goes on")
		}
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	if err := src.Add("", 0); !errors.Is(err, ErrClosed) {
		t.Errorf("add: %v", err)
	}
}

func TestWaitTimeout(t *testing.T) {
	src, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for _, d := range []time.Duration{0, time.Nanosecond, 3 * time.Millisecond} {
		start := time.Now()
		events, err := src.Wait(d)
		if len(events) > 0 || err != nil || time.Since(start) < d {
			t.Errorf("wait %v: %v, %v", d, events, err)
		}
	}
}

// I7r: LIBS §1.3, the flood: writers fill new nested directories while a walker follows.
func TestFloodOfNewDirectories(t *testing.T) {
	root := t.TempDir()
	w := newWalker(t, root)
	const writers, dirs, files = 2, 200, 20
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { flood(t, filepath.Join(root, fmt.Sprint("w", i)), dirs, files) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	ms := follow(t, w, done)
	w.rest(ms)
	w.check()
	w.checkWatches()
	if len(w.index) < writers*dirs*files {
		t.Errorf("only %d paths", len(w.index))
	}
}

// follow reads and scans until done, with the real time as time.
func follow(t *testing.T, w *walker, done <-chan struct{}) (ms int) {
	start := time.Now()
	for {
		ms = int(time.Since(start).Milliseconds())
		w.drain(ms)
		w.scan(ms)
		select {
		case <-done:
			return ms
		default:
		}
		if time.Since(start) > deadline {
			t.Error("the writers hang")
			<-done
		}
	}
}

func flood(t *testing.T, root string, dirs, files int) {
	for i := range dirs {
		d := filepath.Join(root, fmt.Sprint(i%7), fmt.Sprint(i%5), fmt.Sprint("d", i))
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Error(err)
			return
		}
		for j := range files {
			if err := os.WriteFile(filepath.Join(d, fmt.Sprint(j)), []byte("text"), 0o644); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// I7r: LIBS §1.3: `rm -rf dist && mkdir -p dist/a/b`, a hundred times, with the walker beside
// it. After each round the new directory must not be deaf.
func TestCleanAndBuild(t *testing.T) {
	root := t.TempDir()
	w := newWalker(t, root)
	dist := filepath.Join(root, "dist")
	ms := 0
	for i := range 100 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := errors.Join(os.RemoveAll(dist), os.MkdirAll(filepath.Join(dist, "a/b"), 0o755)); err != nil {
				t.Error(err)
			}
		}()
		for running := true; running; {
			w.drain(ms)
			w.scan(ms)
			select {
			case <-done:
				running = false
			default:
			}
		}
		ms = w.rest(ms)
		name := fmt.Sprint("f", i)
		if err := os.Symlink("x", filepath.Join(dist, "a/b", name)); err != nil {
			t.Fatal(err)
		}
		events, err := w.src.Wait(0)
		if want := (Event{Op: Create, Dir: "dist/a/b", Name: name}); err != nil || !slices.Equal(events, []Event{want}) {
			t.Fatalf("round %d: %v, %v", i, events, err)
		}
		w.settle.Add(at(ms), events)
		ms = w.rest(ms)
		w.check()
	}
	w.checkWatches()
}
