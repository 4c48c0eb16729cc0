package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

const (
	savesARound = 50
	// A person saves a handful of files, again and again.
	savedFiles = 5
	savedSize  = 4 << 10
	saveLimit  = 30 * time.Second
	// Between two saves; drawn anew each time, so that no timer of a tool's is
	// always met in the same phase.
	saveGapMin = 150 * time.Millisecond
	saveGapMax = 350 * time.Millisecond
)

var directions = []direction{toContainer, toHost}

// saver saves files below one directory, in one direction.
type saver struct {
	work string
	tool string
	p    pair
	dir  string // below both roots; there already
	d    direction
}

// round saves n times and returns the seconds that each took to arrive.
func (s saver) round(ctx context.Context, b *bench, n int) ([]float64, error) {
	if err := b.quiet(); err != nil {
		return nil, err
	}
	seed := b.next()
	r := rand.New(rand.NewPCG(seed, 3))
	var took []float64
	for i := range savedFiles + n {
		v, err := s.once(b, i%savedFiles, probe.Text(seed, uint64(i), savedSize+r.Int64N(100)))
		if err != nil {
			return nil, err
		}
		if i >= savedFiles { // before that they are created: another thing
			took = append(took, v)
		}
		if err := rest(ctx, saveGapMin+time.Duration(r.Int64N(int64(saveGapMax-saveGapMin)))); err != nil {
			return nil, err
		}
	}
	return took, nil
}

func (s saver) once(b *bench, file int, data []byte) (float64, error) {
	from, to, source, sink := b.at(s.p, s.d)
	name := path.Join(s.dir, fmt.Sprintf("saved-%d.txt", file))
	arrived, err := to.Await(probe.Request{Root: sink, Path: name, Data: data, Limit: saveLimit})
	if err != nil {
		return 0, err
	}
	saved, failed := from.Do(probe.Request{Op: "save", Root: source, Path: name, Data: data})
	seen, err := arrived()
	return max(0, float64(seen.Mono-saved.Mono)/1e9), errors.Join(failed, err)
}

// take makes one round's sample, or a failure.
func (s saver) take(ctx context.Context, b *bench, round, n int) error {
	work := s.work + "." + string(s.d)
	took, err := s.round(ctx, b, n)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		b.failed(work, s.tool, err)
		return nil
	}
	b.add(work, s.tool, seconds, round, took...)
	return nil
}

// savedDir makes the directory for saves through the session, deep enough to be
// an ordinary one.
func (b *bench) savedDir(p pair) (string, error) {
	const dir = "bench-saved/some/where"
	if _, err := b.here.Do(probe.Request{Op: "mkdir", Root: p.host, Path: dir}); err != nil {
		return "", err
	}
	_, err := b.there.Do(probe.Request{Op: "arrive", Root: p.container, Limit: arriveLimit,
		Expect: []probe.Expect{{Path: dir, Size: probe.Folder}}})
	return dir, err
}

// save measures one save, in one direction after the other.
func save(ctx context.Context, b *bench) error {
	for _, d := range directions {
		savers, stop, err := b.savers(ctx, d)
		if err != nil {
			return errors.Join(err, stop())
		}
		for round := range b.options.rounds {
			for _, s := range savers {
				if err := s.take(ctx, b, round, savesARound); err != nil {
					return errors.Join(err, stop())
				}
			}
		}
		for _, s := range savers {
			if _, _, err := b.equal(s.p); err != nil {
				b.failed("save."+string(d), s.tool, err)
			}
		}
		if err := stop(); err != nil {
			return err
		}
	}
	return nil
}

