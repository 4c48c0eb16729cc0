package fsx

import (
	"errors"
	"io/fs"
	"strconv"

	"github.com/twosync/twosync/internal/tree"
)

// opError is what every operation fails with. It is both the word that callers
// branch on and the number that the kernel gave: errors.Is finds either.
type opError struct {
	op, name string
	kind     error // one of ours or of io/fs; nil when none fits
	cause    error // what the kernel said; nil when it was not asked
}

// Error quotes the name, which may hold anything but a slash: control
// characters of a hostile side must not reach a terminal by this way.
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
	if e.kind == nil {
		return []error{e.cause}
	}
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

// failAs makes the error of an operation with the word given.
func failAs(op, name string, kind, cause error) error {
	return &opError{op, name, kind, cause}
}

var errBadName = errors.New("not a single name")

// checkName is asked before every call: the kernel would walk a path with a
// slash, and follow links on its way.
func checkName(op, name string) error {
	if tree.ValidName(name) && portableName(name) {
		return nil
	}
	return &opError{op, name, fs.ErrInvalid, errBadName}
}
