package keep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

const plenty = 1 << 30

var day1 = time.Unix(1_700_000_000, 0)

// bench is a store and, beside it, a folder with what is displaced.
type bench struct {
	t     testing.TB
	root  string
	slots fsx.Dir
	s     *Store
}

func newBench(t testing.TB, fsys fsx.FS, limit int64) *bench {
	t.Helper()
	b := newBenchIn(t, t.TempDir())
	b.open(fsys, limit)
	return b
}

// newBenchIn makes the folders and opens nothing.
func newBenchIn(t testing.TB, root string) *bench {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(root, "keep"), 0o700), os.Mkdir(filepath.Join(root, "slots"), 0o700))
	return &bench{t: t, root: root}
}

func (b *bench) open(fsys fsx.FS, limit int64) {
	b.t.Helper()
	must(b.t, b.tryOpen(fsys, limit))
}

func (b *bench) tryOpen(fsys fsx.FS, limit int64) (err error) {
	dir, err := fsys.OpenRoot(filepath.Join(b.root, "keep"))
	if err != nil {
		return err
	}
	if b.slots, err = fsys.OpenRoot(filepath.Join(b.root, "slots")); err != nil {
		return err
	}
	b.t.Cleanup(func() { _ = dir.Close(); _ = b.slots.Close() })
	b.s, err = Open(dir, Limits{Total: limit})
	return err
}

// reopen is what a new process sees.
func (b *bench) reopen() {
	b.t.Helper()
	must(b.t, b.s.Close())
	b.open(fsx.OS(), plenty)
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func fileOf(content string) *tree.Entry {
	return tree.NewFile(tree.DigestOf([]byte(content)), int64(len(content)), false)
}

func item(path string, e *tree.Entry, why Why, when time.Time) Item {
	return Item{Path: path, Entry: e, Side: tree.Host, Why: why, When: when}
}

// slot makes a displaced file or, with "-> " in front, a link.
func (b *bench) slot(name, content string) *tree.Entry {
	b.t.Helper()
	path := filepath.Join(b.root, "slots", name)
	if target, ok := strings.CutPrefix(content, "-> "); ok {
		must(b.t, os.Symlink(target, path))
		return tree.NewLink(target)
	}
	must(b.t, os.WriteFile(path, []byte(content), 0o600))
	return fileOf(content)
}

// adopt displaces a content from path and has it taken over.
func (b *bench) adopt(path, content string, why Why, when time.Time) {
	b.t.Helper()
	must(b.t, b.s.Adopt(b.slots, "slot", item(path, b.slot("slot", content), why, when)))
	if _, err := os.Lstat(filepath.Join(b.root, "slots/slot")); !errors.Is(err, fs.ErrNotExist) {
		b.t.Fatalf("%s is still in its slot: %v", path, err)
	}
}

func (b *bench) create(path, content string, why Why) error {
	w, err := b.s.Create(int64(len(content)))
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, content); err != nil {
		return err
	}
	return w.Commit(item(path, fileOf(content), why, day1))
}

// text reads an item's content.
func text(t testing.TB, s *Store, i Item) string {
	t.Helper()
	if i.Entry.Kind == tree.Link {
		return "-> " + i.Entry.Text
	}
	f, err := s.Read(i)
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	must(t, err)
	return string(b)
}

// show lists a store: "path why content", in order.
func show(t testing.TB, s *Store) (all []string) {
	t.Helper()
	for _, i := range s.List() {
		all = append(all, fmt.Sprintf("%s %s %s", i.Path, i.Why, text(t, s, i)))
	}
	return all
}

