//go:build !windows

package disk

import (
	"os"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// folding opens a disk on a file system that folds names, as those of macOS do.
func folding(t *testing.T, dir string, patterns ...string) *rig {
	return open(t, dir, Options{FS: fsxtest.Fold(fsx.OS(), folded)}, patterns...)
}

func folded(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "e\u0301", "\u00e9"))
}

func holdsOnly(r *rig, paths ...string) {
	r.t.Helper()
	var got []string
	tree.Walk("", r.tree, func(p string, e *tree.Entry) bool {
		if p != "" {
			got = append(got, p)
		}
		return true
	})
	if a, b := strings.Join(got, " "), strings.Join(paths, " "); a != b {
		r.t.Errorf("reported to hold %q, want %q", a, b)
	}
}

// TestFoldsFacts: what the file system does is found out.
func TestFoldsFacts(t *testing.T) {
	if f := folding(t, t.TempDir()).id.Facts; !f.FoldsCase || !f.FoldsNFC {
		t.Errorf("facts %+v", f)
	}
	if f := open(t, t.TempDir(), Options{}).id.Facts; f.FoldsCase || f.FoldsNFC {
		t.Errorf("facts %+v", f)
	}
}

// TestTwinIsAbsent: a name that is found, and is another's, is none.
func TestTwinIsAbsent(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(dir+"/README", []byte("one"), 0o666)
	r := folding(t, dir)
	if err := r.d.Look(r.ctx, []string{"readme"}); err != nil {
		t.Fatal(err)
	}
	r.flush()
	holdsOnly(r, "README")
	c := contents{}
	two := tree.Change{Path: "readme", New: c.file("two")}
	if got := r.apply(c, two)["readme"]; got.Status != replica.Held || got.Entry != nil || got.Reason != reasonTwin {
		t.Errorf("put beside its twin: %+v", got)
	}
	r.flush()
	holdsOnly(r, "README")
	if got := r.read("README"); got != "one" {
		t.Errorf("README holds %q", got)
	}
}

// TestTwinIsIgnored: also a name that nobody was told of is in the way.
func TestTwinIsIgnored(t *testing.T) {
	dir := t.TempDir()
	os.MkdirAll(dir+"/build/x", 0o777)
	r := folding(t, dir, "build")
	c := contents{}
	got := r.apply(c, tree.Change{Path: "Build", New: tree.NewDir(nil).With("a", c.file("a"))})["Build"]
	if got.Status != replica.Held || got.Entry != nil {
		t.Errorf("put beside what is ignored: %+v", got)
	}
}

// TestRespelled: a user's rename in case, or in form, only is one.
func TestRespelled(t *testing.T) {
	dir := t.TempDir()
	os.MkdirAll(dir+"/Src/deep", 0o777)
	os.WriteFile(dir+"/Src/deep/a", []byte("a"), 0o666)
	os.WriteFile(dir+"/Foo", []byte("foo"), 0o666)
	os.WriteFile(dir+"/caf\u00e9", []byte("cafe"), 0o666)
	r := folding(t, dir)
	for _, way := range [][2]string{{"Foo", "foo"}, {"Src", "src"}, {"caf\u00e9", "cafe\u0301"}} {
		if err := os.Rename(r.path(way[0]), r.path(way[1])); err != nil {
			t.Fatal(err)
		}
		r.flush()
	}
	holdsOnly(r, "cafe\u0301", "foo", "src", "src/deep", "src/deep/a")
	r.write("src/deep/a", "edited")
	r.flush()
	if got := tree.Get(r.tree, "src/deep/a"); got.Digest != tree.DigestOf([]byte("edited")) {
		t.Errorf("an edit behind it was not seen: %+v", got)
	}
}

// TestRespelledUnderOneName: also where a hint names one of the two only.
func TestRespelledUnderOneName(t *testing.T) {
	for _, hint := range []string{"Foo", "foo"} {
		dir := t.TempDir()
		os.WriteFile(dir+"/Foo", []byte("foo"), 0o666)
		r := open(t, dir, Options{FS: fsxtest.Fold(fsx.OS(), strings.ToLower), Source: blind})
		if err := os.Rename(r.path("Foo"), r.path("foo")); err != nil {
			t.Fatal(err)
		}
		r.d.Look(r.ctx, []string{hint})
		r.until(func(rep replica.Report) bool { return rep.Observed != nil })
		holdsOnly(r, "foo")
	}
}

// TestRespell: a change that renames in case only is one rename, whatever is in a
// directory.
func TestRespell(t *testing.T) {
	for _, exchange := range []bool{true, false} {
		dir := t.TempDir()
		os.MkdirAll(dir+"/Src/ignored", 0o777)
		os.WriteFile(dir+"/Src/ignored/x", []byte("x"), 0o666)
		os.WriteFile(dir+"/Src/a", []byte("a"), 0o666)
		os.WriteFile(dir+"/Foo", []byte("foo"), 0o666)
		under := fsx.OS()
		if !exchange {
			under = noExchange{under, false} // as on Windows
		}
		r := open(t, dir, Options{FS: fsxtest.Fold(under, strings.ToLower)}, "ignored")
		foo, src := tree.Get(r.tree, "Foo"), tree.Get(r.tree, "Src")
		r.applyAll(contents{},
			tree.Change{Path: "Foo", Old: foo}, tree.Change{Path: "Src", Old: src},
			tree.Change{Path: "foo", New: foo}, tree.Change{Path: "src", New: src})
		r.flush()
		holdsOnly(r, "foo", "src", "src/a")
		if r.read("src/ignored/x") != "x" || r.read("src/a") != "a" || r.read("foo") != "foo" {
			t.Errorf("something of it is gone")
		}
	}
}
