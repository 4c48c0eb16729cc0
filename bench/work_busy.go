package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"

	"github.com/twosync/twosync/bench/probe"
)

const (
	busyFile = 256 << 10 // bytes of each file that is on its way
	busyGap  = saveGapMin / 3
	busyMost = 400 // saves; a transfer is not that long
)

// busy saves while a first sync brings many bytes.
func busy(ctx context.Context, b *bench) error {
	source := filepath.Join(b.work, "busy")
	defer os.RemoveAll(source)
	for i := range int(b.options.transferMiB << 20 / busyFile) {
		name := fmt.Sprintf("bulk/%02d/%05d.bin", i%64, i)
		if i < 64 {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(source, name)), 0o755); err != nil {
				return err
			}
		}
		if err := probe.Large(filepath.Join(source, name), b.seed<<32+uint64(i), busyFile); err != nil {
			return err
		}
	}
	for _, d := range directions {
		for round := range b.options.rounds {
			for _, t := range b.whole() {
				if t.oneWay && (d == toHost || t.name == "rsync") { // it has no save of its own
					continue
				}
				err := b.busyOnce(ctx, t, d, source, round)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					b.failed("busy."+string(d), t.name, err)
				}
			}
		}
	}
	return nil
}

// busyOnce starts a session on a tree that is to cross, and saves until it has.
// The directory of the saves is there already, on both sides.
func (b *bench) busyOnce(ctx context.Context, t tool, d direction, source string, round int) (err error) {
	p, err := b.newPair(t, "busy")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(p)) }()
	s := saver{work: "busy", tool: t.name, p: p, s: shareSession{}, dir: "saved", d: d}
	if err := errors.Join(b.prepareSaves(s), os.Rename(filepath.Join(source, "bulk"), filepath.Join(p.host, "bulk")), b.quiet()); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.Rename(filepath.Join(p.host, "bulk"), filepath.Join(source, "bulk")))
	}()
	var session session
	var failed error
	ended := make(chan struct{})
	go func() { // waited for below
		defer close(ended)
		session, failed = t.start(ctx, b, p, toContainer, options{})
	}()
	took, err := b.savesUntil(ctx, s, ended)
	<-ended
	if failed != nil {
		return errors.Join(failed, err)
	}
	if err == nil {
		_, _, err = b.untilEqual(ctx, p)
	}
	if err = errors.Join(err, session.stop()); err != nil {
		return err
	}
	b.add("busy."+string(d), t.name, seconds, round, took...)
	return nil
}

// prepareSaves makes the files that are saved, alike on both sides.
func (b *bench) prepareSaves(s saver) error {
	for _, root := range []struct {
		c   *probe.Client
		dir string
	}{{b.here, s.p.host}, {b.there, s.p.container}} {
		if _, err := root.c.Do(probe.Request{Op: "mkdir", Root: root.dir, Path: s.dir}); err != nil {
			return err
		}
		for i := range savedFiles {
			name := path.Join(s.dir, fmt.Sprintf("saved-%d.txt", i))
			if _, err := root.c.Do(probe.Request{Op: "save", Root: root.dir, Path: name, Data: []byte("before\n")}); err != nil {
				return err
			}
		}
	}
	return nil
}

// savesUntil saves again and again until ended. The first save waits for the
// session to come up, which is no part of this; where it waits for all of the
// transfer it is the answer, and stays.
func (b *bench) savesUntil(ctx context.Context, s saver, ended <-chan struct{}) ([]float64, error) {
	seed := b.next()
	r := rand.New(rand.NewPCG(seed, 4))
	var took []float64
	for i := range busyMost {
		v, err := s.once(ctx, b, i%savedFiles, probe.Text(seed, uint64(i), savedSize+r.Int64N(100)))
		if err != nil {
			return nil, err
		}
		took = append(took, v)
		select {
		case <-ended:
			return afterFirst(took), nil
		default:
		}
		if err := rest(ctx, busyGap); err != nil {
			return nil, err
		}
	}
	return afterFirst(took), nil
}

func afterFirst(took []float64) []float64 {
	if len(took) > 1 {
		return took[1:]
	}
	return took
}
