package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func findFloor(context.Context, *bench) error { return nil }

// floor is two processes with one pipe between them.
type floor struct {
	source, sink *exec.Cmd
	end          io.Closer // standard input of source
}

func startFloor(ctx context.Context, b *bench, p pair, d direction, _ options) (session, error) {
	if err := b.mkdir(p); err != nil {
		return nil, err
	}
	inside := func(verb string) []string {
		return []string{"docker", "exec", "-i", b.box.name, probePath, verb, p.container}
	}
	source, sink := []string{b.hostProbe, "floor-send", p.host}, inside("floor-receive")
	if d == toHost {
		source, sink = inside("floor-send"), []string{b.hostProbe, "floor-receive", p.host}
	}
	f := &floor{
		source: exec.CommandContext(ctx, source[0], source[1:]...),
		sink:   exec.CommandContext(ctx, sink[0], sink[1:]...),
	}
	if err := f.start(); err != nil {
		return nil, fmt.Errorf("start floor: %w", err)
	}
	if err := b.reaches(p, d); err != nil {
		return nil, errors.Join(fmt.Errorf("start floor: %w", err), f.stop())
	}
	return f, nil
}

func (f *floor) start() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close() // both processes have their own by then
	defer w.Close()
	f.source.Stdout, f.sink.Stdin = w, r
	f.source.Stderr, f.sink.Stderr = os.Stderr, os.Stderr
	if f.end, err = f.source.StdinPipe(); err != nil {
		return err
	}
	if err := f.sink.Start(); err != nil {
		return err
	}
	if err := f.source.Start(); err != nil {
		return errors.Join(err, f.sink.Process.Kill(), f.sink.Wait())
	}
	return nil
}

func (f *floor) process() int { return f.source.Process.Pid }

// stop ends the source, whose end is the sink's.
func (f *floor) stop() error {
	return errors.Join(f.end.Close(), f.source.Wait(), f.sink.Wait())
}
