package protocol

import (
	"errors"
	"fmt"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrDisconnected is wrapped by every error that says that the wire, or
	// the program at its other end, is gone. Dialling again may help.
	ErrDisconnected = errors.New("disconnected")

	// ErrViolation is wrapped when the other side sent what it must not. The
	// session is over, and dialling again won't make it better.
	ErrViolation = errors.New("protocol violation")

	// ErrTooLarge is wrapped when something cannot be sent because no message
	// is that large. The session is over: what was to be sent would be missed.
	ErrTooLarge = errors.New("too large for a message")

	// ErrClosed is what methods return after Close.
	ErrClosed = errors.New("session is closed")
)

// DisconnectError is an ErrDisconnected with the reason, which may be text of
// the other side: neutralise it before it is printed.
type DisconnectError struct {
	Reason string
	Err    error // nil when there is nothing below
}

func (e *DisconnectError) Error() string {
	if e.Err == nil {
		return "disconnected: " + e.Reason
	}
	return "disconnected: " + e.Reason + ": " + e.Err.Error()
}

// Is makes every DisconnectError an ErrDisconnected.
func (e *DisconnectError) Is(target error) bool { return target == ErrDisconnected }

func (e *DisconnectError) Unwrap() error { return e.Err }

// RefusedError is the other side's answer to a command that it could not
// carry out. Text and Remedy are its own: neutralise them before they are
// printed.
type RefusedError struct{ Text, Remedy string }

func (e *RefusedError) Error() string { return e.Text }

func violation(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrViolation, fmt.Sprintf(format, args...))
}
