package fsx

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// file is a File: package os as it is, with our errors.
type file struct{ f *os.File }

func (f *file) Read(p []byte) (int, error) {
	n, err := f.f.Read(p)
	return n, fail("read", "", err)
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	return n, fail("read", "", err)
}

func (f *file) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	return n, fail("write", "", err)
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	pos, err := f.f.Seek(offset, whence)
	return pos, fail("seek", "", err)
}

func (f *file) Stat() (Stat, error) { return statFile(f.f) }

func (f *file) Truncate(_ Site, size int64) error { return fail("truncate", "", f.f.Truncate(size)) }

func (f *file) Chmod(Site, fs.FileMode) error { return failAs("chmod", "", ErrUnsupported, nil) }

func (f *file) Chown(Site, uint32, uint32) error { return failAs("chown", "", ErrUnsupported, nil) }

func (f *file) Sync(Site) error {
	err := f.f.Sync()
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		err = f.flush()
	}
	return fail("sync", "", err)
}

// flush is Sync for a handle that may only read, which FlushFileBuffers refuses. One
// that is read-only on disk stays refused.
func (f *file) flush() error {
	was, err := statFile(f.f)
	if err != nil {
		return err
	}
	again, err := createFile(f.f.Name(), windows.GENERIC_WRITE, shareAll, windows.OPEN_EXISTING, itself)
	if err != nil {
		return err
	}
	defer again.Close()
	now, err := statFile(again)
	if err != nil {
		return err
	}
	if now.Dev != was.Dev || now.Ino != was.Ino {
		return fs.ErrNotExist // it has another name by now
	}
	return again.Sync()
}

func (f *file) Close() error { return closeFile(f.f) }

// closeFile may be called again.
func closeFile(f *os.File) error {
	if err := f.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fail("close", "", err)
	}
	return nil
}

// control runs a call on the handle, which Close waits for.
func control(f *os.File, call func(h windows.Handle) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	if err := c.Control(func(fd uintptr) { callErr = call(windows.Handle(fd)) }); err != nil {
		return err
	}
	return callErr
}

// basicInfo is FILE_BASIC_INFO; the times count 100 ns since 1601.
type basicInfo struct {
	created, accessed, written, changed int64
	attributes, _                       uint32
}

// tagInfo is FILE_ATTRIBUTE_TAG_INFO.
type tagInfo struct{ attributes, tag uint32 }

func statFile(f *os.File) (Stat, error) {
	var id windows.ByHandleFileInformation
	var basic basicInfo
	var tag tagInfo
	err := control(f, func(h windows.Handle) error {
		if err := windows.GetFileInformationByHandle(h, &id); err != nil {
			return err
		}
		err := windows.GetFileInformationByHandleEx(h, windows.FileBasicInfo,
			(*byte)(unsafe.Pointer(&basic)), uint32(unsafe.Sizeof(basic)))
		if err != nil || id.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT == 0 {
			return err
		}
		return windows.GetFileInformationByHandleEx(h, windows.FileAttributeTagInfo,
			(*byte)(unsafe.Pointer(&tag)), uint32(unsafe.Sizeof(tag)))
	})
	if err != nil {
		return Stat{}, fail("stat", "", err)
	}
	return statOf(&id, &basic, &tag), nil
}

func statOf(id *windows.ByHandleFileInformation, basic *basicInfo, tag *tagInfo) Stat {
	st := Stat{
		Kind: Regular, Mode: 0o644,
		Size:  int64(id.FileSizeHigh)<<32 | int64(id.FileSizeLow),
		Mtime: unixNano(basic.written), Ctime: unixNano(basic.changed),
		Dev: uint64(id.VolumeSerialNumber), Ino: uint64(id.FileIndexHigh)<<32 | uint64(id.FileIndexLow),
		Nlink: uint64(id.NumberOfLinks),
	}
	switch {
	case tag.tag == windows.IO_REPARSE_TAG_SYMLINK:
		st.Kind = Symlink
	case id.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0:
		st.Kind = Other
	case id.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0:
		st.Kind, st.Mode = Directory, 0o755
	}
	return st
}

// unixNano turns a count of 100 ns since 1601 into nanoseconds since 1970.
func unixNano(t int64) int64 {
	const epoch = 11644473600 * 1e7
	return (t - epoch) * 100
}

var kinds = map[windows.Errno]error{
	windows.ERROR_DIRECTORY:            ErrNotDir,
	windows.ERROR_DIR_NOT_EMPTY:        ErrNotEmpty,
	windows.ERROR_DISK_FULL:            ErrNoSpace,
	windows.ERROR_HANDLE_DISK_FULL:     ErrNoSpace,
	windows.ERROR_WRITE_PROTECT:        ErrReadOnly,
	windows.ERROR_NOT_SAME_DEVICE:      ErrCrossDevice,
	windows.ERROR_NOT_SUPPORTED:        ErrUnsupported,
	windows.ERROR_INVALID_FUNCTION:     ErrUnsupported,
	windows.ERROR_TOO_MANY_OPEN_FILES:  ErrTooMany,
	windows.ERROR_SHARING_VIOLATION:    ErrBusy,
	windows.ERROR_LOCK_VIOLATION:       ErrBusy,
	windows.ERROR_INVALID_NAME:         fs.ErrInvalid,
	windows.ERROR_PRIVILEGE_NOT_HELD:   fs.ErrPermission, // to make a link
	windows.ERROR_CANT_ACCESS_FILE:     ErrNotRegular,
	windows.ERROR_NOT_A_REPARSE_POINT:  fs.ErrInvalid,
	windows.ERROR_FILENAME_EXCED_RANGE: fs.ErrInvalid,
}

// fail makes the error of an operation; nil and io.EOF stay what they are.
func fail(op, name string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if errors.Is(err, fs.ErrClosed) {
		return failAs(op, name, fs.ErrClosed, nil)
	}
	errno, ok := errors.AsType[windows.Errno](err)
	if !ok {
		return failAs(op, name, nil, err)
	}
	return failAs(op, name, kinds[errno], errno)
}

// portableName refuses what Windows takes for something else: another folder,
// a drive, a stream of a file, a device, a name without its last dots.
func portableName(name string) bool {
	return !strings.ContainsAny(name, `\:*?"<>|`) && filepath.IsLocal(name) &&
		!strings.HasSuffix(name, ".") && !strings.HasSuffix(name, " ")
}