// savers starts, or finds, a session of each tool. stop ends those of them that
// are for this direction only.
func (b *bench) savers(ctx context.Context, d direction) (list []saver, stop func() error, err error) {
	var started []session
	stop = func() error {
		var errs []error
		for _, s := range started {
			errs = append(errs, s.stop())
		}
		return errors.Join(errs...)
	}
	for _, t := range b.tools {
		s := saver{work: "save", tool: t.name, d: d}
		switch {
		case t.start == nil:
			continue
		case t.fill == nil: // keeps one directory only
			if s.p, err = b.newPair(t.name); err != nil {
				return nil, stop, err
			}
			session, err := t.start(ctx, b, s.p, d, options{})
			if err != nil {
				return nil, stop, err
			}
			started = append(started, session)
		default:
			k, err := b.tree(ctx, t)
			if err == nil {
				s.p = k.p
				s.dir, err = b.savedDir(k.p)
			}
			if err != nil {
				b.failed("save."+string(d), t.name, err)
				continue
			}
		}
		list = append(list, s)
	}
	return list, stop, nil
}

// savesAtScale are fewer: there are many rounds of them.
const savesAtScale = 25

// sizes are the trees of scale, the largest last.
func (b *bench) sizes() []int {
	list := []int{b.options.files}
	for n := 10_000; n >= 1000; n /= 10 {
		if n < b.options.files {
			list = append([]int{n}, list...)
		}
	}
	return list
}

func scaleWork(files int) string { return fmt.Sprintf("scale.%d", files) }

// scale saves in trees of several sizes, in turn.
func scale(ctx context.Context, b *bench) error {
	for _, t := range b.whole() {
		if err := b.scaleTool(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) scaleTool(ctx context.Context, t tool) (err error) {
	list, done, err := b.scaleSavers(ctx, t)
	defer func() { err = errors.Join(err, done()) }()
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	for _, d := range directions {
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

// scaleSavers has a session in a tree of each size, all at once, so that they take
// turns. done discards all but the largest, which others use.
func (b *bench) scaleSavers(ctx context.Context, t tool) (list []saver, done func() error, err error) {
	var open, small []*kept
	done = func() error {
		var errs []error
		for _, k := range small {
			errs = append(errs, b.discard(k))
		}
		return errors.Join(errs...)
	}
	for _, files := range b.sizes() {
		var k *kept
		if files == b.options.files {
			k, err = b.big(ctx, t)
		} else if k, err = b.open(ctx, t, scaleWork(files), func(root string) error { return b.make(root, files) }); err == nil {
			small = append(small, k)
		}
		if err != nil {
			return nil, done, err
		}
		open = append(open, k)
		list = append(list, saver{work: scaleWork(files), tool: t.name, p: k.p})
	}
	for i, k := range open {
		if err := k.start(ctx, b); err != nil { // the largest wanted to be alone
			return nil, done, err
		}
		if list[i].dir, err = b.savedDir(k.p); err != nil {
			return nil, done, err
		}
	}
	return list, done, nil
}

// roundTrip is what the link of delayed adds.
const roundTrip = 100 * time.Millisecond

// delayed saves while the docker command is one that takes its time.
func delayed(ctx context.Context, b *bench) error {
	slow, err := b.slowDocker(roundTrip)
	if err != nil {
		return err
	}
	for _, t := range b.whole() {
		if err := b.delayedTool(ctx, t, slow); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.failed("delay.out", t.name, err)
		}
	}
	return nil
}

func (b *bench) delayedTool(ctx context.Context, t tool, slow string) (err error) {
	p, err := b.newPair("delay")
	if err != nil {
		return err
	}
	s, err := t.start(ctx, b, p, toContainer, options{path: slow})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop(), b.remove(p)) }()
	dir, err := b.savedDir(p)
	if err != nil {
		return err
	}
	for _, d := range directions {
		for round := range b.options.rounds {
			if err := (saver{"delay", t.name, p, dir, d}).take(ctx, b, round, savesAtScale); err != nil {
				return err
			}
		}
	}
	_, _, err = b.equal(p)
	return err
}

// slowDocker returns a folder with a docker command whose standard input and
// output each come half a round trip late.
func (b *bench) slowDocker(round time.Duration) (string, error) {
	actual, err := exec.LookPath("docker")
	if err != nil {
		return "", err
	}
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	script := fmt.Sprintf("#!/bin/sh\nexec %s delay %v %s \"$@\"\n", quote(b.hostProbe), round/2, quote(actual))
	dir := filepath.Join(b.work, "slow")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755)
}
