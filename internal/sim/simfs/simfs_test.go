package simfs_test

import (
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
)

// machine is a file system with a clock that is moved by hand.
type machine struct {
	*simfs.FS
	t   testing.TB
	now int64
	u   *simfs.User
	p   *simfs.Proc
}

func newMachine(t testing.TB, opt simfs.Options) *machine {
	m := &machine{t: t, now: 1_700_000_000_000_000_000}
	m.FS = simfs.New(func() int64 { return m.now }, opt)
	m.u = m.User()
	m.p = m.Process("twosync")
	must(t, m.u.Mkdir("/work"))
	return m
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

func (m *machine) open(path string) fsx.Dir {
	m.t.Helper()
	d, err := m.p.OpenRoot(path)
	must(m.t, err)
	return d
}

func put(t testing.TB, d fsx.Dir, name, content string) {
	t.Helper()
	f, err := d.Create("test.put", name, 0o644)
	must(t, err)
	_, err = io.WriteString(f, content)
	must(t, err)
	must(t, f.Close())
}

func (m *machine) holds(path, want string) {
	m.t.Helper()
	got, err := m.u.Read(path)
	if err != nil || got != want {
		m.t.Errorf("%s holds %q (%v), want %q", path, got, err, want)
	}
}

// What is held open stays what it is, wherever its name goes.
func TestHeld(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.MkdirAll("/work/a/b"))
	b := m.open("/work/a/b")
	put(t, b, "x", "one")
	f, err := b.Read("x")
	must(t, err)
	must(t, m.u.Rename("/work/a", "/work/moved"))
	put(t, b, "y", "two")
	m.holds("/work/moved/b/y", "two")
	must(t, m.u.RemoveAll("/work/moved"))
	if got, err := io.ReadAll(f); string(got) != "one" || err != nil {
		t.Errorf("removed file holds %q (%v)", got, err)
	}
	_, err = b.Create("s", "z", 0o644)
	wantErr(t, "create in a removed directory", err, fs.ErrNotExist)
	_, err = b.List()
	wantErr(t, "list a removed directory", err, fs.ErrNotExist)
}
