// Package busybox finds a static busybox for the images that tests and the
// benchmark make.
//
// It looks on this machine first and otherwise takes Debian's package apart in
// the user's cache folder, so that nothing has to be installed before the tests
// can run. It installs nothing.
//
// # Why
//
// Images come from no registry, so that no test depends on one; and an image
// with a shell in it needs one program that links to nothing.
package busybox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	debian   = "busybox-static" // the package, and /bin/busybox in it
	patience = 2 * time.Minute
)

// Find returns the path of a busybox. The error says how to get one.
func Find() (string, error) {
	if path, err := exec.LookPath("busybox"); err == nil {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find busybox: %w: install %s", err, debian)
	}
	dir := filepath.Join(cache, "twosync-test", debian)
	path := filepath.Join(dir, "bin", "busybox")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := fetch(dir); err != nil {
		return "", fmt.Errorf("%w: install %s", err, debian)
	}
	return path, nil
}

// fetch unpacks the package into dir, which appears whole: several tests may
// fetch at once.
func fetch(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := run(temp, "apt-get", "download", debian); err != nil {
		// A new machine has no list of packages yet.
		if run(temp, "apt-get", "update") != nil {
			return err
		}
		if err := run(temp, "apt-get", "download", debian); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(temp, "*.deb"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("apt-get download %s brought %d packages", debian, len(packages))
	}
	if err := run(temp, "dpkg-deb", "-x", packages[0], "root"); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(temp, "root"), dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return err
		}
	}
	return nil
}

func run(dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
