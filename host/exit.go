package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twosync/twosync/host/target"
	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/protocol"
)

// The exit codes.
const (
	exitFine        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitHalted      = 3   // to protect data; the remedy says how to go on
	exitOpen        = 4   // in sync but for conflicts or held paths
	exitInterrupted = 130 // by a signal, as shells say it for Ctrl-C
)

// An Error says in one line what is wrong and in another what to do about it.
type Error struct {
	Msg    string
	Remedy string
	Err    error // what it rests on; nil when Msg says it all
}

func (e *Error) Error() string { return e.Msg }

func (e *Error) Unwrap() error { return e.Err }

// UsageError is a command line that can't be meant.
type UsageError struct{ Msg, Remedy string }

func (e *UsageError) Error() string { return e.Msg }

// openError says that what could be synced was, but not all could.
type openError struct {
	conflicts, held int
	guarded         int   // of the held paths, those that wait to be accepted
	braked          int64 // files of the held paths that the container deleted
}

func (e *openError) Error() string {
	var parts []string
	if e.conflicts > 0 {
		parts = append(parts, plural(int64(e.conflicts), "conflict"))
	}
	if e.held > 0 {
		parts = append(parts, plural(int64(e.held), "path")+" held")
	}
	if e.braked > 0 {
		parts = append(parts, plural(e.braked, "file")+" that the container deleted")
	}
	return "not everything is in sync: " + strings.Join(parts, ", ")
}

func (e *openError) remedy() string {
	var parts []string
	if e.conflicts > 0 {
		parts = append(parts, "twosync conflicts shows what lost and decides; a conflict is over, too, when its path is saved again")
	}
	if e.braked > 0 {
		parts = append(parts, "twosync accept deletes here what the container deleted, twosync restore brings it back there")
	}
	if e.guarded > 0 {
		parts = append(parts, "twosync accept PATH lets what is guarded through, once you have looked at it")
	}
	if e.held > e.guarded && e.braked == 0 {
		parts = append(parts, "a held path crosses when its reason is gone")
	}
	return strings.Join(parts, "; ")
}

// errInterrupted ends a command that a signal asked to end.
var errInterrupted = errors.New("interrupted")

// interrupted returns err, or errInterrupted if ctx was ended by a signal, which
// is then the reason for whatever else went wrong.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// first returns err or, when there is none, what closing came to: after a
// failure that is only more of the same.
func first(err error, closing ...error) error {
	if err != nil {
		return err
	}
	return errors.Join(closing...)
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case is[*UsageError](err), is[*target.UsageError](err):
		return exitUsage
	case is[*run.HaltError](err):
		return exitHalted
	case is[*openError](err):
		return exitOpen
	}
	return exitFailed
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// remedy returns what the user can do about err, or "".
func remedy(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Remedy
	}
	if e, ok := errors.AsType[*UsageError](err); ok {
		return e.Remedy
	}
	if e, ok := errors.AsType[*target.UsageError](err); ok {
		return e.Remedy
	}
	if e, ok := errors.AsType[*target.Error](err); ok {
		return e.Remedy
	}
	if e, ok := errors.AsType[*run.HaltError](err); ok {
		return e.Remedy
	}
	if e, ok := errors.AsType[*disk.RootError](err); ok {
		return e.Remedy
	}
	if e, ok := errors.AsType[*openError](err); ok {
		return e.remedy()
	}
	switch {
	case errors.Is(err, protocol.ErrViolation):
		return "if the source of twosync has changed since it was built, build it again; otherwise the agent is not ours, or this is a bug"
	case errors.Is(err, protocol.ErrTooLarge):
		return "leave something out with --ignore or --keep, or begin with a part of the directory"
	case errors.Is(err, fsx.ErrNoSpace): // in a root it is a reason to hold a path, and ends nothing
		return "make room where twosync writes down what was agreed, in $XDG_STATE_HOME (else ~/.local/state), and start again: nothing is lost"
	}
	return ""
}

// printError prints err and its remedy. That a signal ended us is no news to
// whoever sent it.
func printError(w io.Writer, err error) {
	if errors.Is(err, errInterrupted) {
		return
	}
	fmt.Fprintln(w, "twosync: "+block(err.Error()))
	if r := remedy(err); r != "" {
		fmt.Fprintln(w, indent+block(r))
	}
}

// indent puts a remedy below its message.
const indent = "         "

// block makes text of any origin safe to print, further lines below the first.
func block(s string) string {
	return strings.ReplaceAll(protocol.Printable(strings.TrimSpace(s)), "\n", "\n"+indent)
}

// line makes text of any origin safe to print as part of one line.
func line(s string) string {
	return oneLine.Replace(protocol.Printable(s))
}

var oneLine = strings.NewReplacer("\n", `\n`, "\t", `\t`)
