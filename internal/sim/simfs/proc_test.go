package simfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
)

// replace is a small piece of code under test.
func (m *machine) replace(d fsx.Dir, content string) error {
	f, err := d.Create("replace.create", "stage", 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.WriteString(f, content); err != nil {
		return err
	}
	if err := d.Rename("replace.exchange", "file", d, "stage", fsx.Exchange); err != nil {
		return err
	}
	return d.Unlink("replace.unlink", "stage")
}

// Every call passes the hook twice, with what it is about.
func TestHook(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.Write("/work/file", "old"))
	d := m.open("/work")
	var got []string
	m.p.Hook = func(c *simfs.Call) error {
		when := [...]string{"before", "within", "after"}[c.Phase]
		got = append(got, fmt.Sprintf("%d %s %s %s %s%s", c.N, when, c.Op, c.Site, c.Path(), c.ToPath()))
		return nil
	}
	must(t, m.replace(d, "new"))
	_, err := d.Stat("none")
	wantErr(t, "stat", err, fs.ErrNotExist)
	want := []string{
		"1 before create replace.create /work/stage", "1 after create replace.create /work/stage",
		"2 before write replace.create /work/stage", "2 after write replace.create /work/stage",
		"3 before rename replace.exchange /work/file/work/stage", "3 after rename replace.exchange /work/file/work/stage",
		"4 before unlink replace.unlink /work/stage", "4 after unlink replace.unlink /work/stage",
		"0 before close replace.create /work/file", "0 after close replace.create /work/file",
		"0 before stat  /work/none", "0 after stat  /work/none",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the hook was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	m.holds("/work/file", "new")
}

// A user acts between two effects; an error of the hook is what the caller gets,
// before the effect without it and behind it with it.
func TestHookActs(t *testing.T) {
	for _, phase := range []simfs.Phase{simfs.Before, simfs.After} {
		m := newMachine(t, simfs.Options{})
		must(t, m.u.Write("/work/file", "old"))
		d := m.open("/work")
		m.p.Hook = func(c *simfs.Call) error {
			if c.Op != simfs.OpRename || c.Phase != phase {
				return nil
			}
			must(t, m.u.Save("/work/file", "saved"))
			return syscall.EIO
		}
		wantErr(t, "replace", m.replace(d, "new"), syscall.EIO)
		m.holds("/work/file", "saved")
		if stage := map[simfs.Phase]string{simfs.Before: "new", simfs.After: "old"}[phase]; stage != "" {
			m.holds("/work/stage", stage)
		}
	}
}

// A killed process does nothing any more, its lock and its files are free, and the
// machine lives on. It is killed at every step.
func TestKill(t *testing.T) {
	for at := 1; ; at++ {
		m := newMachine(t, simfs.Options{})
		must(t, m.u.Write("/work/file", "old"))
		d := m.open("/work")
		_, err := d.Lock("s", "lock")
		must(t, err)
		steps := 0
		m.p.Hook = func(c *simfs.Call) error {
			if steps++; steps == at {
				m.p.Kill()
			}
			return nil
		}
		err = m.replace(d, "new")
		if !m.p.Dead() {
			must(t, err)
			if at < 10 {
				t.Errorf("only %d steps", at)
			}
			return
		}
		if err != nil {
			wantErr(t, "replace", err, simfs.ErrKilled)
		}
		_, err = d.Stat("file")
		wantErr(t, "stat of a killed process", err, simfs.ErrKilled)
		_, err = m.p.OpenRoot("/work")
		wantErr(t, "open of a killed process", err, simfs.ErrKilled)
		if n := m.p.OpenFiles(); n != 0 {
			t.Errorf("step %d: %d files are open", at, n)
		}
		m.p = m.Process("next")
		unlock, err := m.open("/work").Lock("s", "lock")
		must(t, err)
		must(t, unlock())
		if got, err := m.u.Read("/work/file"); got != "old" && got != "new" {
			t.Errorf("step %d: the file holds %q (%v)", at, got, err)
		}
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault simfs.Fault
		want  error
		file  string
		stage string // what is left there; empty if nothing
	}{
		{"site", simfs.Fault{Site: "replace.exchange", Err: syscall.EIO}, syscall.EIO, "old", "new content"},
		{"after", simfs.Fault{Site: "replace.exchange", Err: syscall.EIO, After: true}, syscall.EIO, "new content", "old"},
		{"ordinal", simfs.Fault{Changes: true, Nth: 4, Err: syscall.EACCES}, fs.ErrPermission, "new content", "old"},
		{"short", simfs.Fault{Op: simfs.OpWrite, Short: 4, Err: syscall.ENOSPC}, fsx.ErrNoSpace, "old", "new "},
		{"no write", simfs.Fault{Op: simfs.OpWrite, Err: syscall.EDQUOT}, fsx.ErrNoSpace, "old", "\x00"},
		{"not reached", simfs.Fault{Op: simfs.OpRename, Nth: 2, Err: syscall.EIO}, nil, "new content", ""},
		{"interrupted", simfs.Fault{Op: simfs.OpUnlink, Err: syscall.EINTR}, nil, "new content", ""},
		{"interrupted behind it", simfs.Fault{Op: simfs.OpUnlink, Err: syscall.EINTR, After: true}, fs.ErrNotExist, "new content", ""},
		{"interrupted write", simfs.Fault{Op: simfs.OpWrite, Err: syscall.EINTR}, nil, "new content", ""},
		{"stale", simfs.Fault{Op: simfs.OpCreate, Err: syscall.ESTALE}, syscall.ESTALE, "old", ""},
		{"killed", simfs.Fault{Op: simfs.OpRename, Kill: true}, simfs.ErrKilled, "old", "new content"},
		{"killed behind it", simfs.Fault{Op: simfs.OpRename, Kill: true, After: true}, simfs.ErrKilled, "new content", "old"},
		{"own error", simfs.Fault{Op: simfs.OpRename, Err: errors.ErrUnsupported}, errors.ErrUnsupported, "old", "new content"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, simfs.Options{})
			must(t, m.u.Write("/work/file", "old"))
			d := m.open("/work")
			m.p.Faults = []simfs.Fault{test.fault}
			err := m.replace(d, "new content")
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			m.holds("/work/file", test.file)
			switch test.stage {
			case "":
				_, err := m.u.Stat("/work/stage")
				wantErr(t, "stage", err, fs.ErrNotExist)
			case "\x00":
				m.holds("/work/stage", "")
			default:
				m.holds("/work/stage", test.stage)
			}
			if reached := test.name != "not reached"; reached != (m.p.Faults[0].Hits() == 1) {
				t.Errorf("%d hits", m.p.Faults[0].Hits())
			}
		})
	}
}

