package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/twosync/twosync/bench/probe"
)

const (
	editedBytes   = 100
	insertedBytes = 9
)

// large makes a file on the host, edits it in place, and puts bytes before it.
func large(ctx context.Context, b *bench) error {
	return b.each(ctx, "large.first", func(t tool) error {
		k, err := b.open(ctx, t, "large", empty)
		if err != nil {
			return err
		}
		if err := b.alone(k); err != nil { // the bytes on the wire are k's alone
			return errors.Join(err, b.discard(k))
		}
		for round := range b.options.rounds {
			if err := b.largeRound(ctx, k, round); err != nil {
				return errors.Join(err, b.discard(k))
			}
		}
		return b.discard(k)
	})
}

func (b *bench) largeRound(ctx context.Context, k *kept, round int) error {
	seed, size := b.next(), b.options.largeMiB<<20
	name := fmt.Sprintf("large-%d.bin", round)
	steps := []struct {
		work   string
		do     probe.Request
		expect probe.Expect
	}{
		{"large.first", probe.Request{Op: "large", Seed: seed, Size: size}, probe.Expect{Size: size}},
		{"large.edit", probe.Request{Op: "edit", Data: probe.Text(seed, 1, editedBytes), At: size / 3},
			probe.Expect{Size: size, At: size / 3, Want: probe.Text(seed, 1, editedBytes)}},
		{"large.insert", probe.Request{Op: "insert", Data: probe.Text(seed, 2, insertedBytes)},
			probe.Expect{Size: size + insertedBytes, Want: probe.Text(seed, 2, insertedBytes)}},
	}
	for _, s := range steps {
		s.do.Root, s.do.Path, s.expect.Path = k.p.host, name, name
		if err := b.largeStep(ctx, k, round, s.work, s.do, s.expect); err != nil {
			return fmt.Errorf("%s: %w", s.work, err)
		}
	}
	if err := b.copyLarge(filepath.Join(k.p.host, name), round); err != nil {
		return err
	}
	r, err := b.here.Do(probe.Request{Op: "remove", Root: k.p.host, Path: name})
	if err != nil {
		return err
	}
	_, err = b.until(ctx, k.p, toContainer, r, []probe.Expect{{Path: name, Size: probe.Absent}})
	return err
}

func (b *bench) largeStep(ctx context.Context, k *kept, round int, work string, do probe.Request, expect probe.Expect) error {
	if err := b.quiet(); err != nil {
		return err
	}
	before, told := b.wire(k.session)
	r, err := b.here.Do(do)
	if err != nil {
		return err
	}
	took, err := b.until(ctx, k.p, toContainer, r, []probe.Expect{expect})
	if err != nil {
		return err
	}
	b.add(work, k.tool.name, seconds, round, took)
	if after, ok := b.wire(k.session); told && ok {
		b.add(work+".wire", k.tool.name, octets, round, float64(after-before))
	}
	return nil
}

// copyLarge is what reading and writing it once costs on this disk.
func (b *bench) copyLarge(name string, round int) error {
	if !b.has("cp") {
		return nil
	}
	if err := b.quiet(); err != nil {
		return err
	}
	to := filepath.Join(b.work, "copied.bin")
	r, err := b.here.Do(probe.Request{Op: "run", Args: []string{"cp", name, to}})
	if err != nil {
		return err
	}
	b.add("large.copy", "cp", seconds, round, r.Took.Seconds())
	_, err = b.here.Do(probe.Request{Op: "remove", Root: to})
	return err
}

// wire counts the bytes that went either way between the two sides: what the
// docker command of the session has read. It is false where that is not known.
func (b *bench) wire(s session) (int64, bool) {
	r, err := b.here.Do(probe.Request{Op: "procs"})
	if err != nil {
		return 0, false
	}
	for _, p := range r.Procs {
		if p.Parent == s.process() && p.Command == "docker" {
			return p.Read, true
		}
	}
	return 0, false
}
