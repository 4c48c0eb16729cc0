package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
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
	s    session
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
		v, err := s.once(ctx, b, i%savedFiles, probe.Text(seed, uint64(i), savedSize+r.Int64N(100)))
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

func (s saver) once(ctx context.Context, b *bench, file int, data []byte) (float64, error) {
	from, to, source, sink := b.at(s.p, s.d)
	name := path.Join(s.dir, fmt.Sprintf("saved-%d.txt", file))
	arrived, err := to.Await(probe.Request{Op: "await", Root: sink, Path: name, Data: data, Limit: saveLimit})
	if err != nil {
		return 0, err
	}
	saved, failed := from.Do(probe.Request{Op: "save", Root: source, Path: name, Data: data})
	failed = errors.Join(failed, tell(ctx, s.s))
	seen, err := arrived()
	return b.between(from, to, saved, seen), errors.Join(failed, err)
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
func (b *bench) savedDir(ctx context.Context, k *kept) (string, error) {
	const dir = "bench-saved/some/where"
	_, err := b.here.Do(probe.Request{Op: "mkdir", Root: k.p.host, Path: dir})
	if err == nil && k.tool.oneWay { // what goes one way may bring files only
		_, err = b.there.Do(probe.Request{Op: "mkdir", Root: k.p.container, Path: dir})
	}
	if err := errors.Join(err, tell(ctx, k.session)); err != nil {
		return "", err
	}
	_, err = b.there.Do(probe.Request{Op: "arrive", Root: k.p.container, Limit: arriveLimit,
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
				if err := s.take(ctx, b, round, b.options.saves); err != nil {
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
		case t.start == nil, t.oneWay && d == toHost:
			continue
		case t.fill == nil: // keeps one directory only
			if s.p, err = b.newPair(t, t.name); err != nil {
				return nil, stop, err
			}
			session, err := t.start(ctx, b, s.p, d, options{})
			if err != nil {
				return nil, stop, err
			}
			started = append(started, session)
			s.s = session
		default:
			k, err := b.tree(ctx, t)
			if err == nil {
				s.p, s.s = k.p, k.session
				s.dir, err = b.savedDir(ctx, k)
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
