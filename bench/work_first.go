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
	few  bool                              // files
	make func(b *bench, root string) error // nil: it is there
}

// largeOnes are the files of the tree of few large ones.
const largeOnes = 8

var firstTrees = []firstTree{
	{work: "first"},
	{"first.small", false, func(b *bench, root string) error { return b.make(root, b.bulk(), 0) }},
	{"first.large", true, func(b *bench, root string) error {
		for i := range largeOnes {
			name, size := fmt.Sprintf("large-%d.bin", i), b.options.largeMiB<<20/largeOnes
			if _, err := b.here.Do(probe.Request{Op: "large", Root: root, Path: name, Seed: b.next(), Size: size}); err != nil {
				return err
			}
		}
		return nil
	}},
}

// first brings each tree into an empty directory, A B A B. Many files that were
// brought stay until all is done: ext4 skips inodes that were removed in the last
// minutes one by one when it looks for a free one, which made whoever came second
// take up to seven times as long.
func first(ctx context.Context, b *bench) (err error) {
	var there []string
	defer func() {
		for _, dir := range there {
			_, gone := b.there.Do(probe.Request{Op: "remove", Root: dir})
			err = errors.Join(err, gone)
		}
	}()
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
			dirs, err := b.firstRound(ctx, f, root, round)
			there = append(there, dirs...)
			if err != nil {
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

// firstRound returns the directories in the container that are left.
func (b *bench) firstRound(ctx context.Context, f firstTree, root string, round int) (there []string, err error) {
	for _, t := range b.tools {
		if t.fill == nil {
			continue
		}
		to := b.firstDir()
		took, err := b.firstOnce(ctx, root, to, func(p pair) (session, error) { return t.fill(ctx, b, p) })
		if f.few {
			_, gone := b.there.Do(probe.Request{Op: "remove", Root: to})
			err = errors.Join(err, gone)
		} else {
			there = append(there, to)
		}
		if ctx.Err() != nil {
			return there, ctx.Err()
		}
		if err != nil {
			b.failed(f.work, t.name, err)
			continue
		}
		b.add(f.work, t.name, seconds, round, took)
	}
	return there, nil
}

// firstDir is a new name for a directory in the container.
func (b *bench) firstDir() string { return fmt.Sprintf("%s/first-%d", containerRoot, b.next()) }

// firstOnce times one way of filling a new directory in the container.
func (b *bench) firstOnce(ctx context.Context, root, to string, fill func(p pair) (session, error)) (took float64, err error) {
	p := pair{root, to}
	defer func() {
		_, ours := b.here.Do(probe.Request{Op: "remove", Root: p.host, Path: ".twosync"})
		err = errors.Join(err, ours)
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
