package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// A first sync on a slow machine takes minutes; a session that says nothing
	// for so long will not.
	inSyncLimit = 15 * time.Minute
	// How long a session may take to end before it is killed.
	stopLimit = 15 * time.Second
	// Events are one line each; this is far above the longest.
	maxEvent = 1 << 20
)

// findTwosync builds the command from this tree.
func findTwosync(ctx context.Context, b *bench) error {
	b.twosync = filepath.Join(b.work, "twosync")
	return goBuild(ctx, b.module, b.twosync, nil, "./host/twosync")
}

// readyTwosync syncs once, so that no later run pays for building the agent and
// bringing it to the container.
func readyTwosync(ctx context.Context, b *bench) error { return b.warm(ctx, startTwosync) }

// upSession is a running `twosync up`.
type upSession struct {
	cmd    *exec.Cmd
	log    *os.File // what it said on standard error
	synced chan struct{}
	told   func(event string) // of each event; may be nil
	reader sync.WaitGroup
	last   string // of standard output; reader's until it has ended
}

func startTwosync(ctx context.Context, b *bench, p pair, _ direction, o options) (session, error) {
	state, err := b.stateFolder(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, b.twosync, "up", p.host, b.box.target(p.container), "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopLimit
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+state, "XDG_CACHE_HOME="+filepath.Join(b.work, "cache"), "GOCACHE="+b.goCache)
	cmd.Env = append(cmd.Env, firstOnPath(o.path)...)
	s := &upSession{cmd: cmd, synced: make(chan struct{}, 1), told: o.told}
	if err := s.start(b.work); err != nil {
		return nil, fmt.Errorf("start twosync: %w", err)
	}
	select {
	case _, ok := <-s.synced:
		if ok {
			return s, nil
		}
		return nil, fmt.Errorf("twosync ended before it was in sync: %w: %s", s.wait(), s.said())
	case <-time.After(inSyncLimit):
		return nil, errors.Join(fmt.Errorf("twosync is not in sync after %v: %s", inSyncLimit, s.said()), s.stop())
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), s.stop())
	}
}

func (s *upSession) start(work string) (err error) {
	if s.log, err = os.CreateTemp(work, "twosync-*.log"); err != nil {
		return err
	}
	s.cmd.Stderr = s.log
	stdout, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return errors.Join(err, s.log.Close())
	}
	s.reader.Go(func() { s.read(stdout) }) // wait waits for it
	return nil
}

// read takes events until there are no more, and says when it is first in sync.
func (s *upSession) read(stdout io.Reader) {
	defer close(s.synced)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, maxEvent)
	for told := false; lines.Scan(); {
		var e struct {
			Event string `json:"event"`
		}
		if json.Unmarshal(lines.Bytes(), &e) == nil && s.told != nil {
			s.told(e.Event)
		}
		if e.Event == "in-sync" && !told {
			told = true
			s.synced <- struct{}{}
		}
		s.last = lines.Text()
	}
	_, _ = io.Copy(io.Discard, stdout) // a line too long must not block it
}

func (s *upSession) wait() error {
	s.reader.Wait()
	return errors.Join(s.cmd.Wait(), s.log.Close())
}

// said is the end of what it wrote to standard error.
func (s *upSession) said() string {
	text, _ := os.ReadFile(s.log.Name())
	return strings.TrimSpace(string(text[max(0, len(text)-1000):]))
}

func (s *upSession) process() int { return s.cmd.Process.Pid }

// stop interrupts it as Ctrl-C does, which is what its exit code then says.
func (s *upSession) stop() error {
	const interrupted = 130
	late := time.AfterFunc(stopLimit, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := s.wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == interrupted {
		return nil
	}
	if err != nil {
		return fmt.Errorf("twosync ended: %w: %s", err, s.said())
	}
	return nil
}
