package simfs_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
	"github.com/twosync/twosync/internal/watch"
	"golang.org/x/sys/unix"
)

// 3000 runs take about a minute.
var differRuns = flag.Int("differ", 60, "how many seeds TestDiffer tries on each file system")

// TestDiffer makes the same random calls on a simulated and on a real directory, and
// compares everything that can be seen: what each call returns, what is there
// afterwards, which stamps have changed, and what the watch says.
func TestDiffer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be somebody else now and then")
	}
	for _, place := range []string{"/dev/shm", os.TempDir()} {
		dir, err := os.MkdirTemp(place, "twosync-simfs-")
		if err != nil && place != os.TempDir() {
			continue // no tmpfs there: the other one is left
		}
		must(t, err)
		defer os.RemoveAll(dir)
		must(t, os.Chmod(dir, 0o755)) // for the stranger
		for seed := range *differRuns {
			path := filepath.Join(dir, fmt.Sprint(seed))
			if !t.Run(fmt.Sprintf("%s/%d", filepath.Base(place), seed), func(t *testing.T) { differ(t, path, uint64(seed)) }) {
				return
			}
		}
	}
}

// twin is one of the two worlds. The calls of a test are made in both.
type twin struct {
	name    string
	fs      fsx.FS
	user    users
	src     watch.Source
	be      func(uid uint32)
	walk    func(root string) (list []seen)
	dirs    [4]fsx.Dir
	files   [4]fsx.File
	pens    [3]pen
	layered bool
}

// users is what both worlds let users do.
type users interface {
	Mkdir(path string) error
	Symlink(target, path string) error
	Mkfifo(path string) error
	Link(path, fresh string) error
	Unlink(path string) error
	Rmdir(path string) error
	Rename(from, to string) error
	Exchange(from, to string) error
	RemoveAll(path string) error
	Chmod(path string, mode fs.FileMode) error
	Chown(path string, uid, gid uint32) error
	Utimes(path string, mtime int64) error
	Write(path, content string) error
	Append(path, content string) error
	WriteAt(path, content string, off int64) error
	Read(path string) (string, error)
}

// pen is a file that a user has open.
type pen interface {
	Write(b []byte) error
	Truncate(size int64) error
	Close()
}

// seen is one name of a tree, with what can be compared.
type seen struct {
	path    string
	st      fsx.Stat
	content string
}

func (s seen) String() string {
	size := s.st.Size
	if s.st.Kind == fsx.Directory {
		size = 0
	}
	return fmt.Sprintf("%s kind %d mode %o size %d links %d owner %d:%d %q",
		s.path, s.st.Kind, s.st.Mode, size, s.st.Nlink, s.st.UID, s.st.GID, s.content)
}

// call is made in both worlds and says what came out.
type call struct {
	what string
	do   func(w *twin) string
}

const stranger = 12345

func differ(t *testing.T, path string, seed uint64) {
	runtime.LockOSThread() // and never unlocked: who it is does not come back
	unix.Umask(0o022)
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); e != 0 {
		t.Fatal(e)
	}
	root := filepath.Join(path, "root")
	must(t, os.MkdirAll(root, 0o755))
	now := int64(1_700_000_000_000_000_000)
	m := simfs.New(func() int64 { now += 1000; return now }, simfs.Options{})
	must(t, m.User().MkdirAll(root))
	real, sim := realTwin(t, root), simTwin(t, m, root)
	switch {
	case seed%10 == 8:
		layers(t, m, path, root)
		real.src.Close()
		real.src, _ = watch.Open(root)
		real.layered, sim.layered = true, true
	case seed%5 == 4:
		mounts(t, m, root, seed)
	}
	if seed%4 == 1 { // the stranger's own
		must(t, os.Chown(root, stranger, stranger))
		must(t, m.User().Chown(root, stranger, stranger))
	}
	d := &dice{r: rand.New(rand.NewPCG(seed, 1)), root: root, alone: seed%2 == 0}
	var story []string
	fine := stampsAreFine(t, path) && !real.layered
	before := [2][]seen{real.walk(root), sim.walk(root)}
	// Linux stamps some directories with the coarse clock; so each call of a few runs
	// waits for that to move, and others compare the stamps of files only.
	slow := seed%10 == 3
	for i := range 150 {
		if i == 75 && seed%15 == 4 && unix.Mount("", root+"/a", "", unix.MS_REMOUNT|unix.MS_RDONLY, "") == nil {
			must(t, m.Set(root+"/a", func(o *simfs.Options) { o.ReadOnly = true }))
		}
		c := d.call()
		if slow {
			waitForTick()
		}
		uid := uint32(0)
		if !d.alone && d.r.IntN(2) == 0 {
			uid = stranger
		}
		var out [2]string
		var after [2][]seen
		for i, w := range []*twin{real, sim} {
			w.be(uid)
			out[i] = c.do(w)
			w.be(0)
			after[i] = w.walk(root)
			for j := range after[i] {
				after[i][j].st = w.plain(after[i][j].st)
			}
			out[i] += "\n  tree: " + show(after[i]) + "\n  events: " + w.events()
			out[i] += "\n  stamps: " + changed(before[i], after[i], fine, slow)
		}
		before = after
		story = append(story, fmt.Sprintf("%d: %s", uid, c.what))
		if out[0] != out[1] {
			t.Fatalf("seed %d, after:\n%s\nreal: %s\nsim:  %s", seed, strings.Join(story, "\n"), out[0], out[1])
		}
	}
	real.close()
	sim.close()
}

