package fsxtest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
)

// save is a small piece of code under test: it replaces "file" whole, or
// leaves it alone.
func save(fsys fsx.FS, root string) error {
	d, err := fsys.OpenRoot(root)
	if err != nil {
		return err
	}
	defer d.Close()
	f, err := d.Create("save.create", "stage", 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write([]byte("new")); err != nil {
		return err
	}
	if err := f.Sync("save.sync"); err != nil {
		return err
	}
	return d.Rename("save.rename", "stage", d, "file", fsx.Replace)
}

func setup(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "file"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestEveryStepIsVisited(t *testing.T) {
	want := []string{
		`before create "stage" (save.create)`, `after create "stage" (save.create)`,
		`before write "stage" (save.create)`, `after write "stage" (save.create)`,
		`before sync "stage" (save.sync)`, `after sync "stage" (save.sync)`,
		`before rename "stage" (save.rename)`, `after rename "stage" (save.rename)`,
	}
	count := &fsxtest.Faults{}
	if err := save(count.Wrap(fsx.OS()), setup(t)); err != nil {
		t.Fatal(err)
	}
	steps := count.Steps()
	if len(steps) != len(want) {
		t.Fatalf("steps %v, want %v", steps, want)
	}
	for at := 1; at <= len(want); at++ {
		if got := steps[at-1].String(); got != want[at-1] {
			t.Errorf("step %d is %s, want %s", at, got, want[at-1])
		}
		stopAt(t, at, at == len(want))
	}
	if err := save((&fsxtest.Faults{At: len(want) + 1}).Wrap(fsx.OS()), setup(t)); err != nil {
		t.Errorf("a step that is never reached failed: %v", err)
	}
}

// stopAt crashes save at one step and looks at what is there.
func stopAt(t *testing.T, at int, replaced bool) {
	t.Helper()
	root := setup(t)
	faults := &fsxtest.Faults{At: at, Stop: true}
	err := save(faults.Wrap(fsx.OS()), root)
	if !errors.Is(err, fsxtest.ErrInjected) || !faults.Hit() {
		t.Errorf("step %d: error %v, hit %v", at, err, faults.Hit())
	}
	want := "old"
	if replaced {
		want = "new"
	}
	if got, err := os.ReadFile(filepath.Join(root, "file")); err != nil || string(got) != want {
		t.Errorf("step %d: file is %q (%v), want %q", at, got, err, want)
	}
	_, err = os.Stat(filepath.Join(root, "stage"))
	if gone := errors.Is(err, fs.ErrNotExist); gone != (at == 1 || replaced) {
		t.Errorf("step %d: stage is gone: %v", at, gone)
	}
}

// After a stop nothing passes, reading included; without it only one step
// fails.
func TestStop(t *testing.T) {
	for _, stop := range []bool{false, true} {
		faults := &fsxtest.Faults{At: 1, Stop: stop, Err: fs.ErrPermission}
		d, err := faults.Wrap(fsx.OS()).OpenRoot(setup(t))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := d.Mkdir("s", "a", 0o755); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("the first step: %v", err)
		}
		if err := d.Mkdir("s", "b", 0o755); (err != nil) != stop {
			t.Errorf("stop %v: the next change: %v", stop, err)
		}
		if _, err := d.List(); (err != nil) != stop {
			t.Errorf("stop %v: a listing: %v", stop, err)
		}
	}
}

func TestReadHook(t *testing.T) {
	seen := map[string]string{}
	fsys := fsxtest.Hooks{Read: func(site fsx.Site, op, name string) error {
		seen[op] = name
		if site != "" {
			t.Errorf("%s has site %q", op, site)
		}
		return nil
	}}.Wrap(fsx.OS())
	d, err := fsys.OpenRoot(setup(t))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.List()
	d.Stat("file")
	d.Readlink("file")
	if f, err := d.Read("file"); err == nil {
		f.Close()
	}
	for _, op := range []string{"open", "list", "stat", "readlink", "read.open"} {
		if _, ok := seen[op]; !ok {
			t.Errorf("%s was not told", op)
		}
	}
}

// A lock that is taken and not told to the caller is given back.
func TestLockAfterHook(t *testing.T) {
	root := setup(t)
	d, err := (&fsxtest.Faults{At: 2}).Wrap(fsx.OS()).OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Lock("s", "lock"); !errors.Is(err, fsxtest.ErrInjected) {
		t.Fatalf("the first lock: %v", err)
	}
	unlock, err := d.Lock("s", "lock")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
