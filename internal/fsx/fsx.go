// Package fsx is the one way to the file system: directories held open, single
// names below them, and a site id on everything that changes something.
//
// Its promise: an operation on a Dir touches that directory and nothing else.
// A name is one component; a link is never followed, as a leaf or as a parent;
// a path is walked by opening it component by component. It refuses names with
// a slash, whatever their origin.
//
// # Why
//
// A path that is resolved twice can be two files; a held directory cannot. The
// site ids number the steps of everything twosync does to a disk, so that a
// simulator, or a test, can fail or stop at each of them. The interface is
// small because a simulator has to implement it whole.
package fsx

import (
	"errors"
	"io"
	"io/fs"
)

// Site names the place in twosync from which something is changed, such as
// "apply.exchange". Each mutating call in the code has its own.
type Site string

// Kind is what a directory entry is.
type Kind uint8

// The kinds of a directory entry.
const (
	Regular Kind = 1 + iota
	Symlink
	Directory
	Other // socket, device, FIFO, whiteout
)

// Stat is what is known of an inode without reading it.
type Stat struct {
	Kind         Kind
	Mode         fs.FileMode // permission bits only
	Size         int64
	Mtime, Ctime int64 // nanoseconds since 1970
	Dev, Ino     uint64
	Nlink        uint64
	UID, GID     uint32
	Mount        bool // Self only: the directory is the root of a mount
}

// Same says whether two stats are of one inode that nobody wrote to, renamed
// or linked in between: everything, the ctime included, is equal.
func (s Stat) Same(o Stat) bool { return s.SameBytes(o) && s.Ctime == o.Ctime }

// SameBytes is Same without the ctime, which a rename changes.
func (s Stat) SameBytes(o Stat) bool {
	return s.Kind == o.Kind && s.Dev == o.Dev && s.Ino == o.Ino &&
		s.Size == o.Size && s.Mtime == o.Mtime && s.Mode&0o111 == o.Mode&0o111
}

// Item is one name of a listing.
type Item struct {
	Name string
	Kind Kind // 0 when it can't be told: whoever may list a directory may not look at what is in it
}

// How says what a rename does with a target that exists.
type How uint8

// The ways to rename.
const (
	// NoReplace fails with fs.ErrExist. The name that is moved must be one that
	// only we use: where the system has no such call it is done in two steps,
	// and what somebody else put under that name in between would be lost.
	NoReplace How = iota
	Exchange      // swap the two; fail with fs.ErrNotExist when one is missing
	Replace       // drop the target: for our own files only, never for a user's
)

// Errors that callers tell apart with errors.Is, besides those of io/fs
// (ErrNotExist, ErrExist, ErrPermission, ErrInvalid).
var (
	ErrNotDir      = errors.New("not a directory")
	ErrIsLink      = errors.New("is a symbolic link")
	ErrNotEmpty    = errors.New("directory not empty")
	ErrNoSpace     = errors.New("no space left on device")
	ErrReadOnly    = errors.New("read-only file system")
	ErrCrossDevice = errors.New("on another device or image layer")
	ErrUnsupported = errors.New("not supported by this file system")
	ErrTooMany     = errors.New("too many open files")
	ErrBusy        = errors.New("device or resource busy")
	ErrIsDir       = errors.New("is a directory")
	ErrNotRegular  = errors.New("not a regular file")
)

// FS gives out the directories at which everything begins.
type FS interface {
	// OpenRoot opens an absolute path, links in it resolved: the one place
	// where they are. Callers pass what the user named, once.
	OpenRoot(path string) (Dir, error)
	// SyncFS makes everything on d's file system durable; ErrUnsupported where
	// there is no such call.
	SyncFS(site Site, d Dir) error
	// Granularity returns the step of the clock that stamps files below d, in
	// nanoseconds.
	Granularity(d Dir) int64
	// Magic names d's file system: "ext4", "overlay", "fuse", "tmpfs", …
	Magic(d Dir) string
}

// Dir is a directory held open. Methods may be called at the same time.
type Dir interface {
	Open(name string) (Dir, error) // never through a link
	// List returns every name but "." and "..", or an error and nothing. It
	// shows the directory as it was at a moment after it was opened.
	List() ([]Item, error)
	Stat(name string) (Stat, error)
	Self() (Stat, error)
	Read(name string) (File, error) // never blocks on a FIFO; only regular files
	Readlink(name string) (string, error)
	Fd() int // for a watch; -1 where there is none
	Close() error

	Create(site Site, name string, perm fs.FileMode) (File, error) // must be new
	Update(site Site, name string, perm fs.FileMode) (File, error) // made when missing, not truncated; our own files only
	Mkdir(site Site, name string, perm fs.FileMode) error
	Symlink(site Site, target, name string) error
	Rename(site Site, name string, to Dir, toName string, how How) error
	Unlink(site Site, name string) error
	Rmdir(site Site, name string) error
	Chmod(site Site, name string, perm fs.FileMode) error         // regular files and directories
	Chown(site Site, name string, uid, gid uint32) error          // the highest number leaves an ID as it is
	Sync(site Site) error                                         // makes the names durable
	Lock(site Site, name string) (unlock func() error, err error) // takes an exclusive lock on a file it makes; ErrBusy when somebody has it
}

// File is an open regular file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	Stat() (Stat, error)
	Seek(offset int64, whence int) (int64, error)
	Truncate(site Site, size int64) error
	Chmod(site Site, perm fs.FileMode) error
	Chown(site Site, uid, gid uint32) error
	Sync(site Site) error // the content and what is needed to read it
}
