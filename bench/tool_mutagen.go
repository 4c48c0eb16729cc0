package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func findMutagen(ctx context.Context, b *bench) error {
	said, err := version(ctx, "mutagen", "version")
	b.version("mutagen", said)
	return err
}

// readyMutagen syncs once, so that no later run pays for bringing the agent.
func readyMutagen(ctx context.Context, b *bench) error { return b.warm(ctx, startMutagen) }

// mutagenSession has a daemon of its own, with a data directory of its own, so
// that no session of the user's is touched and each can have its own PATH.
type mutagenSession struct {
	daemon *child
	env    []string
}

func startMutagen(ctx context.Context, b *bench, p pair, _ direction, o options) (session, error) {
	state, err := b.stateFolder(o)
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(filepath.Join(state, "sessions"))
	resumed := err == nil
	env := append(firstOnPath(o.path), "MUTAGEN_DATA_DIRECTORY="+state)
	daemon, err := b.startChild(ctx, env, "mutagen", "daemon", "run")
	if err != nil {
		return nil, err
	}
	s := &mutagenSession{daemon, env}
	if err := s.begin(ctx, b, p, resumed); err != nil {
		return nil, errors.Join(fmt.Errorf("start mutagen: %w", err), s.stop())
	}
	return s, nil
}

// begin makes the session, or finds the one that the daemon has gone on with, and
// waits until it says that the sides are the same.
func (s *mutagenSession) begin(ctx context.Context, b *bench, p pair, resumed bool) error {
	if err := s.again(ctx, "sync", "list"); err != nil { // the daemon comes up
		return err
	}
	if !resumed {
		if err := s.run(ctx, "sync", "create", "--name", "bench", "--no-global-configuration", "--mode", "two-way-resolved",
			"--symlink-mode", "posix-raw", p.host, "docker://"+b.box.name+p.container); err != nil {
			return err
		}
	}
	return s.again(ctx, "sync", "flush", "bench") // a session that goes on has to connect first
}

// again runs a command until it succeeds, or has failed for long.
func (s *mutagenSession) again(ctx context.Context, args ...string) error {
	for end := time.Now().Add(4 * stopLimit); ; {
		err := s.run(ctx, args...)
		if err == nil || time.Now().After(end) {
			return err
		}
		if err := rest(ctx, childPause); err != nil {
			return err
		}
	}
}

func (s *mutagenSession) run(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, inSyncLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mutagen", args...)
	cmd.Env = append(os.Environ(), s.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mutagen %s: %w: %s", args[0], err, strings.TrimSpace(string(out[max(0, len(out)-500):])))
	}
	return nil
}

func (s *mutagenSession) process() int { return s.daemon.process() }

func (s *mutagenSession) stop() error { return s.daemon.stop() }
