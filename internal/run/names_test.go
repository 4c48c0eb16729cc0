package run

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/names"
	"github.com/twosync/twosync/internal/tree"
)

// newFoldingPair is a pair whose host takes names for one that differ in case or
// in their form only, as those of macOS do.
func newFoldingPair(t *testing.T) *pair {
	p := newPair(t)
	p.on.FS = fsxtest.Fold(fsx.OS(), names.Fold(true, true))
	return p
}

// files returns the files below dir with their contents.
func (p *pair) files(dir string) string {
	p.t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == ".twosync" {
			return fs.SkipDir
		}
		if err == nil && e.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, path)
			all = append(all, filepath.ToSlash(rel)+"="+p.read(dir, rel))
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// are waits until all is in sync, and compares each side with the files that it
// should hold, written as "a=1 b=2", and what is held with held. Then it has the host
// look at what is held, and does so again: nothing alternates.
func (p *pair) are(step, host, container string, held ...string) {
	p.t.Helper()
	for range 2 {
		p.flush()
		p.inSync()
		if h, c := p.files(p.host), p.files(p.container); h != host || c != container {
			p.t.Fatalf("%s: the host holds %q, want %q; the container %q, want %q; held %v", step, h, host, c, container, p.heldNow())
		}
		if now := slices.Sorted(maps.Keys(p.heldNow())); !slices.Equal(now, held) {
			p.t.Fatalf("%s: held %v, want %v", step, p.heldNow(), held)
		}
		if err := p.disk.Look(p.t.Context(), held); err != nil {
			p.t.Fatal(err)
		}
	}
}

// inSync waits until the session says so.
func (p *pair) inSync() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), deadline)
	defer cancel()
	for {
		st, err := p.session.Status(ctx)
		if err == nil && st.State == "in sync" {
			return
		}
		if pause(ctx, 10*time.Millisecond) != nil {
			p.t.Fatalf("not in sync: %+v (%v)", st, err)
		}
	}
}

// heldNow returns the reasons for what is held, by path.
func (p *pair) heldNow() map[string]string {
	p.t.Helper()
	st, err := p.session.Status(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	all := map[string]string{}
	for _, h := range st.Held {
		all[h.Path] = h.Reason
	}
	return all
}

func (p *pair) rename(dir, from, to string) {
	p.t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) remove(dir, path string) {
	p.t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
		p.t.Fatal(err)
	}
}

// F4: the first name stays, the second is held, each edit goes where it
// belongs, and when the first is gone the second comes.
func TestTwinFiles(t *testing.T) {
	p := newFoldingPair(t)
	write(t, p.host, "other", "o")
	p.start()
	write(t, p.container, "README", "1")
	p.are("the first", "README=1 other=o", "README=1 other=o")
	write(t, p.container, "readme", "2")
	p.are("the second", "README=1 other=o", "README=1 other=o readme=2", "readme")
	if r := p.heldNow()["readme"]; r != `differs from "README" only in case, which the host can't hold beside it: rename one` {
		t.Errorf("reason %q", r)
	}
	write(t, p.host, "README", "11")
	p.are("an edit on the host", "README=11 other=o", "README=11 other=o readme=2", "readme")
	write(t, p.container, "readme", "22")
	p.are("an edit of the second", "README=11 other=o", "README=11 other=o readme=22", "readme")
	write(t, p.container, "README", "111")
	p.are("an edit of the first", "README=111 other=o", "README=111 other=o readme=22", "readme")
	p.stop()
	p.start()
	p.are("started again", "README=111 other=o", "README=111 other=o readme=22", "readme")
	p.remove(p.container, "README")
	p.are("the first is gone", "other=o readme=22", "other=o readme=22")
	write(t, p.container, "README", "3")
	p.are("another second", "other=o readme=22", "README=3 other=o readme=22", "README")
	p.remove(p.host, "readme")
	p.are("the first is gone from the host", "README=3 other=o", "README=3 other=o")
	write(t, p.container, "readme", "4")
	p.are("a third second", "README=3 other=o", "README=3 other=o readme=4", "readme")
	p.remove(p.container, "readme")
	p.are("the second is gone", "README=3 other=o", "README=3 other=o")
	p.stop()
}

// TestTwinDirectories: two directories are never one, and what is deleted in the
// second is not deleted in the first.
func TestTwinDirectories(t *testing.T) {
	p := newFoldingPair(t)
	write(t, p.host, "Src/a", "1")
	write(t, p.host, "A", "0") // a root is never empty
	p.start()
	p.are("start", "A=0 Src/a=1", "A=0 Src/a=1")
	write(t, p.container, "src/b", "2")
	write(t, p.container, "src/a", "3")
	p.are("the second", "A=0 Src/a=1", "A=0 Src/a=1 src/a=3 src/b=2", "src")
	write(t, p.host, "Src/b", "4")
	p.are("beside it", "A=0 Src/a=1 Src/b=4", "A=0 Src/a=1 Src/b=4 src/a=3 src/b=2", "src")
	p.remove(p.container, "src")
	p.are("the second is gone", "A=0 Src/a=1 Src/b=4", "A=0 Src/a=1 Src/b=4")
	write(t, p.container, "new/A", "1")
	p.flush()
	write(t, p.container, "new/a", "2")
	write(t, p.container, "new/x", "3")
	p.are("new in a new one", "A=0 Src/a=1 Src/b=4 new/A=1 new/x=3", "A=0 Src/a=1 Src/b=4 new/A=1 new/a=2 new/x=3", "new/a")
	p.remove(p.container, "Src")
	p.remove(p.container, "new")
	p.are("all gone", "A=0", "A=0")
	p.stop()
}