func (b *bench) want(want ...string) {
	b.t.Helper()
	if got := show(b.t, b.s); !slices.Equal(got, want) {
		b.t.Fatalf("the store holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	b.audit()
}

// audit counts again what the store keeps count of.
func (b *bench) audit() {
	b.t.Helper()
	s := b.s
	var total, firmBytes int64
	firm := 0
	seen := map[object]content{}
	for _, i := range s.items {
		if !i.Why.passing() {
			firm++
		}
		if !i.stored {
			continue
		}
		c := seen[i.object()]
		if c.refs++; c.refs == 1 {
			total += i.Entry.Size
		}
		if !i.Why.passing() {
			if c.firm++; c.firm == 1 {
				firmBytes += i.Entry.Size
			}
		}
		seen[i.object()] = c
	}
	ok := total == s.total && firmBytes == s.firmBytes && firm == s.firm && len(seen) == len(s.contents) && s.promised == 0
	for o, c := range seen {
		ok = ok && c.refs == s.contents[o].refs && c.firm == s.contents[o].firm
	}
	if !ok {
		b.t.Fatalf("the store counts %d bytes, %d and %d to stay, %d promised, %v; there are %d, %d, %d, %v",
			s.total, s.firmBytes, s.firm, s.promised, s.contents, total, firmBytes, firm, seen)
	}
}

// D11, D12: one content is one object, whatever was displaced, and any path can
// be kept.
func TestAdopted(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	long := strings.Repeat("n", tree.MaxName)
	b.adopt("dir/a", "alpha", Replaced, day1)
	b.adopt("esc\x1b[31m\n\xff/"+long, "beta", Deleted, day1.Add(1))
	b.adopt("empty", "", Deleted, day1)
	b.adopt("link", "-> ../not/there\x01", Replaced, day1)
	b.adopt("again", "alpha", Deleted, day1)
	b.adopt("link2", "-> ../not/there\x01", Deleted, day1)
	want := []string{
		"dir/a replaced alpha", "esc\x1b[31m\n\xff/" + long + " deleted beta", "empty deleted ", "link replaced -> ../not/there\x01",
		"again deleted alpha", "link2 deleted -> ../not/there\x01",
	}
	b.want(want...)
	b.reopen()
	b.want(want...)
	i := b.s.List()[1]
	if !i.When.Equal(day1.Add(1)) || i.Side != tree.Host {
		t.Errorf("%+v", i)
	}
	if n := len(objects(t, b)); n != 4 {
		t.Errorf("%d objects, want 4", n)
	}
	if _, err := b.s.Read(b.s.List()[3]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link has a content: %v", err)
	}
}

func objects(t testing.TB, b *bench) (names []string) {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(b.root, "keep/objects"))
	must(t, err)
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// A file comes back as it was: its exec bit is in the item, its mode and time
// are those of the object.
func TestAdoptedKeepsModeAndTime(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	e := b.slot("run.sh", "#!/bin/sh\n")
	e = tree.NewFile(e.Digest, e.Size, true)
	path := filepath.Join(b.root, "slots/run.sh")
	must(t, os.Chmod(path, 0o750), os.Chtimes(path, day1, day1))
	must(t, b.s.Adopt(b.slots, "run.sh", item("run.sh", e, Replaced, day1)))
	b.reopen()
	i := b.s.List()[0]
	f, err := b.s.Read(i)
	must(t, err)
	defer f.Close()
	st, err := f.Stat()
	must(t, err)
	if !i.Entry.Exec || st.Mode != 0o750 || st.Mtime != day1.UnixNano() {
		t.Errorf("exec %v, %+v", i.Entry.Exec, st)
	}
}

func TestCreated(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	must(t, b.create("a", "loser", Conflict), b.create("b", "loser", Conflict), b.create("e", "", LeftOver))
	must(t, b.s.Note(item("l", tree.NewLink("x"), Conflict, day1)))
	for name, f := range map[string]func(w *Writer) error{
		"other": func(w *Writer) error {
			io.WriteString(w, "LOSER")
			return w.Commit(item("c", fileOf("loser"), Conflict, day1))
		},
		"short": func(w *Writer) error {
			io.WriteString(w, "los")
			return w.Commit(item("c", fileOf("loser"), Conflict, day1))
		},
		"link": func(w *Writer) error { return w.Commit(item("c", tree.NewLink("x"), Conflict, day1)) },
		"long": func(w *Writer) error {
			if _, err := io.WriteString(w, "losers"); err == nil {
				t.Error("more was taken than announced")
			}
			return w.Commit(item("c", fileOf("losers"), Conflict, day1))
		},
	} {
		w, err := b.s.Create(5)
		must(t, err)
		if err := f(w); !errors.Is(err, ErrDigest) {
			t.Errorf("%s: %v", name, err)
		}
		w.Abort()
		w.Abort()
	}
	want := []string{"a conflict loser", "b conflict loser", "e left ", "l conflict -> x"}
	b.want(want...)
	b.reopen()
	b.want(want...)
	checkNoIncoming(t, b)
}

func checkNoIncoming(t testing.TB, b *bench) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(b.root, "keep", tempPrefix+"*")); left != nil {
		t.Errorf("left over: %v", left)
	}
}

