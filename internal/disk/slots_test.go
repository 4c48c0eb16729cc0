//go:build !windows

package disk

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// I4r: a slot that can't be opened just now rests again; it is not given up.
func TestCleanWithoutDescriptors(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	all := shapes(c)
	c.put(t, dir+"/f", all["file"])
	c.put(t, dir+"/d", all["dir2"])
	var few atomic.Bool
	var done atomic.Int32
	read := func(_ fsx.Site, op, _ string) error {
		if few.Load() && (op == "open" || op == "stat") {
			return fsx.ErrTooMany
		}
		return nil
	}
	r := open(t, dir, Options{
		FS: fsxtest.Hooks{Read: read}.Wrap(fsx.OS()),
		Displaced: func(from fsx.Dir, name string, _ Past) error {
			done.Add(1)
			return from.Unlink("test", name)
		},
	})
	r.applyAll(c, tree.Change{Path: "f", Old: all["file"]}, tree.Change{Path: "d", Old: all["dir2"]})
	few.Store(true)
	if err := r.d.cleanSlots(true); !errors.Is(err, fsx.ErrTooMany) {
		t.Error(err)
	}
	few.Store(false)
	if err := r.d.cleanSlots(true); err != nil || done.Load() != 3 {
		t.Errorf("%d were handed over: %v", done.Load(), err)
	}
}

// What can't be ended, however much of it there is, is not tried again at once.
func TestFullSlotsThatFail(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	var tried atomic.Int32
	r := open(t, dir, Options{Displaced: func(fsx.Dir, string, Past) error {
		tried.Add(1)
		return fsx.ErrNoSpace
	}})
	for _, name := range []string{"b1", "b2"} {
		c.put(t, dir+"/.twosync/stage/"+name, c.file("x"))
		huge := tree.NewFile(tree.Digest{}, maxSlotBytes, false)
		r.d.letRest(&slot{name: name, path: "f", entry: huge}, "replaced")
	}
	for range 100 {
		r.d.cleanSlots(false)
	}
	if at, _ := r.d.slots.next(); tried.Load() > 4 || !at.After(time.Now()) {
		t.Errorf("tried %d times; next is at %v", tried.Load(), at)
	}
}

// Whoever closes the disk, or waits for a group to be durable, does not wait
// for thousands of files to be copied to a keep store. What is not done then is
// done later, by the next process if need be.
func TestCleaningGivesWay(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	var children []tree.Child
	for i := range 100 {
		children = append(children, tree.Child{Name: fmt.Sprint(100 + i), Entry: c.file(fmt.Sprint(i))})
	}
	d := tree.NewDir(children)
	c.put(t, dir+"/d", d)
	clock := newClock()
	done := 0
	displaced := func(from fsx.Dir, name string, was Past) error {
		done++
		if was.Why != "deleted" {
			t.Errorf("%s was %s", was.Path, was.Why)
		}
		clock.advance(closeFor / 10) // as long as a copy takes
		return from.Unlink("test", name)
	}
	r := open(t, dir, Options{Clock: clock, Displaced: displaced})
	r.applyAll(c, tree.Change{Path: "d", Old: d})
	before := 0
	for done < 100 && !t.Failed() {
		r.d.Close()
		if n := done - before; n == 0 || n > 20 {
			t.Errorf("%d were handed over", n)
		}
		before = done
		r = open(t, dir, Options{Clock: clock, Displaced: displaced})
		if len(r.strays) > 0 {
			t.Errorf("strays: %v", r.strays)
		}
	}
	r.d.Close()
	idle := New(dir, Options{})
	defer idle.Close()
	if _, err := idle.Start(t.Context(), replica.Start{Rules: rulesText(t)}); err != nil {
		t.Fatal(err)
	}
	if idle.hurried() {
		t.Error("nobody waits")
	}
	idle.settles <- replica.Settle{}
	if !idle.hurried() {
		t.Error("a group waits, and it goes on")
	}
}
