package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// mounted mounts, or skips where this machine has no FUSE.
func mounted(t *testing.T, delay time.Duration) (from, to string) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("no FUSE here")
	}
	from, to = t.TempDir(), t.TempDir()
	server, err := mount(from, to, delay)
	if err != nil {
		t.Skipf("FUSE is not allowed here: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return from, to
}

func TestPassesEverythingOn(t *testing.T) {
	from, to := mounted(t, 0)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(os.MkdirAll(filepath.Join(to, "a/b"), 0o755))
	do(os.WriteFile(filepath.Join(to, "a/b/file"), []byte("hello"), 0o600))
	do(os.Symlink("file", filepath.Join(to, "a/b/link")))
	do(os.Rename(filepath.Join(to, "a/b"), filepath.Join(to, "c")))
	do(os.Rename(filepath.Join(to, "c/file"), filepath.Join(to, "a/file"))) // across directories
	do(os.Chmod(filepath.Join(to, "a/file"), 0o755))
	got, err := os.ReadFile(filepath.Join(from, "a/file"))
	if err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(from, "a/file")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	if link, err := os.Readlink(filepath.Join(from, "c/link")); err != nil || link != "file" {
		t.Errorf("%q, %v", link, err)
	}
	do(os.Remove(filepath.Join(to, "a/file")))
	do(os.Remove(filepath.Join(to, "c/link")))
	do(os.Remove(filepath.Join(to, "c")))
	if left, err := os.ReadDir(from); err != nil || len(left) != 1 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestARequestCostsTheDelay has only a lower bound: a slow machine makes no test
// fail.
func TestARequestCostsTheDelay(t *testing.T) {
	const delay, files = 5 * time.Millisecond, 10
	_, to := mounted(t, delay)
	start := time.Now()
	for i := range files {
		if _, err := os.Lstat(filepath.Join(to, "absent", string(rune('a'+i)))); !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took < files*delay {
		t.Errorf("%d lookups took %v with %v each", files, took, delay)
	}
}

func TestCalibrate(t *testing.T) {
	mounted(t, 0) // or skipped
	dir := t.TempDir()
	var out bytes.Buffer
	if err := calibrate(&out, dir, time.Millisecond, 5); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^calibrated here: stat .* µs \(.* µs without\), create .* µs \(.* µs\), read .* µs \(.* µs\)\n$`).MatchString(out.String()) {
		t.Errorf("printed %q", out.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"mount"}, {"mount", "-delay", "2m", "a", "b"}, {"calibrate"}, {"other", "x"}} {
		if err := run(args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
