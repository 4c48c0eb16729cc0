package watch

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// raw spells an event as the kernel would.
func raw(wd int32, mask, cookie uint32, name string) []byte {
	size := 0
	if name != "" {
		size = (len(name) + 16) / 16 * 16
	}
	b := make([]byte, unix.SizeofInotifyEvent+size)
	binary.NativeEndian.PutUint32(b, uint32(wd))
	binary.NativeEndian.PutUint32(b[4:], mask)
	binary.NativeEndian.PutUint32(b[8:], cookie)
	binary.NativeEndian.PutUint32(b[12:], uint32(size))
	copy(b[unix.SizeofInotifyEvent:], name)
	return b
}

// tester drives a table without a kernel.
type tester struct {
	t       *testing.T
	table   *table
	removed []int32 // watches that were taken back
}

func newTester(t *testing.T, dirs ...string) *tester {
	r := &tester{t: t}
	r.table = newTable(func(wd int32) { r.removed = append(r.removed, wd) })
	for i, d := range dirs {
		r.add(d, int32(i+1))
	}
	return r
}

func (r *tester) add(dir string, wd int32) {
	r.t.Helper()
	if err := r.table.add(dir, wd); err != nil {
		r.t.Fatal(err)
	}
}

func (r *tester) read(records ...[]byte) { r.table.read(slices.Concat(records...)) }

