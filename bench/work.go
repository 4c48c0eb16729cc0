package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// workload is one thing that is done through each tool in turn.
type workload struct {
	name  string
	about string
	run   func(ctx context.Context, b *bench) error
	asked bool // only when it is asked for by name
}

// workloads lists all, in the order in which they run.
var workloads = []workload{
	{"first", "the tree, many small files, and a few large ones go into an empty directory of the container", first, false},
	{"save", "one file is saved in the idle tree, either way", save, false},
	{"busy", "one file is saved while a first sync is on its way, and either way during a bulk transfer", busy, false},
	{"switch", "a branch switch in the tree", branchSwitch, false},
	{"install", "many new files in the container reach the host", install, false},
	{"install50k", "five times as many", install50k, false},
	{"rename", "a directory of many files is renamed", renameDirectory, false},
	{"large", "a large file: new, edited, with bytes before all others, with bytes after them", large, false},
	{"link", "saves and a first sync over links with long round trips and 20 MB/s", links, false},
	{"scale", "one file is saved in idle trees of 1k, 10k, … files", scale, false},
	{"up", "from the start of the command until in sync, nothing changed", up, false},
	{"restart", "the session starts again in the largest tree and nothing has changed", restart, false},
	{"memory", "memory 10 s after a start in the largest tree", memory, false},
	{"idle", "what runs and crosses while nobody does anything", idle, false},
	{"agent", "the size of the agent", agentSize, false},
	{"inside", "work in the container: on its own file system, on shares, in synced directories", inside, false},
	{"event", "what a watcher in the container is told of saves on the host", event, false},
	{"cluster", "saves, starts and reconnects through kubectl exec, in a pod of 48 MiB", onCluster, true},
	{"scale1m", "first sync, saves and memory with 1M files in 80k directories", scale1M, true},
	{"wide300k", "the same with 300k files in one directory", wide300K, true},
	{"large10g", "a file of 10 GiB: new, edited, with bytes before and after", large10G, true},
}

// usual and unusual are the names of the workloads that run, and do not run,
// where none is named.
func usual() []string   { return workNames(false) }
func unusual() []string { return workNames(true) }

func workNames(asked bool) []string {
	var list []string
	for _, w := range workloads {
		if w.asked == asked {
			list = append(list, w.name)
		}
	}
	return list
}

// The sizes that the budgets speak of, and the smallest that mean anything.
const (
	fullSize     = 100_000
	fullLarge    = 512
	fullTransfer = 1024
	bulkFiles    = 10_000
	minFiles     = 100
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
		p, err := b.newPair(t, name)
		if err != nil {
			return nil, err
		}
		if err := fill(p.host); err != nil {
			return nil, err
		}
		k = &kept{tool: t, p: p}
		if k.state, err = os.MkdirTemp(b.work, "s-"); err != nil {
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

// big opens the session on the largest tree that is made.
func (b *bench) big(ctx context.Context, t tool) (*kept, error) {
	return b.sized(ctx, t, "big", b.options.files, 0)
}

// sized opens the session on a tree of so many files, and measures what it is to
// have it made.
func (b *bench) sized(ctx context.Context, t tool, name string, files, perDir int) (*kept, error) {
	_, there := b.shared[name+" "+t.name]
	var began, filled time.Time
	k, err := b.open(ctx, t, name, func(root string) error {
		began = time.Now()
		defer func() { filled = time.Now() }()
		return b.make(root, files, perDir)
	})
	if err != nil || there {
		return k, err
	}
	b.add("first."+name+".writes", t.name, seconds, 0, filled.Sub(began).Seconds())
	b.add("first."+name, t.name, seconds, 0, filledAt(k.session).Sub(filled).Seconds())
	return k, b.remember(ctx, k, "first."+name)
}

// remember measures the memory of a session after some work, once it has settled.
func (b *bench) remember(ctx context.Context, k *kept, work string) error {
	if k.session == nil || k.session.process() == 0 {
		return nil // nothing of it runs
	}
	if err := b.alone(k); err != nil {
		return err
	}
	if err := rest(ctx, settled); err != nil {
		return err
	}
	return b.measureMemory(k, "memory."+work)
}

func (b *bench) make(root string, files, perDir int) error {
	_, err := b.here.Do(probe.Request{Op: "make", Root: root, Seed: b.next(), Files: files, PerDir: perDir})
	return err
}

// job is a bulk job that is done through every tool that keeps whole trees.
type job struct {
	work    string // what a failure is a failure of
	open    func(t tool) (*kept, error)
	round   func(k *kept, round int) error
	back    bool // it begins in the container, so tools that go one way have no part
	discard bool // the trees are of no use to others
	memory  bool // what it leaves in memory is measured
}

// each runs a job: all tools are opened first, and then take turns, A B A B. What
// fails is a failed run of that tool, and the last one.
func (b *bench) each(ctx context.Context, j job) error {
	var open []*kept
	for _, t := range b.whole() {
		if t.oneWay && j.back {
			continue
		}
		k, err := j.open(t)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			b.failed(j.work, t.name, err)
			continue
		}
		open = append(open, k)
	}
	broken := map[*kept]bool{}
	try := func(work string, k *kept, do func() error) {
		if err := do(); err != nil && ctx.Err() == nil {
			b.failed(work, k.tool.name, err)
			broken[k] = true
		}
	}
	for round := range b.options.rounds {
		for _, k := range open {
			if !broken[k] {
				try(j.work, k, func() error { return errors.Join(k.start(ctx, b), j.round(k, round)) })
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	for _, k := range open {
		if j.memory && !broken[k] {
			try("memory."+j.work+".host", k, func() error { return errors.Join(k.start(ctx, b), b.remember(ctx, k, j.work)) })
		}
		if j.discard || broken[k] {
			try(j.work+".end", k, func() error { return b.discard(k) })
		}
	}
	return ctx.Err()
}
