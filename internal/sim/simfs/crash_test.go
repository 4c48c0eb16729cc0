package simfs_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
)

// tree is what a machine holds below /work, as one string.
func tree(f *simfs.FS) string {
	var b strings.Builder
	f.User().Walk("/work", func(x simfs.Found) bool {
		fmt.Fprintf(&b, "%s %d %o %d %q\n", x.Path, x.Stat.Kind, x.Stat.Mode, x.Stat.Nlink, x.Content)
		return true
	})
	return b.String()
}

// outcomes are all the trees that a cut can leave, over some seeds.
func (m *machine) outcomes(cut simfs.Cut) (all []string) {
	for seed := range uint64(200) {
		if got := tree(m.Crash(cut, seed)); !slices.Contains(all, got) {
			all = append(all, got)
		}
	}
	slices.Sort(all)
	return all
}

func file(path, content string) string { return fmt.Sprintf("%s 1 644 1 %q\n", path, content) }

// replaceDurably does it right, or leaves out one of the syncs.
func (m *machine) replaceDurably(d fsx.Dir, syncFile, syncDir bool) {
	f, err := d.Create("s", "stage", 0o644)
	must(m.t, err)
	_, err = f.Write([]byte("new"))
	must(m.t, err)
	if syncFile {
		must(m.t, f.Sync("s"))
	}
	must(m.t, f.Close())
	must(m.t, d.Rename("s", "stage", d, "file", fsx.Replace))
	if syncDir {
		must(m.t, d.Sync("s"))
	}
}

// What fsync and fsync of the directory promise, each of them alone, and both.
func TestCuts(t *testing.T) {
	const path = "/work/file"
	old, fresh, empty := file(path, "old"), file(path, "new"), file(path, "")
	stage := file("/work/stage", "new")
	tests := []struct {
		file, dir bool
		cut       simfs.Cut
		want      []string
	}{
		{true, true, simfs.KeepNothing, []string{fresh}},
		{true, true, simfs.Reorder, []string{fresh}},
		{false, true, simfs.KeepNothing, []string{empty}}, // the zero-length file
		{false, true, simfs.KeepNames, []string{empty}},
		{false, true, simfs.KeepContents, []string{fresh}},
		{true, false, simfs.KeepNothing, []string{old}},
		{true, false, simfs.KeepContents, []string{old}},
		{true, false, simfs.KeepSome, []string{fresh, old, old + stage}},
		{false, false, simfs.KeepNothing, []string{old}},
		{false, false, simfs.KeepNames, []string{empty}},
		{false, false, simfs.KeepAll, []string{fresh}},
	}
	for _, test := range tests {
		m := newMachine(t, simfs.Options{})
		must(t, m.u.Write(path, "old"))
		m.SyncAll()
		m.replaceDurably(m.open("/work"), test.file, test.dir)
		slices.Sort(test.want)
		if got := m.outcomes(test.cut); !slices.Equal(got, test.want) {
			t.Errorf("file synced %v, directory %v, cut %v: %q, want %q", test.file, test.dir, test.cut, got, test.want)
		}
	}
}

// In-place writes: the old content, none, a part, or zeros.
func TestTornWrite(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.Write("/work/f", "old"))
	m.SyncAll()
	must(t, m.u.Write("/work/f", "new"))
	var want []string
	for _, content := range []string{"old", "new", "", "n", "ne", "ne\x00", "n\x00\x00", "\x00\x00\x00"} {
		want = append(want, file("/work/f", content))
	}
	slices.Sort(want)
	if got := m.outcomes(simfs.KeepSome); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := m.outcomes(simfs.KeepNames); !slices.Equal(got, []string{file("/work/f", "")}) {
		t.Errorf("truncated, with names only: %q", got)
	}
	m.SyncAll()
	must(t, m.u.WriteAt("/work/f", "E", 1))
	for _, cut := range []simfs.Cut{simfs.KeepNothing, simfs.KeepNames} {
		if got := m.outcomes(cut); !slices.Equal(got, []string{file("/work/f", "new")}) {
			t.Errorf("in place, cut %v: %q", cut, got)
		}
	}
}

// What a cut leaves is durable: the next one can't take more than came after it.
func TestCutAfterCut(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.Write("/work/f", "first"))
	must(t, m.u.Chmod("/work/f", 0o600))
	after := m.Crash(simfs.KeepAll, 0)
	must(t, after.User().Write("/work/f", "second"))
	must(t, after.User().Chmod("/work/f", 0o640))
	if got, want := tree(after.Crash(simfs.KeepNothing, 0)), "/work/f 1 600 1 \"first\"\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestMovesLoseNothing: where files and directories are only moved and exchanged,