func (r *tester) want(want ...string) {
	r.t.Helper()
	var got []string
	for _, e := range r.table.out {
		got = append(got, e.String())
	}
	r.table.out = nil
	if !slices.Equal(got, want) {
		r.t.Fatalf("got  %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

const (
	dirFrom = unix.IN_MOVED_FROM | unix.IN_ISDIR
	dirTo   = unix.IN_MOVED_TO | unix.IN_ISDIR
)

// I5r: lost events make everything dirty.
func TestOverflow(t *testing.T) {
	r := newTester(t, "", "d")
	r.read(raw(2, unix.IN_CREATE, 0, "f"), raw(-1, unix.IN_Q_OVERFLOW, 0, ""), raw(2, unix.IN_MODIFY, 0, "f"))
	r.want("create /d/f", "overflow /", "modify /d/f")
}

// I5r: the second half of a rename may be among the lost events: the watches must not go on
// reporting under the old path.
func TestOverflowInsideRename(t *testing.T) {
	r := newTester(t, "", "d", "d/sub")
	r.read(raw(1, dirFrom, 7, "d"), raw(-1, unix.IN_Q_OVERFLOW, 0, ""), raw(3, unix.IN_CREATE, 0, "f"))
	r.want("overflow /")
	if !slices.Equal(r.removed, []int32{2, 3}) {
		t.Errorf("removed %v", r.removed)
	}
}

func TestTruncatedRecord(t *testing.T) {
	r := newTester(t, "")
	b := raw(1, unix.IN_CREATE, 0, "name")
	r.table.read(append(raw(1, unix.IN_CREATE, 0, "f"), b[:len(b)-1]...))
	r.want("create /f", "overflow /")
}

// I8r: a directory is removed, its descriptor is given to a new one before the end of
// the old watch was read. The late IN_IGNORED must not make the new directory deaf.
func TestReuseOfDescriptor(t *testing.T) {
	r := newTester(t, "", "old")
	r.add("new", 2)
	r.want("create /old/")
	r.read(raw(2, unix.IN_DELETE_SELF, 0, ""), raw(2, unix.IN_IGNORED, 0, ""), raw(2, unix.IN_CREATE, 0, "f"))
	r.want("dir-gone /new/")
	r.add("new", 2) // the answer to dir-gone
	r.read(raw(2, unix.IN_CREATE, 0, "f"))
	r.want("create /new/f")
	if len(r.removed) > 0 {
		t.Errorf("removed %v", r.removed)
	}
}

func TestEventsOfRemovedWatch(t *testing.T) {
	r := newTester(t, "", "d", "d/sub")
	r.table.remove("d")
	r.read(raw(3, unix.IN_CREATE, 0, "f"), raw(3, unix.IN_IGNORED, 0, ""), raw(2, unix.IN_IGNORED, 0, ""))
	r.want()
	if len(r.table.byWD) != 1 || !slices.Equal(r.removed, []int32{2, 3}) {
		t.Errorf("%d watches, removed %v", len(r.table.byWD), r.removed)
	}
}

func TestRenameSplitBetweenReads(t *testing.T) {
	r := newTester(t, "", "d", "d/sub", "e")
	r.read(raw(1, dirFrom, 7, "d"))
	r.read(raw(3, unix.IN_CREATE, 0, "early")) // a writer was faster than the notification
	r.want()
	r.read(raw(4, dirTo, 7, "n"), raw(2, unix.IN_MOVE_SELF, 0, ""), raw(3, unix.IN_CREATE, 0, "f"))
	r.want("moved-from /d/ paired", "moved-to /e/n/ paired", "create /e/n/sub/early", "create /e/n/sub/f")
	if len(r.removed) > 0 {
		t.Errorf("removed %v", r.removed)
	}
}

func TestMovedOutOfTheTree(t *testing.T) {
	r := newTester(t, "", "d", "d/sub")
	r.read(raw(1, dirFrom, 7, "d"), raw(3, unix.IN_CREATE, 0, "f"))
	r.read(raw(2, unix.IN_MOVE_SELF, 0, ""), raw(3, unix.IN_CREATE, 0, "ghost"))
	r.want("moved-from /d/")
	if !slices.Equal(r.removed, []int32{2, 3}) || r.table.root.child("d") != nil {
		t.Errorf("removed %v", r.removed)
	}
}

// An event that closes a rename is lost; the next rename must close by its own.
func TestOverflowAfterRename(t *testing.T) {
	r := newTester(t, "", "d")
	r.read(raw(1, dirFrom, 7, "d"), raw(1, dirTo, 7, "e"), raw(-1, unix.IN_Q_OVERFLOW, 0, ""))
	r.table.out = nil
	r.read(raw(1, dirFrom, 8, "e"), raw(2, unix.IN_MOVE_SELF, 0, ""))
	r.want("moved-from /e/")
}

// A removed directory is held open, so its watch lives on. It must not pass for the
// next directory of that name.
func TestRemovedAndHeldOpen(t *testing.T) {
	r := newTester(t, "", "d")
	r.read(raw(1, unix.IN_DELETE|unix.IN_ISDIR, 0, "d"), raw(1, unix.IN_CREATE|unix.IN_ISDIR, 0, "d"),
		raw(1, dirFrom, 7, "d"))
	r.want("delete /d/", "create /d/", "moved-from /d/")
}

// The scanner finds a directory at its new path between the halves of the rename.
func TestAddInsideRename(t *testing.T) {
	r := newTester(t, "", "d", "d/sub")
	r.read(raw(1, dirFrom, 7, "d"))
	r.add("e", 2)
	r.read(raw(1, dirTo, 7, "e"), raw(2, unix.IN_MOVE_SELF, 0, ""))
	r.want("moved-from /d/", "moved-to /e/")
	r.add("e", 2)
	r.read(raw(2, unix.IN_CREATE, 0, "f"))
	r.want("create /e/f")
}

// A departure that holds too much is given up rather than remembered.
func TestHeldIsBounded(t *testing.T) {
	r := newTester(t, "", "d")
	r.read(raw(1, dirFrom, 7, "d"))
	for i := range heldMax + 1 {
		r.read(raw(2, unix.IN_CREATE, 0, fmt.Sprint(i)))
	}
	r.want("overflow /")
}

// The scanner has seen the second directory d before the events about the first were
// read. Each of the two must end up with its own watch and path.
func TestScannerAheadOfTheQueue(t *testing.T) {
	r := newTester(t, "", "d")
	r.add("d", 3) // another directory than 2
	r.want("create /d/")
	r.read(raw(1, dirFrom, 7, "d"), raw(1, dirTo, 7, "old"), raw(2, unix.IN_MOVE_SELF, 0, ""),
		raw(1, unix.IN_CREATE|unix.IN_ISDIR, 0, "d"))
	r.want("moved-from /d/ paired", "moved-to /old/ paired", "create /d/")
	r.add("old", 4) // 2 was taken back
	r.add("d", 3)
	r.table.out = nil // perhaps more looks
	r.read(raw(3, unix.IN_CREATE, 0, "f"), raw(4, unix.IN_CREATE, 0, "f"))
	r.want("create /d/f", "create /old/f")
}

// One directory at two paths, a bind mount, must not be reported for ever.
func TestOneDirectoryAtTwoPaths(t *testing.T) {
	r := newTester(t, "", "a", "b")
	for range 10 {
		r.add("a", 9)
		r.add("b", 9)
	}
	if n := len(r.table.out); n > 4 {
		t.Errorf("%d looks", n)
	}
}

func TestStaleParent(t *testing.T) {
	r := newTester(t, "")
	if err := r.table.add("gone/d", 5); err != ErrStale {
		t.Errorf("add: %v", err)
	}
	if !slices.Equal(r.removed, []int32{5}) {
		t.Errorf("removed %v", r.removed)
	}
}

func TestUnmount(t *testing.T) {
	r := newTester(t, "", "m")
	r.read(raw(2, unix.IN_UNMOUNT, 0, ""), raw(2, unix.IN_IGNORED, 0, ""))
	r.want("dir-gone /m/")
	r.read(raw(1, unix.IN_UNMOUNT, 0, ""), raw(1, unix.IN_IGNORED, 0, ""))
	r.want("root-gone /")
}

func TestRepeatedModifyIsOne(t *testing.T) {
	r := newTester(t, "")
	m := raw(1, unix.IN_MODIFY, 0, "f")
	r.read(m, m, raw(1, unix.IN_CLOSE_WRITE, 0, "f"), m)
	r.want("modify /f", "close-write /f", "modify /f")
}

// I9r: 100k directories, wide and deep, in at most 150 bytes each besides their names.
func TestMemoryOfTable(t *testing.T) {
	const n = 100_000
	paths := make([]string, 0, n)
	for i := range n / 100 {
		above := fmt.Sprintf("package%d", i)
		paths = append(paths, above)
		for j := range 99 {
			paths = append(paths, fmt.Sprintf("%s/%d", above, j))
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := newTester(t, "")
	for i, p := range paths {
		r.add(p, int32(i+2))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (after.HeapAlloc - before.HeapAlloc) / n
	t.Logf("%d bytes a directory", each)
	if each > 150 {
		t.Errorf("%d bytes a directory", each)
	}
	runtime.KeepAlive(paths)
	runtime.KeepAlive(r)
}

func FuzzTable(f *testing.F) {
	f.Add(raw(1, unix.IN_CREATE, 0, "f"))
	f.Add(slices.Concat(raw(1, dirFrom, 7, "d"), raw(1, dirTo, 7, "e"), raw(2, unix.IN_MOVE_SELF, 0, "")))
	f.Add(slices.Concat(raw(1, dirFrom, 7, "d"), raw(2, unix.IN_MOVE_SELF, 0, "")))
	f.Add(slices.Concat(raw(1, dirFrom, 7, "d"), raw(1, dirTo, 7, "e"), raw(1, dirFrom, 8, "e"), raw(1, dirTo, 8, "d")))
	f.Add(slices.Concat(raw(3, unix.IN_DELETE_SELF, 0, ""), raw(3, unix.IN_IGNORED, 0, ""), raw(2, unix.IN_DELETE|unix.IN_ISDIR, 0, "s")))
	f.Add(raw(-1, unix.IN_Q_OVERFLOW, 0, "")[:9])
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newTester(t, "", "d", "d/s", "e", "e/s")
		r.table.read(data)
		// Whatever came: each watch belongs to one node, which is in the tree or on its way.
		for wd, n := range r.table.byWD {
			top := n.top()
			if n.val.wd != wd || top != r.table.root && r.table.leaving(top) < 0 {
				t.Fatalf("watch %d is nowhere", wd)
			}
		}
		s := &Settle{Precise: true, Known: func(p string) bool { return len(p)%3 > 0 }}
		s.Add(at(0), r.table.out)
		s.Due(at(10_000))
		if !s.Idle() || s.count != 0 {
			for _, h := range s.halves {
				if h.below != nil {
					return // waits for a partner
				}
			}
			t.Fatalf("idle %v, %d items", s.Idle(), s.count)
		}
	})
}
