//go:build !windows

package disk

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// said collects what is reported of one path.
func (r *rig) said(path string) *[]*tree.Entry {
	var all []*tree.Entry
	r.each = func(rep replica.Report) {
		if rep.Observed != nil {
			for _, s := range rep.Observed.Seen {
				if s.Path == path {
					all = append(all, s.Entry)
				}
			}
		}
	}
	return &all
}

// A2: a save in place truncates first. Nobody hears of the gap, and each save
// is one report.
func TestSaveInPlace(t *testing.T) {
	dir := t.TempDir()
	old := strings.Repeat("before", 1000)
	os.WriteFile(dir+"/f", []byte(old), 0o666)
	r := open(t, dir, Options{})
	all := r.said("f")
	good := map[tree.Digest]bool{}
	const rounds = 100
	for i := range rounds {
		content := []byte(strings.Repeat(fmt.Sprintf("save %03d ", i), 500+i))
		good[tree.DigestOf(content)] = true
		if err := os.WriteFile(r.path("f"), content, 0o666); err != nil {
			t.Fatal(err)
		}
		r.flush()
		r.check()
	}
	for _, e := range *all {
		if !e.IsFile() || !good[e.Digest] {
			t.Errorf("reported %+v", e)
		}
	}
	if len(*all) != rounds {
		t.Errorf("%d reports of %d saves", len(*all), rounds)
	}
}

// A1, A3, A4: the ways in which editors replace a file are one change each, and
// the file is never said to be gone.
func TestSafeWrites(t *testing.T) {
	styles := map[string]func(p, content string){
		"rename over": func(p, content string) {
			os.WriteFile(p+".tmp", []byte(content), 0o666)
			os.Rename(p+".tmp", p)
		},
		"backup first": func(p, content string) {
			os.Rename(p, p+"~")
			os.WriteFile(p, []byte(content), 0o666)
			os.Remove(p + "~")
		},
		"unlink first": func(p, content string) {
			os.Remove(p)
			os.WriteFile(p, []byte(content), 0o666)
		},
		"three names": func(p, content string) {
			os.WriteFile(p+"___new", []byte(content), 0o666)
			os.Rename(p, p+"___old")
			os.Rename(p+"___new", p)
			os.Remove(p + "___old")
		},
	}
	for name, save := range styles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			os.WriteFile(dir+"/f", []byte("first"), 0o666)
			r := open(t, dir, Options{})
			all := r.said("f")
			for i := range 30 {
				save(r.path("f"), fmt.Sprint("content ", i))
				r.flush()
				r.check()
			}
			for _, e := range *all {
				if e == nil {
					t.Error("said to be gone")
				}
			}
			if len(*all) != 30 {
				t.Errorf("%d reports of 30 saves", len(*all))
			}
		})
	}
}

// E1, E2: a file that is appended to for ever is reported again and again, at a
// bounded rate, never torn, and nobody waits for it.
func TestEndlessLog(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r := open(t, dir, Options{})
	all := r.said("log")
	var stop atomic.Bool
	var lines atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			if _, err := log.WriteString("one line of the log\n"); err != nil {
				return
			}
			lines.Add(1)
		}
	}()
	defer func() { stop.Store(true); <-done }()
	begun := time.Now()
	for i := 0; len(*all) < 3; i++ {
		other := fmt.Sprint("other", i)
		r.write(other, "x")
		r.until(func(replica.Report) bool { return tree.Get(r.tree, other) != nil })
	}
	stop.Store(true)
	<-done
	if limit := int(time.Since(begun)/(100*time.Millisecond)) + 3; len(*all) > limit {
		t.Errorf("%d reports in %v", len(*all), time.Since(begun))
	}
	r.flush()
	r.check()
	whole, _ := os.ReadFile(dir + "/log")
	for _, e := range *all {
		switch {
		case !e.IsFile():
			t.Errorf("reported %+v", e)
		case e.Size > int64(len(whole)) || tree.DigestOf(whole[:e.Size]) != e.Digest:
			t.Errorf("a part of %d bytes that the log never was", e.Size)
		}
	}
}