// mounts makes three kinds of them: a file system of its own, a directory and a file
// that are shown twice.
func mounts(t *testing.T, m *simfs.FS, root string, seed uint64) {
	a, b := root+"/a", root+"/b"
	if seed%15 == 9 {
		must(t, os.WriteFile(a, []byte("shown twice"), 0o644))
		must(t, os.WriteFile(b, nil, 0o644))
		mount(t, a, b, "", unix.MS_BIND, "")
		must(t, m.User().Write(a, "shown twice"))
		must(t, m.User().Write(b, ""))
		must(t, m.Bind(a, b))
		return
	}
	for _, p := range []string{a, b} {
		must(t, os.Mkdir(p, 0o755))
		must(t, m.User().Mkdir(p))
	}
	if seed%15 == 4 {
		mount(t, "tmpfs", a, "tmpfs", 0, "mode=755")
		must(t, m.Mount(a, simfs.Options{}))
		return
	}
	mount(t, a, b, "", unix.MS_BIND, "")
	must(t, m.Bind(a, b))
}

func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Skip("mount:", err)
	}
	t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
}

// layers makes the root a directory of an image layer, as in a container.
func layers(t *testing.T, m *simfs.FS, path, root string) {
	for _, p := range []string{"/lower", "/upper", "/work", "/lower/a", "/lower/a/b", "/lower/c"} {
		must(t, os.Mkdir(path+p, 0o755))
	}
	for _, p := range []string{"/lower/a/a", "/lower/a/b/c", "/lower/b"} {
		must(t, os.WriteFile(path+p, []byte("from below"), 0o644))
	}
	options := fmt.Sprintf("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", path, path, path)
	mount(t, "overlay", root, "overlay", 0, options)
	must(t, m.Mount(root, simfs.Options{Magic: "overlay"}))
	u := m.User()
	for _, p := range []string{"/a", "/a/b", "/c"} {
		must(t, u.Mkdir(root+p))
	}
	for _, p := range []string{"/a/a", "/a/b/c", "/b"} {
		must(t, u.Write(root+p, "from below"))
	}
	must(t, m.Layer(root))
}

// plain leaves out what an overlay makes up: how many names directories have.
func (w *twin) plain(st fsx.Stat) fsx.Stat {
	if w.layered && st.Kind == fsx.Directory {
		st.Nlink = 0
	}
	return st
}

func (w *twin) line(st fsx.Stat) string { return seen{"", w.plain(st), ""}.String() }

func show(list []seen) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString("\n    " + s.String())
	}
	return b.String()
}

// changed names the inodes whose stamps differ from those before.
func changed(before, after []seen, files, dirs bool) string {
	old := map[[2]uint64]fsx.Stat{}
	for _, s := range before {
		old[[2]uint64{s.st.Dev, s.st.Ino}] = s.st
	}
	var b strings.Builder
	for _, s := range after {
		if o, ok := old[[2]uint64{s.st.Dev, s.st.Ino}]; ok && o.Kind == s.st.Kind && (dirs || files && s.st.Kind != fsx.Directory) {
			if o.Mtime != s.st.Mtime {
				b.WriteString(" mtime " + s.path)
			}
			if o.Ctime != s.st.Ctime {
				b.WriteString(" ctime " + s.path)
			}
		}
	}
	return b.String()
}

// stampsAreFine says whether the kernel stamps two changes apart if somebody looks
// in between: Linux 6.13 and later do.
func stampsAreFine(t *testing.T, dir string) bool {
	name := filepath.Join(dir, "stamp")
	last := int64(0)
	for range 5 {
		must(t, os.WriteFile(name, []byte("x"), 0o644))
		var st unix.Stat_t
		must(t, unix.Lstat(name, &st))
		if st.Mtim.Nano() == last {
			return false
		}
		last = st.Mtim.Nano()
	}
	return true
}

// waitForTick returns when the coarse clock has moved.
func waitForTick() {
	var was, now unix.Timespec
	unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &was)
	for now = was; now == was; {
		unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now)
	}
}

func (w *twin) events() string {
	events, err := w.src.Wait(0)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, e := range events {
		b.WriteString("\n    " + e.String())
	}
	return b.String()
}

func (w *twin) close() {
	for _, d := range w.dirs {
		if d != nil {
			d.Close()
		}
	}
	for _, f := range w.files {
		if f != nil {
			f.Close()
		}
	}
	for _, p := range w.pens {
		if p != nil {
			p.Close()
		}
	}
	w.src.Close()
}

// words are the errors that callers tell apart.
var words = []error{
	fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, fs.ErrClosed,
	fsx.ErrNotDir, fsx.ErrIsLink, fsx.ErrNotEmpty, fsx.ErrNoSpace, fsx.ErrReadOnly, fsx.ErrCrossDevice,
	fsx.ErrUnsupported, fsx.ErrTooMany, fsx.ErrBusy, fsx.ErrIsDir, fsx.ErrNotRegular, watch.ErrStale,
}

// class is all that can be told from an error.
func class(err error) string {
	if err == nil {
		return "ok"
	}
	s := "fails:"
	for _, w := range words {
		if errors.Is(err, w) {
			s += " " + w.Error()
		}
	}
	var e syscall.Errno
	if errors.As(err, &e) {
		s += fmt.Sprintf(" (%d)", int(e))
	}
	return s
}

// number is what a program sees of an error.
func number(err error) string {
	var e syscall.Errno
	if errors.As(err, &e) {
		return fmt.Sprintf("error %d", int(e))
	}
	return fmt.Sprint(err)
}
