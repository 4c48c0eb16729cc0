//go:build !windows

package disk

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/tree"
)

// mortal returns a file system that a call of kill ends, as a crash of the
// process does: nothing that is asked of it afterwards reaches the disk.
func mortal() (_ fsx.FS, kill func()) {
	var dead atomic.Bool
	hook := func(fsx.Site, string, string) error {
		if dead.Load() {
			return fsxtest.ErrInjected
		}
		return nil
	}
	return fsxtest.Hooks{Before: hook, Read: hook}.Wrap(fsx.OS()), func() { dead.Store(true) }
}

// crashed opens a disk on dir, makes a change of f, lets during happen, and
// ends as a crash does.
func crashed(t *testing.T, dir string, opt Options, c contents, change tree.Change, during func()) {
	t.Helper()
	var kill func()
	opt.FS, kill = mortal()
	r := open(t, dir, opt)
	r.applyAll(c, change)
	during()
	kill()
	r.d.Close()
}

// A6, J1: what rests was verified. Bytes that came later through an old
// descriptor never take the path back after a crash: it holds what both sides
// agreed on, or what was done since.
func TestRecoverLateWrite(t *testing.T) {
	for name, to := range map[string]string{"replaced": "new", "deleted": ""} {
		t.Run(name, func(t *testing.T) {
			c := contents{}
			dir := t.TempDir()
			old := c.file("old")
			c.put(t, dir+"/f", old)
			held, err := os.OpenFile(dir+"/f", os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
			change := tree.Change{Path: "f", Old: old}
			if to != "" {
				change.New = c.file(to)
			}
			crashed(t, dir, Options{}, c, change, func() { held.WriteString("+late") })
			r := open(t, dir, Options{})
			r.flush()
			r.check()
			if !tree.Same(tree.Get(r.tree, "f"), change.New) {
				t.Errorf("f holds %q", r.read("f"))
			}
			if !r.strays[tree.DigestOf([]byte("old+late"))] {
				t.Error("the late write is lost")
			}
		})
	}
}

// A directory that was being cleaned when the process ended is not put back in
// part.
func TestRecoverHalfCleaned(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	old := shapes(c)["dir2"]
	c.put(t, dir+"/d", old)
	crashed(t, dir, Options{}, c, tree.Change{Path: "d", Old: old}, func() {
		slots, _ := filepath.Glob(filepath.Join(dir, privateName, stageName, "t*", "a"))
		if len(slots) != 1 || os.Remove(slots[0]) != nil {
			t.Fatal(slots)
		}
	})
	r := open(t, dir, Options{})
	r.flush()
	if e := tree.Get(r.tree, "d"); e != nil {
		t.Errorf("d is back:\n%s", show(e))
	}
}

// Without exchange there is a gap in which the old one returns after a crash;
// once the new one was there, what the user deletes stays deleted.
func TestRecoverDeletedAfterGap(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	old := c.file("old")
	c.put(t, dir+"/f", old)
	fs, kill := mortal()
	r := open(t, dir, Options{FS: noExchange{fs, false}})
	r.applyAll(c, tree.Change{Path: "f", Old: old, New: c.file("new")})
	os.Remove(dir + "/f")
	r.flush()
	kill()
	r.d.Close()
	r = open(t, dir, Options{})
	r.flush()
	if e := tree.Get(r.tree, "f"); e != nil {
		t.Errorf("f is back: %q", r.read("f"))
	}
}

// J1: sessions with other stage folders may be at work on the root before the
// one that crashed comes again, and the folder may be out of reach for a while:
// what rests in it is not taken for what was being built.
func TestRecoverOtherStageFirst(t *testing.T) {
	for name, first := range map[string]string{"outside": t.TempDir(), "inside": ""} {
		t.Run(name, func(t *testing.T) {
			c := contents{}
			dir := t.TempDir()
			old := c.file("old")
			c.put(t, dir+"/f", old)
			crashed(t, dir, Options{Stage: first}, c, tree.Change{Path: "f", Old: old, New: c.file("new")}, func() {})
			found := false
			opt := Options{Displaced: func(from fsx.Dir, name string, was Past) error {
				found = found || tree.Same(was.Entry, old)
				return from.Unlink("test", name)
			}}
			for _, opt.Stage = range []string{t.TempDir(), "", first} {
				r := open(t, dir, opt)
				r.flush()
				found = found || r.strays[old.Digest]
				r.d.Close()
			}
			if !found {
				t.Error("the old content was dropped unseen")
			}
		})
	}
}

// A repository may carry a folder of our name. What its intents say is not
// done where nothing is ever synced.
func TestRecoverForeignIntents(t *testing.T) {
	evil := contents{}.file("evil")
	for _, path := range []string{".git/hooks/pre-commit", ".GIT/hooks/pre-commit", "node_modules/m", privateName + "/x", ""} {
		dir := t.TempDir()
		stage := filepath.Join(dir, privateName, stageName)
		for _, d := range []string{stage, dir + "/.git/hooks", dir + "/.GIT/hooks", dir + "/node_modules"} {
			os.MkdirAll(d, 0o777)
		}
		os.WriteFile(stage+"/t1", []byte("evil"), 0o777)
		b := appendIntent(nil, intent{"t1", path, markOf(evil), mark{kind: tree.File}})
		os.WriteFile(filepath.Join(stage, intentsName), b, 0o666)
		os.WriteFile(filepath.Join(dir, privateName, intentsName), b, 0o666)
		r := open(t, dir, Options{}, "node_modules")
		r.flush()
		if _, err := os.Lstat(filepath.Join(dir, path)); path != "" && err == nil {
			t.Errorf("%s was put there", path)
		}
		if !r.strays[evil.Digest] {
			t.Errorf("%s: no stray", path)
		}
		r.d.Close()
	}
}

// In a session that is never quiet the intents do not grow for ever, and those
// of what rests stay.
func TestIntentsAreRenewed(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	old, fresh := c.file("old"), c.file("new")
	c.put(t, dir+"/f", old)
	c.put(t, dir+"/g", old)
	clock := newClock()
	crashed(t, dir, Options{Clock: clock}, c, tree.Change{Path: "f", Old: old, New: fresh}, func() {})
	fs, kill := mortal()
	r := open(t, dir, Options{FS: fs, Clock: clock})
	r.applyAll(c, tree.Change{Path: "g", Old: old, New: fresh})
	size := func() int64 {
		st, err := os.Stat(filepath.Join(dir, privateName, stageName, intentsName))
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	for i, was, is := 0, old, fresh; i < 300; i++ {
		r.applyAll(c, tree.Change{Path: "f", Old: tree.Get(r.tree, "f"), New: was})
		was, is = is, was
		clock.advance(slotRest / 10)
		r.d.cleanSlots(false)
	}
	if n := size(); n > 3*minIntents {
		t.Errorf("%d bytes of intents", n)
	}
	kill()
	r.d.Close()
	r = open(t, dir, Options{})
	r.flush()
	r.check()
	if len(r.strays) > 0 {
		t.Errorf("strays: %v", r.strays)
	}
}
