package fsx_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
)

func openRoot(t testing.TB, path string) fsx.Dir {
	t.Helper()
	d, err := fsx.OS().OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func put(t testing.TB, d fsx.Dir, name, content string) {
	t.Helper()
	f, err := d.Create("test.put", name, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, content); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, d fsx.Dir, name string) string {
	t.Helper()
	f, err := d.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func TestFile(t *testing.T) {
	d := openRoot(t, t.TempDir())
	put(t, d, "a", "hello")
	if got := get(t, d, "a"); got != "hello" {
		t.Fatalf("read %q", got)
	}
	_, err := d.Create("s", "a", 0o644)
	wantErr(t, "create twice", err, fs.ErrExist)

	f, err := d.Update("s", "a", 0o644)
	must(t, err)
	b := make([]byte, 10)
	if n, err := f.ReadAt(b, 1); n != 4 || err != io.EOF || string(b[:n]) != "ello" {
		t.Errorf("ReadAt: %d %v %q", n, err, b[:n])
	}
	pos, err := f.Seek(0, io.SeekEnd)
	if pos != 5 || err != nil {
		t.Errorf("Seek: %d %v", pos, err)
	}
	_, err = f.Write([]byte(" you"))
	must(t, err)
	must(t, f.Truncate("s", 7))
	must(t, f.Chmod("s", 0o700))
	must(t, f.Sync("s"))
	st, err := f.Stat()
	must(t, err)
	if st.Size != 7 || st.Mode != 0o700 || st.Kind != fsx.Regular || st.Nlink != 1 {
		t.Errorf("stat %+v", st)
	}
	named, err := d.Stat("a")
	if err != nil || !named.Same(st) {
		t.Errorf("Stat by name %+v, %v; by descriptor %+v", named, err, st)
	}
	must(t, f.Close())
	must(t, f.Close())
	_, err = f.Write([]byte("x"))
	wantErr(t, "write after close", err, fs.ErrClosed)
	if got := get(t, d, "a"); got != "hello y" {
		t.Errorf("content %q", got)
	}
}

func TestStatKinds(t *testing.T) {
	path := t.TempDir()
	d := openRoot(t, path)
	put(t, d, "file", "x")
	must(t, d.Mkdir("s", "dir", 0o755))
	must(t, d.Symlink("s", "../nowhere", "link"))
	want := map[string]fsx.Kind{"file": fsx.Regular, "dir": fsx.Directory, "link": fsx.Symlink}
	items, err := d.List()
	must(t, err)
	for _, it := range items {
		if it.Kind != 0 && it.Kind != want[it.Name] {
			t.Errorf("list: %s is %d, want %d", it.Name, it.Kind, want[it.Name])
		}
		st, err := d.Stat(it.Name)
		if err != nil || st.Kind != want[it.Name] {
			t.Errorf("stat: %s is %d, want %d (%v)", it.Name, st.Kind, want[it.Name], err)
		}
		info, err := os.Lstat(filepath.Join(path, it.Name))
		must(t, err)
		if info.Mode().Perm() != st.Mode || info.ModTime().UnixNano() != st.Mtime {
			t.Errorf("stat %s: %+v, os says %v", it.Name, st, info)
		}
	}
	if len(items) != len(want) {
		t.Errorf("list: %v", items)
	}
	if got, err := d.Readlink("link"); got != "../nowhere" || err != nil {
		t.Errorf("readlink %q %v", got, err)
	}
	_, err = d.Readlink("file")
	wantErr(t, "readlink of a file", err, fs.ErrInvalid)
	sub, err := d.Open("dir")
	must(t, err)
	defer sub.Close()
	self, err := sub.Self()
	named, err2 := d.Stat("dir")
	if err != nil || err2 != nil || !self.Same(named) {
		t.Errorf("self %+v, by name %+v", self, named)
	}
}

func TestLinksAreRefused(t *testing.T) {
	d := openRoot(t, t.TempDir())
	must(t, d.Mkdir("s", "dir", 0o755))
	put(t, d, "file", "secret")
	must(t, d.Symlink("s", "file", "toFile"))
	must(t, d.Symlink("s", "dir", "toDir"))
	must(t, d.Symlink("s", "gone", "dangling"))

	_, err := d.Open("toDir")
	wantErr(t, "open a link to a directory", err, fsx.ErrIsLink)
	_, err = d.Open("file")
	wantErr(t, "open a file as a directory", err, fsx.ErrNotDir)
	_, err = d.Open("none")
	wantErr(t, "open nothing", err, fs.ErrNotExist)
	_, err = d.Read("toFile")
	wantErr(t, "read through a link", err, fsx.ErrIsLink)
	_, err = d.Update("s", "toFile", 0o644)
	wantErr(t, "update through a link", err, fsx.ErrIsLink)
	_, err = d.Update("s", "dangling", 0o644)
	wantErr(t, "update through a dangling link", err, fsx.ErrIsLink)
	_, err = d.Create("s", "dangling", 0o644)
	wantErr(t, "create through a dangling link", err, fs.ErrExist)
	_, err = d.Lock("s", "dangling")
	wantErr(t, "lock through a link", err, fsx.ErrIsLink)
	wantErr(t, "chmod through a link", d.Chmod("s", "toFile", 0o777), fsx.ErrIsLink)
	if st, _ := d.Stat("file"); st.Mode != 0o644 {
		t.Errorf("the link's target has mode %o", st.Mode)
	}
	_, err = d.Stat("gone")
	wantErr(t, "the dangling link's target", err, fs.ErrNotExist)
}

// A name that says more than one thing must not reach the kernel.
func TestNamesAreChecked(t *testing.T) {
	d := openRoot(t, t.TempDir())
	must(t, d.Mkdir("s", "dir", 0o755))
	put(t, d, "file", "x")
	bad := []string{"", ".", "..", "/", "dir/", "dir/x", "/etc", "a\x00b", "../x", strings.Repeat("x", 256)}
	for _, name := range bad {
		for op, err := range everyOp(d, name) {
			wantErr(t, fmt.Sprintf("%s %q", op, name), err, fs.ErrInvalid)
		}
	}
}

// everyOp runs each operation on one name.
func everyOp(d fsx.Dir, name string) map[string]error {
	errs := map[string]error{}
	_, errs["open"] = d.Open(name)
	_, errs["stat"] = d.Stat(name)
	_, errs["read"] = d.Read(name)
	_, errs["readlink"] = d.Readlink(name)
	_, errs["create"] = d.Create("s", name, 0o644)
	_, errs["update"] = d.Update("s", name, 0o644)
	_, errs["lock"] = d.Lock("s", name)
	errs["mkdir"] = d.Mkdir("s", name, 0o755)
	errs["symlink"] = d.Symlink("s", "t", name)
	errs["rename from"] = d.Rename("s", name, d, "new", fsx.Replace)
	errs["rename to"] = d.Rename("s", "file", d, name, fsx.Replace)
	errs["unlink"] = d.Unlink("s", name)
	errs["rmdir"] = d.Rmdir("s", name)
	errs["chmod"] = d.Chmod("s", name, 0o755)
	errs["chown"] = d.Chown("s", name, 0, 0)
	return errs
}

func TestRename(t *testing.T) {
	d := openRoot(t, t.TempDir())
	must(t, d.Mkdir("s", "sub", 0o755))
	sub, err := d.Open("sub")
	must(t, err)
	defer sub.Close()
	put(t, d, "a", "A")
	put(t, sub, "b", "B")

	wantErr(t, "noreplace onto a file", d.Rename("s", "a", sub, "b", fsx.NoReplace), fs.ErrExist)
	wantErr(t, "exchange with nothing", d.Rename("s", "a", sub, "c", fsx.Exchange), fs.ErrNotExist)
	wantErr(t, "rename nothing", d.Rename("s", "none", sub, "c", fsx.NoReplace), fs.ErrNotExist)
	must(t, d.Rename("s", "a", sub, "b", fsx.Exchange))
	if a, b := get(t, d, "a"), get(t, sub, "b"); a != "B" || b != "A" {
		t.Errorf("after exchange: a=%q b=%q", a, b)
	}
	must(t, d.Rename("s", "a", sub, "c", fsx.NoReplace))
	must(t, sub.Rename("s", "c", sub, "b", fsx.Replace))
	if b := get(t, sub, "b"); b != "B" {
		t.Errorf("after replace: %q", b)
	}
	// A file and a directory with something in it change places.
	put(t, d, "f", "F")
	must(t, d.Rename("s", "f", d, "sub", fsx.Exchange))
	if got := get(t, d, "sub"); got != "F" {
		t.Errorf("sub is now %q", got)
	}
	if got := get(t, sub, "b"); got != "B" {
		t.Errorf("in the held directory: %q", got)
	}
}

func TestRemove(t *testing.T) {
	d := openRoot(t, t.TempDir())
	must(t, d.Mkdir("s", "dir", 0o755))
	sub, err := d.Open("dir")
	must(t, err)
	defer sub.Close()
	put(t, sub, "x", "x")
	wantErr(t, "rmdir of a full directory", d.Rmdir("s", "dir"), fsx.ErrNotEmpty)
	wantErr(t, "unlink of a directory", d.Unlink("s", "dir"), fsx.ErrIsDir)
	wantErr(t, "rmdir of a file", sub.Rmdir("s", "x"), fsx.ErrNotDir)
	wantErr(t, "mkdir of what is there", d.Mkdir("s", "dir", 0o755), fs.ErrExist)
	_, err = d.Read("dir")
	wantErr(t, "read of a directory", err, fsx.ErrIsDir)
	must(t, sub.Unlink("s", "x"))
	wantErr(t, "unlink of nothing", sub.Unlink("s", "x"), fs.ErrNotExist)
	must(t, d.Rmdir("s", "dir"))

	// What is held and gone never lists as empty: that would be a witness.
	_, err = sub.List()
	wantErr(t, "list of a removed directory", err, fs.ErrNotExist)
	_, err = sub.Create("s", "y", 0o644)
	wantErr(t, "create in a removed directory", err, fs.ErrNotExist)
}

func TestAttributes(t *testing.T) {
	d := openRoot(t, t.TempDir())
	put(t, d, "f", "x")
	must(t, d.Mkdir("s", "dir", 0o700))
	must(t, d.Chmod("s", "f", 0o200))
	must(t, d.Chmod("s", "f", 0o755))
	must(t, d.Chmod("s", "dir", 0o750))
	for name, want := range map[string]fs.FileMode{"f": 0o755, "dir": 0o750} {
		if st, err := d.Stat(name); err != nil || st.Mode != want {
			t.Errorf("%s: mode %o, want %o (%v)", name, st.Mode, want, err)
		}
	}
	must(t, d.Sync("s"))
	if os.Getuid() != 0 {
		return
	}
	must(t, d.Symlink("s", "f", "link"))
	must(t, d.Chown("s", "link", 12, 34))
	must(t, d.Chown("s", "dir", 56, 78))
	for name, want := range map[string]uint32{"f": 0, "link": 12, "dir": 56} {
		if st, err := d.Stat(name); err != nil || st.UID != want {
			t.Errorf("%s: owner %d, want %d (%v)", name, st.UID, want, err)
		}
	}
}

func TestLock(t *testing.T) {
	path := t.TempDir()
	d, e := openRoot(t, path), openRoot(t, path)
	unlock, err := d.Lock("s", "lock")
	must(t, err)
	_, err = e.Lock("s", "lock")
	wantErr(t, "a second lock", err, fsx.ErrBusy)
	must(t, unlock())
	must(t, unlock())
	again, err := e.Lock("s", "lock")
	must(t, err)
	must(t, again())
}

// I9r: a directory of very many names is listed whole.
func TestListMany(t *testing.T) {
	path := t.TempDir()
	d := openRoot(t, path)
	put(t, d, "first", "x")
	want := map[string]bool{"first": true}
	for i := range 5000 { // links to one file: new files take seconds on some disks
		name := fmt.Sprintf("%s-%d", strings.Repeat("n", i%200), i)
		want[name] = true
		must(t, os.Link(filepath.Join(path, "first"), filepath.Join(path, name)))
	}
	for range 2 {
		items, err := d.List()
		must(t, err)
		seen := map[string]bool{}
		for _, it := range items {
			if seen[it.Name] || !want[it.Name] {
				t.Fatalf("%q is listed twice or was never there", it.Name)
			}
			seen[it.Name] = true
		}
		if len(seen) != len(want) {
			t.Fatalf("%d names, want %d", len(seen), len(want))
		}
	}
}

// Listing again shows what came and went meanwhile.
func TestListAgain(t *testing.T) {
	d := openRoot(t, t.TempDir())
	for i := range 3 {
		items, err := d.List()
		if err != nil || len(items) != i {
			t.Errorf("listing %d: %v, %v", i, items, err)
		}
		put(t, d, fmt.Sprint(i), "x")
	}
}

func TestOpenRoot(t *testing.T) {
	path := t.TempDir()
	d := openRoot(t, path)
	must(t, d.Mkdir("s", "real", 0o755))
	put(t, d, "file", "x")
	must(t, d.Symlink("s", "real", "link"))
	through := openRoot(t, filepath.Join(path, "link"))
	put(t, through, "x", "here")
	real := openRoot(t, filepath.Join(path, "real"))
	if got := get(t, real, "x"); got != "here" {
		t.Errorf("through the link: %q", got)
	}
	_, err := fsx.OS().OpenRoot("relative")
	wantErr(t, "a relative root", err, fs.ErrInvalid)
	_, err = fsx.OS().OpenRoot(filepath.Join(path, "file"))
	wantErr(t, "a file as root", err, fsx.ErrNotDir)
	_, err = fsx.OS().OpenRoot(filepath.Join(path, "none"))
	wantErr(t, "a root that is not there", err, fs.ErrNotExist)
}

func TestClosedDir(t *testing.T) {
	d := openRoot(t, t.TempDir())
	if d.Fd() < 0 {
		t.Skip("no descriptors here")
	}
	must(t, d.Close())
	must(t, d.Close())
	for op, err := range everyOp(d, "x") {
		wantErr(t, op, err, fs.ErrClosed)
	}
	_, err := d.List()
	wantErr(t, "list", err, fs.ErrClosed)
	_, err = d.Self()
	wantErr(t, "self", err, fs.ErrClosed)
	wantErr(t, "sync", d.Sync("s"), fs.ErrClosed)
	if d.Fd() != -1 {
		t.Error("a closed directory has a descriptor")
	}
}

// Closing beside other calls: each of them works on that directory or says
// that it is closed; none may reach what got the same number afterwards.
func TestCloseBesideUse(t *testing.T) {
	path := t.TempDir()
	put(t, openRoot(t, path), "mark", "x")
	other := t.TempDir()
	var wg sync.WaitGroup
	for range 200 {
		d, err := fsx.OS().OpenRoot(path)
		must(t, err)
		for range 4 {
			wg.Go(func() {
				if _, err := d.Stat("mark"); err != nil && !errors.Is(err, fs.ErrClosed) {
					t.Errorf("stat: %v", err)
				}
				items, err := d.List()
				if err == nil && len(items) != 1 || err != nil && !errors.Is(err, fs.ErrClosed) {
					t.Errorf("list: %v, %v", items, err)
				}
			})
		}
		wg.Go(func() { d.Close() })
		wg.Go(func() {
			if o, err := fsx.OS().OpenRoot(other); err == nil {
				o.Close()
			}
		})
	}
	wg.Wait()
}

func TestConcurrent(t *testing.T) {
	d := openRoot(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				name, moved := fmt.Sprintf("%d-%d", i, j), fmt.Sprintf("moved-%d-%d", i, j)
				f, err := d.Create("s", name, 0o644)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = f.Write([]byte(name))
				err = errors.Join(err, f.Close(), d.Rename("s", name, d, moved, fsx.NoReplace))
				_, listErr := d.List()
				if err = errors.Join(err, listErr); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	items, err := d.List()
	must(t, err)
	if len(items) != 400 {
		t.Errorf("%d entries, want 400", len(items))
	}
}

func TestBigWrite(t *testing.T) {
	d := openRoot(t, t.TempDir())
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	put(t, d, "big", string(want))
	if got := get(t, d, "big"); got != string(want) {
		t.Errorf("%d bytes came back, want %d", len(got), len(want))
	}
}

func TestFileSystem(t *testing.T) {
	d := openRoot(t, t.TempDir())
	if m := fsx.OS().Magic(d); m == "" || m == "unknown" {
		t.Errorf("magic %q", m)
	}
	if g := fsx.OS().Granularity(d); g < 1e6 || g > 2e9 {
		t.Errorf("granularity %d", g)
	}
	if err := fsx.OS().SyncFS("s", d); err != nil && !errors.Is(err, fsx.ErrUnsupported) {
		t.Error(err)
	}
}
