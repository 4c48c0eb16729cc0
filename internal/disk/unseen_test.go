//go:build !windows

package disk

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/watch"
)

// shared is a file system that says that it is on another machine.
type shared struct{ fsx.FS }

func (shared) Magic(fsx.Dir) string { return "nfs" }

// A flush covers also what the kernel does not tell: where only the clock says
// that it is time to look, where directories have no watch, and where other
// machines write.
func TestFlushWhereNothingIsNoticed(t *testing.T) {
	for name, opt := range map[string]Options{
		"poll":       {Source: blind},
		"no watches": {Source: func(string) (watch.Source, error) { return noWatches{deaf{watch.NewPoll(time.Hour)}}, nil }},
		"shared":     {FS: shared{fsx.OS()}, Source: func(string) (watch.Source, error) { return deaf{watch.NewPoll(time.Hour)}, nil }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			os.MkdirAll(dir+"/d/e", 0o777)
			os.WriteFile(dir+"/d/e/f", []byte("one"), 0o666)
			r := open(t, dir, opt)
			for _, c := range []string{"two", "six", "ten"} { // of one size, and perhaps of one stamp
				os.WriteFile(dir+"/d/e/f", []byte(c), 0o666)
				os.WriteFile(dir+"/d/"+c, []byte(c), 0o666)
				r.flush()
				r.check()
			}
			os.RemoveAll(dir + "/d/e")
			os.MkdirAll(dir+"/n/m/o", 0o777)
			r.flush()
			r.check()
		})
	}
}

// noWatches is a source for a machine that allows none.
type noWatches struct{ watch.Source }

func (noWatches) Add(string, int) error {
	return &watch.LimitError{Reason: "none left", Remedy: "allow more", Err: errors.New("no")}
}

// I6r: where the machine allows no source at all, everything is polled, and that
// is said.
func TestNoSourceLeft(t *testing.T) {
	dir := t.TempDir()
	d := New(dir, Options{Source: func(string) (watch.Source, error) {
		return nil, &watch.LimitError{Reason: "none left", Remedy: "allow more", Err: errors.New("no")}
	}})
	id, err := d.Start(t.Context(), replica.Start{Rules: rulesText(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	rep, err := d.Next(t.Context())
	if err != nil || rep.Notice == nil || rep.Notice.Remedy != "allow more" || id.Facts.Watch != "poll" {
		t.Errorf("watched by %s; %+v %v", id.Facts.Watch, rep.Notice, err)
	}
}

// A round visits everything in the time that it has, and no sooner than it must.
func TestRound(t *testing.T) {
	const every = 15 * time.Minute
	for _, n := range []int{0, 1, sweepSlice, 10*sweepSlice + 1, 3000 * sweepSlice} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var r round
			begun := time.Unix(1e9, 0)
			rounds, seen := 0, 0
			begin := func() []string { rounds++; return make([]string, n) }
			now := begun
			var last, longest time.Duration
			for rounds <= 1 {
				got := len(r.slice(now, every, begin))
				if rounds > 1 {
					break
				}
				seen += got
				last, longest = now.Sub(begun), max(longest, r.at.Sub(now))
				if r.slice(now, every, begin) != nil {
					t.Fatal("two slices at once")
				}
				now = r.at
			}
			slices := max(1, (n+sweepSlice-1)/sweepSlice)
			if seen != n || now.Sub(begun) != every || last >= every || longest > every/time.Duration(slices)+time.Millisecond {
				t.Errorf("%d of %d in %v, the last after %v, with pauses of up to %v", seen, n, now.Sub(begun), last, longest)
			}
		})
	}
}

// sick is a file system on which some reading calls fail.
type sick struct {
	mu   sync.Mutex
	errs map[string]error // by op and name
}

func (s *sick) set(errs map[string]error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = errs
}

func (s *sick) fs() fsx.FS {
	return fsxtest.Hooks{Read: func(_ fsx.Site, op, name string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.errs[op+" "+name]
	}}.Wrap(fsx.OS())
}

// E12, I4r: what could not be read for a reason that passes is read when it has
// passed, though nothing happens then. What is below it is watched meanwhile.
func TestPassingErrors(t *testing.T) {
	for name, errs := range map[string]map[string]error{
		"file":           {"read.open f": fsx.ErrTooMany},
		"directory":      {"open d": fsx.ErrTooMany},
		"deep directory": {"open e": fsxtest.ErrInjected},
		"stat":           {"stat f": fsxtest.ErrInjected},
		"whole":          {"list ": fsxtest.ErrInjected},
	} {
		t.Run(name, func(t *testing.T) {
			clock, s := newClock(), &sick{}
			r := open(t, t.TempDir(), Options{Clock: clock, FS: s.fs(), Sweep: 1000 * time.Hour})
			r.write("f", "one")
			r.write("d/e/f", "one")
			r.flush()
			s.set(errs)
			if name == "whole" {
				r.d.mu.Lock()
				r.d.settle.Add(clock.Now(), []watch.Event{{Op: watch.Overflow}})
				r.d.mu.Unlock()
			}
			r.write("f", "two")
			r.write("d/e/f", "two")
			r.d.Look(r.ctx, []string{"d"})
			r.flush()
			s.set(nil)
			stop := pass(func() { clock.advance(time.Second); r.d.watch.Wake() })
			r.untilEqual()
			stop()
			r.write("d/e/f", "three")
			r.flush()
			r.check()
		})
	}
}

