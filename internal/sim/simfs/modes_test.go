package simfs_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
)

// As on macOS, and as fsxtest.Fold imitates it on a real directory.
func TestFold(t *testing.T) {
	m := newMachine(t, simfs.Options{Fold: strings.ToLower})
	d := m.open("/work")
	put(t, d, "file", "one")
	_, err := d.Create("s", "FILE", 0o644)
	wantErr(t, "create beside its twin", err, fs.ErrExist)
	if _, err := d.Stat("FiLe"); err != nil {
		t.Errorf("stat: %v", err)
	}
	wantErr(t, "rename in case only", d.Rename("s", "file", d, "File", fsx.NoReplace), fs.ErrExist)
	must(t, d.Rename("s", "file", d, "File", fsx.Replace))
	put(t, d, "other", "two")
	must(t, d.Rename("s", "other", d, "FILE", fsx.Replace))
	if items, err := d.List(); err != nil || len(items) != 1 || items[0].Name != "File" {
		t.Errorf("listed: %v (%v)", items, err)
	}
	m.holds("/work/fILE", "two")
	must(t, d.Unlink("s", "fILE"))
	if items, err := d.List(); err != nil || len(items) != 0 {
		t.Errorf("listed: %v (%v)", items, err)
	}
}

func TestExecBits(t *testing.T) {
	for want, opt := range map[fs.FileMode]simfs.Options{0o644: {NoExec: true}, 0o755: {AllExec: true}} {
		m := newMachine(t, opt)
		d := m.open("/work")
		put(t, d, "a", "x")
		must(t, d.Chmod("s", "a", 0o744))
		must(t, d.Chmod("s", "a", want&0o644|0o044))
		if st, err := d.Stat("a"); err != nil || st.Mode != want {
			t.Errorf("mode %o, want %o (%v)", st.Mode, want, err)
		}
		if st, err := m.u.Stat("/work"); err != nil || st.Mode != 0o755 {
			t.Errorf("of the directory: %o (%v)", st.Mode, err)
		}
	}
}

func TestGranule(t *testing.T) {
	m := newMachine(t, simfs.Options{Granule: 2e9})
	m.now += 1_500_000_000
	must(t, m.u.Write("/work/a", "x"))
	st, err := m.u.Stat("/work/a")
	if err != nil || st.Mtime != 1_700_000_000_000_000_000 || st.Ctime != st.Mtime {
		t.Errorf("%+v, %v", st, err)
	}
	m.now += 500_000_000
	must(t, m.u.Append("/work/a", "x"))
	if st, err = m.u.Stat("/work/a"); err != nil || st.Mtime != 1_700_000_002_000_000_000 {
		t.Errorf("%+v, %v", st, err)
	}
	if g := m.p.Granularity(m.open("/work")); g != 2e9 {
		t.Errorf("granularity %d", g)
	}
}

// Without renameat2 a rename that must not replace is made in steps, as package fsx
// does it, and a user may act in the middle.
func TestOldKernel(t *testing.T) {
	m := newMachine(t, simfs.Options{NoExchange: true, NoNoReplace: true})
	d := m.open("/work")
	put(t, d, "a", "A")
	put(t, d, "b", "B")
	must(t, d.Mkdir("s", "d1", 0o755))
	must(t, d.Mkdir("s", "d2", 0o755))
	wantErr(t, "exchange", d.Rename("s", "a", d, "b", fsx.Exchange), fsx.ErrUnsupported)
	wantErr(t, "noreplace over a file", d.Rename("s", "a", d, "b", fsx.NoReplace), fs.ErrExist)
	wantErr(t, "noreplace over a directory", d.Rename("s", "d1", d, "d2", fsx.NoReplace), fs.ErrExist)
	wantErr(t, "noreplace of nothing", d.Rename("s", "none", d, "x", fsx.NoReplace), fs.ErrNotExist)
	must(t, d.Rename("s", "d1", d, "d3", fsx.NoReplace))
	within := 0
	m.p.Hook = func(c *simfs.Call) error {
		if c.Phase == simfs.Within {
			within++
			m.holds("/work/a", "A")
			m.holds("/work/c", "A")
		}
		return nil
	}
	must(t, d.Rename("s", "a", d, "c", fsx.NoReplace))
	if _, err := m.u.Stat("/work/a"); err == nil || within != 1 {
		t.Errorf("a is still there, or the hook was called %d times", within)
	}
	m.p.Hook = nil
	must(t, m.Set("/work", func(o *simfs.Options) { o.NoLinks = true }))
	err := d.Rename("s", "c", d, "e", fsx.NoReplace)
	wantErr(t, "noreplace without links", err, fsx.ErrUnsupported)
	must(t, d.Rename("s", "d3", d, "d4", fsx.NoReplace))
	// Killed in the middle, both names are left.
	must(t, m.Set("/work", func(o *simfs.Options) { o.NoLinks = false }))
	m.p.Hook = func(c *simfs.Call) error {
		if c.Phase == simfs.Within {
			m.p.Kill()
		}
		return nil
	}
	wantErr(t, "killed", d.Rename("s", "c", d, "e", fsx.NoReplace), simfs.ErrKilled)
	m.holds("/work/c", "A")
	m.holds("/work/e", "A")
}

