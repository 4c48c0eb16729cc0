package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// I7r: a directory that is built elsewhere and renamed into the tree is watched
// from before it is there, with everything in it.
func TestPlant(t *testing.T) {
	base := t.TempDir()
	root, stage := filepath.Join(base, "root"), filepath.Join(base, "stage")
	for _, d := range []string{root, filepath.Join(stage, "sub")} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	src, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	watchDir := func(add func(string, int) error, name, path string) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := add(name, int(f.Fd())); err != nil {
			t.Fatal(err)
		}
	}
	watchDir(src.Add, "", root)
	watchDir(src.Plant, "d", stage)
	watchDir(src.Add, "d/sub", filepath.Join(stage, "sub"))
	if err := os.Rename(stage, filepath.Join(root, "d")); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Wait(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second round: the mark has served its time
		for _, p := range []string{"d/f", "d/sub/f"} {
			if err := os.WriteFile(filepath.Join(root, p), []byte("x"), 0o666); err != nil {
				t.Fatal(err)
			}
			if !sees(t, src, p) {
				t.Fatalf("%s was written, and nothing was said", p)
			}
		}
		if err := os.Rename(filepath.Join(root, "d"), filepath.Join(root, "e")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(root, "e"), filepath.Join(root, "d")); err != nil {
			t.Fatal(err)
		}
	}
}

// sees waits for an event about path.
func sees(t *testing.T, src Source, path string) bool {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
		events, err := src.Wait(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Path() == path && e.Op == CloseWrite {
				return true
			}
		}
	}
	return false
}
