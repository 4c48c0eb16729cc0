package watch

import (
	"errors"
	"time"
)

// Source delivers the events of one directory tree. [Open] returns the best one
// for the machine. Its methods may be called from several goroutines.
type Source interface {
	// Add watches one directory; fd is an open descriptor of it, so that no path
	// has to be resolved. It may be called again for the same directory.
	// Errors: ErrLimit, ErrStale, ErrClosed, or what the kernel said.
	Add(dir string, fd int) error
	// Plant is Add for a directory that is about to be renamed to dir from outside of
	// the tree, with everything below it added already or after it. Nothing that
	// happens inside is missed then. If the rename fails, Remove takes it back.
	Plant(dir string, fd int) error
	// Remove forgets dir and everything below it.
	Remove(dir string)
	// Wait returns the events that have come, in order. It waits for the first one
	// until the timeout; a negative timeout waits for ever, and 0 only takes what
	// is there. No event and no error means that the time is over.
	// After Close it fails with ErrClosed. One goroutine waits at a time; Wait(0)
	// may be called beside it, and each event goes to one of the two.
	Wait(timeout time.Duration) ([]Event, error)
	// Wake makes the Wait that is under way, or the next one, return early.
	Wake()
	// Close ends the watch, unblocks Wait, and returns when no call is inside.
	Close() error
	// Recursive says that one watch covers the whole tree: Add does nothing.
	Recursive() bool
	// Precise says that closed writes are told from writes, and that Wait(0)
	// returns every event of a change that was finished before the call.
	Precise() bool
	// Count is the number of watches, for people who run into a limit.
	Count() int
	// Mode names the kind of source for `status`: inotify, fsevents, windows, poll.
	Mode() string
}

var (
	// ErrClosed is returned by calls on a source that was closed.
	ErrClosed = errors.New("watch is closed")
	// ErrStale is returned by Add when the parent of the directory is not known
	// under that path (any more). The answer is to look at the parent again.
	ErrStale = errors.New("directory is no longer where it was")
	// ErrLimit is what every *LimitError is.
	ErrLimit = errors.New("watch limit reached")
)

// LimitError says that the machine allows no more watches.
type LimitError struct {
	Reason string // what ran out
	Remedy string // what the user can do about it
	Err    error  // what the kernel said
}

func (e *LimitError) Error() string { return e.Reason + ": " + e.Err.Error() }

func (e *LimitError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrLimit) true.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }
