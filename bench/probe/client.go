package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Client is a probe on one side. It is used by one goroutine.
type Client struct {
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	requests *json.Encoder
	replies  *json.Decoder
}

// Start runs a probe by this command, until ctx ends or Close.
func Start(ctx context.Context, name string, args ...string) (*Client, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start probe: %w", err)
	}
	return &Client{cmd, stdin, json.NewEncoder(stdin), json.NewDecoder(stdout)}, nil
}

// Do sends a request and returns its reply.
func (c *Client) Do(q Request) (Reply, error) {
	if err := c.requests.Encode(q); err != nil {
		return Reply{}, fmt.Errorf("%s: %w", q.Op, err)
	}
	return c.reply(q)
}

func (c *Client) reply(q Request) (Reply, error) {
	var r Reply
	if err := c.replies.Decode(&r); err != nil {
		return Reply{}, fmt.Errorf("%s: read reply: %w", q.Op, err)
	}
	r.Received = time.Now().UnixNano()
	if r.Error != "" {
		return r, fmt.Errorf("%s %s: %s", q.Op, q.Path, r.Error)
	}
	return r, nil
}

// Await returns once the probe does what q says: it looks for q.Data at q.Path
// ("await"), or watches q.Path ("events"). What it returns waits for the end.
func (c *Client) Await(q Request) (func() (Reply, error), error) {
	r, err := c.Do(q)
	if err != nil {
		return nil, err
	}
	if !r.Armed {
		return nil, errors.New(q.Op + ": the probe does not look")
	}
	return func() (Reply, error) { return c.reply(q) }, nil
}

// PID is the process, for what looks at the machine.
func (c *Client) PID() int { return c.cmd.Process.Pid }

// Close ends the probe.
func (c *Client) Close() error {
	return errors.Join(c.stdin.Close(), c.cmd.Wait())
}
