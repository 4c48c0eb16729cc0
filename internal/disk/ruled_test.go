//go:build !windows

package disk

import (
	"os"
	"testing"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// F: a path that was synced and became a directory that the rules ignore is
// unknown from then on, also to a batch, and another thing again when it is one.
func TestBecameIgnored(t *testing.T) {
	c := contents{}
	r := open(t, t.TempDir(), Options{}, "build/")
	r.write("build", "a file")
	r.write("d/e/f", "x")
	r.flush()
	old := tree.Get(r.tree, "build")
	os.Remove(r.path("build"))
	os.Mkdir(r.path("build"), 0o777)
	r.flush()
	if e := tree.Get(r.tree, "build"); e == nil || e.Kind != tree.Unknown {
		t.Errorf("build is %+v", e)
	}
	res := r.apply(c, tree.Change{Path: "build", Old: old, New: c.file("other")})["build"]
	if res.Status == replica.Applied || res.Entry == nil || res.Entry.Kind != tree.Unknown {
		t.Errorf("result %+v", res)
	}
	os.Remove(r.path("build"))
	r.flush()
	r.check()
}

// Who was told, when they asked, that the rules ignore a path hears when it is
// gone, also where nothing had been known of it. Below it there is an answer.
func TestIgnoredThatWasAskedFor(t *testing.T) {
	r := open(t, t.TempDir(), Options{}, "build/")
	r.write("d/build/x/y", "ignored")
	r.flush()
	ask := func(path string) {
		if err := r.d.Look(r.ctx, []string{path}); err != nil {
			t.Fatal(err)
		}
		r.until(func(rep replica.Report) bool { return rep.Observed != nil && rep.Observed.Seen[0].Path == path })
		if e := tree.Get(r.tree, path); e == nil || e.Kind != tree.Unknown {
			t.Errorf("%s is %+v", path, e)
		}
	}
	ask("d/build/x")
	ask("d/build")
	os.RemoveAll(r.path("d/build"))
	r.flush()
	r.check()
}

// F: what was renamed to an ignored name is not watched any more.
func TestIgnoredIsNotWatched(t *testing.T) {
	r := open(t, t.TempDir(), Options{}, "build/")
	r.write("d/e/f", "x")
	r.flush()
	before := r.d.watch.Count()
	os.Rename(r.path("d"), r.path("build"))
	r.flush()
	r.check()
	if n := r.d.watch.Count(); n != before-2 && r.d.watch.Precise() {
		t.Errorf("%d watches, %d before", n, before)
	}
}
