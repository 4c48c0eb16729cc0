package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// workload is one thing that is done through each tool in turn.
type workload struct {
	name  string
	about string
	run   func(ctx context.Context, b *bench) error
}

// workloads lists all, in the order in which they run.
var workloads = []workload{
	{"first", "the tree goes into an empty directory of the container", first},
	{"save", "one file is saved in the idle tree, either way", save},
	{"switch", "a branch switch in the tree", branchSwitch},
	{"install", "many new files in the container reach the host", install},
	{"rename", "a directory of many files is renamed", renameDirectory},
	{"large", "a large file: new, edited, and with bytes before all others", large},
	{"delay", "one file is saved, over a link with a round trip of 100 ms", delayed},
	{"scale", "one file is saved in idle trees of 1k, 10k, … files", scale},
	{"restart", "the session starts again and nothing has changed", restart},
	{"memory", "memory 10 s after a start in the largest tree", memory},
	{"idle", "what runs and crosses while nobody does anything", idle},
	{"agent", "the size of the agent", agentSize},
	{"cluster", "saves, starts and reconnects through kubectl exec, in a pod of 48 MiB", onCluster},
}

// The sizes that the budgets speak of, and the smallest that mean anything.
const (
	fullSize  = 100_000
	fullLarge = 512
	bulkFiles = 10_000
	minFiles  = 100
)

// bulk is the number of files of the bulk jobs, for the size of this run.
func (b *bench) bulk() int { return min(bulkFiles, b.options.files) }

// kept is a session that more than one workload uses.
type kept struct {
	tool    tool
	p       pair
	state   string
	session session // nil while it is stopped
}

func (k *kept) stop() error {
	if k.session == nil {
		return nil
	}
	err := k.session.stop()
	k.session = nil
	return err
}

func (k *kept) start(ctx context.Context, b *bench) (err error) {
	if k.session != nil {
		return nil
	}
	k.session, err = k.tool.start(ctx, b, k.p, toContainer, options{keepState: k.state})
	return err
}

// open returns a session of a tool on a tree that fill makes on the host. Under
// the same name it is the same one, and started again if need be.
func (b *bench) open(ctx context.Context, t tool, name string, fill func(root string) error) (*kept, error) {
	key := name + " " + t.name
	k, ok := b.shared[key]
	if !ok {
		p, err := b.newPair(name)
		if err != nil {
			return nil, err
		}
		if err := fill(p.host); err != nil {
			return nil, err
		}
		k = &kept{tool: t, p: p}
		if k.state, err = os.MkdirTemp(b.work, "state-"); err != nil {
			return nil, err
		}
		b.shared[key] = k
	}
	if err := k.start(ctx, b); err != nil {
		delete(b.shared, key)
		return nil, err
	}
	return k, nil
}

// discard ends a session and removes its trees.
func (b *bench) discard(k *kept) error {
	for key, other := range b.shared {
		if other == k {
			delete(b.shared, key)
		}
	}
	return errors.Join(k.stop(), b.remove(k.p))
}

// alone stops every session but k, so that what is measured next is k's.
func (b *bench) alone(k *kept) error {
	var errs []error
	for _, other := range b.shared {
		if other != k {
			errs = append(errs, other.stop())
		}
	}
	return errors.Join(errs...)
}

// whole are the tools that keep whole trees the same.
func (b *bench) whole() []tool {
	var list []tool
	for _, t := range b.tools {
		if t.start != nil && t.fill != nil {
			list = append(list, t)
		}
	}
	return list
}

// has says whether a tool takes part, for what is measured beside others.
func (b *bench) has(name string) bool {
	return indexOf(b.tools, func(t tool) bool { return t.name == name }) >= 0
}

// tree opens the session on a copy of -tree.
func (b *bench) tree(ctx context.Context, t tool) (*kept, error) {
	return b.open(ctx, t, "tree", func(root string) error { return copyTree(root, b.treeDir()) })
}

func empty(string) error { return nil }

// settled is when memory is read and idleness begins, after in sync.
const settled = 10 * time.Second

// big opens the session on the largest tree that is made, and measures what it is
// to have it made.
func (b *bench) big(ctx context.Context, t tool) (*kept, error) {
	_, there := b.shared["big "+t.name]
	var filled time.Time
	k, err := b.open(ctx, t, "big", func(root string) error {
		defer func() { filled = time.Now() }()
		return b.make(root, b.options.files)
	})
	if err != nil || there {
		return k, err
	}
	b.add("first.big", t.name, seconds, 0, time.Since(filled).Seconds())
	if err := b.alone(k); err != nil {
		return nil, err
	}
	if err := rest(ctx, settled); err != nil {
		return nil, err
	}
	return k, b.measureMemory(k, "memory.first")
}

func (b *bench) make(root string, files int) error {
	_, err := b.here.Do(probe.Request{Op: "make", Root: root, Seed: b.next(), Files: files})
	return err
}

// first brings the tree into an empty directory, A B A B.
func first(ctx context.Context, b *bench) error {
	for round := range b.options.rounds {
		for _, t := range b.tools {
			if t.fill == nil {
				continue
			}
			took, err := b.firstOnce(ctx, t)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				b.failed("first", t.name, err)
				continue
			}
			b.add("first", t.name, seconds, round, took)
		}
	}
	return nil
}

func (b *bench) firstOnce(ctx context.Context, t tool) (took float64, err error) {
	p := pair{b.treeDir(), fmt.Sprintf("%s/first-%d", containerRoot, b.next())}
	defer func() {
		_, gone := b.there.Do(probe.Request{Op: "remove", Root: p.container})
		err = errors.Join(err, gone, os.RemoveAll(filepath.Join(p.host, ".twosync")))
	}()
	if err := errors.Join(b.mkdir(p), b.quiet()); err != nil {
		return 0, err
	}
	start := time.Now()
	stop, err := t.fill(ctx, b, p)
	took = time.Since(start).Seconds()
	if err != nil {
		return 0, err
	}
	_, _, err = b.equal(p)
	return took, errors.Join(err, stop())
}
