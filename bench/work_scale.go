package main

import (
	"context"
	"errors"
	"fmt"
)

// savesAtScale are fewer: there are many rounds of them.
const savesAtScale = 25

// sizes are the trees of scale, the largest last.
func (b *bench) sizes() []int {
	list := []int{b.options.files}
	for n := 100_000; n >= 1000; n /= 10 {
		if n < b.options.files {
			list = append([]int{n}, list...)
		}
	}
	return list
}

func scaleWork(files int) string { return fmt.Sprintf("scale.%d", files) }

// scaled is a tree in which saves are timed.
type scaled struct {
	work string
	kept func(t tool) (*kept, error)
	keep bool // others use it
}

// scale saves in trees of several sizes, in turn.
func scale(ctx context.Context, b *bench) error {
	var trees []scaled
	for _, files := range b.sizes() {
		if files == b.options.files {
			trees = append(trees, scaled{scaleWork(files), func(t tool) (*kept, error) { return b.big(ctx, t) }, true})
			continue
		}
		trees = append(trees, b.smallTree(ctx, files))
	}
	return b.saveIn(ctx, trees)
}

// smallTree is what a larger one is compared with.
func (b *bench) smallTree(ctx context.Context, files int) scaled {
	return scaled{work: scaleWork(files), kept: func(t tool) (*kept, error) {
		return b.open(ctx, t, scaleWork(files), func(root string) error { return b.make(root, files, 0) })
	}}
}

const (
	million   = 1_000_000
	perDir1M  = 13 // which makes 77 thousand directories, and 5 thousand above them
	dirs1M    = million/perDir1M + million/perDir1M/16
	wideFiles = 300_000
)

// scale1M is the largest tree that a budget speaks of.
func scale1M(ctx context.Context, b *bench) error {
	if err := b.allowWatches(2 * dirs1M * len(b.whole())); err != nil {
		return err
	}
	return b.saveIn(ctx, []scaled{b.smallTree(ctx, 1000), {scaleWork(million), func(t tool) (*kept, error) {
		return b.sized(ctx, t, "million", million, perDir1M)
	}, false}})
}

// wide300K has one directory of very many files.
func wide300K(ctx context.Context, b *bench) error {
	return b.saveIn(ctx, []scaled{b.smallTree(ctx, 1000), {"wide", func(t tool) (*kept, error) {
		return b.sized(ctx, t, "wide", wideFiles, wideFiles)
	}, false}})
}

func (b *bench) saveIn(ctx context.Context, trees []scaled) error {
	for _, t := range b.whole() {
		if err := b.scaleTool(ctx, t, trees); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.failed(trees[len(trees)-1].work+".out", t.name, err)
		}
	}
	return nil
}

// scaleTool has a session in a tree of each size, all at once, so that they take
// turns.
func (b *bench) scaleTool(ctx context.Context, t tool, trees []scaled) (err error) {
	var open []*kept
	defer func() {
		for i, k := range open {
			if !trees[i].keep {
				err = errors.Join(err, b.discard(k))
			}
		}
	}()
	for _, tree := range trees {
		k, err := tree.kept(t)
		if err != nil {
			return err
		}
		open = append(open, k)
	}
	var list []saver
	for i, k := range open {
		if err := k.start(ctx, b); err != nil { // the largest wanted to be alone
			return err
		}
		dir, err := b.savedDir(ctx, k)
		if err != nil {
			return err
		}
		list = append(list, saver{work: trees[i].work, tool: t.name, p: k.p, s: k.session, dir: dir})
	}
	return b.takeTurns(ctx, t, list)
}

func (b *bench) takeTurns(ctx context.Context, t tool, list []saver) error {
	for _, d := range directions {
		if t.oneWay && d == toHost {
			continue
		}
		for round := range b.options.rounds {
			for _, s := range list {
				s.d = d
				if err := s.take(ctx, b, round, savesAtScale); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range list {
		if _, _, err := b.equal(s.p); err != nil {
			b.failed(s.work+".out", t.name, err)
		}
	}
	return nil
}
