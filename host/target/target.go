package target

import (
	"context"
	"time"
)

const (
	// commandDeadline bounds each command that is given to an engine, and the
	// time until an agent greets. Usual is 0.1 s; a laptop that wakes up may
	// need ten.
	commandDeadline = 30 * time.Second

	// copyDeadline bounds the copying of an agent, 4 MB, over a slow line.
	copyDeadline = 2 * time.Minute

	// closeGrace is what a process gets between the end of its input and being
	// killed. An agent needs it to finish the change that it is applying.
	closeGrace = 2 * time.Second
)

// A Target is a directory that an agent can be started for. It is used by one
// goroutine at a time.
type Target interface {
	// String is the target as the user would type it.
	String() string
	// Key names the target in the state folder: the same for every way to
	// write it, and another for another engine.
	Key() string
	// Root is the directory, in the words of its side.
	Root() string
	// Dial starts an agent for Root, with args added to its arguments, and
	// returns when it has greeted; from then on ctx has no effect on it. Its
	// errors are *Error, or ctx's.
	Dial(ctx context.Context, args []string) (*Pipe, error)
}

// An Error says in one line what is wrong and in another what to do about it.
type Error struct {
	Msg       string
	Remedy    string
	Temporary bool  // waiting may help: a session that was connected dials again
	Err       error // what it rests on, with the whole text of what was answered

	cause cause
}

func (e *Error) Error() string { return e.Msg }

func (e *Error) Unwrap() error { return e.Err }

// A UsageError says that a text is no target.
type UsageError struct {
	Msg    string
	Remedy string // lists the forms
}

func (e *UsageError) Error() string { return e.Msg }