// What can't be kept is refused before anything happens to it.
func TestRefused(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	must(t, os.Mkdir(filepath.Join(b.root, "slots/d"), 0o700))
	for _, e := range []*tree.Entry{nil, tree.NewDir(nil), tree.NewOpaque("socket"), tree.NewLink(strings.Repeat("x", record.MaxText+1))} {
		if b.s.Adopt(b.slots, "d", item("d", e, Deleted, day1)) == nil || b.s.Note(item("d", e, Conflict, day1)) == nil {
			t.Errorf("%v was kept", e)
		}
	}
	if b.s.Adopt(b.slots, "none", item("d", fileOf("x"), Deleted, day1)) == nil {
		t.Error("what is not there was kept")
	}
	b.want()
	i := item("../bad", fileOf("x"), Why(strings.Repeat("w", 100)), day1)
	i.Note = strings.Repeat("n", 2*maxNote)
	b.slot("x", "x")
	must(t, b.s.Adopt(b.slots, "x", i))
	b.reopen()
	b.want(" " + strings.Repeat("w", maxWhy) + " x")
}

// D10, D11: two contents with one digest both stay, and each is found again.
func TestForgedDigest(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	forged := fileOf("true")
	for n, content := range []string{"fals", "forg", "fals"} {
		b.slot("f", content)
		must(t, b.s.Adopt(b.slots, "f", item(fmt.Sprint(n), forged, Deleted, day1)))
	}
	must(t, b.create("true", "true", Conflict), b.create("true", "true", Conflict))
	want := []string{"0 deleted fals", "1 deleted forg", "2 deleted fals", "true conflict true", "true conflict true"}
	b.want(want...)
	b.reopen()
	b.want(want...)
	d := forged.Digest.String()
	if got := objects(t, b); !slices.Equal(got, []string{d, d + "-1", d + "-2"}) {
		t.Errorf("objects %v", got)
	}
	must(t, b.s.Evict(day1.Add(2*Retention)))
	b.want("true conflict true", "true conflict true")
	b.reopen()
	b.want("true conflict true", "true conflict true")
}

