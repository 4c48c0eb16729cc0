package keep

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/tree"
)

// deed is one call of a script, with the line that show has for what it keeps.
type deed struct {
	line string // empty: it keeps nothing
	slot string // where the content comes from; empty: from the container
	do   func() error
}

// deeds are every way into the store and out of it. All displaced things are
// in their slots when it begins.
func (b *bench) deeds() []deed {
	adopt := func(slot, content string, why Why) deed {
		e := fileOf(content)
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			e = tree.NewLink(target)
		}
		return deed{slot + " " + string(why) + " " + content, slot, func() error {
			return b.s.Adopt(b.slots, slot, item(slot, e, why, day1))
		}}
	}
	return []deed{
		adopt("slot-old", "gone soon", Deleted),
		{do: func() error { return b.s.Evict(day1.Add(2 * Retention)) }},
		{do: func() error { b.s.mu.Lock(); defer b.s.mu.Unlock(); return b.s.rewrite() }},
		adopt("slot-a", "alpha", Replaced),
		adopt("slot-a2", "alpha", Replaced),
		adopt("slot-l", "-> nowhere", Deleted),
		{"c conflict beta", "", func() error { return b.create("c", "beta", Conflict) }},
		{"d conflict alpha", "", func() error { return b.create("d", "alpha", Conflict) }},
		{"n conflict -> t", "", func() error { return b.s.Note(item("n", tree.NewLink("t"), Conflict, day1)) }},
		adopt("slot-b", "beta", Deleted),
		adopt("slot-e", "", Deleted),
		{do: func() error { return b.s.Sync() }},
		adopt("slot-z", "omega", Deleted),
		{do: func() error { return b.s.Close() }},
	}
}

func (b *bench) fillSlots() {
	for name, content := range map[string]string{
		"slot-old": "gone soon", "slot-a": "alpha", "slot-a2": "alpha", "slot-l": "-> nowhere",
		"slot-b": "beta", "slot-e": "", "slot-z": "omega",
	} {
		b.slot(name, content)
	}
}

// memory is a folder where a sync costs nothing, if the machine has one: these
// tests make thousands, and look at the order of steps and not at the disk.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "twosync-keep-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// everywhere runs the script with a fault at each step: one that fails, or,
// with stop, one that ends the process.
func everywhere(t *testing.T, stop bool, wrap func(fsx.FS) fsx.FS) {
	for at := 1; ; at++ {
		b := newBenchIn(t, memory(t))
		b.fillSlots()
		faults := &fsxtest.Faults{At: at, Stop: stop}
		opened := b.tryOpen(wrap(faults.Wrap(fsx.OS())), plenty)
		deeds := b.deeds()
		done := make([]bool, len(deeds))
		for i := range deeds {
			done[i] = opened == nil && deeds[i].do() == nil
		}
		what := "no fault"
		if faults.Hit() {
			what = faults.Steps()[at-1].String()
		}
		b.open(fsx.OS(), plenty)
		b.checkDeeds(what, deeds, done, stop)
		b.audit()
		checkNoIncoming(t, b)
		if t.Failed() {
			t.Fatalf("fault %s", what)
		}
		if !faults.Hit() {
			for i := range done {
				if !done[i] {
					t.Fatalf("call %d failed without a fault", i)
				}
			}
			t.Log(at-1, "steps")
			return
		}
	}
}

// checkDeeds checks, in a new process, that every content is in the store or
// where it came from, that what was said to be kept is listed as such, and that
// what was not is still there, if anybody lived to be told.
func (b *bench) checkDeeds(what string, deeds []deed, done []bool, stop bool) {
	b.t.Helper()
	listed := show(b.t, b.s)
	for i, d := range deeds {
		if d.line == "" || d.slot == "slot-old" {
			continue
		}
		n := 0
		for _, line := range listed {
			if line == d.line {
				n++
			}
		}
		_, err := os.Lstat(filepath.Join(b.root, "slots", d.slot))
		left := d.slot != "" && err == nil
		switch {
		case done[i] && n != 1:
			b.t.Errorf("%s: %q was kept, and is listed %d times: %q", what, d.line, n, listed)
		case done[i] && left:
			b.t.Errorf("%s: %q was kept, and is still in its slot", what, d.line)
		case !done[i] && !stop && d.slot != "" && !left:
			b.t.Errorf("%s: %q was not kept, and is not in its slot", what, d.line)
		case !done[i] && n > 1:
			b.t.Errorf("%s: %q is listed %d times", what, d.line, n)
		case !done[i] && n == 0 && d.slot != "" && !left:
			b.t.Errorf("%s: %q is nowhere: %q", what, d.line, listed)
		}
	}
	for _, line := range listed {
		known := slices.ContainsFunc(deeds, func(d deed) bool { return d.line == line })
		if !known {
			b.t.Errorf("%s: lists %q", what, line)
		}
	}
}

func plain(f fsx.FS) fsx.FS { return f }

// across makes every adoption one from another file system.
func across(f fsx.FS) fsx.FS {
	return fsxtest.Wrap(f, func(_ fsx.Site, op, name string) error {
		if op == "rename" && strings.HasPrefix(name, "slot") {
			return fsx.ErrCrossDevice
		}
		return nil
	})
}

func TestFailEverywhere(t *testing.T)        { everywhere(t, false, plain) }
func TestCrashEverywhere(t *testing.T)       { everywhere(t, true, plain) }
func TestFailEverywhereAcross(t *testing.T)  { everywhere(t, false, across) }
func TestCrashEverywhereAcross(t *testing.T) { everywhere(t, true, across) }

