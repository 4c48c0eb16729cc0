package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// up times the start of a session in a small tree in which nothing has changed,
// with the agent there and with the agent to be brought. Only twosync is asked:
// what is taken off is the time of the docker commands that it runs.
func up(ctx context.Context, b *bench) (err error) {
	t, _ := find(mainTool)
	if !b.has(mainTool) {
		return nil
	}
	k, err := b.open(ctx, t, "up", func(root string) error { return b.make(root, minFiles, 0) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.discard(k)) }()
	if err := b.alone(k); err != nil {
		return err
	}
	for round := range b.options.rounds {
		for _, cold := range []bool{false, true} {
			if err := b.upOnce(ctx, k, cold, round); err != nil {
				return err
			}
		}
	}
	_, _, err = b.equal(k.p)
	return err
}

func (b *bench) upOnce(ctx context.Context, k *kept, cold bool, round int) error {
	work := map[bool]string{false: "up.warm", true: "up.cold"}[cold]
	if cold {
		if err := b.removeAgent(ctx, k); err != nil {
			return err
		}
	}
	if err := errors.Join(k.stop(), b.quiet()); err != nil {
		return err
	}
	log := filepath.Join(b.work, "spans")
	watched, err := b.otherDocker("stopwatch", log)
	if err != nil {
		return err
	}
	start := time.Now()
	k.session, err = k.tool.start(ctx, b, k.p, toContainer, options{keepState: k.state, path: watched})
	end := time.Now()
	if err != nil {
		return err
	}
	spans, err := probe.Spans(log)
	if err := errors.Join(err, os.Remove(log)); err != nil {
		return err
	}
	engine := probe.Covered(spans, end.UnixNano())
	b.add(work, mainTool, seconds, round, end.Sub(start).Seconds())
	b.add(work+".engine", mainTool, seconds, round, engine.Seconds())
	b.add(work+".beyond", mainTool, seconds, round, (end.Sub(start) - engine).Seconds())
	b.say("  %s: %d engine commands", work, len(spans))
	return nil
}

// removeAgent removes what runs in the container, which goes on: its file is gone
// for the next start.
func (b *bench) removeAgent(ctx context.Context, k *kept) error {
	if err := errors.Join(b.alone(k), k.start(ctx, b)); err != nil {
		return err
	}
	there, err := b.there.Do(probe.Request{Op: "procs"})
	if err != nil {
		return err
	}
	removed := 0
	for _, p := range there.Procs {
		if p.Path == "" || p.Path == probePath || p.RSS == 0 {
			continue
		}
		if _, err := b.there.Do(probe.Request{Op: "remove", Root: p.Path}); err != nil {
			return err
		}
		removed++
	}
	if removed != 1 {
		return errors.New("the agent of the session was not found in the container")
	}
	return nil
}
