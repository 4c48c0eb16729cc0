package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/twosync/twosync/bench/probe"
)

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
	return b.each(ctx, job{work: "switch", memory: true,
		open: func(t tool) (*kept, error) { return b.tree(ctx, t) },
		round: func(k *kept, round int) error {
			if err := b.quiet(); err != nil {
				return err
			}
			r, err := b.here.Do(probe.Request{Op: "switch", Root: k.p.host, Seed: b.next(), Counts: b.turn})
			if err != nil {
				return err
			}
			took, err := b.until(ctx, k, toContainer, r, r.Expect)
			if err != nil {
				return err
			}
			b.add("switch", k.tool.name, seconds, round, took)
			b.add("switch.writes", k.tool.name, seconds, round, r.Took.Seconds())
			return nil
		}})
}

// expected is what a generated tree looks like once it is below dir.
func expected(dir string, seed uint64, files int) []probe.Expect {
	var list []probe.Expect
	for _, f := range probe.Plan(seed, files, 0) {
		list = append(list, probe.Expect{Path: dir + "/" + f.Path, Size: f.Size})
	}
	return list
}

// install makes many files in the container, and then copies them on the host:
// what making them there costs.
func install(ctx context.Context, b *bench) error { return b.installs(ctx, "install", b.bulk()) }

// install50k shows whether the work grows with more than the files.
func install50k(ctx context.Context, b *bench) error {
	return b.installs(ctx, "install50k", 5*b.bulk())
}

func (b *bench) installs(ctx context.Context, work string, files int) error {
	return b.each(ctx, job{work: work, back: true, discard: true, memory: true,
		open:  func(t tool) (*kept, error) { return b.open(ctx, t, work, empty) },
		round: func(k *kept, round int) error { return b.installOnce(ctx, k, work, files, round) }})
}

func (b *bench) installOnce(ctx context.Context, k *kept, work string, files, round int) error {
	if err := b.quiet(); err != nil {
		return err
	}
	dir, seed := fmt.Sprintf("packages-%d", round), b.next()
	r, err := b.there.Do(probe.Request{Op: "make", Root: k.p.container, Path: dir, Seed: seed, Files: files})
	if err != nil {
		return err
	}
	took, err := b.until(ctx, k, toHost, r, expected(dir, seed, files))
	if err != nil {
		return err
	}
	b.add(work, k.tool.name, seconds, round, took)
	b.add(work+".writes", k.tool.name, seconds, round, r.Took.Seconds())
	if !b.has("cp") || k.tool.name != mainTool {
		return nil
	}
	return b.copyHere(work, filepath.Join(k.p.host, dir), round)
}

// copyHere is what making the files on the host costs.
func (b *bench) copyHere(work, from string, round int) error {
	if err := b.quiet(); err != nil {
		return err
	}
	to := filepath.Join(b.work, fmt.Sprintf("copied-%d", b.next()))
	c, err := b.here.Do(probe.Request{Op: "run", Args: []string{"cp", "-r", from, to}})
	if err != nil {
		return err
	}
	b.add(work, "cp", seconds, round, c.Took.Seconds())
	_, err = b.here.Do(probe.Request{Op: "remove", Root: to})
	return err
}

// renameDirectory renames a directory that came into being with the session.
func renameDirectory(ctx context.Context, b *bench) error {
	moving := map[*kept]*moved{}
	return b.each(ctx, job{work: "rename.out", discard: true, memory: true,
		open: func(t tool) (*kept, error) {
			k, err := b.open(ctx, t, "rename", empty)
			if err == nil {
				moving[k], err = b.makeToMove(ctx, k)
			}
			return k, err
		},
		round: func(k *kept, round int) error {
			for _, d := range directions {
				if d == toHost && k.tool.oneWay {
					continue
				}
				if err := b.renameOnce(ctx, k, moving[k], d, round); err != nil {
					return err
				}
			}
			return nil
		}})
}

// moved is a directory that is renamed again and again.
type moved struct {
	name string
	last probe.File // in it
}

func (b *bench) makeToMove(ctx context.Context, k *kept) (*moved, error) {
	seed, files := b.next(), probe.Plan(b.seed, b.bulk(), 0)
	m := &moved{"moved", files[len(files)-1]}
	r, err := b.here.Do(probe.Request{Op: "make", Root: k.p.host, Path: m.name, Seed: seed, Files: b.bulk()})
	if err != nil {
		return nil, err
	}
	took, err := b.until(ctx, k, toContainer, r, expected(m.name, seed, b.bulk()))
	if err != nil {
		return nil, err
	}
	b.add("rename.made", k.tool.name, seconds, 0, took)
	b.add("rename.made.writes", k.tool.name, seconds, 0, r.Took.Seconds())
	return m, nil
}

func (b *bench) renameOnce(ctx context.Context, k *kept, m *moved, d direction, round int) error {
	if err := b.quiet(); err != nil {
		return err
	}
	next := fmt.Sprintf("moved-%s-%d", d, round)
	from, _, source, _ := b.at(k.p, d)
	r, err := from.Do(probe.Request{Op: "rename", Root: source, Path: m.name, To: next})
	if err != nil {
		return err
	}
	took, err := b.until(ctx, k, d, r, []probe.Expect{{Path: m.name, Size: probe.Absent},
		{Path: next, Size: probe.Folder}, {Path: next + "/" + m.last.Path, Size: m.last.Size}})
	if err != nil {
		return err
	}
	b.add("rename."+string(d), k.tool.name, seconds, round, took)
	m.name = next
	return nil
}
