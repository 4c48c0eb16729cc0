package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twosync/twosync/host/target"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/protocol"
)

// dialler reaches the container's replica, as often as it is lost.
type dialler struct {
	target target.Target
	holder string              // who we are, for the locks
	shared func() bool         // whether somebody else signed the host's lock
	tell   func(stderr string) // what an agent printed that crashed
}

func (d *dialler) dial(ctx context.Context) (replica.Replica, error) {
	pipe, err := d.target.Dial(ctx, d.args())
	if err != nil {
		return nil, err
	}
	remote, err := protocol.NewRemote(pipe, protocol.Options{Compress: d.far()})
	if err != nil {
		_ = pipe.Close() // the first error counts
		return nil, err
	}
	return &dialled{remote, pipe, d}, nil
}

// fatal says whether dialling again would not help.
func fatal(err error) bool {
	return errors.Is(err, protocol.ErrViolation) || errors.Is(err, protocol.ErrTooLarge)
}

// args are the agent's arguments besides the root. On this machine nothing is
// put beside the root: it is no container of ours.
func (d *dialler) args() []string {
	args := []string{"--holder", d.agent()}
	if _, ok := d.target.(*target.Local); !ok {
		args = append(args, "--outer")
	}
	return args
}

// holder says who we are to somebody who finds our lock, and to ourselves when
// we meet it on the other side.
func holder() string {
	name, err := os.Hostname()
	if err != nil {
		name = "this machine"
	}
	return fmt.Sprintf("twosync up on %s, pid %d, %s", name, os.Getpid(), rand.Text()[:8])
}

// agent is what our agent signs its lock with. An agent of an earlier connection
// that has not ended yet must not be taken for us.
func (d *dialler) agent() string { return "the agent of " + d.holder }

// mounted says that the two directories are one, if they are: our lock is in the
// agent's way or, where locks do not cross a mount, bears its signature. That
// the two claim one identity proves nothing: an image may hold a copy of it.
func (d *dialler) mounted(err error) error {
	if err == nil && !d.shared() {
		return nil
	}
	refused, ok := errors.AsType[*protocol.RefusedError](err)
	if err != nil && !(ok && strings.Contains(refused.Text, ": "+d.holder)) {
		return nil
	}
	return &Error{
		Msg:    fmt.Sprintf("%s is this very directory: it is mounted into the container", d.target),
		Remedy: "start the container without -v for it; twosync takes the place of the mount",
		Err:    err,
	}
}

// dialled is a replica with the process that it lives in.
type dialled struct {
	*protocol.Remote
	pipe *target.Pipe
	by   *dialler
}

// Start says whose refusal it is, in words of ours.
func (d *dialled) Start(ctx context.Context, s replica.Start) (replica.Identity, error) {
	id, err := d.Remote.Start(ctx, s)
	if mounted := d.by.mounted(err); mounted != nil {
		return id, mounted
	}
	refused, ok := errors.AsType[*protocol.RefusedError](err)
	if !ok {
		return id, err
	}
	e := &Error{Msg: fmt.Sprintf("%s cannot be synced: %s", d.by.target, refused.Text), Remedy: refused.Remedy, Err: err}
	if e.Remedy == "" {
		e.Remedy = "name another directory there, or see to it that this one can be used"
	}
	return id, e
}

// endTime is what an agent has for its end, from the moment in which it is asked
// to: the wire and then the pipe wait for it, and share this.
const endTime = 2 * time.Second

// Close returns when the agent's process has ended. What it printed besides its
// last words, which also come over the wire, is a crash's.
func (d *dialled) Close() error {
	late := time.AfterFunc(endTime, d.pipe.Kill)
	defer late.Stop()
	err := d.Remote.Close()
	_ = d.pipe.Close()
	if text := crash(d.pipe.Stderr()); text != "" {
		d.by.tell(text)
	}
	return err
}

// crash returns the first lines of what an agent printed, without its last
// words.
func crash(stderr string) string {
	const enough = 20 // lines: what went wrong, and where
	var lines []string
	for l := range strings.Lines(stderr) {
		if !strings.HasPrefix(l, "twosync-agent: ") && len(lines) < enough {
			lines = append(lines, l)
		}
	}
	return strings.TrimSpace(strings.Join(lines, ""))
}

// far says whether the bytes leave this machine, as far as names tell: only then is compressing them worth its time.
func (d *dialler) far() bool {
	switch d.target.(type) {
	case *target.Local:
		return false
	case *target.Kube:
		return true // also where the cluster is near: each byte passes five programs
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return !strings.HasPrefix(host, "unix:") && !strings.HasPrefix(host, "npipe:")
	}
	switch target.Context() {
	case "", "desktop-linux", "colima", "orbstack", "rootless":
		return false
	}
	return true
}