// A directory that is filled while it is scanned: a new file that is younger
// than the pauses of a writer is not taken yet, and looked at again. A file
// that is known is, unless it is empty.
func TestYoungFilesWait(t *testing.T) {
	clock := newClock()
	r := open(t, t.TempDir(), Options{Clock: clock})
	r.write("known", "x")
	r.flush()
	d := r.d
	st, err := d.root.Stat("known")
	if err != nil {
		t.Fatal(err)
	}
	empty := st
	empty.Size = 0
	clock.set(st.Mtime + int64(time.Millisecond))
	for _, c := range []struct {
		path string
		st   fsx.Stat
		want bool
	}{{"new", st, true}, {"known", st, false}, {"known", empty, true}} {
		if got := d.unfinished(c.path, c.st); got != c.want {
			t.Errorf("%s of %d bytes: %v", c.path, c.st.Size, got)
		}
	}
	clock.set(st.Mtime + int64(time.Second))
	if d.unfinished("new", st) {
		t.Error("a file that rests was not taken")
	}
	r.flush()
	r.check()
}

// E4: a name that is missing at the moment of a scan is not believed to be gone
// before it has been so for a while; a directory that is gone is.
func TestMissingInScan(t *testing.T) {
	c := contents{}
	r := open(t, t.TempDir(), Options{})
	r.write("d/f", "x")
	r.flush()
	d := r.d
	was := d.known("d")
	d.mu.Lock()
	seen := found{entry: dirOf("g", c.file("y")), stats: newStats(was.stats.ino)}
	kept := d.keepMissing("d", seen)
	d.mu.Unlock()
	if kept.entry.Child("f") == nil || kept.entry.Child("g") == nil {
		t.Errorf("kept %s", show(kept.entry))
	}
	os.RemoveAll(r.path("d"))
	r.flush()
	r.check()
}

// Look reports on every path that it is asked about.
func TestLookAnswersAlways(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, Options{}, "ignored")
	r.write("d/f", "x")
	r.flush()
	paths := []string{"d/f", "d", "nothing", "d/nothing", "no/where", "d/f/below", "ignored"}
	answers := map[string]bool{}
	r.each = func(rep replica.Report) {
		if rep.Observed != nil {
			for _, s := range rep.Observed.Seen {
				answers[s.Path] = true
			}
		}
	}
	if err := r.d.Look(r.ctx, paths); err != nil {
		t.Fatal(err)
	}
	r.until(func(replica.Report) bool { return len(answers) == len(paths) })
	if err := r.d.Look(r.ctx, []string{"a/../b"}); err == nil {
		t.Error("a bad path was taken")
	}
}

// What could not be read for want of permission, far below the directory that had
// been closed, is read when that is open again.
func TestReadableAgain(t *testing.T) {
	dir := t.TempDir()
	os.MkdirAll(dir+"/d/a/b", 0o777)
	os.WriteFile(dir+"/d/a/b/x", []byte("one"), 0o666)
	var closed atomic.Bool
	r := open(t, dir, Options{FS: fsxtest.Hooks{Read: func(_ fsx.Site, op, name string) error {
		if closed.Load() && op == "open" && name == "d" {
			return fs.ErrPermission
		}
		return nil
	}}.Wrap(fsx.OS())})
	closed.Store(true)
	r.write("d/a/b/x", "two")
	r.flush()
	if e := tree.Get(r.tree, "d/a/b/x"); e == nil || e.Kind != tree.Unknown {
		t.Fatalf("x is %+v", e)
	}
	closed.Store(false)
	os.Chmod(dir+"/d", 0o700)
	r.flush()
	r.check()
}

// E5: nothing waits for a FIFO.
func TestSpecialAndUnreadable(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, Options{})
	if err := syscall.Mkfifo(r.path("fifo"), 0o666); err != nil {
		t.Fatal(err)
	}
	r.flush()
	if e := tree.Get(r.tree, "fifo"); e == nil || e.Kind != tree.Opaque {
		t.Errorf("fifo is %+v", e)
	}
	os.Remove(r.path("fifo"))
	r.write("fifo", "a file now")
	r.flush()
	r.check()
}
