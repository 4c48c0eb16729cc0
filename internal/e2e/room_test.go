//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const roomy = "20m" // of the small file systems; more than what crosses, less than what fills

// I1r: no room in the container. Nothing at a path of the user's changes, what
// does not fit is held with its reason, and goes over when there is room.
//
// where: Docker, any image: no room in the container; what does not fit is held
func TestI1rNoRoomInTheContainer(t *testing.T) {
	long(t)
	t.Parallel()
	c := runContainer(t, busybox, "--mount", "type=tmpfs,destination=/app,tmpfs-size="+roomy)
	p := beginWith(t, c, "/app")
	p.inner.do(Request{Do: "fill", Path: []byte(".git")}) // which does not cross
	p.host.do(Request{Do: "big", Path: []byte("lib/a.go"), N: 1 << 20, At: 1})
	p.host.do(Request{Do: "big", Path: []byte("new"), N: 1 << 20, At: 2})
	list := p.flushHeld()
	for _, name := range []string{"lib/a.go", "new"} {
		if !strings.Contains(list, name) {
			t.Errorf("flush does not list %s: %q", name, list)
		}
	}
	if !strings.Contains(list, "space") {
		t.Errorf("flush does not give the reason: %q", list)
	}
	p.inner.holds("lib/a.go", "package lib // a\n")
	p.inner.lacks("new")
	after := p.host.tree()
	p.past()
	p.inner.remove(".git")
	p.next("that all is in sync", func(e told) bool { return e.Event == "in-sync" && e.Held == 0 })
	same(t, "host before, but after", after, p.settled(t))
	p.keptNothing()
	p.stop()
}

// I1r, D16: the same on the host. State and directory are on different disks
// for most people; here the directory's is full.
func TestI1rNoRoomOnTheHost(t *testing.T) {
	long(t)
	t.Parallel()
	p := newPlace(t)
	small(t, p.dir)
	source(onHost(t, p.dir))
	c := runContainer(t, scratch)
	if code, _, stderr := p.run("up", p.dir, c+":/app", "--once"); code != fine {
		t.Fatalf("up --once ended with %d: %s", code, stderr)
	}
	b := p.begin(c, "/app")
	b.host.do(Request{Do: "fill", Path: []byte(".git")}) // which does not cross
	b.inner.do(Request{Do: "big", Path: []byte("lib/a.go"), N: 1 << 20, At: 1})
	b.inner.do(Request{Do: "big", Path: []byte("new"), N: 1 << 20, At: 2})
	list := b.flushHeld()
	for _, word := range []string{"lib/a.go", "new", "space"} {
		if !strings.Contains(list, word) {
			t.Errorf("flush does not say %s: %q", word, list)
		}
	}
	b.host.holds("lib/a.go", "package lib // a\n")
	b.host.lacks("new")
	after := b.inner.tree()
	b.past()
	b.host.remove(".git")
	b.next("that all is in sync", func(e told) bool { return e.Event == "in-sync" && e.Held == 0 })
	same(t, "container before, but after", after, b.settled(t))
	b.stop()
}