// and empty directories removed, every cut leaves each file under exactly one name.
func TestMovesLoseNothing(t *testing.T) {
	for seed := range uint64(200) {
		m := newMachine(t, simfs.Options{})
		l := &randomLife{machine: m, r: rand.New(rand.NewPCG(seed, 9))}
		for range 40 {
			if l.r.IntN(2) == 0 {
				m.u.Mkdir(l.path())
			} else {
				m.u.Write(l.path(), l.text())
			}
		}
		m.SyncAll()
		want := contents(m.FS)
		for i := range 25 {
			l.move()
			if l.r.IntN(10) == 0 {
				must(t, m.open("/work").Sync("s"))
			}
			for cut := range simfs.Cuts() {
				for n := range uint64(4) {
					left := m.Crash(simfs.Cut(cut), n)
					if got := contents(left); !slices.Equal(got, want) {
						t.Fatalf("seed %d, step %d, cut %v: %q are left of %q in\n%s\nand without the cut\n%s",
							seed, i, simfs.Cut(cut), got, want, tree(left), tree(m.FS))
					}
				}
			}
		}
	}
}

// The same for what random moves hardly find.
func TestOrderOfMoves(t *testing.T) {
	stories := map[string]func(u *simfs.User){
		"out of a directory that is removed then": func(u *simfs.User) {
			u.Rename("/work/D/f", "/work/f")
			u.Rename("/work/D/P/g", "/work/g")
			u.Rmdir("/work/D/P")
			u.Rmdir("/work/D")
		},
		"into each other in turn": func(u *simfs.User) {
			u.Rename("/work/E", "/work/D/P/E")
			u.Rename("/work/D/P", "/work/P")
			u.Rename("/work/D", "/work/P/E/D")
		},
		"replaced by another directory": func(u *simfs.User) {
			u.Rename("/work/D/P/g", "/work/g")
			u.Rename("/work/E", "/work/D/P")
		},
	}
	for name, story := range stories {
		m := newMachine(t, simfs.Options{})
		must(t, m.u.MkdirAll("/work/D/P"))
		must(t, m.u.Mkdir("/work/E"))
		for _, p := range []string{"/work/D/f", "/work/D/P/g", "/work/E/h"} {
			must(t, m.u.Write(p, p))
		}
		m.SyncAll()
		want := contents(m.FS)
		story(m.u)
		for seed := range uint64(200) {
			left := m.Crash(simfs.Reorder, seed)
			if got := contents(left); !slices.Equal(got, want) {
				t.Fatalf("%s: %q are left in\n%s", name, got, tree(left))
			}
		}
	}
}

// A write in place does not reach what was durable before it.
func TestWriteInPlace(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.Write("/work/f", "durable"))
	m.SyncAll()
	must(t, m.u.WriteAt("/work/f", "D", 0))
	if got, want := tree(m.Crash(simfs.KeepNothing, 0)), file("/work/f", "durable"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	m.holds("/work/f", "Durable")
}

// move takes nothing away but an empty directory.
func (l *randomLife) move() {
	switch p, q := l.path(), l.path(); l.r.IntN(8) {
	case 0:
		l.u.Mkdir(p)
	case 1, 2:
		l.u.Rmdir(p)
	case 3:
		l.u.Exchange(p, q)
	default:
		if _, err := l.u.Stat(q); err != nil {
			l.u.Rename(p, q)
		}
	}
}

// contents are those of all files, sorted.
func contents(f *simfs.FS) (all []string) {
	f.User().Walk("/work", func(x simfs.Found) bool {
		if x.Stat.Kind == fsx.Regular {
			all = append(all, x.Content)
		}
		return true
	})
	slices.Sort(all)
	return all
}

// Changes of names in different directories may be reordered; with a journal they
// are kept in order.
func TestReorder(t *testing.T) {
	for _, journal := range []bool{false, true} {
		m := newMachine(t, simfs.Options{Journal: journal})
		must(t, m.u.Mkdir("/work/a"))
		must(t, m.u.Mkdir("/work/b"))
		must(t, m.u.Write("/work/a/x", "x"))
		m.SyncAll()
		must(t, m.u.Rename("/work/a/x", "/work/a/y"))
		must(t, m.u.Mkdir("/work/b/new"))
		must(t, m.open("/work/b").Sync("s"))
		got := tree(m.Crash(simfs.KeepNothing, 0))
		if !strings.Contains(got, "/work/b/new") {
			t.Errorf("what was synced is gone: %s", got)
		}
		if strings.Contains(got, "/work/a/y") != journal {
			t.Errorf("journal %v: %s", journal, got)
		}
	}
}

// randomLife lets a user and a process loose on a machine.
type randomLife struct {
	*machine
	r *rand.Rand
	n int
}

func (l *randomLife) path() string {
	p := "/work"
	for range l.r.IntN(3) {
		p += "/" + string(rune('a'+l.r.IntN(3)))
	}
	return p + "/" + string(rune('a'+l.r.IntN(4)))
}

func (l *randomLife) text() string { l.n++; return fmt.Sprintf("content %d", l.n) }

