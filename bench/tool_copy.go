package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/twosync/twosync/bench/probe"
)

func findTar(_ context.Context, b *bench) error {
	if _, err := exec.LookPath("tar"); err != nil {
		return errors.New("no tar on this machine")
	}
	return b.box.needs("tar")
}

// fillTar is what users write: tar here, tar there, docker exec between.
func fillTar(ctx context.Context, b *bench, p pair) (func() error, error) {
	pack := exec.CommandContext(ctx, "tar", "-c", "-C", p.host, ".")
	unpack := exec.CommandContext(ctx, "docker", "exec", "-i", b.box.name, "tar", "-x", "-C", p.container)
	pipe, err := pack.StdoutPipe()
	if err != nil {
		return nil, err
	}
	unpack.Stdin = pipe
	if err := pack.Start(); err != nil {
		return nil, err
	}
	out, err := unpack.CombinedOutput()
	if err := errors.Join(err, pack.Wait()); err != nil {
		return nil, fmt.Errorf("tar: %w: %s", err, out[:min(len(out), 500)])
	}
	return nothing, nil
}

func findCopy(_ context.Context, b *bench) error {
	if _, err := exec.LookPath("cp"); err != nil {
		return errors.New("no cp on this machine")
	}
	return b.box.needs("cp")
}

// fillCopy copies inside the container, from a bind mount: what making the files
// there costs.
func fillCopy(_ context.Context, b *bench, p pair) (func() error, error) {
	if p.host != b.treeDir() {
		return nil, errors.New("cp: internal error: only the tree is mounted")
	}
	_, err := b.there.Do(probe.Request{Op: "run", Args: []string{"cp", "-r", mountedTree + "/.", p.container}})
	return nothing, err
}

func nothing() error { return nil }