// full is a store with one of everything, closed, and what show says of it.
func full(t *testing.T) (b *bench, lines []string) {
	b = newBenchIn(t, memory(t))
	b.open(fsx.OS(), plenty)
	b.fillSlots()
	for _, d := range b.deeds() {
		if d.line != "" {
			must(t, d.do())
		}
	}
	lines = show(t, b.s)
	must(t, b.s.Close())
	return b, lines
}

// contents are what is left of the lines when nobody knows where it was.
func contents(lines []string) map[string]bool {
	all := map[string]bool{}
	for _, l := range lines {
		parts := strings.SplitN(l, " ", 3)
		if parts[0] != "n" { // a link that was only noted is in the log alone
			all[parts[2]] = true
		}
	}
	return all
}

// damaged opens the store with this log. It returns what is listed, and fails
// when a content is not, or something is listed that was not there.
func (b *bench) damaged(what string, log []byte, was []string) []string {
	b.t.Helper()
	must(b.t, os.WriteFile(filepath.Join(b.root, "keep/log"), log, 0o600))
	b.open(fsx.OS(), plenty)
	got := show(b.t, b.s)
	b.audit()
	have := contents(got)
	for c := range contents(was) {
		if !have[c] {
			b.t.Fatalf("%s: %q is not listed: %q", what, c, got)
		}
	}
	for _, l := range got {
		if !slices.Contains(was, l) && !strings.HasPrefix(l, " left ") {
			b.t.Fatalf("%s: lists %q", what, l)
		}
	}
	if err := b.create("new", "written after", Conflict); err != nil {
		b.t.Fatalf("%s: does not go on: %v", what, err)
	}
	b.reopen()
	if now := show(b.t, b.s); !slices.Equal(now, append(got, "new conflict written after")) {
		b.t.Fatalf("%s: then lists %q", what, now)
	}
	must(b.t, b.s.Close(), os.Remove(filepath.Join(b.root, "keep/objects", fileOf("written after").Digest.String())))
	return got
}

// A log that a power cut tore: the items before are there, the contents of the
// others are left over.
func TestTornLog(t *testing.T) {
	b, was := full(t)
	log, err := os.ReadFile(filepath.Join(b.root, "keep/log"))
	must(t, err)
	known := 0
	for n := range log {
		got := b.damaged(fmt.Sprint("cut at ", n), log[:n], was)
		whole := 0
		for whole < len(was) && whole < len(got) && got[whole] == was[whole] {
			whole++
		}
		if whole < known {
			t.Fatalf("cut at %d: %d items, and %d with less", n, whole, known)
		}
		known = whole
	}
	if known != len(was)-1 {
		t.Errorf("cut before the last byte: %d of %d items", known, len(was))
	}
}

// Damage costs the item that it hit, and no content.
func TestDamagedLog(t *testing.T) {
	b, was := full(t)
	log, err := os.ReadFile(filepath.Join(b.root, "keep/log"))
	must(t, err)
	for n := range log {
		bad := bytes.Clone(log)
		bad[n] ^= 1 << (n % 8)
		got := b.damaged(fmt.Sprint("flip at ", n), bad, was)
		missing := 0
		for _, l := range was {
			if !slices.Contains(got, l) {
				missing++
			}
		}
		if missing != 1 {
			t.Fatalf("flip at %d: %d items are missing: %q", n, missing, got)
		}
	}
}

// A power cut may take the names of contents whose items are there, or the
// items of contents whose names are.
func TestLostObjects(t *testing.T) {
	b, was := full(t)
	for _, name := range objects(t, b) {
		path := filepath.Join(b.root, "keep/objects", name)
		must(t, os.Rename(path, path+".away"))
		b.open(fsx.OS(), plenty)
		for _, l := range show(t, b.s) { // show reads them all
			if !slices.Contains(was, l) {
				t.Errorf("without %s: lists %q", name, l)
			}
		}
		b.audit()
		must(t, b.s.Close(), os.Rename(path+".away", path))
	}
	b.open(fsx.OS(), plenty)
	b.want(was...)
	must(t, b.s.Close(), os.Remove(filepath.Join(b.root, "keep/log")))
	b.open(fsx.OS(), plenty)
	if got := contents(show(t, b.s)); len(got) != len(contents(was)) {
		t.Errorf("without a log: %v", got)
	}
}

// I3r: a store on a full disk takes nothing and loses nothing, and goes on when
// there is room again.
func TestNoSpace(t *testing.T) {
	full := false
	b := newBench(t, fsxtest.Wrap(fsx.OS(), func(_ fsx.Site, op, _ string) error {
		if full && (op == "write" || op == "create") {
			return fsx.ErrNoSpace
		}
		return nil
	}), plenty)
	b.fillSlots()
	deeds := b.deeds()
	full = true
	for _, d := range deeds {
		if d.line != "" {
			if err := d.do(); !errors.Is(err, fsx.ErrNoSpace) {
				t.Errorf("%q: %v", d.line, err)
			}
		}
	}
	b.want()
	full = false
	var want []string
	for _, d := range deeds {
		if d.line != "" {
			must(t, d.do())
			want = append(want, d.line)
		}
	}
	b.want(want...)
	if _, err := os.Lstat(filepath.Join(b.root, "slots/slot-a")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
