package fsxtest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
)

// TestFold: there is one file of a name, however it is written, and it is listed as
// it was first.
func TestFold(t *testing.T) {
	root := setup(t)
	d, err := fsxtest.Fold(fsx.OS(), strings.ToLower).OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Create("s", "FILE", 0o644); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create beside its twin: %v", err)
	}
	if _, err := d.Stat("FiLe"); err != nil {
		t.Errorf("stat: %v", err)
	}
	if err := d.Rename("s", "file", d, "File", fsx.NoReplace); !errors.Is(err, fs.ErrExist) {
		t.Errorf("rename in case only: %v", err)
	}
	if err := d.Rename("s", "file", d, "File", fsx.Replace); err != nil {
		t.Errorf("rename in case only: %v", err)
	}
	if items, err := d.List(); err != nil || len(items) != 1 || items[0].Name != "File" {
		t.Errorf("listed: %v (%v)", items, err)
	}
	if err := d.Unlink("s", "fILE"); err != nil {
		t.Errorf("unlink: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "File")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after unlink: %v", err)
	}
}
