//go:build linux || darwin

package fsx

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// kinds says which word a number stands for, whatever the operation was. What
// is not here is either known to io/fs (ENOENT, EEXIST, EACCES, EPERM) or has
// no word.
var kinds = map[unix.Errno]error{
	unix.ENOTDIR:   ErrNotDir,
	unix.EISDIR:    ErrIsDir,
	unix.ELOOP:     ErrIsLink, // from O_NOFOLLOW; a single name gives it for nothing else
	unix.ENOTEMPTY: ErrNotEmpty,
	unix.ENOSPC:    ErrNoSpace,
	unix.EDQUOT:    ErrNoSpace,
	unix.EROFS:     ErrReadOnly,
	unix.EXDEV:     ErrCrossDevice,
	unix.EMFILE:    ErrTooMany,
	unix.ENFILE:    ErrTooMany,
	unix.EBUSY:     ErrBusy,
	unix.ETXTBSY:   ErrBusy,
	unix.EAGAIN:    ErrBusy,       // a lock or a lease that somebody else has
	unix.ENXIO:     ErrNotRegular, // opening a socket
	unix.EINVAL:    fs.ErrInvalid,
}

// fail makes the error of an operation; nil stays nil.
func fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var kind error
	if errno, ok := err.(unix.Errno); ok {
		kind = kinds[errno]
		if errno.Is(errors.ErrUnsupported) { // three numbers, of which two may be one
			kind = ErrUnsupported
		}
	}
	return &opError{op, name, kind, err}
}

// retry calls f until no signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// retryFD is retry for what opens something.
func retryFD(f func() (int, error)) (int, error) {
	for {
		if fd, err := f(); err != unix.EINTR {
			return fd, err
		}
	}
}
