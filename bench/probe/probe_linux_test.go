package probe

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	const stat = "42 (a) b (c) S 7 1 1 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 9 0 100 12345 300 18446744073709551615 0"
	p, err := parseStat(stat, 4096)
	if err != nil {
		t.Fatal(err)
	}
	want := Process{Parent: 7, Command: "a) b (c", CPU: 3 * time.Second, RSS: 300 * 4096}
	if p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
	for _, bad := range []string{"", "42 (a", "42 (a) S 7"} {
		if _, err := parseStat(bad, 4096); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestParseIO(t *testing.T) {
	read, written := parseIO("rchar: 12\nwchar: 34\nsyscr: 5\nread_bytes: 6\n")
	if read != 12 || written != 34 {
		t.Errorf("read %d, written %d", read, written)
	}
}

func TestMountedAt(t *testing.T) {
	const mounts = "overlay / overlay rw 0 0\nproc /proc proc rw 0 0\n/dev/vda /app ext4 rw 0 0\ntmpfs /app/tmp tmpfs rw 0 0\n"
	for path, want := range map[string]string{"/": "overlay", "/application": "overlay", "/app": "ext4", "/app/x": "ext4", "/app/tmp/y": "tmpfs"} {
		if got := mountedAt(mounts, path); got != want {
			t.Errorf("%s is on %q, want %q", path, got, want)
		}
	}
}

func TestOwnProcessIsThere(t *testing.T) {
	all, err := processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.PID == os.Getpid() {
			if p.RSS == 0 || p.Parent != os.Getppid() || p.CPU <= 0 {
				t.Errorf("%+v", p)
			}
			return
		}
	}
	t.Error("not there")
}

const deadline = 20 * time.Second

func TestAwait(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	// It is saved when await says that it looks: no order of the two is left to
	// chance.
	var saved int64
	seen, err := await(name, []byte("new"), deadline, func() error {
		defer func() { saved = monotonic() }()
		return os.WriteFile(name, []byte("new"), 0o644)
	})
	if err != nil || seen < saved {
		t.Errorf("saved at %d, seen at %d, %v", saved, seen, err)
	}
	_, err = await(name, []byte("newer"), 1, func() error { return nil })
	if err == nil {
		t.Error("what never came was seen")
	}
}

// TestFloor joins both halves by pipes, and expects every save to arrive.
func TestFloor(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	endReader, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer endReader.Close()
	r, w := io.Pipe()
	sent, received := make(chan error, 1), make(chan error, 1)
	go func() { sent <- FloorSend(from, endReader, w) }()
	go func() { received <- FloorReceive(to, r) }()
	name := filepath.Join(to, "file")
	_, err = await(name, []byte("text"), deadline, func() error {
		return untilWatched(func() error { return os.WriteFile(filepath.Join(from, "file"), []byte("text"), 0o644) }, name)
	})
	if err != nil {
		t.Error(err)
	}
	end.Close()
	if err := <-sent; err != nil {
		t.Error(err)
	}
	w.Close()
	if err := <-received; err != nil {
		t.Error(err)
	}
}

// untilWatched saves again until the file is there: the floor does not say when
// it has begun to watch.
func untilWatched(save func() error, there string) error {
	for range int(deadline / (10 * time.Millisecond)) {
		if err := save(); err != nil {
			return err
		}
		if arrive(filepath.Dir(there), []Expect{{Path: filepath.Base(there), Size: 4}}, 10*time.Millisecond) == nil {
			return nil
		}
	}
	return unix.ETIMEDOUT
}

// TestEvents edits once the watcher is armed, so nothing is left to chance.
func TestEvents(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	for _, c := range []struct {
		what string
		do   func() error
		want []string
	}{
		{"create", func() error { return os.WriteFile(name, []byte("1"), 0o644) }, []string{"CREATE", "MODIFY", "CLOSE_WRITE"}},
		{"another name", func() error { return os.WriteFile(name+"2", []byte("1"), 0o644) }, nil},
		{"replace", func() error { return replace(name, []byte("2")) }, []string{"MOVED_TO"}},
		{"chmod", func() error { return os.Chmod(name, 0o600) }, []string{"ATTRIB"}},
		{"delete", func() error { return os.Remove(name) }, []string{"DELETE"}},
	} {
		limit := deadline
		if c.want == nil {
			limit = 50 * time.Millisecond
		}
		var before int64
		first, told, err := events(name, limit, func() error {
			before = monotonic()
			return c.do()
		})
		if err != nil || !slices.Equal(told, c.want) {
			t.Errorf("%s: told %v, want %v, %v", c.what, told, c.want, err)
		}
		if (first != 0) != (c.want != nil) || c.want != nil && first < before {
			t.Errorf("%s: told at %d, began at %d", c.what, first, before)
		}
	}
}