// A listing is all or an error; only a lie shows less.
func TestListings(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.Write("/work/a", ""))
	must(t, m.u.Write("/work/b", ""))
	d := m.open("/work")
	m.p.Faults = []simfs.Fault{{Op: simfs.OpList, Nth: 2, Times: 2, Err: syscall.EIO}}
	for i, want := range []int{2, 0, 0, 2} {
		items, err := d.List()
		if len(items) != want || (err == nil) != (want > 0) {
			t.Errorf("listing %d: %v, %v", i, items, err)
		}
	}
	m.p.Lie = func(path string, items []fsx.Item) []fsx.Item { return items[:1] }
	if items, err := d.List(); len(items) != 1 || err != nil {
		t.Errorf("lie: %v, %v", items, err)
	}
}

func TestRoom(t *testing.T) {
	m := newMachine(t, simfs.Options{Bytes: 10, Inodes: 4}) // "/", "/work" and two more
	d := m.open("/work")
	put(t, d, "a", "123456")
	f, err := d.Create("s", "b", 0o644)
	must(t, err)
	n, err := f.Write([]byte("abcdefgh"))
	if n != 4 || !errors.Is(err, fsx.ErrNoSpace) {
		t.Errorf("%d bytes, %v", n, err)
	}
	_, err = d.Create("s", "c", 0o644)
	wantErr(t, "one file too many", err, fsx.ErrNoSpace)
	wantErr(t, "one directory too many", d.Mkdir("s", "c", 0o755), fsx.ErrNoSpace)
	must(t, d.Unlink("s", "a"))
	if n, err := f.Write([]byte("efgh")); n != 4 || err != nil {
		t.Errorf("after room was made: %d bytes, %v", n, err)
	}
	must(t, d.Unlink("s", "b"))
	must(t, m.u.Write("/work/c", "12")) // b is open: it still has its room
	wantErr(t, "append", m.u.Append("/work/c", "1"), syscall.ENOSPC)
	must(t, f.Close())
	must(t, m.u.Append("/work/c", "12345678"))
	must(t, m.Set("/work", func(o *simfs.Options) { o.Bytes = 0; o.ReadOnly = true }))
	_, err = d.Create("s", "d", 0o644)
	wantErr(t, "create on a read-only file system", err, fsx.ErrReadOnly)
}

func TestTooManyOpen(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	d := m.open("/work")
	put(t, d, "a", "A")
	m.p.MaxFiles = 1
	_, err := d.Read("a")
	wantErr(t, "read", err, fsx.ErrTooMany)
	_, err = d.List() // needs no descriptor
	must(t, err)
	_, err = d.List()
	wantErr(t, "second listing", err, fsx.ErrTooMany)
}
