// Package agent is the container's side: a disk, served over stdin and stdout.
//
// It prints one greeting line, then speaks the protocol of package protocol
// until the host says that it is done, the pipe ends, or the host falls
// silent. It keeps no state of its own beside the root, needs no shell, no
// home and no other program, and applies nothing without the lock on the root.
//
// # Why
//
// It is a server around the same disk that the host uses, so that there is one
// way to read and change a tree, and one suite of tests for it.
package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/protocol"
)

// lockWait is how long a new agent waits for the one before it to end.
const lockWait = 5 * time.Second

// outerStage is where files are built in a container whose root is on the
// container's own file system, so that watchers on the root see nothing of it.
const outerStage = "/.twosync/stage"

// What the agent takes of somebody else's container: two cores at most, and
// memory collected early rather than late. At 100 000 files it holds some
// 20 MB.
const (
	maxProcs  = 2
	gcPercent = 50
)

// Main runs the agent with arguments like those of a command line, without the
// program's name, and returns its exit code. Serve has three flags: --root DIR,
// --outer to build files outside of the root where that works, and --holder
// TEXT for the lock.
func Main(args []string) int {
	if err := run(args); err != nil {
		fmt.Fprintf(os.Stderr, "twosync-agent: %v\n", err)
		return 1
	}
	return 0
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "version" {
		g, err := protocol.NewGreeting()
		if err != nil {
			return err
		}
		return protocol.WriteGreeting(os.Stdout, g)
	}
	switch {
	case len(args) > 3 && args[0] == "deliver":
		return deliver(args[1], args[3:])
	case len(args) == 2 && args[0] == "install":
		return install(args[1])
	case len(args) == 0 || args[0] != "serve":
		return errUsage
	}
	a, err := parse(args[1:])
	if err != nil || !filepath.IsAbs(a.root) {
		return errUsage
	}
	opt := disk.Options{Make: true, Holder: a.holder, LockWait: lockWait}
	a.root = filepath.Clean(a.root)
	if a.outer {
		opt.Stage = stageFor(a.root)
	}
	return serve(a.root, opt)
}

var errUsage = errors.New("usage: twosync-agent serve --root /DIR | install DIR | version")

// arguments are those of serve.
type arguments struct {
	root, holder string
	outer        bool
}

// parse reads the arguments of serve. Package flag would do it too, at the cost
// of one percent of the agent's size.
func parse(args []string) (a arguments, err error) {
	for len(args) > 0 {
		name := args[0]
		args = args[1:]
		if name == "--outer" {
			a.outer = true
			continue
		}
		if len(args) == 0 {
			name = "" // which none of them is
		}
		switch name {
		case "--root":
			a.root = args[0]
		case "--holder":
			a.holder = args[0]
		default:
			return a, errUsage
		}
		args = args[1:]
	}
	return a, nil
}

func serve(root string, opt disk.Options) error {
	runtime.GOMAXPROCS(min(maxProcs, runtime.NumCPU()))
	debug.SetGCPercent(gcPercent)
	pipe, err := stdio()
	if err != nil {
		return err
	}
	g, err := protocol.NewGreeting()
	if err != nil {
		return err
	}
	if err := protocol.WriteGreeting(pipe, g); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := disk.New(root, opt)
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	err = protocol.Serve(ctx, pipe, d, protocol.Options{})
	// Serve has returned because the host is gone or done. Whatever of the
	// disk still hangs then hangs in the kernel; the process is about to end.
	cancel()
	return err
}

// stageFor gives each root a folder of its own.
func stageFor(root string) string {
	return filepath.Join(outerStage, tree.DigestOf([]byte(root)).String())
}