// small mounts a small file system on a directory, which takes root, until the
// end of the test.
func small(t *testing.T, dir string) {
	t.Helper()
	mountSmall(t, dir)
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func mountSmall(t *testing.T, dir string) {
	t.Helper()
	err := unix.Mount("twosync-e2e", dir, "tmpfs", 0, "size="+roomy)
	if errors.Is(err, unix.EPERM) {
		t.Skip("only root may mount")
	}
	must(t, err)
}

// G1, G4: the agent's user may not write everywhere. The rest syncs, and what
// does not is listed with its reason.
//
// where: Docker, user who is a number: what may not be written is held
func TestG4NotAllowedToWrite(t *testing.T) {
	t.Parallel()
	c := runContainer(t, uid12345)
	root := inside(t, c, "/app", "-u", "0")
	root.write("theirs/file", "of root\n")
	root.chmod("theirs", 0o755)
	p := beginWith(t, c, "/app")
	p.host.holds("theirs/file", "of root\n")
	p.host.write("theirs/new", "new\n")
	p.host.write("theirs/file", "edited on the host\n")
	p.host.write("mine", "mine\n")
	list := p.flushHeld()
	for _, word := range []string{"theirs/new", "theirs/file", "permission"} {
		if !strings.Contains(list, word) {
			t.Errorf("flush does not say %s: %q", word, list)
		}
	}
	p.inner.holds("mine", "mine\n")
	p.inner.holds("theirs/file", "of root\n")
	p.host.holds("theirs/file", "edited on the host\n")
	root.do(Request{Do: "chown", Path: []byte("theirs"), N: 12345})
	p.host.write("theirs/new", "newer\n")
	p.host.write("theirs/file", "edited again\n")
	p.settled(t)
	p.inner.holds("theirs/file", "edited again\n")
	p.stop()
}

// G2, G3: what cannot be read is unknown, and nothing is concluded from it.
func TestG3NotAllowedToRead(t *testing.T) {
	long(t)
	t.Parallel()
	c := runContainer(t, uid12345)
	p := beginWith(t, c, "/app")
	root := inside(t, c, "/app", "-u", "0")
	root.do(Request{Do: "chown", Path: []byte("lib/a.go"), N: 0})
	root.chmod("lib/a.go", 0o600)
	root.do(Request{Do: "chown", Path: []byte("lib/deep"), N: 0})
	root.chmod("lib/deep", 0o700)
	root.write("/secret", "nobody reads this\n")
	root.chmod("/secret", 0)
	root.rename("/secret", "secret")
	p.host.write("main.go", "package main // new\n")
	list := p.flushHeld()
	for _, word := range []string{"secret", "permission"} {
		if !strings.Contains(list, word) {
			t.Errorf("flush does not say %s: %q", word, list)
		}
	}
	p.inner.holds("main.go", "package main // new\n")
	p.host.holds("lib/a.go", "package lib // a\n")
	p.host.holds("lib/deep/c.go", "package deep\n")
	p.host.lacks("secret")
	p.stop()

	// And at a start, when nothing else is known.
	s := p.up(p.target)
	if e := s.inSync(); e.Held == 0 {
		t.Errorf("nothing is held: %+v", e)
	}
	s.flushHeld()
	p.host.holds("lib/a.go", "package lib // a\n")
	p.host.holds("lib/deep/c.go", "package deep\n")
	s.stop()
}

// C10, E5: a pipe blocks nobody, crosses nowhere, and its directory stays.
func TestC10SpecialFiles(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	p.inner.do(Request{Do: "fifo", Path: []byte("lib/pipe")})
	p.host.do(Request{Do: "fifo", Path: []byte("lib/deep/pipe")})
	list := p.flushHeld()
	for _, word := range []string{"lib/pipe", "lib/deep/pipe"} {
		if !strings.Contains(list, word) {
			t.Errorf("flush does not say %s: %q", word, list)
		}
	}
	p.host.lacks("lib/pipe")
	p.host.remove("lib")
	p.flushOpen()
	if e := p.inner.tree()["lib/pipe"]; e.Kind != Special {
		t.Errorf("the pipe is now %v", e)
	}
	p.inner.lacks("lib/a.go")
	p.inner.remove("lib")
	p.settled(t)
	p.stop()
}

// CASES 3.3: a link out of the directory, made in the container, is not made on
// the host.
func TestLinksOutOfTheDirectory(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	p.inner.symlink("/etc/passwd", "absolute")
	p.inner.symlink("../../outside", "lib/out")
	list := p.flushHeld()
	for _, word := range []string{"absolute", "lib/out"} {
		if !strings.Contains(list, word) {
			t.Errorf("flush does not say %s: %q", word, list)
		}
	}
	for _, name := range []string{"absolute", "lib/out"} {
		if _, err := os.Lstat(filepath.Join(p.dir, name)); err == nil {
			t.Errorf("%s is on the host", name)
		}
	}
	p.inner.remove("absolute")
	p.inner.remove("lib/out")
	p.settled(t)
	p.stop()
}

// I2r: no room for what is written down about the session. It ends and says so
// rather than go on without; nothing is lost, and it goes on when there is room.
func TestI2rNoRoomForTheState(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	small(t, p.home)
	b := p.beginHere()
	source(b.host)
	b.settled(t)
	state := onHost(t, p.home)
	state.do(Request{Do: "fill", Path: []byte("full")})
	ended := func() bool {
		select {
		case <-b.ended:
			return true
		default:
			return false
		}
	}
	// What is written down of a few saves may find room where a page was begun.
	n := 0
	for ; n < 10_000 && !ended(); n++ {
		b.host.save("main.go", fmt.Sprintf("package main // %d\n", n))
		b.inner.save("lib/a.go", fmt.Sprintf("package lib // %d\n", n))
	}
	if code := b.wait(); code != failed {
		t.Fatalf("up ended with %d: %s", code, &b.stderr)
	}
	p.says(b.stderr.String(), "space")
	host, inner := b.host.read("main.go"), b.inner.read("lib/a.go")
	if want := fmt.Sprintf("package main // %d\n", n-1); host != want {
		t.Errorf("the host holds %q, want %q", host, want)
	}
	state.remove("full")
	b.session = p.up(b.target)
	b.inSync()
	b.flushOpen()
	same(t, "host, but container", b.host.tree(), b.inner.tree())
	b.host.holds("main.go", host)
	if now := b.host.read("lib/a.go"); now != inner {
		b.keeps(inner)
	}
	b.stop()
}
