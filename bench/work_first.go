package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// firstTree is one of the trees that first sync brings.
type firstTree struct {
	work string
	make func(b *bench, root string) error // nil: it is there
}

// largeOnes are the files of the tree of few large ones.
const largeOnes = 8

var firstTrees = []firstTree{
	{work: "first"},
	{"first.small", func(b *bench, root string) error { return b.make(root, b.bulk(), 0) }},
	{"first.large", func(b *bench, root string) error {
		for i := range largeOnes {
			name, size := fmt.Sprintf("large-%d.bin", i), b.options.largeMiB<<20/largeOnes
			if _, err := b.here.Do(probe.Request{Op: "large", Root: root, Path: name, Seed: b.next(), Size: size}); err != nil {
				return err
			}
		}
		return nil
	}},
}

// first brings each tree into an empty directory, A B A B.
func first(ctx context.Context, b *bench) error {
	for _, f := range firstTrees {
		root := b.treeDir()
		if f.make != nil {
			root = filepath.Join(b.dataDir(), f.work)
			if _, err := b.here.Do(probe.Request{Op: "mkdir", Root: root}); err != nil {
				return err
			}
			if err := f.make(b, root); err != nil {
				return err
			}
		}
		for round := range b.options.rounds {
			if err := b.firstRound(ctx, f.work, root, round); err != nil {
				return err
			}
		}
		if f.make == nil {
			continue
		}
		if _, err := b.here.Do(probe.Request{Op: "remove", Root: root}); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) firstRound(ctx context.Context, work, root string, round int) error {
	for _, t := range b.tools {
		if t.fill == nil {
			continue
		}
		took, err := b.firstOnce(ctx, root, func(p pair) (session, error) { return t.fill(ctx, b, p) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			b.failed(work, t.name, err)
			continue
		}
		b.add(work, t.name, seconds, round, took)
	}
	return nil
}

// firstOnce times one way of filling an empty directory.
func (b *bench) firstOnce(ctx context.Context, root string, fill func(p pair) (session, error)) (took float64, err error) {
	p := pair{root, fmt.Sprintf("%s/first-%d", containerRoot, b.next())}
	defer func() {
		_, gone := b.there.Do(probe.Request{Op: "remove", Root: p.container})
		_, ours := b.here.Do(probe.Request{Op: "remove", Root: p.host, Path: ".twosync"})
		err = errors.Join(err, gone, ours)
	}()
	if err := errors.Join(b.mkdir(p), b.quiet()); err != nil {
		return 0, err
	}
	start := time.Now()
	s, err := fill(p)
	if err != nil {
		return 0, err
	}
	took = filledAt(s).Sub(start).Seconds()
	_, _, err = b.equal(p)
	return took, errors.Join(err, s.stop())
}