// The wait doubles while anything fails, and begins anew when nothing does.
func TestRetriesBackOff(t *testing.T) {
	clock := newClock()
	d := New(t.TempDir(), Options{Clock: clock})
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		d.tryAgain("f", fsx.ErrTooMany)
		if d.retry.gap != want*time.Second {
			t.Errorf("waits %v, want %d s", d.retry.gap, want)
		}
		clock.advance(d.retry.gap)
		d.mu.Lock()
		d.retries(clock.Now())
		again := len(d.again)
		clear(d.again)
		d.mu.Unlock()
		if again != 1 {
			t.Errorf("%d looks", again)
		}
	}
	clock.advance(time.Hour)
	for i := range 2 * maxRetries {
		d.tryAgain(fmt.Sprint(i), fsx.ErrTooMany)
	}
	if d.retry.gap != retryMin || len(d.retry.paths) > maxRetries {
		t.Errorf("waits %v for %d paths", d.retry.gap, len(d.retry.paths))
	}
	if passing(os.ErrPermission) || passing(os.ErrNotExist) || passing(fsx.ErrNotRegular) {
		t.Error("what lasts is tried again")
	}
}

// E12: a directory in which nothing could be looked at is looked into when its
// mode changes.
func TestBecameSearchable(t *testing.T) {
	s := &sick{}
	s.set(map[string]error{"stat f": os.ErrPermission, "open e": os.ErrPermission})
	dir := t.TempDir()
	os.MkdirAll(dir+"/d/e", 0o777)
	os.WriteFile(dir+"/d/f", []byte("one"), 0o666)
	os.WriteFile(dir+"/d/e/f", []byte("one"), 0o666)
	r := open(t, dir, Options{FS: s.fs()})
	s.set(nil)
	os.Chmod(dir+"/d", 0o700)
	r.flush()
	r.check()
}

// Where something is written all the time, and nothing is ever proven, the
// stats of what rests are saved all the same.
func TestSavedThoughNothingRests(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(dir+"/rests", []byte("x"), 0o666)
	long := time.Now().Add(-time.Hour)
	os.Chtimes(dir+"/rests", long, long)
	clock := newClock()
	clock.advance(time.Minute) // the file's other stamp is of today
	r := open(t, dir, Options{Clock: clock})
	for range int(2 * saveEvery / time.Second) {
		clock.advance(time.Second)
		r.write("log", clock.Now().String())
		r.flush()
		if _, err := os.Stat(dir + "/" + privateName + "/" + cacheName); err == nil {
			return
		}
	}
	t.Error("never saved")
}

// D9: a file whose time of writing was set back is as young as its change.
func TestSetBackIsYoung(t *testing.T) {
	d := New(t.TempDir(), Options{Clock: newClock()})
	d.granule = int64(time.Second)
	now := time.Now().UnixNano()
	hour := int64(time.Hour)
	for _, c := range []struct {
		st   fsx.Stat
		want trust
	}{{fsx.Stat{Mtime: now - hour, Ctime: now - hour}, proven}, {fsx.Stat{Mtime: now - hour, Ctime: now}, racy}, {fsx.Stat{Mtime: now, Ctime: now}, racy}} {
		if got := d.trust(c.st); got != c.want {
			t.Errorf("%+v is %d", c.st, got)
		}
	}
}

// E8: names that came and went do not take the place of those that are there.
func TestHardLinksThatComeAndGo(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(dir+"/a", []byte("one"), 0o666)
	r := open(t, dir, Options{})
	for i := range maxNames + 4 {
		name := fmt.Sprintf("%s/t%d", dir, i)
		os.Link(dir+"/a", name)
		r.flush()
		os.Remove(name)
		r.flush()
	}
	os.Link(dir+"/a", dir+"/b")
	r.flush()
	r.write("a", "two")
	r.flush()
	r.check()
}

// E8: a write under one of a file's names is one under all of them.
func TestHardLinks(t *testing.T) {
	dir := t.TempDir()
	os.MkdirAll(dir+"/a", 0o777)
	os.MkdirAll(dir+"/b", 0o777)
	os.WriteFile(dir+"/a/x", []byte("one"), 0o666)
	os.Link(dir+"/a/x", dir+"/b/x")
	r := open(t, dir, Options{})
	r.write("a/x", "two")
	r.flush()
	r.check()
	os.Link(dir+"/b/x", dir+"/a/y")
	r.flush()
	r.write("a/y", "three")
	r.flush()
	r.check()
}
