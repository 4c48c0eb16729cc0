package probe

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Link is a pipe that is made slower.
type Link struct {
	Delay time.Duration // each way: half a round trip
	Rate  int64         // bytes a second each way; 0 for as many as come
}

const (
	linkPiece = 16 << 10
	// Pieces on their way: 16 MiB, more than any product of delay and rate here.
	linkQueue = 1024
	// What a rate is measured over: a sleep is no more exact than this.
	linkSlack = 2 * time.Millisecond
)

// Run runs a command with its standard input and output behind the link. It
// returns the exit code.
func (l Link) Run(args []string) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 1, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	// Not waited for: it may sit in a read of our standard input, which nothing
	// interrupts. The process ends with this function.
	go func() {
		l.copy(stdin, os.Stdin)
		stdin.Close()
	}()
	l.copy(os.Stdout, stdout)
	return exitCode(cmd.Wait())
}

// exitCode takes a command's own failure for its answer.
func exitCode(err error) (int, error) {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

type delayed struct {
	due  time.Time
	data []byte
}

// copy copies until in ends or out fails.
func (l Link) copy(out io.Writer, in io.Reader) {
	queue := make(chan delayed, linkQueue)
	var writing sync.WaitGroup
	writing.Go(func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			if _, err := out.Write(p.data); err != nil {
				out = io.Discard
			}
		}
	})
	var free time.Time // when the link has sent all that it was given
	for {
		piece := make([]byte, linkPiece)
		n, err := in.Read(piece)
		if n > 0 {
			free = l.sent(free, time.Now(), n)
			queue <- delayed{free.Add(l.Delay), piece[:n]}
			// The sender feels the rate, as a full socket makes it feel it.
			if ahead := time.Until(free); ahead > linkSlack {
				time.Sleep(ahead - linkSlack)
			}
		}
		if err != nil {
			break
		}
	}
	close(queue)
	writing.Wait()
}

// sent returns when n more bytes have left, on a link that was to be free then.
func (l Link) sent(free, now time.Time, n int) time.Time {
	if free.Before(now) {
		free = now
	}
	if l.Rate == 0 {
		return free
	}
	return free.Add(time.Duration(float64(n) / float64(l.Rate) * float64(time.Second)))
}
