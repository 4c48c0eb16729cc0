package fsx

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// osFS has no exchange, no modes and no owners on Windows. A reparse point of any
// sort is refused as a link.
type osFS struct{}

// dir is a Dir. Windows has no calls on a name below a handle that are
// documented, so it goes by path. The handle does not share the right to
// delete: while it is open nobody can rename or remove the directory, or one
// above it, and the path stays what it was when the handle was looked at.
type dir struct {
	path string // of the form \\?\, where a name is taken as it is, and of any length
	f    *os.File
}

// The rights that others keep: to a directory that is held, and to a file.
const (
	sharePinned = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE
	shareAll    = sharePinned | windows.FILE_SHARE_DELETE
)

// What opens the thing itself, and not what a link leads to.
const itself = windows.FILE_FLAG_OPEN_REPARSE_POINT | windows.FILE_FLAG_BACKUP_SEMANTICS

func createFile(path string, access, share, disposition, flags uint32) (*os.File, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(p, access, share, nil, disposition, flags, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), path), nil
}

func (osFS) OpenRoot(path string) (Dir, error) {
	if !filepath.IsAbs(path) {
		return nil, failAs("open", path, fs.ErrInvalid, nil)
	}
	f, err := createFile(path, windows.FILE_READ_ATTRIBUTES, shareAll,
		windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS)
	if err != nil {
		return nil, fail("open", path, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written to it
	final, err := finalPath(f)
	if err != nil {
		return nil, fail("open", path, err)
	}
	return openPinned(final, path)
}

// finalPath is where the links on the way to f led.
func finalPath(f *os.File) (string, error) {
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(windows.Handle(f.Fd()), &buf[0], uint32(len(buf)), 0)
	if err == nil && int(n) > len(buf) {
		err = windows.ERROR_FILENAME_EXCED_RANGE
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(windows.UTF16ToString(buf[:n]), `\`), nil
}

// openPinned opens a directory and looks at what it got.
func openPinned(path, name string) (Dir, error) {
	full := path
	if strings.HasSuffix(path, ":") { // a drive; without the slash it is a device
		full += `\`
	}
	f, err := createFile(full, windows.FILE_LIST_DIRECTORY|windows.FILE_READ_ATTRIBUTES,
		sharePinned, windows.OPEN_EXISTING, itself)
	if err != nil {
		return nil, fail("open", name, err)
	}
	st, err := statFile(f)
	switch {
	case err == nil && st.Kind == Directory:
		return &dir{path, f}, nil
	case err == nil && st.Kind == Regular:
		err = failAs("open", name, ErrNotDir, nil)
	case err == nil:
		err = failAs("open", name, ErrIsLink, nil)
	}
	_ = f.Close() // nothing was written to it
	return nil, err
}

// at gives the path of name below d.
func (d *dir) at(op, name string) (string, error) {
	if err := checkName(op, name); err != nil {
		return "", err
	}
	if d.closed() {
		return "", failAs(op, name, fs.ErrClosed, nil)
	}
	return d.path + `\` + name, nil
}

func (d *dir) closed() bool {
	c, err := d.f.SyscallConn()
	return err != nil || c.Control(func(uintptr) {}) != nil
}

func (d *dir) Open(name string) (Dir, error) {
	path, err := d.at("open", name)
	if err != nil {
		return nil, err
	}
	return openPinned(path, name)
}

func (d *dir) List() ([]Item, error) {
	if d.closed() {
		return nil, failAs("list", "", fs.ErrClosed, nil)
	}
	f, err := os.Open(d.path + `\`)
	if err != nil {
		return nil, fail("list", "", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written to it
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, fail("list", "", err)
	}
	items := make([]Item, len(entries))
	for i, e := range entries {
		items[i] = Item{e.Name(), kindOf(e.Type())}
	}
	return items, nil
}

func kindOf(mode fs.FileMode) Kind {
	switch mode.Type() {
	case 0:
		return Regular
	case fs.ModeSymlink:
		return Symlink
	case fs.ModeDir:
		return Directory
	}
	return Other
}

func (d *dir) Stat(name string) (Stat, error) {
	path, err := d.at("stat", name)
	if err != nil {
		return Stat{}, err
	}
	f, err := createFile(path, windows.FILE_READ_ATTRIBUTES, shareAll, windows.OPEN_EXISTING, itself)
	if err != nil {
		return Stat{}, fail("stat", name, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written to it
	return statFile(f)
}

func (d *dir) Self() (Stat, error) { return statFile(d.f) }

func (d *dir) Read(name string) (File, error) {
	return d.openFile("open", name, windows.GENERIC_READ, windows.OPEN_EXISTING)
}

func (d *dir) Readlink(name string) (string, error) {
	path, err := d.at("readlink", name)
	if err != nil {
		return "", err
	}
	if st, err := d.Stat(name); err != nil {
		return "", err
	} else if st.Kind != Symlink {
		return "", failAs("readlink", name, fs.ErrInvalid, nil)
	}
	target, err := os.Readlink(path)
	return filepath.ToSlash(target), fail("readlink", name, err)
}

func (d *dir) Fd() int { return -1 }

func (d *dir) Close() error { return closeFile(d.f) }

func (d *dir) Rename(_ Site, name string, to Dir, toName string, how How) error {
	t, ok := to.(*dir)
	if !ok {
		panic(fmt.Sprintf("fsx: internal error: rename into a %T", to))
	}
	from, err := d.at("rename", name)
	if err != nil {
		return err
	}
	into, err := t.at("rename", toName)
	if err != nil {
		return err
	}
	flags := uint32(0)
	switch how {
	case Exchange:
		return failAs("rename", name, ErrUnsupported, nil)
	case Replace:
		flags = windows.MOVEFILE_REPLACE_EXISTING
	}
	return fail("rename", name, move(from, into, flags))
}

func move(from, into string, flags uint32) error {
	f, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	t, err := windows.UTF16PtrFromString(into)
	if err != nil {
		return err
	}
	return windows.MoveFileEx(f, t, flags)
}

func (osFS) SyncFS(Site, Dir) error { return failAs("syncfs", "", ErrUnsupported, nil) }

func (osFS) Magic(on Dir) string {
	var name [windows.MAX_PATH + 1]uint16
	err := control(on.(*dir).f, func(h windows.Handle) error {
		return windows.GetVolumeInformationByHandle(h, nil, 0, nil, nil, nil, &name[0], uint32(len(name)))
	})
	if err != nil {
		return "unknown"
	}
	return strings.ToLower(windows.UTF16ToString(name[:]))
}

// Granularity: NTFS counts in 100 ns, but the clock that stamps may tick at
// 64 Hz.
func (osFS) Granularity(on Dir) int64 {
	switch (osFS{}).Magic(on) {
	case "ntfs", "refs":
		return int64(16 * time.Millisecond)
	}
	return int64(2 * time.Second) // FAT's step, and what others are not known to beat
}
