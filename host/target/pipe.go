package target

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/twosync/twosync/protocol"
)

const (
	// stderrKept bounds what is remembered of what an agent prints as errors: a
	// panic with all its goroutines fits.
	stderrKept = 64 << 10

	// readBuffer saves reads where many small messages arrive at once.
	readBuffer = 64 << 10

	// waitDelay bounds the wait for somebody who inherited a command's output
	// and outlives it, such as the child of a wrapper script.
	waitDelay = time.Second
)

// errLate is the cause when a command missed its deadline.
var errLate = errors.New("no answer in time")

// A Pipe is the standard input and output of an agent that has greeted. Reading
// and writing may be done at the same time, by one goroutine each; Close at any
// time by any.
//
// Read ends with io.EOF when the agent is gone, for whatever reason.
type Pipe struct {
	Greeting protocol.Greeting

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *os.File
	in     *bufio.Reader // reads stdout
	stderr tail
	ending func()            // ends what goes with the connection; may be nil
	noise  func(string) bool // says which lines of stderr are not the agent's; may be nil
	close  sync.Once
}

func (p *Pipe) Read(b []byte) (int, error) { return p.in.Read(b) }

func (p *Pipe) Write(b []byte) (int, error) { return p.stdin.Write(b) }

// Close ends the agent's input, waits for it to end, and kills it if it has not
// after two seconds. A Read goes on until then, so that the agent's last words
// can be read. Closing again does nothing.
func (p *Pipe) Close() error {
	p.close.Do(func() {
		if p.ending != nil {
			p.ending()
		}
		// Errors say no more than that the process was faster, or how it ended.
		_ = p.stdin.Close()
		kill := time.AfterFunc(closeGrace, func() { _ = p.cmd.Process.Kill() })
		_ = p.cmd.Wait()
		kill.Stop()
		_ = p.stdout.Close()
	})
	return nil
}

// Stderr returns the end of what the agent printed to its standard error, safe
// to print. It is complete after Close.
func (p *Pipe) Stderr() string {
	text := p.stderr.String()
	if p.noise != nil {
		var kept strings.Builder
		for line := range strings.Lines(text) {
			if !p.noise(line) {
				kept.WriteString(line)
			}
		}
		text = kept.String()
	}
	return protocol.Printable(text)
}

// Status returns how the process ended, after Close: its exit status, or -1 if
// it was killed.
func (p *Pipe) Status() int {
	if p.cmd.ProcessState == nil {
		panic("target: internal error: Status before Close")
	}
	return p.cmd.ProcessState.ExitCode()
}

// A reply is how a command failed: the error that Err of an Error holds.
type reply struct {
	status int    // exit status; -1 if it was killed or never ran
	text   string // what it printed, output first, safe to print
	err    error
}

func (r *reply) Error() string {
	if r.text == "" {
		return r.err.Error()
	}
	return r.text
}

func (r *reply) Unwrap() error { return r.err }

// open starts an agent, with env added to the environment, and waits for its
// greeting. Its errors are ctx's, or a *reply.
func open(ctx context.Context, limit time.Duration, argv []string, env ...string) (*Pipe, error) {
	p, err := start(argv, env)
	if err != nil {
		return nil, &reply{status: -1, err: err}
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, errLate)
	defer cancel()
	stop := context.AfterFunc(limited, p.Kill)
	p.Greeting, err = protocol.ReadGreeting(p.in)
	if !stop() {
		err = context.Cause(limited) // p was aborted, whatever was read
	}
	if err == nil {
		return p, nil
	}
	_ = p.Close()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, &reply{p.Status(), answer(err, p.Stderr()), err}
}

// answer puts together what a command printed.
func answer(err error, stderr string) string {
	var not *protocol.NotGreetedError
	if errors.As(err, &not) && not.Output != "" {
		return not.Output + "\n" + stderr
	}
	return stderr
}

// start runs a command with a pipe of our own for its output: the one that
// exec.Cmd offers would be closed by Wait under a reader's hands.
func start(argv, env []string) (*Pipe, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	p := &Pipe{cmd: cmd, stderr: tail{max: stderrKept}}
	apart(cmd)
	cmd.WaitDelay = waitDelay
	cmd.Stderr = &p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open input of %s: %w", argv[0], err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		_ = stdin.Close()
		return nil, fmt.Errorf("open output of %s: %w", argv[0], err)
	}
	cmd.Stdout = w
	err = cmd.Start()
	_ = w.Close() // the command has its own copy, if it runs
	if err != nil {
		_ = r.Close() // Start closed its own pipes
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	p.stdin, p.stdout, p.in = stdin, r, bufio.NewReaderSize(r, readBuffer)
	return p, nil
}

// Kill ends an agent that nobody waits for any more; Close must be called all the
// same. The output is closed too: a child of the command may hold its other end.
func (p *Pipe) Kill() {
	_ = p.cmd.Process.Kill()
	_ = p.stdout.Close()
}
