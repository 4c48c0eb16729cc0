package probe

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	delayPiece = 64 << 10
	delayQueue = 256 // pieces on their way: 16 MiB
)

// Delay runs a command whose standard input and output each come later by d, as
// over a link with a round trip of twice that. It returns the exit code.
func Delay(d time.Duration, args []string) (int, error) {
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
		later(stdin, os.Stdin, d)
		stdin.Close()
	}()
	later(os.Stdout, stdout, d)
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

type delayed struct {
	due  time.Time
	data []byte
}

// later copies until in ends or out fails.
func later(out io.Writer, in io.Reader, d time.Duration) {
	queue := make(chan delayed, delayQueue)
	var writing sync.WaitGroup
	writing.Go(func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			if _, err := out.Write(p.data); err != nil {
				out = io.Discard
			}
		}
	})
	for {
		piece := make([]byte, delayPiece)
		n, err := in.Read(piece)
		if n > 0 {
			queue <- delayed{time.Now().Add(d), piece[:n]}
		}
		if err != nil {
			break
		}
	}
	close(queue)
	writing.Wait()
}