// TestTwinsAtFirst: a first contact with a container that holds both.
func TestTwinsAtFirst(t *testing.T) {
	p := newFoldingPair(t)
	write(t, p.container, "README", "1")
	write(t, p.container, "readme", "2")
	write(t, p.container, "d/Src/a", "3")
	write(t, p.container, "d/src/a", "4")
	p.start()
	p.are("start", "README=1 d/Src/a=3", "README=1 d/Src/a=3 d/src/a=4 readme=2", "d/src", "readme")
	p.remove(p.host, "d/Src")
	p.are("the host's is gone", "README=1 d/src/a=4", "README=1 d/src/a=4 readme=2", "readme")
	p.stop()
}

// F3: two forms of one letter.
func TestTwinForms(t *testing.T) {
	const nfc, nfd = "caf\u00e9", "cafe\u0301"
	p := newFoldingPair(t)
	write(t, p.container, nfc, "1")
	p.start()
	p.are("the first", nfc+"=1", nfc+"=1")
	write(t, p.container, nfd, "2")
	p.are("the second", nfc+"=1", nfd+"=2 "+nfc+"=1", nfd)
	p.rename(p.container, nfd, "coffee")
	p.are("renamed", nfc+"=1 coffee=2", nfc+"=1 coffee=2")
	p.rename(p.container, nfc, nfd)
	p.are("renamed in form only", nfd+"=1 coffee=2", nfd+"=1 coffee=2")
	p.stop()
}

// B12: on either side, of a file and of a directory.
func TestRenamedInCase(t *testing.T) {
	p := newFoldingPair(t)
	write(t, p.host, "Foo", "1")
	write(t, p.host, "Src/deep/a", "2")
	write(t, p.host, "Src/ignored", "i")
	p.start("ignored")
	both := func(step, want string) {
		t.Helper()
		p.are(step, want, strings.ReplaceAll(strings.ReplaceAll(want, " Src/ignored=i", ""), " src/ignored=i", ""))
	}
	both("start", "Foo=1 Src/deep/a=2 Src/ignored=i")
	p.rename(p.container, "Foo", "foo")
	both("a file in the container", "Src/deep/a=2 Src/ignored=i foo=1")
	p.rename(p.host, "foo", "FOO")
	both("a file on the host", "FOO=1 Src/deep/a=2 Src/ignored=i")
	p.rename(p.container, "Src", "src")
	both("a directory in the container", "FOO=1 src/deep/a=2 src/ignored=i")
	p.rename(p.host, "src", "Src")
	both("a directory on the host", "FOO=1 Src/deep/a=2 Src/ignored=i")
	p.rename(p.container, "FOO", "Foo")
	write(t, p.container, "Foo", "edited")
	both("with an edit", "Foo=edited Src/deep/a=2 Src/ignored=i")
	write(t, p.host, "Src/deep/a", "still watched")
	both("an edit", "Foo=edited Src/deep/a=still watched Src/ignored=i")
	p.stop()
}

// TestTwinsInTheContainer: a container may fold too, on a mount of such a host.
func TestTwinsInTheContainer(t *testing.T) {
	p := newPair(t)
	p.in.FS = fsxtest.Fold(fsx.OS(), names.Fold(true, false))
	p.start()
	write(t, p.host, "README", "1")
	p.flush()
	write(t, p.host, "readme", "2")
	p.are("the second", "README=1 readme=2", "README=1", "readme")
	p.rename(p.container, "README", "Readme")
	p.are("renamed in case", "Readme=1 readme=2", "Readme=1", "readme")
	p.remove(p.host, "Readme")
	p.are("the first is gone", "readme=2", "readme=2")
	p.stop()
}

// TestTwinsAtRandom: whatever is done in the container, with the host looking on, it
// holds afterwards what it held before, and the host the same but for what is held.
func TestTwinsAtRandom(t *testing.T) {
	p, seed := newFoldingPair(t), rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	write(t, p.host, "z", "0")
	p.start()
	p.flush()
	name := func() string { return []string{"a", "A", "b", "B", "caf\u00e9", "cafe\u0301"}[r.IntN(6)] }
	path := func() string {
		if r.IntN(2) == 0 {
			return name()
		}
		return name() + "/" + name()
	}
	for round := range 60 {
		for n := range 1 + r.IntN(4) {
			at := filepath.Join(p.container, path())
			switch r.IntN(4) {
			case 0:
				os.RemoveAll(at)
			case 1:
				os.Rename(at, filepath.Join(p.container, path()))
			default:
				os.MkdirAll(filepath.Dir(at), 0o777)
				os.WriteFile(at, fmt.Appendf(nil, "%d.%d", round, n), 0o666)
			}
		}
		did := p.files(p.container)
		p.flush()
		p.inSync()
		if now := p.files(p.container); now != did {
			t.Fatalf("round %d: the container held %q, now %q", round, did, now)
		}
		held, host := slices.Collect(maps.Keys(p.heldNow())), strings.Fields(p.files(p.host))
		for _, f := range strings.Fields(did) {
			path, _, _ := strings.Cut(f, "=")
			isHeld := slices.ContainsFunc(held, func(h string) bool { return tree.Within(path, h) })
			if slices.Contains(host, f) == isHeld {
				t.Fatalf("round %d: %q, held %v; the host holds %q, the container %q", round, f, held, host, did)
			}
		}
		if n := len(strings.Fields(did)); len(host) > n {
			t.Fatalf("round %d: the host holds %q, the container %q", round, host, did)
		}
	}
	p.stop()
}
