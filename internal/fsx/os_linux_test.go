package fsx_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/twosync/twosync/internal/fsx"
	"golang.org/x/sys/unix"
)

// within fails the test when f hangs.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("hangs")
	}
}

// E5: nothing waits for what is no file.
func TestReadRefusesWhatIsNoFile(t *testing.T) {
	path := t.TempDir()
	d := openRoot(t, path)
	must(t, unix.Mkfifo(filepath.Join(path, "fifo"), 0o644))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(path, "socket")}))
	for _, name := range []string{"fifo", "socket"} {
		within(t, func() {
			_, err := d.Read(name)
			wantErr(t, "read "+name, err, fsx.ErrNotRegular)
			_, err = d.Update("s", name, 0o644)
			wantErr(t, "update "+name, err, fsx.ErrNotRegular)
			wantErr(t, "chmod "+name, d.Chmod("s", name, 0o777), fsx.ErrNotRegular)
		})
		if st, err := d.Stat(name); err != nil || st.Kind != fsx.Other {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
	}
	items, err := d.List()
	must(t, err)
	for _, it := range items {
		if it.Kind != fsx.Other {
			t.Errorf("%s is listed as %d", it.Name, it.Kind)
		}
	}
}

// What the kernel said stays there for those who need the number.
func TestErrnoIsReachable(t *testing.T) {
	d := openRoot(t, t.TempDir())
	must(t, d.Mkdir("s", "dir", 0o755))
	err := d.Unlink("s", "dir")
	if errno, ok := errors.AsType[unix.Errno](err); !ok || errno != unix.EISDIR {
		t.Errorf("%v holds %v", err, errno)
	}
	want := `unlink "dir": is a directory`
	if err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
	_, err = d.Stat("\x1b[2J")
	if want := `stat "\x1b[2J": no such file or directory`; err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
}

// mount gives a file system of the test's own, where it may.
func mount(t *testing.T, fstype, options string, flags uintptr) fsx.Dir {
	t.Helper()
	path := t.TempDir()
	if err := unix.Mount("none", path, fstype, flags, options); err != nil {
		t.Skipf("mount %s: %v", fstype, err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(path, unix.MNT_DETACH)) })
	return openRoot(t, path)
}

func TestNoSpace(t *testing.T) {
	d := mount(t, "tmpfs", "size=64k,nr_inodes=4", 0)
	f, err := d.Create("s", "big", 0o644)
	must(t, err)
	defer f.Close()
	n, err := f.Write(make([]byte, 1<<20))
	wantErr(t, "write", err, fsx.ErrNoSpace)
	if st, _ := f.Stat(); int64(n) != st.Size || n == 0 {
		t.Errorf("wrote %d, the file has %d", n, st.Size)
	}
	for i := range 4 {
		err = d.Mkdir("s", fmt.Sprint(i), 0o755)
	}
	wantErr(t, "mkdir without inodes", err, fsx.ErrNoSpace)
	if m := fsx.OS().Magic(d); m != "tmpfs" {
		t.Errorf("magic %q", m)
	}
	must(t, fsx.OS().SyncFS("s", d))
	if g := fsx.OS().Granularity(d); g < 4e6 || g > 1e7 {
		t.Errorf("granularity %d", g)
	}
}

func TestReadOnlyAndOtherDevice(t *testing.T) {
	rw := openRoot(t, t.TempDir())
	put(t, rw, "a", "A")
	ro := mount(t, "tmpfs", "size=64k", unix.MS_RDONLY)
	_, err := ro.Create("s", "x", 0o644)
	wantErr(t, "create", err, fsx.ErrReadOnly)
	wantErr(t, "mkdir", ro.Mkdir("s", "x", 0o755), fsx.ErrReadOnly)

	other := mount(t, "tmpfs", "size=64k", 0)
	put(t, other, "b", "B")
	for _, how := range []fsx.How{fsx.NoReplace, fsx.Replace} {
		wantErr(t, "rename", rw.Rename("s", "a", other, "c", how), fsx.ErrCrossDevice)
	}
	wantErr(t, "exchange", rw.Rename("s", "a", other, "b", fsx.Exchange), fsx.ErrCrossDevice)
	if a, b := get(t, rw, "a"), get(t, other, "b"); a != "A" || b != "B" {
		t.Errorf("a=%q b=%q", a, b)
	}
}

// I11r: a directory of a lower layer cannot be renamed: overlayfs says EXDEV.
func TestImageLayer(t *testing.T) {
	base := t.TempDir()
	for _, sub := range []string{"lower/dir", "upper", "work"} {
		must(t, os.MkdirAll(filepath.Join(base, sub), 0o755))
	}
	d := mount(t, "overlay", fmt.Sprintf("lowerdir=%s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", base), 0)
	put(t, d, "file", "F")
	wantErr(t, "rename", d.Rename("s", "dir", d, "moved", fsx.NoReplace), fsx.ErrCrossDevice)
	wantErr(t, "exchange", d.Rename("s", "file", d, "dir", fsx.Exchange), fsx.ErrCrossDevice)
	must(t, fsx.OS().SyncFS("s", d))
	if m := fsx.OS().Magic(d); m != "overlay" {
		t.Errorf("magic %q", m)
	}
}