// act does one thing; most fail, as half of the names are not there.
func (l *randomLife) act() {
	p, q := l.path(), l.path()
	switch l.r.IntN(12) {
	case 0, 1:
		l.u.Write(p, l.text())
	case 2:
		l.u.Save(p, l.text())
	case 3:
		l.u.Append(p, l.text())
	case 4, 5:
		l.u.Mkdir(p)
	case 6, 7:
		l.u.Rename(p, q)
	case 8:
		l.u.Exchange(p, q)
	case 9:
		l.u.Unlink(p)
	case 10:
		l.u.Link(p, q)
	case 11:
		l.u.RemoveAll(p)
	}
}

// sync makes something durable.
func (l *randomLife) sync() {
	switch d, err := l.p.OpenRoot(l.path()); {
	case l.r.IntN(8) == 0:
		l.SyncAll()
	case err == nil && l.r.IntN(2) == 0:
		must(l.t, d.Sync("s"))
	case err == nil:
		d.Close()
	default:
		l.u.SyncFile(l.path())
	}
}

// TestCrashes: whatever a power cut leaves is a tree whose links are counted right,
// with only such contents as were written, and it is what it is for good.
func TestCrashes(t *testing.T) {
	for seed := range uint64(24) {
		m := newMachine(t, simfs.Options{Journal: seed%3 == 0, ReuseInodes: seed%2 == 0})
		l := &randomLife{machine: m, r: rand.New(rand.NewPCG(seed, 7))}
		for range 30 {
			l.act()
		}
		m.SyncAll()
		durable := tree(m.FS)
		for i := range 60 {
			synced := l.r.IntN(6) == 0
			if l.act(); synced && seed%4 > 0 {
				l.sync()
			}
			if seed%4 == 0 {
				if got := tree(m.Crash(simfs.KeepNothing, 0)); got != durable {
					t.Fatalf("seed %d, step %d: nothing was synced, and a cut leaves\n%s\nwant\n%s", seed, i, got, durable)
				}
			}
			if got, want := tree(m.Crash(simfs.KeepAll, 0)), tree(m.FS); got != want {
				t.Fatalf("seed %d, step %d: all is kept, and a cut leaves\n%s\nwant\n%s", seed, i, got, want)
			}
			if got, want := tree(m.Clone()), tree(m.FS); got != want {
				t.Fatalf("seed %d, step %d: the clone holds\n%s\nwant\n%s", seed, i, got, want)
			}
			for _, cut := range simfs.Cuts() {
				checkCut(t, m, cut, seed+uint64(i))
			}
		}
		m.SyncAll()
		for _, cut := range simfs.Cuts() {
			if got, want := tree(m.Crash(cut, seed)), tree(m.FS); got != want {
				t.Fatalf("seed %d: all is synced, and cut %v leaves\n%s\nwant\n%s", seed, cut, got, want)
			}
		}
	}
}

func checkCut(t *testing.T, m *machine, cut simfs.Cut, seed uint64) {
	t.Helper()
	before := tree(m.FS)
	after := m.Crash(cut, seed)
	left := tree(after)
	if tree(m.FS) != before {
		t.Fatalf("seed %d, cut %v: the file system itself has changed", seed, cut)
	}
	if again := tree(m.Crash(cut, seed)); again != left {
		t.Fatalf("seed %d, cut %v: another time it leaves\n%s\nnot\n%s", seed, cut, again, left)
	}
	links, said := map[uint64]uint64{}, map[uint64]uint64{}
	after.User().Walk("/work", func(x simfs.Found) bool {
		if x.Stat.Kind == fsx.Regular {
			links[x.Stat.Ino]++
			said[x.Stat.Ino] = x.Stat.Nlink
		}
		return true
	})
	for ino, n := range links {
		if said[ino] != n {
			t.Fatalf("seed %d, cut %v: inode %d has %d names, and says %d\n%s", seed, cut, ino, n, said[ino], left)
		}
	}
	for _, c := range simfs.Cuts() {
		if got := tree(after.Crash(c, seed)); got != left {
			t.Fatalf("seed %d, cut %v: a second cut leaves\n%s\nnot\n%s", seed, cut, got, left)
		}
	}
	// What is left can be lived on.
	u := after.User()
	if err := u.RemoveAll("/work"); err != nil {
		t.Fatalf("seed %d, cut %v: %v", seed, cut, err)
	}
}

// A copy and what it was made of go their own ways.
func TestClone(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.Write("/work/f", "one"))
	must(t, m.u.Mkdir("/work/vol"))
	must(t, m.Mount("/work/vol", simfs.Options{}))
	must(t, m.u.Write("/work/vol/g", "two"))
	c := m.Clone()
	must(t, m.u.Append("/work/f", "+"))
	must(t, c.User().Append("/work/f", "-"))
	must(t, c.User().Write("/work/vol/g", "three"))
	m.holds("/work/f", "one+")
	m.holds("/work/vol/g", "two")
	if got, _ := c.User().Read("/work/f"); got != "one-" {
		t.Errorf("the copy holds %q", got)
	}
}
