package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/twosync/twosync/bench/probe"
)

const (
	busyFile = 256 << 10 // bytes of each file that is on its way
	busyGap  = saveGapMin / 3
	busyMost = 400 // saves; a transfer is not that long
)

// busy saves while many bytes are on their way.
func busy(ctx context.Context, b *bench) error {
	source := filepath.Join(b.work, "busy")
	defer os.RemoveAll(source)
	for i, e := range b.bulky() {
		name := filepath.Join(source, e.Path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := probe.Large(name, b.seed<<32+uint64(i), busyFile); err != nil {
			return err
		}
	}
	for round := range b.options.rounds {
		for _, t := range b.whole() {
			for _, k := range busyKinds {
				if t.oneWay && (k.d == toHost || t.name == "rsync") { // it has no save of its own
					continue
				}
				err := b.busyOnce(ctx, t, k, source, round)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					b.failed(k.work+"."+string(k.d), t.name, err)
				}
			}
		}
	}
	return nil
}

// busyKind is what is on its way, and where the saves go.
type busyKind struct {
	work string
	d    direction
}

// busyKinds: a first sync, and the same files as a new directory in a session that
// is there. Back is asked of the second only: before first contact a save in the
// container is not a save, it is another version.
var busyKinds = []busyKind{{"busy", toContainer}, {"bulk", toContainer}, {"bulk", toHost}}

// busyOnce saves until what is on its way has crossed. The directory of the saves
// is there already, on both sides.
func (b *bench) busyOnce(ctx context.Context, t tool, kind busyKind, source string, round int) (err error) {
	p, err := b.newPair(t, "busy")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(p)) }()
	here, there := filepath.Join(p.host, "bulk"), filepath.Join(source, "bulk")
	defer func() {
		if _, gone := os.Stat(here); gone == nil {
			err = errors.Join(err, os.Rename(here, there))
		}
	}()
	s := saver{work: kind.work, tool: t.name, p: p, s: noSession{}, dir: "saved", d: kind.d}
	if err := b.prepareSaves(s); err != nil {
		return err
	}
	begin := func(b *bench) (session, error) { return t.start(ctx, b, p, toContainer, options{}) }
	if kind.work == "busy" {
		err = os.Rename(there, here)
	} else {
		var started session
		started, err = begin(b)
		begin = func(*bench) (session, error) { return started, os.Rename(there, here) }
	}
	if err != nil {
		return err
	}
	return b.savesWhile(ctx, s, kind, begin, round)
}

func (b *bench) savesWhile(ctx context.Context, s saver, kind busyKind, begin func(b *bench) (session, error), round int) error {
	if err := b.quiet(); err != nil {
		return err
	}
	var took []float64
	session, err := b.whileCrossing(ctx, s.p, begin, func(crossed <-chan struct{}) (err error) {
		took, err = b.savesUntil(ctx, s, crossed)
		return err
	})
	if err != nil {
		return err
	}
	_, _, err = b.untilEqual(ctx, s.p)
	if err = errors.Join(err, session.stop()); err != nil {
		return err
	}
	if kind.work == "busy" {
		took = afterFirst(took)
	}
	b.add(kind.work+"."+string(kind.d), s.tool, seconds, round, took...)
	return nil
}

// whileCrossing begins to bring something and does something else meanwhile, which
// is told when all has crossed.
func (b *bench) whileCrossing(ctx context.Context, p pair, begin func(b *bench) (session, error), do func(crossed <-chan struct{}) error) (session, error) {
	looking, stop := context.WithCancel(ctx)
	defer stop()
	// A probe does one thing at a time, so each of these has its own.
	starter, err := b.beside(looking)
	if err != nil {
		return nil, err
	}
	looker, err := b.beside(looking)
	if err != nil {
		return nil, err
	}
	var started session
	var failed, missing error
	crossed := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() {
		if started, failed = begin(starter); failed != nil {
			stop() // nothing will cross
		}
	})
	both.Go(func() {
		defer close(crossed)
		_, missing = looker.there.Do(probe.Request{Op: "arrive", Root: p.container, Limit: inSyncLimit, Expect: b.bulky()})
	})
	err = do(crossed)
	both.Wait()
	stop()
	for _, other := range []*bench{starter, looker} {
		_, _ = other.here.Close(), other.there.Close() // they were interrupted
	}
	if failed != nil {
		return nil, failed
	}
	if err = errors.Join(err, missing); err != nil {
		return nil, errors.Join(err, started.stop())
	}
	return started, nil
}

// beside is the same bench with probes of its own.
func (b *bench) beside(ctx context.Context) (*bench, error) {
	other := *b
	var err error
	if other.here, err = probe.Start(ctx, b.hostProbe, "serve"); err != nil {
		return nil, err
	}
	if other.there, err = b.box.probe(ctx); err != nil {
		return nil, errors.Join(err, other.here.Close())
	}
	return &other, nil
}

// bulkyName is the n-th file that is on its way.
func bulkyName(n int) string { return fmt.Sprintf("bulk/%02d/%05d.bin", n%64, n) }

// bulky is all that is on its way.
func (b *bench) bulky() []probe.Expect {
	var list []probe.Expect
	for i := range int(b.options.transferMiB << 20 / busyFile) {
		list = append(list, probe.Expect{Path: bulkyName(i), Size: busyFile})
	}
	return list
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

// savesUntil saves again and again until all has crossed.
func (b *bench) savesUntil(ctx context.Context, s saver, crossed <-chan struct{}) ([]float64, error) {
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
		case <-crossed:
			return took, nil
		default:
		}
		if err := rest(ctx, busyGap); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// afterFirst leaves out the first save of a first sync: it waits for the session to
// come up, which is no part of this. Where it waits for all of the transfer it is
// the answer, and stays.
func afterFirst(took []float64) []float64 {
	if len(took) > 1 {
		return took[1:]
	}
	return took
}
