package watch

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// 2000 runs take a minute, nearly all of it spent by the kernel on removing watches.
var randomRuns = flag.Int("random", 100, "how many seeds TestRandom tries")

// TestRandom lets a seeded user loose on a real directory while a walker reads the real
// kernel's events at random moments and scans at others. Only time is made up. In the
// end the walker must know every byte, and that from looks alone.
func TestRandom(t *testing.T) {
	// Inode numbers are the walker's idea of identity; tmpfs does not reuse them.
	dir, err := os.MkdirTemp("/dev/shm", "twosync-watch-")
	if err != nil {
		t.Skip("needs a tmpfs on /dev/shm:", err)
	}
	defer os.RemoveAll(dir)
	for seed := range *randomRuns {
		root := filepath.Join(dir, fmt.Sprint(seed))
		ok := t.Run(fmt.Sprint("seed", seed), func(t *testing.T) { randomRun(t, root, uint64(seed)) })
		os.RemoveAll(root)
		if !ok {
			return
		}
	}
}

func randomRun(t *testing.T, dir string, seed uint64) {
	u := &user{t: t, r: rand.New(rand.NewPCG(seed, 0)), root: filepath.Join(dir, "in"), out: filepath.Join(dir, "out")}
	for _, d := range []string{u.root, u.out} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		u.act()
	}
	w := newWalker(t, u.root)
	w.note = func(format string, args ...any) { u.log = append(u.log, fmt.Sprintf(format, args...)) }
	ms := 0
	for range 150 {
		u.act()
		ms += u.r.IntN(12)
		if u.r.IntN(3) > 0 {
			continue
		}
		w.drain(ms)
		for range u.r.IntN(3) {
			u.act() // the scan runs ahead of the queue
		}
		w.scan(ms)
	}
	ms = w.rest(ms)
	w.check()
	w.checkWatches()
	u.closeAll()
	w.rest(ms)
	w.check()
	if t.Failed() {
		for _, l := range u.log {
			t.Log(strings.ReplaceAll(l, dir+"/", ""))
		}
	}
}

// user does what users and their programs do to a tree.
type user struct {
	t         *testing.T
	r         *rand.Rand
	root, out string
	n         int
	open      []*os.File
	log       []string
}

func (u *user) path() string {
	p := u.root
	for range u.r.IntN(3) {
		p = filepath.Join(p, u.pick("d", "e", "f"))
	}
	return filepath.Join(p, u.pick("a", "b", "c", "d", "e"))
}

func (u *user) pick(s ...string) string { return s[u.r.IntN(len(s))] }

func (u *user) content() string { u.n++; return fmt.Sprintf("%06d", u.n) }

// act does one thing. Hard links are left out: a write through one name is not reported
// for the others, which only the sweep finds. Most may fail, as half of the names are not there.
func (u *user) act() {
	p, q := u.path(), u.path()
	acts := []func() string{
		func() string { os.WriteFile(p, []byte(u.content()), 0o644); return "write " + p },
		func() string { os.WriteFile(p, []byte(u.content()), 0o644); return "write " + p },
		func() string { return u.begin(p) },
		func() string { return u.goOn() },
		func() string { return u.save(p) },
		func() string { os.MkdirAll(p, 0o755); return "mkdir " + p },
		func() string { os.MkdirAll(filepath.Join(p, "d"), 0o755); return "mkdir " + p + "/d" },
		func() string { os.Rename(p, q); return "mv " + p + " " + q },
		func() string { os.Rename(p, q); return "mv " + p + " " + q },
		func() string { return u.exchange(p, q) },
		func() string { return u.away(p) },
		func() string { return u.back(p) },
		func() string { os.Remove(p); return "rm " + p },
		func() string { os.RemoveAll(p); return "rm -rf " + p },
		func() string { os.RemoveAll(p); os.MkdirAll(p, 0o755); return "rm -rf; mkdir " + p },
		func() string { os.Symlink(u.content(), p); return "ln -s " + p },
		func() string { os.Truncate(p, 0); return "truncate " + p },
	}
	u.log = append(u.log, acts[u.r.IntN(len(acts))]())
}

// begin opens a file for writing and leaves it open.
func (u *user) begin(p string) string {
	if f, err := os.Create(p); err == nil {
		u.open = append(u.open, f)
	}
	return "open " + p
}

// goOn writes to one of the open files, and perhaps closes it.
func (u *user) goOn() string {
	if len(u.open) == 0 {
		return "nothing open"
	}
	i := u.r.IntN(len(u.open))
	f := u.open[i]
	f.WriteAt([]byte(u.content()), 0)
	if u.r.IntN(2) == 0 {
		f.Close()
		u.open = append(u.open[:i], u.open[i+1:]...)
		return "write and close " + f.Name()
	}
	return "write open " + f.Name()
}

func (u *user) closeAll() {
	for _, f := range u.open {
		f.WriteAt([]byte(u.content()), 0)
		f.Close()
	}
	u.open = nil
}

func (u *user) save(p string) string {
	tmp := p + ".tmp"
	if os.WriteFile(tmp, []byte(u.content()), 0o644) == nil && os.Rename(tmp, p) != nil {
		os.Remove(tmp)
	}
	return "save " + p
}

func (u *user) exchange(p, q string) string {
	err := unix.Renameat2(unix.AT_FDCWD, p, unix.AT_FDCWD, q, unix.RENAME_EXCHANGE)
	return fmt.Sprint("exchange ", p, " ", q, " ", err)
}

func (u *user) away(p string) string {
	u.n++
	os.Rename(p, filepath.Join(u.out, fmt.Sprint(u.n)))
	return "move out " + p
}

func (u *user) back(p string) string {
	entries, _ := os.ReadDir(u.out)
	if len(entries) == 0 {
		return "nothing outside"
	}
	q := filepath.Join(u.out, entries[u.r.IntN(len(entries))].Name())
	err := os.Rename(q, p)
	return fmt.Sprint("move in ", p, " ", err)
}
