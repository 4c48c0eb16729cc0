package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/twosync/twosync/bench/probe"
)

// each runs a bulk job through every tool that keeps whole trees. What fails is a
// failed run of that tool.
func (b *bench) each(ctx context.Context, work string, job func(t tool) error) error {
	for _, t := range b.whole() {
		if err := job(t); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.failed(work, t.name, err)
		}
	}
	return nil
}

// turn is the branch switch of this run: that of the budget, or in a small tree
// as much of it as there is room for.
func turn(files int) probe.Counts {
	part := min(2000, files/4)
	return probe.Counts{Changed: part, New: part / 4, Gone: part / 4}
}

// branchSwitch switches on the host.
func branchSwitch(ctx context.Context, b *bench) error {
	tree, err := b.here.Do(probe.Request{Op: "tree", Root: b.treeDir()})
	if err != nil {
		return err
	}
	b.turn = turn(tree.Files)
	return b.each(ctx, "switch", func(t tool) error {
		k, err := b.tree(ctx, t)
		if err != nil {
			return err
		}
		for round := range b.options.rounds {
			if err := b.quiet(); err != nil {
				return err
			}
			r, err := b.here.Do(probe.Request{Op: "switch", Root: k.p.host, Seed: b.next(), Counts: b.turn})
			if err != nil {
				return err
			}
			took, err := b.until(ctx, k.p, toContainer, r, r.Expect)
			if err != nil {
				return err
			}
			b.add("switch", t.name, seconds, round, took)
			b.add("switch.writes", t.name, seconds, round, r.Took.Seconds())
		}
		return nil
	})
}

// expected is what a generated tree looks like once it is below dir.
func expected(dir string, seed uint64, files int) []probe.Expect {
	var list []probe.Expect
	for _, f := range probe.Plan(seed, files) {
		list = append(list, probe.Expect{Path: dir + "/" + f.Path, Size: f.Size})
	}
	return list
}

// install makes many files in the container, and then copies them on the host:
// what making them there costs.
func install(ctx context.Context, b *bench) error {
	return b.each(ctx, "install", func(t tool) error {
		k, err := b.open(ctx, t, "install", empty)
		if err != nil {
			return err
		}
		for round := range b.options.rounds {
			if err := b.installOnce(ctx, k, round); err != nil {
				return errors.Join(err, b.discard(k))
			}
		}
		return b.discard(k)
	})
}

func (b *bench) installOnce(ctx context.Context, k *kept, round int) error {
	if err := b.quiet(); err != nil {
		return err
	}
	dir, seed := fmt.Sprintf("packages-%d", round), b.next()
	r, err := b.there.Do(probe.Request{Op: "make", Root: k.p.container, Path: dir, Seed: seed, Files: b.bulk()})
	if err != nil {
		return err
	}
	took, err := b.until(ctx, k.p, toHost, r, expected(dir, seed, b.bulk()))
	if err != nil {
		return err
	}
	b.add("install", k.tool.name, seconds, round, took)
	b.add("install.writes", k.tool.name, seconds, round, r.Took.Seconds())
	if !b.has("cp") {
		return nil
	}
	if err := b.quiet(); err != nil {
		return err
	}
	to := filepath.Join(b.work, fmt.Sprintf("copied-%d", seed))
	c, err := b.here.Do(probe.Request{Op: "run", Args: []string{"cp", "-r", filepath.Join(k.p.host, dir), to}})
	if err != nil {
		return err
	}
	b.add("install", "cp", seconds, round, c.Took.Seconds())
	_, err = b.here.Do(probe.Request{Op: "remove", Root: to})
	return err
}

// renameDirectory renames a directory that came into being with the session.
func renameDirectory(ctx context.Context, b *bench) error {
	return b.each(ctx, "rename.out", func(t tool) error {
		k, err := b.open(ctx, t, "rename", empty)
		if err != nil {
			return err
		}
		return errors.Join(b.renames(ctx, k), b.discard(k))
	})
}

func (b *bench) renames(ctx context.Context, k *kept) error {
	seed, name := b.next(), "moved"
	r, err := b.here.Do(probe.Request{Op: "make", Root: k.p.host, Path: name, Seed: seed, Files: b.bulk()})
	if err != nil {
		return err
	}
	took, err := b.until(ctx, k.p, toContainer, r, expected(name, seed, b.bulk()))
	if err != nil {
		return err
	}
	b.add("rename.made", k.tool.name, seconds, 0, took)
	files := probe.Plan(seed, b.bulk())
	last := files[len(files)-1]
	for _, d := range directions {
		for round := range b.options.rounds {
			if err := b.quiet(); err != nil {
				return err
			}
			next := fmt.Sprintf("moved-%s-%d", d, round)
			from, _, source, _ := b.at(k.p, d)
			r, err := from.Do(probe.Request{Op: "rename", Root: source, Path: name, To: next})
			if err != nil {
				return err
			}
			took, err := b.until(ctx, k.p, d, r, []probe.Expect{{Path: name, Size: probe.Absent},
				{Path: next, Size: probe.Folder}, {Path: next + "/" + last.Path, Size: last.Size}})
			if err != nil {
				return err
			}
			b.add("rename."+string(d), k.tool.name, seconds, round, took)
			name = next
		}
	}
	return nil
}
