//go:build !windows

package disk

import (
	"fmt"
	"os"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// settled asks for a generation and returns what came of it.
func (r *rig) settled(gen uint64, paths ...string) *replica.Durable {
	r.t.Helper()
	if err := r.d.Settle(r.ctx, replica.Settle{Gen: gen, Paths: paths}); err != nil {
		r.t.Fatal(err)
	}
	return r.until(func(rep replica.Report) bool { return rep.Durable != nil }).Durable
}

// I6: a generation is recorded only when everything before it is durable; a
// sync that fails is said, and the next one may succeed.
func TestSettle(t *testing.T) {
	dir := t.TempDir()
	var fail string
	st := fsxtest.Hooks{Before: func(site fsx.Site, op, _ string) error {
		if op == fail || string(site) == fail {
			return fsxtest.ErrInjected
		}
		return nil
	}}
	r := open(t, dir, Options{FS: st.Wrap(fsx.OS())})
	var many []string
	for i := range 2 * syncEach {
		many = append(many, fmt.Sprint("d/", i))
		r.write(many[i], "x")
	}
	r.flush()
	id := newID()
	if err := r.d.Adopt(r.ctx, id, 1); err != nil {
		t.Fatal(err)
	}
	gen := uint64(1)
	for _, paths := range [][]string{many[:3], many, {"d"}, {"gone", "d/gone"}, nil} {
		if got := r.settled(gen+1, paths...); got.Gen != gen+1 || got.Err != "" {
			t.Errorf("%v: %+v", paths, got)
		}
		gen++
	}
	for _, op := range []string{"sync", "syncfs", "rename", "create"} {
		fail = op
		if got := r.settled(gen+1, many...); got.Err == "" {
			t.Errorf("%s failed and it is durable", op)
		}
		fail = ""
	}
	for _, site := range []fsx.Site{siteSyncFile, siteSyncDir} {
		fail = string(site)
		if got := r.settled(gen+1, many[:3]...); got.Err == "" {
			t.Errorf("%s failed and it is durable", site)
		}
		fail = ""
	}
	r.d.Close()
	again := open(t, dir, Options{})
	if again.id.ID != id || again.id.Gen != gen {
		t.Errorf("%v %d, want %v %d", again.id.ID, again.id.Gen, id, gen)
	}
}

// What was replaced or deleted is handed over, once, with what it was.
func TestDisplaced(t *testing.T) {
	c := contents{}
	all := shapes(c)
	dir := t.TempDir()
	c.put(t, dir+"/f", all["file"])
	c.put(t, dir+"/g", all["big"])
	c.put(t, dir+"/d", all["dir2"])
	got := map[string]string{}
	r := open(t, dir, Options{Displaced: func(from fsx.Dir, name string, was Past) error {
		s := &scanner{d: &Disk{opt: Options{Clock: systemClock{}}}, captured: true, prior: reread}
		if f := s.name(was.Path, from, name, 0); !tree.Equal(f.entry, was.Entry) {
			t.Errorf("%s: %v is handed over as %v", was.Path, f.entry, was.Entry)
		}
		got[was.Path] += was.Why
		return from.Unlink("test", name)
	}})
	r.applyAll(c, tree.Change{Path: "f", Old: all["file"], New: all["file2"]},
		tree.Change{Path: "g", Old: all["big"]}, tree.Change{Path: "d", Old: all["dir2"], New: all["link"]})
	rests := map[string]string{}
	for _, x := range r.d.Resting(10) {
		if st, err := os.Lstat(x.File); err != nil || st.Mode().IsRegular() && st.Size() != x.Entry.Size || x.At.IsZero() {
			t.Errorf("%s rests since %v in %s: %v", x.Path, x.At, x.File, err)
		}
		rests[x.Path] += x.Why
	}
	if len(r.d.Resting(2)) != 2 {
		t.Error("more rest than were asked for")
	}
	if err := r.d.Close(); err != nil {
		t.Error(err)
	}
	if len(r.d.Resting(10)) > 0 {
		t.Error("they still rest")
	}
	want := map[string]string{"f": "replaced", "g": "deleted", "d/a": "replaced", "d/z/e": "replaced"}
	if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(rests) != fmt.Sprint(want) {
		t.Errorf("handed over %v, rested %v, want %v", got, rests, want)
	}
	if items := slotsIn(dir); len(items) != 0 {
		t.Errorf("left over: %v", items)
	}
}
