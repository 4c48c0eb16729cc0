package disk

import (
	"errors"
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
)

// RootError is a root that can't be synced, and what to do about it.
type RootError = replica.RootError

// explain puts an error of the file system into words, with what helps.
func explain(err error) (reason, remedy string) {
	switch {
	case errors.Is(err, fsx.ErrNoSpace):
		return "no space left on the disk", "make room; it is tried again"
	case errors.Is(err, fsx.ErrReadOnly):
		return "the file system is read-only", "mount it for writing"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied", "give the user that twosync runs as there the right to write to its directory"
	case errors.Is(err, fsx.ErrBusy):
		return "it is a mount point", "it can't be replaced; unmount it or ignore it"
	case errors.Is(err, fsx.ErrTooMany):
		return "too many open files", "raise the limit on open files (ulimit -n)"
	}
	return err.Error(), ""
}

func rootError(msg, remedy string) error { return &RootError{Msg: msg, Remedy: remedy} }
