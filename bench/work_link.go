package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// linkRate is what the links carry each way, in bytes a second: a good line to a
// cluster far away.
const linkRate = 20_000_000

// byteTime is what a first sync over a link is a ratio to: the time that its bytes
// need on it.
const byteTime = "bytes/rate"

// halfTrip is what a save over a link is a ratio to: no message is faster.
const halfTrip = "half a trip"

func linkWork(round time.Duration) string { return fmt.Sprintf("link.%v", round) }

// links does its work while the docker command is one that takes its time.
func links(ctx context.Context, b *bench) error {
	for _, round := range b.options.trips {
		for _, d := range directions {
			b.add(linkWork(round)+"."+string(d), halfTrip, seconds, 0, round.Seconds()/2)
		}
		slow, err := b.slowDocker(round)
		if err != nil {
			return err
		}
		if err := b.linkFirst(ctx, round, slow); err != nil {
			return err
		}
		for _, t := range b.whole() {
			if t.direct {
				continue
			}
			if err := b.linkSaves(ctx, t, round, slow); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				b.failed(linkWork(round)+".out", t.name, err)
			}
		}
	}
	for _, t := range b.tools {
		if t.direct && t.start != nil {
			b.note("no link for %s: it speaks to the engine itself", t.name)
		}
	}
	return nil
}

// linkFirst brings many small files over the link.
func (b *bench) linkFirst(ctx context.Context, round time.Duration, slow string) error {
	root, work := filepath.Join(b.dataDir(), "link"), linkWork(round)+".first"
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := b.make(root, b.bulk(), 0); err != nil {
		return err
	}
	tree, err := b.here.Do(probe.Request{Op: "tree", Root: root})
	if err != nil {
		return err
	}
	b.add(work, byteTime, seconds, 0, float64(tree.Bytes)/linkRate)
	for n := range b.options.rounds {
		for _, t := range b.tools {
			if t.direct || t.fill == nil {
				continue
			}
			to := b.firstDir()
			took, err := b.firstOnce(ctx, root, to, func(p pair) (session, error) { return b.fillOver(ctx, t, p, slow) })
			_, gone := b.there.Do(probe.Request{Op: "remove", Root: to})
			err = errors.Join(err, gone)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				b.failed(work, t.name, err)
				continue
			}
			b.add(work, t.name, seconds, n, took)
		}
	}
	return nil
}

// fillOver fills through a slow docker command.
func (b *bench) fillOver(ctx context.Context, t tool, p pair, slow string) (session, error) {
	if t.start == nil {
		return noSession{}, b.tarOver(ctx, filepath.Join(slow, "docker"), p)
	}
	return t.start(ctx, b, p, toContainer, options{path: slow})
}

func (b *bench) linkSaves(ctx context.Context, t tool, round time.Duration, slow string) (err error) {
	p, err := b.newPair(t, "link")
	if err != nil {
		return err
	}
	s, err := t.start(ctx, b, p, toContainer, options{path: slow})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop(), b.remove(p)) }()
	k := &kept{tool: t, p: p, session: s}
	dir, err := b.savedDir(ctx, k)
	if err != nil {
		return err
	}
	for n := range b.options.rounds {
		if err := b.linkFiles(ctx, k, linkWork(round)+".files", n); err != nil {
			return err
		}
	}
	return b.takeTurns(ctx, t, []saver{{work: linkWork(round), tool: t.name, p: p, s: s, dir: dir}})
}

// linkFiles brings as many small files into a session that is there: what a first
// sync is without connecting.
func (b *bench) linkFiles(ctx context.Context, k *kept, work string, round int) error {
	const name = "arriving"
	seed, made := b.next(), filepath.Join(b.work, name)
	if _, err := b.here.Do(probe.Request{Op: "make", Root: b.work, Path: name, Seed: seed, Files: b.bulk()}); err != nil {
		return err
	}
	if err := b.quiet(); err != nil {
		return err
	}
	tree, err := b.here.Do(probe.Request{Op: "tree", Root: made})
	if err != nil {
		return err
	}
	to := fmt.Sprintf("files-%d", round)
	if err := os.Rename(made, filepath.Join(k.p.host, to)); err != nil {
		return err
	}
	r, err := b.here.Do(probe.Request{Op: "ping"}) // the moment
	if err != nil {
		return err
	}
	took, err := b.until(ctx, k, toContainer, r, expected(to, seed, b.bulk()))
	if err != nil {
		return err
	}
	b.add(work, byteTime, seconds, round, float64(tree.Bytes)/linkRate)
	b.add(work, k.tool.name, seconds, round, took)
	return nil
}

// slowDocker returns a folder with a docker command whose standard input and
// output each come half a round trip late, and no faster than the link.
func (b *bench) slowDocker(round time.Duration) (string, error) {
	return b.otherDocker("link", (round / 2).String(), fmt.Sprint(linkRate))
}

// otherDocker returns a folder with a docker command that is our probe around the
// actual one.
func (b *bench) otherDocker(args ...string) (string, error) {
	actual, err := exec.LookPath("docker")
	if err != nil {
		return "", err
	}
	words := []string{"exec", shellQuote(b.hostProbe)}
	for _, a := range append(args, actual) {
		words = append(words, shellQuote(a))
	}
	dir, err := os.MkdirTemp(b.work, "docker-")
	if err != nil {
		return "", err
	}
	script := "#!/bin/sh\n" + strings.Join(words, " ") + " \"$@\"\n"
	return dir, os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755)
}

// shellQuote makes one word of s for a shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
