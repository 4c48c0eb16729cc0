//go:build unix

package agent

import (
	"fmt"
	"os"
	"syscall"
)

// pipe is stdin and stdout as one connection whose Close ends a Read that is
// under way.
type pipe struct{ in, out *os.File }

// stdio makes the two pollable: only then does closing them unblock a read.
func stdio() (*pipe, error) {
	for _, fd := range []int{0, 1} {
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, fmt.Errorf("set up stdio: %w", err)
		}
	}
	return &pipe{os.NewFile(0, "stdin"), os.NewFile(1, "stdout")}, nil
}

func (p *pipe) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *pipe) Write(b []byte) (int, error) { return p.out.Write(b) }

func (p *pipe) Close() error {
	p.out.Close()
	return p.in.Close()
}
