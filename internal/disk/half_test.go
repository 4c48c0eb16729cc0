//go:build !windows

package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// onRead is a file system that does something, once each, before the first
// reading call of that kind and name.
type onRead struct {
	mu sync.Mutex
	do map[string]func() // by op and name
}

func (o *onRead) set(do map[string]func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.do = do
}

func (o *onRead) fs() fsx.FS {
	return fsxtest.Hooks{Read: func(_ fsx.Site, op, name string) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		key := op + " " + name
		if f := o.do[key]; f != nil {
			delete(o.do, key)
			f()
		}
		return nil
	}}.Wrap(fsx.OS())
}

// noHalf fails if any report says that path holds half, or that it is gone.
func (r *rig) noHalf(path, half string) {
	r.t.Helper()
	all := r.said(path)
	r.t.Cleanup(func() {
		for _, e := range *all {
			if e == nil || e.IsFile() && e.Digest == tree.DigestOf([]byte(half)) {
				r.t.Errorf("reported %+v", e)
			}
		}
	})
}

// E2: what is written between the read of a file and its report voids the
// read, in a look of its own and in that of a directory.
func TestWrittenSinceItWasRead(t *testing.T) {
	for name, path := range map[string]string{"a look": "f", "a scan": "d/f"} {
		t.Run(name, func(t *testing.T) {
			on := &onRead{}
			r := open(t, t.TempDir(), Options{FS: on.fs(), Each: inOrder})
			r.write("d/f", "before")
			r.write("d/g", "x")
			r.write("f", "before")
			r.write("g", "x")
			r.flush()
			at := r.path("")
			if path == "d/f" { // which comes with its directory, and is read in that scan only
				at = t.TempDir()
				os.Rename(r.path("d"), filepath.Join(at, "d"))
				r.flush()
				os.WriteFile(filepath.Join(at, path), []byte("again"), 0o666)
				past := time.Now().Add(-time.Hour)
				os.Chtimes(filepath.Join(at, path), past, past)
			}
			r.noHalf(path, "half")
			f, err := os.OpenFile(filepath.Join(at, path), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			on.set(map[string]func(){
				"read.open f": func() { f.Truncate(0); f.WriteAt([]byte("half"), 0) },
				"read.open g": func() { f.WriteAt([]byte(" and half"), 4); f.Close() },
			})
			if path == "f" {
				r.d.Look(r.ctx, []string{"f", "g"})
			} else {
				os.Rename(filepath.Join(at, "d"), r.path("d"))
			}
			r.until(func(replica.Report) bool {
				e := tree.Get(r.tree, path)
				return e.IsFile() && e.Digest == tree.DigestOf([]byte("half and half"))
			})
			r.flush()
			r.check()
		})
	}
}

// A2, A4: what was put in the place of another file, or of something that was none,
// is read when it was closed or renamed into place, and not when it appeared.
func TestMadeAnew(t *testing.T) {
	places := map[string]func(p string){
		"file":      func(p string) { os.WriteFile(p, []byte("before"), 0o666) },
		"link":      func(p string) { os.Symlink("nowhere", p) },
		"directory": func(p string) { os.Mkdir(p, 0o777) },
	}
	for place, put := range places {
		for _, c := range []struct {
			content string
			look    watch.Look
			taken   bool
		}{
			{"begun", watch.Look{}, false},
			{"closed", watch.Look{Modified: true}, true},
			{"renamed", watch.Look{TrustEmpty: true}, true},
			{"", watch.Look{Modified: true}, false},
			{"", watch.Look{Modified: true, TrustEmpty: true}, true},
		} {
			t.Run(fmt.Sprintf("%s/%q", place, c.content), func(t *testing.T) {
				r := open(t, t.TempDir(), Options{Source: blind})
				put(r.path("f"))
				r.d.look(watch.Batch{Looks: []watch.Look{{Path: "f", Deep: true, Modified: true}}})
				was := r.d.known("f").entry
				if was == nil {
					t.Fatal("the first was not taken")
				}
				os.WriteFile(r.path("g"), []byte(c.content), 0o666) // before the inode is free again
				os.Remove(r.path("f"))
				os.Rename(r.path("g"), r.path("f"))
				c.look.Path = "f"
				r.d.look(watch.Batch{Looks: []watch.Look{c.look}})
				if now := r.d.known("f").entry; now.IsFile() && !tree.Same(now, was) != c.taken {
					t.Errorf("%+v became %+v", was, now)
				}
			})
		}
	}
}

// blind is a source that sees nothing while a test runs.
func blind(string) (watch.Source, error) { return watch.NewPoll(time.Hour), nil }

// A1, E4: a name that goes just before a look that was asked for, or between its stat and
// its read, gets the moment that every absence gets.
func TestGoneForAMoment(t *testing.T) {
	on := &onRead{}
	r := open(t, t.TempDir(), Options{FS: on.fs()})
	r.write("f", "x")
	r.write("g", "x")
	r.write("d/f", "x")
	r.flush()
	r.noHalf("f", "nothing")
	r.noHalf("g", "nothing")
	r.noHalf("d", "nothing")
	on.set(map[string]func(){
		"read.open f": func() { os.Rename(r.path("f"), r.path("f~")) },
		"stat g":      func() { os.Rename(r.path("g"), r.path("g~")) },
		"open d":      func() { os.Rename(r.path("d"), r.path("d~")) },
		"stat z": func() {
			os.Rename(r.path("f~"), r.path("f"))
			os.Rename(r.path("g~"), r.path("g"))
			os.Rename(r.path("d~"), r.path("d"))
		},
	})
	r.d.Look(r.ctx, []string{"d", "f", "g", "z"})
	r.flush()
	r.check()
}

// A4: a temporary file that is gone by the time of the report was never there.
func TestGoneSinceItWasRead(t *testing.T) {
	on := &onRead{}
	r := open(t, t.TempDir(), Options{FS: on.fs(), Each: inOrder})
	r.write("f", "before")
	r.write("z", "x")
	r.flush()
	all := r.said("tmp")
	on.set(map[string]func(){
		"stat f":      func() { r.write("tmp", "after") },
		"read.open z": func() { os.Rename(r.path("tmp"), r.path("f")) },
	})
	r.d.Look(r.ctx, []string{"f", "tmp", "z"})
	r.until(func(replica.Report) bool { return tree.Get(r.tree, "f").Digest == tree.DigestOf([]byte("after")) })
	r.flush()
	r.check()
	for _, e := range *all {
		if e != nil {
			t.Errorf("reported %+v", e)
		}
	}
}
