package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// unisonMonitor is what Unison needs on both sides to be told of changes. Without
// it Unison looks once a second.
const unisonMonitor = "unison-fsmonitor"

func findUnison(ctx context.Context, b *bench) error {
	said, err := version(ctx, "unison", "-version")
	if err != nil {
		return err
	}
	if err := b.box.include("unison"); err != nil {
		return err
	}
	b.unisonRepeat = "1"
	if _, err := exec.LookPath(unisonMonitor); err == nil && b.box.include(unisonMonitor) == nil {
		b.unisonRepeat = "watch"
	}
	b.version("unison", said+", -repeat "+b.unisonRepeat)
	return nil
}

func readyUnison(_ context.Context, b *bench) error { return b.needs("unison") }

// startUnison runs it as its users do who want it to go on: again and again, with
// the host's version where both changed.
func startUnison(ctx context.Context, b *bench, p pair, d direction, o options) (session, error) {
	state, err := b.stateFolder(o)
	if err != nil {
		return nil, err
	}
	shell := filepath.Join(state, "shell")
	// What Unison asks for is: HOST -e none unison -server ...
	script := fmt.Sprintf("#!/bin/sh\nwhile [ \"$1\" != unison ]; do shift; done\nexec docker exec -i -e HOME=/root -e UNISON=/root/unison-%s %s \"$@\"\n",
		filepath.Base(state), shellQuote(b.box.name))
	if err := os.WriteFile(shell, []byte(script), 0o755); err != nil {
		return nil, err
	}
	s, err := b.startChild(ctx, append(firstOnPath(o.path), "UNISON="+state),
		"unison", "-ui", "text", "-batch", "-auto", "-repeat", b.unisonRepeat, "-prefer", p.host, "-confirmbigdel=false", "-ignorelocks", // of ours that was ended in the middle
		"-sshcmd", shell, p.host, "ssh://bench/"+p.container)
	if err != nil {
		return nil, err
	}
	at, err := b.caughtUp(ctx, p, d)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start unison: %w: %s", err, s.said()), s.stop())
	}
	return unisonSession{s, at}, nil
}

// unisonSession says nothing that a program could rely on.
type unisonSession struct {
	*child
	seen seen
}

func (s unisonSession) wasSeen() seen { return s.seen }
