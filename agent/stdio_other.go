//go:build !unix

package agent

import "os"

// pipe is stdin and stdout as one connection.
type pipe struct{ in, out *os.File }

func stdio() (*pipe, error) { return &pipe{os.Stdin, os.Stdout}, nil }

func (p *pipe) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *pipe) Write(b []byte) (int, error) { return p.out.Write(b) }

func (p *pipe) Close() error {
	p.out.Close()
	return p.in.Close()
}
