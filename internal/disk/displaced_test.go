//go:build unix

package disk

import (
	"os"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// What nobody would take over stays in its slot, and is found at the next start.
func TestI1DisplacedFails(t *testing.T) {
	for _, staging := range []bool{false, true} {
		dir := t.TempDir()
		os.WriteFile(dir+"/f", []byte("old"), 0o644)
		opt := Options{Displaced: func(fsx.Dir, string, Past) error { return fsx.ErrNoSpace }}
		if staging {
			opt.Stage = t.TempDir()
		}
		r := open(t, dir, opt)
		c := contents{}
		was := tree.Get(r.tree, "f")
		r.applyAll(c, tree.Change{Path: "f", Old: was, New: c.file("new")})
		t.Log("close:", r.d.Close())
		got := ""
		opt.Displaced = func(d fsx.Dir, name string, was Past) error {
			got = "displaced " + was.Path
			return d.Unlink("t", name)
		}
		r = open(t, dir, opt)
		r.flush()
		r.d.Close()
		if got == "" && !r.strays[was.Digest] {
			t.Errorf("staging %v: the old content is nowhere: %q, strays %v, f is %q", staging, got, r.strays, r.read("f"))
		} else {
			t.Log("found", got, r.strays)
		}
	}
}
