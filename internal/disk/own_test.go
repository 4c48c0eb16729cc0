//go:build !windows

package disk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// F8: who removes our folder, or some of it, under a running session harms
// nobody. It is made again, and the replica is who it was.
func TestOwnFolderRemoved(t *testing.T) {
	for _, stage := range []string{"", t.TempDir()} {
		for _, what := range []string{"", "lock", "stage", "replica-x", "moved"} {
			t.Run(what, func(t *testing.T) {
				c := contents{}
				dir := t.TempDir()
				r := open(t, dir, Options{Stage: stage, Session: "x"})
				id := newID()
				if err := r.d.Adopt(r.ctx, id, 1); err != nil {
					t.Fatal(err)
				}
				r.settled(2)
				one, two := c.file("one"), c.file("two")
				r.applyAll(c, tree.Change{Path: "f", New: one})
				remove := func() {
					if what == "moved" {
						os.Rename(filepath.Join(dir, privateName), filepath.Join(t.TempDir(), "x"))
						return
					}
					os.RemoveAll(filepath.Join(dir, privateName, what))
				}
				remove()
				r.applyAll(c, tree.Change{Path: "f", Old: one, New: two})
				remove()
				if got := r.settled(3, "f"); got.Err != "" {
					t.Error(got.Err)
				}
				r.applyAll(c, tree.Change{Path: "f", Old: two, New: one}, tree.Change{Path: "g", New: two})
				startError(t, dir, Options{})
				r.d.Close()
				again := open(t, dir, Options{Stage: stage, Session: "x"})
				if again.id.ID != id || again.id.Gen != 3 {
					t.Errorf("it is %v %d now, and was %v 3", again.id.ID, again.id.Gen, id)
				}
				if b, _ := os.ReadFile(filepath.Join(dir, privateName, ".gitignore")); string(b) != "*\n" {
					t.Errorf(".gitignore holds %q", b)
				}
				again.d.Close()
			})
		}
	}
}

// I12: if another session has taken the lock meanwhile, this one ends.
func TestOwnFolderTaken(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	r := open(t, dir, Options{})
	os.RemoveAll(filepath.Join(dir, privateName))
	open(t, dir, Options{})
	if res := r.apply(c, tree.Change{Path: "f", New: c.file("x")})["f"]; res.Status != replica.Held {
		t.Errorf("%+v", res)
	}
	if _, err := os.Lstat(dir + "/f"); err == nil || !r.halted {
		t.Errorf("halted: %v, and f: %v", r.halted, err)
	}
	if got := r.settled(1); got.Err == "" {
		t.Error("it is durable")
	}
}

// A crash right after it was made left it empty.
func TestEmptyGitignore(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, privateName), 0o700)
	name := filepath.Join(dir, privateName, ".gitignore")
	os.WriteFile(name, nil, 0o644)
	open(t, dir, Options{})
	if b, _ := os.ReadFile(name); string(b) != "*\n" {
		t.Errorf(".gitignore holds %q", b)
	}
}
