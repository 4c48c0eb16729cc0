package probe

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestToil(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	if err := Make(src, 1, 60, 0); err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, f := range Plan(1, 60, 0) {
		size += f.Size
	}
	if n, err := statAll(src); n != 60+3+1+1 || err != nil { // 3 directories, the one above them, and the root
		t.Errorf("%d entries, %v", n, err)
	}
	if n, got, err := readAll(src); n != 60 || got != size || err != nil {
		t.Errorf("%d files, %d bytes, want %d, %v", n, got, size, err)
	}
	built := filepath.Join(dir, "built")
	if n, err := build(src, built, 50); n != 50 || err != nil {
		t.Errorf("%d files were built, %v", n, err)
	}
	if info, err := os.Stat(filepath.Join(built, "app")); err != nil || info.Size() != 32 {
		t.Errorf("the app: %v, %v", info, err)
	}
	if objects, err := regularFiles(built); err != nil || len(objects) != 51 {
		t.Errorf("%d files after the build, %v", len(objects), err)
	}
	if _, err := build(src, built, 50); err == nil {
		t.Error("what is built already was built")
	}
}

func TestMicroDoesEachAndLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "micro")
	ops, err := micro(dir, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range Micro {
		if ops[op] <= 0 {
			t.Errorf("%s took no time", op)
		}
	}
	if len(ops) != len(Micro) {
		t.Errorf("%d operations, %d are shown", len(ops), len(Micro))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	ops, err = sequential(filepath.Join(dir, "file"), 1, 1<<20)
	if err != nil || ops["read"] <= 0 || ops["write"] <= 0 {
		t.Errorf("%v, %v", ops, err)
	}
}

func TestPerDirectory(t *testing.T) {
	dirs := func(n, perDir int) int {
		var seen []string
		for _, f := range Plan(1, n, perDir) {
			if d := filepath.Dir(f.Path); !slices.Contains(seen, d) {
				seen = append(seen, d)
			}
		}
		return len(seen)
	}
	for _, c := range []struct{ n, perDir, want int }{{100, 0, 5}, {100, 13, 8}, {100, 100, 1}, {100, 1, 100}} {
		if got := dirs(c.n, c.perDir); got != c.want {
			t.Errorf("%d files, %d a directory: %d directories, want %d", c.n, c.perDir, got, c.want)
		}
	}
}

func TestExpectAllHoldsThere(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for _, dir := range []string{one, two} {
		if err := Make(dir, 3, 30, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("part000", filepath.Join(dir, "link")); err != nil {
			t.Skip(err)
		}
		write(t, dir, ".twosync/lock", "")
	}
	expect, err := expectAll(one)
	if err != nil {
		t.Fatal(err)
	}
	if err := arrive(two, expect, 0); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(two, "link")); err != nil {
		t.Fatal(err)
	}
	if arrive(two, expect, 0) == nil {
		t.Error("a link that is not there was not missed")
	}
	if i := slices.IndexFunc(expect, func(e Expect) bool { return e.Path == ".twosync" }); i >= 0 {
		t.Error("twosync's own folder is expected")
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "file", "old")
	if err := replace(filepath.Join(dir, "file"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	if left, err := regularFiles(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if err := arrive(dir, []Expect{{Path: "file", Size: 3, Want: []byte("new")}}, 0); err != nil {
		t.Error(err)
	}
}

// TestFloorOutlivesATemporaryFile: a file that an editor has renamed by the time
// it is read ended the floor.
func TestFloorOutlivesATemporaryFile(t *testing.T) {
	var out bytes.Buffer
	if err := sendFile(t.TempDir(), "file~", &out); err != nil || out.Len() > 0 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}