// A directory of an image layer can't be renamed, what is in it can.
func TestLayer(t *testing.T) {
	m := newMachine(t, simfs.Options{Magic: "overlay"})
	must(t, m.u.MkdirAll("/work/img/sub"))
	must(t, m.u.Write("/work/img/f", "x"))
	must(t, m.Layer("/work/img"))
	must(t, m.u.Mkdir("/work/new"))
	d := m.open("/work")
	wantErr(t, "rename", d.Rename("s", "img", d, "x", fsx.NoReplace), fsx.ErrCrossDevice)
	wantErr(t, "exchange", d.Rename("s", "new", d, "img", fsx.Exchange), fsx.ErrCrossDevice)
	wantErr(t, "exchange", d.Rename("s", "img", d, "new", fsx.Exchange), fsx.ErrCrossDevice)
	must(t, m.open("/work/img").Rename("s", "f", d, "f", fsx.NoReplace))
	must(t, d.Rename("s", "new", d, "newer", fsx.NoReplace))
	must(t, m.u.Rmdir("/work/img/sub"))
	must(t, m.u.Rmdir("/work/img"))
	if got := m.p.Magic(d); got != "overlay" {
		t.Error(got)
	}
}

// What is on another device can't be renamed there, and comes and goes.
func TestMount(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.Mkdir("/work/vol"))
	must(t, m.u.Write("/work/vol/hidden", "below"))
	must(t, m.Mount("/work/vol", simfs.Options{Magic: "tmpfs"}))
	d := m.open("/work")
	vol, err := d.Open("vol")
	must(t, err)
	root, err := d.Self()
	must(t, err)
	self, err := vol.Self()
	must(t, err)
	named, err := d.Stat("vol")
	must(t, err)
	if !self.Mount || root.Mount || self.Dev == root.Dev || named.Dev != self.Dev || named.Ino != self.Ino {
		t.Errorf("self %+v, by name %+v, above %+v", self, named, root)
	}
	put(t, vol, "f", "x")
	wantErr(t, "rename across", vol.Rename("s", "f", d, "f", fsx.Replace), fsx.ErrCrossDevice)
	wantErr(t, "rename of a mount", d.Rename("s", "vol", d, "v", fsx.Replace), fsx.ErrBusy)
	wantErr(t, "rmdir of a mount", d.Rmdir("s", "vol"), fsx.ErrBusy)
	if _, err := m.u.Stat("/work/vol/hidden"); err == nil {
		t.Error("what is below the mount is seen")
	}
	must(t, m.Unmount("/work/vol"))
	m.holds("/work/vol/hidden", "below")
	if _, err := vol.Stat("f"); err != nil {
		t.Errorf("in the held mount: %v", err)
	}
	must(t, m.u.Write("/work/hosts", "below"))
	must(t, m.Mount("/work/hosts", simfs.Options{}))
	must(t, m.u.Write("/work/hosts", "above"))
	wantErr(t, "unlink of a mounted file", d.Unlink("s", "hosts"), fsx.ErrBusy)
	must(t, m.Unmount("/work/hosts"))
	m.holds("/work/hosts", "below")
}

func TestInodesAreReused(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		m := newMachine(t, simfs.Options{ReuseInodes: reuse})
		must(t, m.u.Write("/work/a", "1"))
		a, err := m.u.Stat("/work/a")
		must(t, err)
		must(t, m.u.Unlink("/work/a"))
		must(t, m.u.Write("/work/b", "2"))
		b, err := m.u.Stat("/work/b")
		must(t, err)
		if (a.Ino == b.Ino) != reuse {
			t.Errorf("reuse %v: inode %d, then %d", reuse, a.Ino, b.Ino)
		}
	}
}

// Who moves a directory elsewhere needs the right to write to it: its ".." changes.
// Within the same directory it does not.
func TestRightsOfMoves(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	for _, p := range []string{"/work/a", "/work/b"} {
		must(t, m.u.Mkdir(p))
		must(t, m.u.Chmod(p, 0o777))
	}
	must(t, m.u.Mkdir("/work/a/of-root"))
	must(t, m.u.Write("/work/a/file", "x"))
	must(t, m.u.Write("/work/b/file", "x"))
	m.p.UID, m.p.GID = 1000, 1000
	a, b := m.open("/work/a"), m.open("/work/b")
	wantErr(t, "elsewhere", a.Rename("s", "of-root", b, "x", fsx.Replace), fs.ErrPermission)
	wantErr(t, "exchange", b.Rename("s", "file", a, "of-root", fsx.Exchange), fs.ErrPermission)
	must(t, a.Rename("s", "of-root", a, "renamed", fsx.NoReplace))
	must(t, a.Rename("s", "file", b, "moved", fsx.NoReplace))
	_, err := m.open("/work").Create("s", "x", 0o644)
	wantErr(t, "create", err, fs.ErrPermission)
}
