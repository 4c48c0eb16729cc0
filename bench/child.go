package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// child is a tool's process on the host. What it says goes to a file.
type child struct {
	cmd   *exec.Cmd
	log   *os.File
	over  func() error // of the context: why all ends
	ended chan struct{}
	err   error // of its end; to be read once ended is closed
}

// startChild runs a command, in an environment of this one with more.
func (b *bench) startChild(ctx context.Context, env []string, args ...string) (*child, error) {
	log, err := os.CreateTemp(b.work, "log-")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopLimit
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), log, log
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	c := &child{cmd: cmd, log: log, over: ctx.Err, ended: make(chan struct{})}
	go func() { // stop waits for it
		c.err = cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// said is the end of what it wrote.
func (c *child) said() string {
	text, _ := os.ReadFile(c.log.Name())
	return strings.TrimSpace(string(text[max(0, len(text)-1000):]))
}

const childPause = 10 * time.Millisecond

// until returns once it has written word.
func (c *child) until(ctx context.Context, word string, limit time.Duration) error {
	for end := time.Now().Add(limit); ; {
		text, err := os.ReadFile(c.log.Name())
		if err != nil {
			return err
		}
		if strings.Contains(string(text), word) {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("it ended: %w: %s", c.err, c.said())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(childPause):
		}
		if time.Now().After(end) {
			return fmt.Errorf("it did not say %q within %v: %s", word, limit, c.said())
		}
	}
}

func (c *child) process() int { return c.cmd.Process.Pid }

// stop interrupts it and waits. How it ends then is no failure of what was
// measured: a tool that ends by a signal says so in ways of its own.
func (c *child) stop() error {
	select {
	case <-c.ended:
		if c.over() != nil { // the user has interrupted everything
			return c.log.Close()
		}
		return errors.Join(fmt.Errorf("%s ended by itself: %w: %s", c.cmd.Args[0], c.err, c.said()), c.log.Close())
	default:
	}
	late := time.AfterFunc(stopLimit, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	_ = c.cmd.Process.Signal(os.Interrupt)
	<-c.ended
	return c.log.Close()
}

// firstOnPath puts a folder before all others where commands are looked for.
func firstOnPath(folder string) []string {
	if folder == "" {
		return nil
	}
	return []string{"PATH=" + folder + string(os.PathListSeparator) + os.Getenv("PATH")}
}
