package simfs

import (
	"errors"
	"io/fs"
	"strconv"
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// opError is what every call fails with: the word that callers branch on and
// the number, as in package fsx.
type opError struct {
	op, name string
	kind     error // nil when there is no word
	cause    error // nil when the kernel was not asked
}

func (e *opError) Error() string {
	s := e.op + " " + strconv.Quote(e.name) + ": "
	switch {
	case e.kind == nil:
		return s + e.cause.Error()
	case e.cause == nil || e.cause.Error() == e.kind.Error():
		return s + e.kind.Error()
	}
	return s + e.kind.Error() + " (" + e.cause.Error() + ")"
}

func (e *opError) Unwrap() []error {
	switch {
	case e.kind == nil:
		return []error{e.cause}
	case e.cause == nil:
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

// word says which word a number stands for, whatever the call was.
func word(e errno) error {
	switch e {
	case syscall.ENOTDIR:
		return fsx.ErrNotDir
	case syscall.EISDIR:
		return fsx.ErrIsDir
	case syscall.ELOOP:
		return fsx.ErrIsLink
	case syscall.ENOTEMPTY:
		return fsx.ErrNotEmpty
	case syscall.ENOSPC, syscall.EDQUOT:
		return fsx.ErrNoSpace
	case syscall.EROFS:
		return fsx.ErrReadOnly
	case syscall.EXDEV:
		return fsx.ErrCrossDevice
	case syscall.EMFILE, syscall.ENFILE:
		return fsx.ErrTooMany
	case syscall.EBUSY, syscall.ETXTBSY, syscall.EAGAIN:
		return fsx.ErrBusy
	case syscall.ENXIO:
		return fsx.ErrNotRegular
	case syscall.EINVAL:
		return fs.ErrInvalid
	case syscall.ENOSYS, syscall.EOPNOTSUPP:
		return fsx.ErrUnsupported
	case syscall.ENOENT: // these three of its own accord on Unix only
		return fs.ErrNotExist
	case syscall.EEXIST:
		return fs.ErrExist
	case syscall.EACCES, syscall.EPERM:
		return fs.ErrPermission
	}
	return nil
}

// fail makes the error of a call; 0 is none.
func fail(op, name string, e errno) error {
	if e == 0 {
		return nil
	}
	return &opError{op, name, word(e), e}
}

// wrap is fail for what a test wants a call to fail with.
func wrap(op, name string, err error) error {
	switch err := err.(type) {
	case nil:
		return nil
	case errno:
		return fail(op, name, err)
	case *opError:
		return err
	default:
		return &opError{op, name, nil, err}
	}
}

var errBadName = errors.New("not a single name")

func checkName(op, name string) error {
	if tree.ValidName(name) {
		return nil
	}
	return &opError{op, name, fs.ErrInvalid, errBadName}
}
