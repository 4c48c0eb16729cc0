package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

const (
	// own is the container's own file system: what neither a share nor a sync costs.
	// Every figure of this workload stands beside it.
	own = "own"

	packageFiles = 20_000
	builtFiles   = 5_000
	microFiles   = 2_000
	// Shares believe what they were told of a file for a second.
	forgotten = 1500 * time.Millisecond
)

// place is a directory in the container in which work is done.
type place struct {
	tool   string
	dir    string // in the container
	kept   *kept  // nil for the container's own
	oneWay bool
	gitDir string
}

// inside does the same work in each place, A B A B. The container's command ends
// first; where another side has to follow, what that takes is counted, too.
func inside(ctx context.Context, b *bench) error {
	places, done, err := b.places(ctx)
	defer func() { _ = done() }()
	if err != nil {
		return err
	}
	broken := map[string]bool{}
	for round := range b.options.rounds {
		for i := range places {
			p := &places[i]
			if broken[p.tool] {
				continue
			}
			err := b.insideRound(ctx, p, round)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				b.failed("inside", p.tool, err)
				broken[p.tool] = true
			}
		}
	}
	return done()
}

// places makes the source tree in each of them: on the host, where there is one.
func (b *bench) places(ctx context.Context) (list []place, done func() error, err error) {
	done = func() error {
		var errs []error
		for _, p := range list {
			if p.kept != nil {
				errs = append(errs, b.discard(p.kept))
				continue
			}
			_, err := b.there.Do(probe.Request{Op: "remove", Root: p.dir})
			errs = append(errs, err)
		}
		list = nil
		return errors.Join(errs...)
	}
	seed := b.next()
	source := probe.Request{Op: "make", Path: "src", Seed: seed, Files: b.bulk()}
	home := place{tool: own, dir: fmt.Sprintf("%s/own-%d", containerRoot, seed)}
	source.Root = home.dir
	if _, err := b.there.Do(source); err != nil {
		return nil, done, err
	}
	list = append(list, home)
	for _, t := range b.tools {
		if t.start == nil || t.fill == nil && !t.share || t.name == "rsync" {
			continue // it keeps no whole tree at all times
		}
		k, err := b.open(ctx, t, "inside", func(root string) error {
			source.Root = root
			_, err := b.here.Do(source)
			return err
		})
		if ctx.Err() != nil {
			return list, done, ctx.Err()
		}
		if err != nil {
			b.failed("inside", t.name, err)
			continue
		}
		list = append(list, place{tool: t.name, dir: k.p.container, kept: k, oneWay: t.oneWay})
	}
	return list, done, b.initGit(list)
}

// initGit makes a repository for each place, on the container's own file system:
// twosync leaves repositories where they are, and so the same is compared in all.
func (b *bench) initGit(list []place) error {
	if b.needs("git") != nil {
		b.leaveOut("git status: no git in the container")
		return nil
	}
	for i := range list {
		list[i].gitDir = "/tmp/git-" + path.Base(list[i].dir)
		for _, args := range [][]string{{"init", "-q"}, {"add", "-A", "."}} {
			if err := b.git(&list[i], args...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) git(p *place, args ...string) error {
	_, err := b.there.Do(gitRequest(p, args...))
	return err
}

func gitRequest(p *place, args ...string) probe.Request {
	return probe.Request{Op: "run", Args: append([]string{"git", "-c", "safe.directory=*", "-c", "core.trustctime=true",
		"--git-dir=" + p.gitDir, "--work-tree=" + p.dir + "/src"}, args...)}
}

// insideStep is one piece of work, and how many files it touches.
type insideStep struct {
	name  string
	files int
	do    probe.Request
	ends  []probe.Expect // what the host then holds; nil: the work changes nothing
}

func (b *bench) steps(p *place, seed uint64) []insideStep {
	src, packages, built := b.bulk(), min(packageFiles, 2*b.bulk()), min(builtFiles, b.bulk())
	var list []insideStep
	if p.gitDir != "" {
		list = append(list, insideStep{"status", src, gitRequest(p, "status", "--porcelain"), nil})
	}
	return append(list,
		insideStep{"stat", src, probe.Request{Op: "stat", Path: "src"}, nil},
		insideStep{"read", src, probe.Request{Op: "read", Path: "src"}, nil},
		insideStep{"create", packages, probe.Request{Op: "make", Path: "packages", Seed: seed, Files: packages}, expected("packages", seed, packages)},
		insideStep{"delete", packages, probe.Request{Op: "remove", Path: "packages"}, []probe.Expect{{Path: "packages", Size: probe.Absent}}},
		insideStep{"build", built, probe.Request{Op: "build", Path: "src", To: "built", Files: built}, []probe.Expect{{Path: "built/app", Size: 32}}},
		insideStep{"clean", built, probe.Request{Op: "remove", Path: "built"}, []probe.Expect{{Path: "built", Size: probe.Absent}}},
	)
}

func (b *bench) insideRound(ctx context.Context, p *place, round int) error {
	for _, s := range b.steps(p, b.next()) {
		if err := errors.Join(b.quiet(), rest(ctx, forgotten)); err != nil {
			return err
		}
		if s.do.Op != "run" {
			s.do.Root = p.dir
		}
		r, err := b.there.Do(s.do)
		if err != nil {
			return err
		}
		work := "inside." + s.name
		b.add(work, p.tool, seconds, round, r.Took.Seconds())
		b.add(work+".file", p.tool, seconds, round, r.Took.Seconds()/float64(s.files))
		if s.ends == nil || p.kept == nil || p.oneWay {
			continue
		}
		after, err := b.until(ctx, p.kept, toHost, r, s.ends)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if p.kept.tool.share {
			after = 0 // there is one directory
		}
		b.add(work+".settled", p.tool, seconds, round, r.Took.Seconds()+after)
	}
	return b.insideSmall(ctx, p, round)
}

// insideSmall times single operations, and large reads and writes: where shares
// are fine.
func (b *bench) insideSmall(ctx context.Context, p *place, round int) error {
	r, err := b.there.Do(probe.Request{Op: "micro", Root: p.dir, Path: "micro", Files: min(microFiles, b.bulk())})
	if err != nil {
		return err
	}
	for _, op := range probe.Micro {
		b.add("inside.one."+op, p.tool, seconds, round, r.Ops[op].Seconds())
	}
	r, err = b.there.Do(probe.Request{Op: "sequential", Root: p.dir, Path: "sequential.bin", Seed: b.next(), Size: b.options.largeMiB << 20 / 2})
	if err != nil {
		return err
	}
	b.add("inside.sequential write", p.tool, seconds, round, r.Ops["write"].Seconds())
	b.add("inside.sequential read", p.tool, seconds, round, r.Ops["read"].Seconds())
	if _, err := b.there.Do(probe.Request{Op: "remove", Root: p.dir, Path: "micro"}); err != nil || p.kept == nil || p.oneWay {
		return err
	}
	_, _, err = b.untilEqual(ctx, p.kept.p)
	return err
}
