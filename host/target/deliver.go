package target

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/twosync/twosync/host/agents"
	"github.com/twosync/twosync/protocol"
)

// deliverScript takes the agent in through a shell. An agent that is in the image
// does the same where there is none (package agent, deliver.go).
//
//go:embed deliver.sh
var deliverScript string

// script is what a shell is given: without comments, since it is part of a URL.
var script = sync.OnceValue(func() string {
	var b strings.Builder
	for line := range strings.Lines(deliverScript) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
})

// A delivery is one conversation with what finds the agent in a container, takes
// it in if it is not there, and becomes it:
//
//	it says                           we say
//	twosync-here MACHINE:             SHORT:SHA256:SIZE
//	twosync-need OLD:PLACE            SIZE bytes
//	the agent's greeting
//
// MACHINE is what uname calls it, or empty. OLD is the path of an agent of
// another version that it found, or "-". In place of the second line and what
// follows it can say why not:
//
//	twosync-there PLACE:              it is there, to be started (agents say it)
//	twosync-nowhere OLD:              nothing can be written
//	twosync-lacks OLD:PROGRAM         a program that would be needed
//	twosync-bad PLACE:WHY             what was written there does not run
type delivery struct {
	agent func(machine string) (agents.Agent, error)
	need  func(old, place string) // it is about to be sent

	sent agents.Agent
}

// A deliveryError says why an agent was not taken in, in the words above.
type deliveryError struct {
	machine    string
	what       string // there, nowhere, lacks or bad
	old, place string
	why        string
}

func (e *deliveryError) Error() string {
	return "deliver agent: " + e.what + " " + e.place + " " + e.why
}

// run has the conversation through a command, and returns when the agent has
// greeted. Its errors are ctx's, a *reply, a *deliveryError, or agent's.
func (d *delivery) run(ctx context.Context, argv []string) (*Pipe, error) {
	p, err := start(argv, nil)
	if err != nil {
		return nil, &reply{status: -1, err: err}
	}
	ended, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ended, p.Kill)
	late := time.AfterFunc(commandDeadline, func() { cancel(errLate) })
	defer late.Stop()
	err = d.talk(p, late)
	if !stop() {
		err = &reply{-1, protocol.Printable(p.Stderr()), context.Cause(ended)} // p was killed, whatever was read
	}
	if err == nil {
		return p, nil
	}
	_ = p.Close()
	var not *protocol.NotGreetedError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &not):
		return nil, &reply{p.Status(), answer(err, p.Stderr()), err}
	}
	return nil, err
}

func (d *delivery) talk(p *Pipe, late *time.Timer) error {
	if machine, ok := said(p.in, "here"); ok {
		machine = strings.TrimSuffix(machine, ":")
		var err error
		if d.sent, err = d.agent(machine); err != nil {
			return err
		}
		content, err := os.ReadFile(d.sent.Path)
		if err != nil {
			return fmt.Errorf("read agent: %w", err)
		}
		// What cannot be written is answered, or its end is.
		_, _ = fmt.Fprintf(p, "%.6x:%x:%d\n", d.sent.SHA256, d.sent.SHA256, len(content))
		if err := d.hand(p, machine, content, late); err != nil {
			return err
		}
	}
	var err error
	p.Greeting, err = protocol.ReadGreeting(p.in)
	return err
}

// hand sends the agent if it is asked for.
func (d *delivery) hand(p *Pipe, machine string, content []byte, late *time.Timer) error {
	if rest, ok := said(p.in, "need"); ok {
		old, place, _ := strings.Cut(rest, ":")
		d.need(old, place)
		late.Reset(copyDeadline)
		_, _ = io.Copy(p, bytes.NewReader(content))
	}
	for _, what := range []string{"there", "nowhere", "lacks", "bad"} {
		rest, ok := said(p.in, what)
		if !ok {
			continue
		}
		first, second, _ := strings.Cut(rest, ":")
		if what == "bad" || what == "there" {
			return &deliveryError{machine: machine, what: what, old: "-", place: first, why: second}
		}
		return &deliveryError{machine: machine, what: what, old: first, why: second}
	}
	return nil
}

// maxSaid bounds a line of the conversation.
const maxSaid = 4 << 10

// said takes the next line if it is of the conversation and says what; any other
// stays to be read.
func said(r *bufio.Reader, what string) (rest string, ok bool) {
	prefix := "twosync-" + what + " "
	for n := 1; n <= maxSaid; n++ {
		b, err := r.Peek(n)
		if err != nil || n <= len(prefix) && b[n-1] != prefix[n-1] {
			return "", false
		}
		if b[n-1] == '\n' {
			_, _ = r.Discard(n)
			return protocol.Printable(strings.TrimRight(string(b[len(prefix):n-1]), "\r")), true
		}
	}
	return "", false
}
