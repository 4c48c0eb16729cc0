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
