package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/twosync/twosync/bench/probe"
)

const (
	editedBytes   = 100
	insertedBytes = 9
	appendedBytes = 4 << 10
)

// large makes a file on the host, edits it in place, puts bytes before it, and
// bytes after it.
func large(ctx context.Context, b *bench) error {
	return b.larges(ctx, "large", b.options.largeMiB<<20)
}

func large10G(ctx context.Context, b *bench) error { return b.larges(ctx, "large10g", 10<<30) }

func (b *bench) larges(ctx context.Context, work string, size int64) error {
	return b.each(ctx, job{work: work + ".first", discard: true, memory: true,
		open:  func(t tool) (*kept, error) { return b.open(ctx, t, work, empty) },
		round: func(k *kept, round int) error { return b.largeRound(ctx, k, work, size, round) }})
}

func (b *bench) largeRound(ctx context.Context, k *kept, work string, size int64, round int) error {
	seed, name := b.next(), fmt.Sprintf("large-%d.bin", round)
	edited, before, after := probe.Text(seed, 1, editedBytes), probe.Text(seed, 2, insertedBytes), probe.Text(seed, 3, appendedBytes)
	whole := size + insertedBytes
	for _, s := range []largeStep{
		{"first", probe.Request{Op: "large", Seed: seed, Size: size}, probe.Expect{Size: size}},
		{"edit", probe.Request{Op: "edit", Data: edited, At: size / 3}, probe.Expect{Size: size, At: size / 3, Want: edited}},
		{"insert", probe.Request{Op: "insert", Data: before}, probe.Expect{Size: whole, Want: before}},
		{"append", probe.Request{Op: "edit", Data: after, At: whole}, probe.Expect{Size: whole + appendedBytes, At: whole, Want: after}},
	} {
		s.do.Root, s.do.Path, s.expect.Path = k.p.host, name, name
		if err := b.largeOnce(ctx, k, work, s, round); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if k.tool.name == mainTool {
		if err := b.copyLarge(work, filepath.Join(k.p.host, name), round); err != nil {
			return err
		}
	}
	r, err := b.here.Do(probe.Request{Op: "remove", Root: k.p.host, Path: name})
	if err != nil {
		return err
	}
	_, err = b.until(ctx, k, toContainer, r, []probe.Expect{{Path: name, Size: probe.Absent}})
	return err
}

// largeStep is one thing that is done to a large file, and what is to come of it.
type largeStep struct {
	name   string
	do     probe.Request
	expect probe.Expect
}

func (b *bench) largeOnce(ctx context.Context, k *kept, work string, s largeStep, round int) error {
	if err := b.quiet(); err != nil {
		return err
	}
	before, told := b.wire(k.session)
	r, err := b.here.Do(s.do)
	if err != nil {
		return err
	}
	took, err := b.until(ctx, k, toContainer, r, []probe.Expect{s.expect})
	if err != nil {
		return err
	}
	b.add(work+"."+s.name, k.tool.name, seconds, round, took)
	if after, ok := b.wire(k.session); told && ok {
		b.add(work+"."+s.name+".wire", k.tool.name, octets, round, float64(after-before))
	}
	return nil
}

// copyLarge is what reading it, and copying it once, cost on this disk.
func (b *bench) copyLarge(work, name string, round int) error {
	if !b.has("cp") {
		return nil
	}
	if err := b.quiet(); err != nil {
		return err
	}
	read, err := b.here.Do(probe.Request{Op: "read", Root: name})
	if err != nil {
		return err
	}
	to := filepath.Join(b.work, "copied.bin")
	r, err := b.here.Do(probe.Request{Op: "run", Args: []string{"cp", name, to}})
	if err != nil {
		return err
	}
	b.add(work+".copy", "cp", seconds, round, r.Took.Seconds())
	b.add(work+".copy", readAndCopy, seconds, round, (read.Took + r.Took).Seconds())
	_, err = b.here.Do(probe.Request{Op: "remove", Root: to})
	return err
}

// readAndCopy is what a large file's budget is a ratio to.
const readAndCopy = "read + cp"

// wire counts the bytes that went either way between the two sides: what the
// docker command of the session has read. It is false where that is not known.
func (b *bench) wire(s session) (int64, bool) {
	if s.process() == 0 {
		return 0, false
	}
	r, err := b.here.Do(probe.Request{Op: "procs"})
	if err != nil {
		return 0, false
	}
	for _, p := range r.Procs {
		if p.Parent == s.process() && p.Command == "docker" && p.Read > 0 {
			return p.Read, true
		}
	}
	return 0, false
}
