package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/twosync/twosync/protocol"
)

// Local is a directory on this machine, with an agent process of its own.
type Local struct {
	Path    string   // absolute
	Command []string // runs the agent; nil is the running executable's own
}

func (l *Local) String() string { return localScheme + l.Path }
func (l *Local) Key() string    { return localScheme + l.Path }
func (l *Local) Root() string   { return l.Path }

// selfDigest is computed once: a running executable does not change.
var selfDigest = sync.OnceValues(protocol.SelfDigest)

// Dial starts the agent that is part of the host's executable.
func (l *Local) Dial(ctx context.Context, args []string) (*Pipe, error) {
	command := l.Command
	if command == nil {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find own executable: %w", err)
		}
		command = []string{exe, "agent"}
	}
	argv := append(append([]string{}, command...), "serve", "--root", l.Path)
	p, err := open(ctx, commandDeadline, append(argv, args...))
	if err != nil {
		return nil, l.explain(err)
	}
	if l.Command == nil {
		if err := checkSelf(p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (l *Local) explain(err error) error {
	var r *reply
	if !errors.As(err, &r) {
		return err
	}
	why := oneLine(r.text)
	if why == "" {
		why = r.err.Error()
	}
	return &Error{
		Msg:    "the agent for " + l.Path + " does not start: " + why,
		Remedy: "check that twosync was not moved or replaced since it was started",
		Err:    r,
	}
}

// checkSelf closes a pipe to an agent of another version: the file that this
// process was started from may hold a newer one by now.
func checkSelf(p *Pipe) error {
	self, err := selfDigest()
	if err == nil && p.Greeting.SHA256 != self {
		err = &Error{
			Msg:    "twosync was replaced by another version while it ran",
			Remedy: "stop it and start it again",
		}
	}
	if err != nil {
		_ = p.Close()
	}
	return err
}