// E13: EPERM of a file system that has exchange is a matter of rights, not of what
// the kernel can: an immutable file must not turn the safe way off.
func TestExchangeOfImmutable(t *testing.T) {
	path := t.TempDir()
	d := openRoot(t, path)
	put(t, d, "a", "A")
	put(t, d, "b", "B")
	if out, err := exec.Command("chattr", "+i", filepath.Join(path, "a")).CombinedOutput(); err != nil {
		t.Skipf("chattr: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", filepath.Join(path, "a")).Run() })
	err := d.Rename("s", "a", d, "b", fsx.Exchange)
	wantErr(t, "exchange", err, fs.ErrPermission)
	if errors.Is(err, fsx.ErrUnsupported) {
		t.Errorf("%v says that exchange is not supported", err)
	}
}

// H10: Docker's filter answers EPERM to calls that it does not know. In a child
// process, because a filter is for ever.
func TestRenameUnderFilter(t *testing.T) {
	if os.Getenv("FSX_TEST_FILTER") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRenameUnderFilter$", "-test.v")
		cmd.Env = append(os.Environ(), "FSX_TEST_FILTER=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	d := openRoot(t, t.TempDir())
	put(t, d, "a", "A")
	put(t, d, "b", "B")
	refuse(t, unix.SYS_RENAMEAT2)
	wantErr(t, "exchange", d.Rename("s", "a", d, "b", fsx.Exchange), fsx.ErrUnsupported)
	err := d.Rename("s", "a", d, "b", fsx.Exchange)
	if errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v says that it is a matter of rights", err)
	}
	wantErr(t, "noreplace over a file", d.Rename("s", "a", d, "b", fsx.NoReplace), fs.ErrExist)
	must(t, d.Rename("s", "a", d, "c", fsx.NoReplace))
	must(t, d.Rename("s", "c", d, "a", fsx.NoReplace))
	must(t, d.Mkdir("s", "d1", 0o755))
	must(t, d.Mkdir("s", "d2", 0o755))
	wantErr(t, "noreplace over a directory", d.Rename("s", "d1", d, "d2", fsx.NoReplace), fs.ErrExist)
	must(t, d.Rename("s", "d1", d, "d3", fsx.NoReplace))
	must(t, d.Rename("s", "a", d, "b", fsx.Replace))
	// Nor is it a matter of rights when there are no hard links either.
	refuse(t, unix.SYS_LINKAT)
	err = d.Rename("s", "b", d, "c", fsx.NoReplace)
	wantErr(t, "noreplace without links", err, fsx.ErrUnsupported)
	if errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v says that it is a matter of rights", err)
	}
	must(t, d.Rename("s", "d3", d, "d4", fsx.NoReplace))
}

// refuse installs a filter of four instructions on every thread.
func refuse(t *testing.T, call uint32) {
	t.Helper()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		t.Skipf("seccomp: %v", errno)
	}
}

// I4r: no more descriptors is an error that can be told from others.
func TestTooManyOpenFiles(t *testing.T) {
	d := openRoot(t, t.TempDir())
	put(t, d, "a", "A")
	var old unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	low := old
	low.Cur = uint64(d.Fd())
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	_, err := d.Read("a")
	_, firstErr := d.List() // needs no descriptor
	_, listErr := d.List()
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
	wantErr(t, "read", err, fsx.ErrTooMany)
	must(t, firstErr)
	wantErr(t, "list", listErr, fsx.ErrTooMany)
}

// H4: the lock belongs to its file and not to the directory that it was taken in.
func TestLockOutlivesItsDir(t *testing.T) {
	path := t.TempDir()
	d := openRoot(t, path)
	unlock, err := d.Lock("s", "lock")
	must(t, err)
	must(t, d.Close())
	again := openRoot(t, path)
	_, err = again.Lock("s", "lock")
	wantErr(t, "lock while held, its directory closed", err, fsx.ErrBusy)
	must(t, unlock())
}

// J13: an ext4 with small inodes has ext3's stamps of whole seconds, and ext4's
// number.
func TestCoarseStamps(t *testing.T) {
	base := t.TempDir()
	image, path := filepath.Join(base, "image"), filepath.Join(base, "mnt")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 8<<20))
	must(t, os.Mkdir(path, 0o755))
	if out, err := exec.Command("mkfs.ext4", "-q", "-I", "128", image).CombinedOutput(); err != nil {
		t.Skipf("mkfs: %v %s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop", image, path).CombinedOutput(); err != nil {
		t.Skipf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { must(t, unix.Unmount(path, unix.MNT_DETACH)) })
	if g := fsx.OS().Granularity(openRoot(t, path)); g < 1e9 {
		t.Errorf("granularity %d, want a second or more", g)
	}
}

func BenchmarkList(b *testing.B) {
	path := b.TempDir()
	for i := range 10000 {
		must(b, os.WriteFile(filepath.Join(path, fmt.Sprintf("some-name-%d.go", i)), nil, 0o600))
	}
	d := openRoot(b, path)
	b.ReportAllocs()
	for b.Loop() {
		if items, err := d.List(); err != nil || len(items) != 10000 {
			b.Fatal(len(items), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/entry")
}

func BenchmarkStat(b *testing.B) {
	d := openRoot(b, b.TempDir())
	put(b, d, "file.go", "x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Stat("file.go"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreateWriteClose(b *testing.B) {
	d := openRoot(b, b.TempDir())
	b.ReportAllocs()
	for b.Loop() {
		put(b, d, "file.go", "x")
		must(b, d.Unlink("s", "file.go"))
	}
}