// adoptedOpen is a store with a file that was adopted while a program had it open.
func adoptedOpen(t *testing.T) (*bench, *os.File) {
	t.Helper()
	b := newBench(t, fsx.OS(), plenty)
	e := b.slot("s", "first")
	f, err := os.OpenFile(filepath.Join(b.root, "slots/s"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	must(t, b.s.Adopt(b.slots, "s", item("p", e, Replaced, day1)))
	return b, f
}

// A6: a program that still has an adopted file open writes to the object. The next
// content with that digest is not taken for the same.
func TestLateWrite(t *testing.T) {
	b, f := adoptedOpen(t)
	_, err := f.WriteString(", and more")
	must(t, err, b.create("p", "first", Conflict))
	b.want("p replaced first, and more", "p conflict first")
}

// A6: nor is what is to stay taken for an adopted file that is the same as yet: who
// has that open may write to it later.
func TestLoserIsNotAnAdoptedFile(t *testing.T) {
	b, f := adoptedOpen(t)
	must(t, b.create("p", "first", Conflict), b.create("q", "first", Conflict))
	_, err := f.WriteString(", and more")
	must(t, err)
	b.want("p replaced first, and more", "p conflict first", "q conflict first")
	if items, _ := filepath.Glob(filepath.Join(b.root, "keep", objectsName, "*")); len(items) != 2 {
		t.Errorf("two losers that are the same are kept twice: %q", items)
	}
}

// crossing makes renames between the two folders fail as between file systems.
func crossing() fsx.FS {
	return fsxtest.Wrap(fsx.OS(), func(_ fsx.Site, op, name string) error {
		if op == "rename" && strings.HasPrefix(name, "slot") {
			return fsx.ErrCrossDevice
		}
		return nil
	})
}

func TestAdoptAcrossFileSystems(t *testing.T) {
	b := newBench(t, crossing(), 8) // full, and it takes them all the same
	b.adopt("l", "-> x", Deleted, day1)
	b.adopt("a", "0123456789", Deleted, day1)
	b.want("l deleted -> x", "a deleted 0123456789")
	e := b.slot("slot", "new")
	if err := b.s.Adopt(b.slots, "slot", item("x", tree.NewFile(e.Digest, 2, false), Deleted, day1)); !errors.Is(err, ErrDigest) {
		t.Errorf("another content than announced: %v", err)
	}
	if _, err := b.slots.Stat("slot"); err != nil {
		t.Errorf("it is gone from its slot: %v", err)
	}
	checkNoIncoming(t, b)
}

func TestAdoptFromTmpfs(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	from, err := os.MkdirTemp("/dev/shm", "twosync-keep-")
	if err != nil {
		t.Skip("no /dev/shm: ", err)
	}
	defer os.RemoveAll(from)
	if b.slots, err = fsx.OS().OpenRoot(from); err != nil {
		t.Fatal(err)
	}
	here, err := b.s.dir.Self()
	must(t, err)
	if there, err := b.slots.Self(); err != nil || there.Dev == here.Dev {
		t.Skip("/dev/shm is no other file system")
	}
	must(t, os.WriteFile(filepath.Join(from, "f"), []byte("far"), 0o600), os.Symlink("t", filepath.Join(from, "l")))
	must(t, b.s.Adopt(b.slots, "f", item("f", fileOf("far"), Replaced, day1)))
	must(t, b.s.Adopt(b.slots, "l", item("l", tree.NewLink("t"), Replaced, day1)))
	if left, _ := b.slots.List(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	b.reopen()
	b.want("f replaced far", "l replaced -> t")
}

// D14: an item without its content is no item; a content without an item is listed.
func TestHalves(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	b.adopt("a", "alpha", Deleted, day1)
	must(t, b.create("b", "beta", Conflict))
	b.adopt("l", "-> t", Deleted, day1)
	must(t, b.s.Close())
	in := func(name string) string { return filepath.Join(b.root, "keep/objects", name) }
	must(t, os.Remove(in(fileOf("beta").Digest.String())))
	lost := fileOf("lost")
	must(t, os.WriteFile(in(lost.Digest.String()), []byte("lost"), 0o700))
	must(t, os.Symlink("where", in(objectOf(tree.NewLink("where")).name())))
	// Not ours, and left alone:
	must(t, os.WriteFile(in(".DS_Store"), nil, 0o600), os.WriteFile(in(lost.Digest.String()+"-01"), nil, 0o600),
		os.WriteFile(in(linkPrefix+lost.Digest.String()), nil, 0o600), os.Mkdir(in(fileOf("dir").Digest.String()), 0o700))
	must(t, os.WriteFile(filepath.Join(b.root, "keep", tempPrefix+"7"), []byte("half"), 0o600))
	b.open(fsx.OS(), plenty)
	checkNoIncoming(t, b)
	want := []string{"a deleted alpha", "l deleted -> t", " left lost", " left -> where"}
	b.want(want...)
	if i := b.s.List()[2]; !i.Entry.Exec || i.Entry.Size != 4 || i.Note == "" || i.When.IsZero() {
		t.Errorf("%+v", i)
	}
	// From now on it stays, whatever else names the same content.
	b.adopt("p", "lost", Deleted, day1)
	b.reopen()
	must(t, b.s.Evict(day1.Add(2*Retention)))
	b.want(" left lost", " left -> where")
	if len(objects(t, b)) != 6 {
		t.Errorf("objects %v", objects(t, b))
	}
}

// I3r: what was displaced goes when its time is over, a loser never.
func TestRetention(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	hour := func(n int) time.Time { return day1.Add(time.Duration(n) * time.Hour) }
	b.adopt("old", "1", Deleted, hour(0))
	b.adopt("young", "1", Replaced, hour(2)) // the same content
	b.adopt("old2", "2", Replaced, hour(0))
	b.adopt("l", "-> t", Deleted, hour(0))
	must(t, b.create("c", "2", Conflict), b.create("late", "3", Late), b.create("left", "4", LeftOver))
	must(t, b.s.Note(item("n", tree.NewLink("t"), Conflict, hour(0))))
	must(t, b.s.Evict(hour(1).Add(Retention)))
	want := []string{"young replaced 1", "c conflict 2", "late late 3", "left left 4", "n conflict -> t"}
	b.want(want...)
	if len(objects(t, b)) != 4 {
		t.Errorf("objects %v", objects(t, b))
	}
	// An item that shares its content is dropped from memory only. Until the log
	// is written anew it comes back, and goes again.
	b.reopen()
	must(t, b.s.Evict(hour(1).Add(Retention)))
	b.want(want...)
	must(t, b.s.rewrite())
	b.reopen()
	b.want(want...)
}

// I3r: the oldest of what was displaced makes room, a loser never goes.
func TestLimit(t *testing.T) {
	b := newBench(t, fsx.OS(), 16)
	must(t, b.create("c", "cccc", Conflict))
	for n := range 4 {
		b.adopt(fmt.Sprint(n), fmt.Sprintf("%03d", n), Deleted, day1)
	}
	b.want("c conflict cccc", "0 deleted 000", "1 deleted 001", "2 deleted 002", "3 deleted 003")
	b.adopt("4", "004", Deleted, day1) // the oldest makes room
	b.want("c conflict cccc", "1 deleted 001", "2 deleted 002", "3 deleted 003", "4 deleted 004")
	must(t, b.create("d", "ddddd", Conflict)) // two more do
	b.want("c conflict cccc", "3 deleted 003", "4 deleted 004", "d conflict ddddd")
	if _, err := b.s.Create(8); !errors.Is(err, ErrFull) {
		t.Fatalf("no room: %v", err)
	}
	b.want("c conflict cccc", "3 deleted 003", "4 deleted 004", "d conflict ddddd") // and nothing was dropped for it
	w, err := b.s.Create(7)
	must(t, err)
	if _, err := b.s.Create(1); !errors.Is(err, ErrFull) {
		t.Errorf("promised twice: %v", err)
	}
	w.Abort()
	b.want("c conflict cccc", "d conflict ddddd")
	must(t, b.create("e", "eeeeeee", Conflict))
	// It is full of what has to stay. What is adopted is taken all the same, and
	// goes when the next comes.
	b.adopt("5", "more than the limit of it", Deleted, day1)
	b.want("c conflict cccc", "d conflict ddddd", "e conflict eeeeeee", "5 deleted more than the limit of it")
	b.adopt("6", "006", Deleted, day1)
	b.want("c conflict cccc", "d conflict ddddd", "e conflict eeeeeee", "6 deleted 006")
	if err := b.s.Note(item("n", tree.NewLink("t"), Conflict, day1)); err != nil {
		t.Errorf("a note needs no room: %v", err)
	}
}

func TestTooManyItems(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	b.s.most = 32
	must(t, b.create("c", "c", Conflict))
	for n := range 100 {
		b.adopt(fmt.Sprint(n), fmt.Sprint(n), Deleted, day1)
		if len(b.s.items) > 32 {
			t.Fatalf("%d items", len(b.s.items))
		}
	}
	got := show(t, b.s)
	if len(got) < 24 || got[0] != "c conflict c" || got[len(got)-1] != "99 deleted 99" {
		t.Errorf("%d items: %v", len(got), got)
	}
	for n := range 31 {
		must(t, b.s.Note(item(fmt.Sprint(n), tree.NewLink("t"), Conflict, day1)))
	}
	if err := b.s.Note(item("n", tree.NewLink("t"), Conflict, day1)); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	b.audit()
}

// A sync of the log that fails drops what was not durable from the file, and
// the log refuses. The store writes it anew.
func TestLogHeals(t *testing.T) {
	fail := map[fsx.Site]bool{}
	b := newBench(t, fsxtest.Wrap(fsx.OS(), func(site fsx.Site, op, _ string) error {
		if fail[site] && op == "sync" || fail[site] && op == "rename" {
			return fsxtest.ErrInjected
		}
		return nil
	}), plenty)
	b.adopt("a", "alpha", Deleted, day1)
	for _, site := range []fsx.Site{siteLog, siteLogPut, siteLogDir} {
		fail[site] = true
		if site == siteLog {
			if b.create("c", "loser", Conflict) == nil || b.s.Sync() != nil {
				t.Error("wrong: the sync fails, and healing needs none of the log's")
			}
		} else if err := b.s.rewrite(); err == nil || b.create("c", "loser", Conflict) == nil {
			t.Errorf("%s: %v", site, err)
		}
		fail[site] = false
	}
	must(t, b.create("d", "other", Conflict))
	want := []string{"a deleted alpha", "d conflict other"}
	b.want(want...)
	b.reopen()
	b.want(want...)
}

// A content whose sync failed is in memory only. Another copy of it is not
// taken for kept because of it.
func TestSuspectContent(t *testing.T) {
	fail := false
	b := newBench(t, fsxtest.Wrap(fsx.OS(), func(site fsx.Site, _, _ string) error {
		if fail && site == siteSync {
			return fsxtest.ErrInjected
		}
		return nil
	}), plenty)
	b.adopt("a", "alpha", Deleted, day1)
	fail = true
	if err := b.s.Sync(); !errors.Is(err, fsxtest.ErrInjected) {
		t.Fatal(err)
	}
	if b.create("b", "alpha", Conflict) == nil {
		t.Error("kept without a sync")
	}
	fail = false
	must(t, b.s.Sync(), b.create("b", "alpha", Conflict))
	b.want("a deleted alpha", "b conflict alpha")
	if len(objects(t, b)) != 2 {
		t.Errorf("objects %v", objects(t, b))
	}
}

// A content that an earlier process kept, as durably as this one can know, is
// synced before another loser is said to be kept because of it.
func TestEarlierContentIsSynced(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	must(t, b.create("a", "alpha", Conflict))
	synced := []string{}
	b.open(fsxtest.Hooks{After: func(site fsx.Site, op, name string) error {
		if op == "sync" {
			synced = append(synced, name)
		}
		return nil
	}}.Wrap(fsx.OS()), plenty)
	must(t, b.create("b", "alpha", Conflict))
	if !slices.Contains(synced, fileOf("alpha").Digest.String()) {
		t.Errorf("synced: %v", synced)
	}
	synced = nil
	must(t, b.create("c", "alpha", Conflict))
	if slices.Contains(synced, fileOf("alpha").Digest.String()) {
		t.Error("synced twice")
	}
}

// What a step makes durable, and in which order.
func TestOrderOfSyncs(t *testing.T) {
	var steps []string
	b := newBench(t, fsxtest.Hooks{After: func(site fsx.Site, op, _ string) error {
		if site != siteCreate {
			steps = append(steps, op+" "+string(site))
		}
		return nil
	}}.Wrap(fsx.OS()), plenty)
	steps = nil
	must(t, b.create("a", "alpha", Conflict))
	want := "sync keep.sync, write keep.log, rename keep.put, sync keep.objects, sync keep.log"
	if got := strings.Join(steps, ", "); got != want {
		t.Errorf("a loser: %s", got)
	}
	steps = nil
	b.adopt("b", "beta", Deleted, day1)
	if got := strings.Join(steps, ", "); got != "write keep.log, rename keep.put" {
		t.Errorf("an adoption: %s", got)
	}
	steps = nil
	must(t, b.s.Sync())
	if got := strings.Join(steps, ", "); got != "sync keep.sync, sync keep.objects, sync keep.log" {
		t.Errorf("a sync: %s", got)
	}
}

// brokenFile fails to read behind a place, as a bad disk does.
type brokenFile struct{ r *bytes.Reader }

func (f brokenFile) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 100 {
		return 0, fsxtest.ErrInjected
	}
	return f.r.ReadAt(p, off)
}

// A log that can't be read today is not cut where reading ended.
func TestReadErrorIsNoEnd(t *testing.T) {
	b := newBench(t, fsx.OS(), plenty)
	b.adopt("a", "alpha", Deleted, day1)
	log, err := os.ReadFile(filepath.Join(b.root, "keep/log"))
	must(t, err)
	r := record.ReadLog(brokenFile{bytes.NewReader(log)}, int64(len(log))+1000)
	if err := new(Store).replay(r); !errors.Is(err, fsxtest.ErrInjected) {
		t.Errorf("replay: %v", err)
	}
}

func TestConcurrent(t *testing.T) {
	b := newBench(t, fsx.OS(), 40_000)
	const workers, each = 6, 40
	var all sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		for n := range each {
			b.slot(fmt.Sprint("slot-", w, "-", n), shared(w, n))
		}
		all.Go(func() {
			for n := range each {
				name := fmt.Sprint("slot-", w, "-", n)
				content := shared(w, n)
				switch n % 4 {
				case 0:
					errs[w] = errors.Join(errs[w], b.create(name, content, Conflict))
				case 1:
					errs[w] = errors.Join(errs[w], b.s.Sync(), b.s.Evict(day1))
					b.s.List()
				}
				errs[w] = errors.Join(errs[w], b.s.Adopt(b.slots, name, item(name, fileOf(content), Deleted, day1)))
			}
		})
	}
	all.Wait()
	must(t, errs...)
	if left, _ := b.slots.List(); len(left) > 0 {
		t.Errorf("%d are left in their slots", len(left))
	}
	b.audit()
	before := show(t, b.s)
	if n := len(before); n != workers*each+workers*each/4 {
		t.Errorf("%d items", n)
	}
	b.reopen()
	b.want(before...)
}

// shared is a content that other workers have too, now and then.
func shared(w, n int) string {
	if n%3 == 0 {
		w = 0
	}
	return fmt.Sprintf("content %d %d", w, n)
}

// With 10 000 items and no room, an adoption still costs a few steps, and the
// log stays bounded.
func TestManyItems(t *testing.T) {
	const n = 10_000
	count := map[string]int{}
	b := newBenchIn(t, memory(t))
	b.open(fsxtest.Hooks{After: func(_ fsx.Site, op, _ string) error { count[op]++; return nil }}.Wrap(fsx.OS()), n*5)
	for i := range 3 * n {
		b.adopt(fmt.Sprintf("some/where/%d", i), fmt.Sprintf("%05d", i), Deleted, day1.Add(time.Duration(i)))
	}
	b.audit()
	if got := len(b.s.List()); got < n*9/10 || got > n {
		t.Errorf("%d items", got)
	}
	// Each is written once, and at most about once more when the log is
	// written anew.
	if count["write"] > 6*n || count["rename"] > 3*n+10 || count["unlink"] > n*5/2 || count["sync"] > 30 {
		t.Errorf("steps: %v", count)
	}
	if b.s.records > 2*n+minDead {
		t.Errorf("the log has %d records", b.s.records)
	}
	must(t, b.s.Close())
	clear(count)
	stats := 0
	b.open(fsxtest.Hooks{
		Read: func(_ fsx.Site, op, _ string) error {
			if op == "stat" {
				stats++
			}
			return nil
		},
		After: func(_ fsx.Site, op, _ string) error { count[op]++; return nil },
	}.Wrap(fsx.OS()), plenty)
	if got := len(b.s.List()); got < n*9/10 || got > n || count["write"] > 0 || stats > 10 {
		t.Errorf("opened: %d items, %v, %d stats", got, count, stats)
	}
	must(t, b.s.Evict(day1.Add(2*Retention)))
	b.want()
}
