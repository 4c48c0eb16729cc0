package keep

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// I7: an open conflict's loser never goes by itself; one that was decided about
// stays for as long as what was deleted on the day of the decision.
func TestResolve(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	must(t, b.create("c", "1", Conflict), b.create("d", "2", Conflict), b.create("c", "3", Conflict), b.create("v", "4", Version))
	must(t, b.s.Note(item("c", tree.NewLink("t"), Conflict, day1)))
	if got := b.s.Conflicts(); !slices.Equal(got, []string{"c", "d"}) {
		t.Fatalf("open: %v", got)
	}
	later := day1.Add(100 * Retention)
	must(t, b.s.Evict(later))
	if n, err := b.s.Resolve("x", later); n != 0 || err != nil {
		t.Errorf("resolved %d, %v", n, err)
	}
	if n, err := b.s.Resolve("c", later); n != 3 || err != nil {
		t.Fatalf("resolved %d, %v", n, err)
	}
	b.reopen()
	must(t, b.s.Evict(later.Add(Retention)))
	b.want("d conflict 2", "v version 4", "c resolved 1", "c resolved 3", "c resolved -> t")
	must(t, b.s.Evict(later.Add(Retention+time.Hour)))
	b.want("d conflict 2", "v version 4")
}

// A decision that can't be written down was not made.
func TestResolveFails(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	must(t, b.create("c", "1", Conflict))
	must(t, b.s.dir.Mkdir("test", logNewName, 0o700)) // in the way of a new log
	if n, err := b.s.Resolve("c", day1); n != 0 || err == nil {
		t.Fatalf("resolved %d, %v", n, err)
	}
	b.want("c conflict 1")
}

// What passes has a share of its own, besides the limit of all.
func TestTrashLimit(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	b.s.limits.Trash = 10
	must(t, b.create("c", "a conflict has room", Conflict))
	for _, n := range []string{"0", "1", "2", "3"} {
		b.adopt(n, n+n+n, Deleted, day1)
	}
	b.want("c conflict a conflict has room", "1 deleted 111", "2 deleted 222", "3 deleted 333")
	b.s.limits.Trash = 5
	must(t, b.s.Evict(day1))
	b.want("c conflict a conflict has room", "3 deleted 333")
	b.adopt("4", "longer than the share", Deleted, day1)
	b.want("c conflict a conflict has room", "4 deleted longer than the share")
}

// Another process sees what is there, and changes nothing.
func TestPeek(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	dir, err := fsx.OS().OpenRoot(filepath.Join(b.root, "keep"))
	must(t, err)
	defer dir.Close()
	b.adopt("a", "1", Deleted, day1)
	b.adopt("gone", "2", Deleted, day1.Add(-2*Retention))
	b.adopt("l", "-> t", Replaced, day1)
	must(t, b.create("c", "3", Conflict), b.s.Evict(day1))
	items, err := Peek(dir)
	must(t, err)
	var got []string
	for _, i := range items {
		got = append(got, i.Path+" "+i.File())
	}
	file := func(text string) string { return filepath.Join("objects", tree.DigestOf([]byte(text)).String()) }
	if want := []string{"a " + file("1"), "l ", "c " + file("3")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	b.want("a deleted 1", "l replaced -> t", "c conflict 3")
	empty, err := fsx.OS().OpenRoot(t.TempDir())
	must(t, err)
	defer empty.Close()
	if items, err := Peek(empty); err != nil || items != nil {
		t.Errorf("of nothing: %v, %v", items, err)
	}
}
