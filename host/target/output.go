package target

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"time"

	"github.com/twosync/twosync/protocol"
)

// listKept bounds what is read of what a command prints: a list of some
// thousands of containers or of some hundreds of pods.
const listKept = 8 << 20

// output runs a command, with env added to the environment, and returns what it
// prints. Its errors are ctx's, or a *reply.
func output(ctx context.Context, limit time.Duration, stdin []byte, argv []string, env ...string) (string, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(limited, argv[0], argv[1:]...)
	stdout, stderr := tail{max: listKept}, tail{max: stderrKept}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = waitDelay
	cmd.Env = append(os.Environ(), env...)
	apart(cmd)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.String(), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case limited.Err() != nil:
		err = errLate
	}
	r := &reply{-1, protocol.Printable(stdout.String() + "\n" + stderr.String()), err}
	if cmd.ProcessState != nil {
		r.status = cmd.ProcessState.ExitCode()
	}
	return "", r
}
