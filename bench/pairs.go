package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

const (
	// Everything that is waited for arrives within this, or has failed.
	arriveLimit = 5 * time.Minute
	// Arrived and yet not equal: something more is on its way for so long.
	equalLimit = 30 * time.Second
	// Between two looks at whole trees.
	equalPause = 500 * time.Millisecond
)

// newPair returns two directories that no one has used; with a share they are
// one.
func (b *bench) newPair(t tool, name string) (pair, error) {
	name = fmt.Sprintf("%s-%d", name, b.next())
	p := pair{filepath.Join(b.work, name), containerRoot + "/" + name}
	if t.share {
		p = pair{filepath.Join(b.shareDir(t.name), name), sharePath(t.name) + "/" + name}
		_, err := b.here.Do(probe.Request{Op: "mkdir", Root: p.host})
		return p, err
	}
	return p, b.mkdir(p)
}

func (b *bench) mkdir(p pair) error {
	_, here := b.here.Do(probe.Request{Op: "mkdir", Root: p.host})
	_, there := b.there.Do(probe.Request{Op: "mkdir", Root: p.container})
	return errors.Join(here, there)
}

func (b *bench) remove(p pair) error {
	_, here := b.here.Do(probe.Request{Op: "remove", Root: p.host})
	_, there := b.there.Do(probe.Request{Op: "remove", Root: p.container})
	return errors.Join(here, there)
}

// at is the probe and the directory where edits of a direction arrive, or start.
func (b *bench) at(p pair, d direction) (from, to *probe.Client, source, sink string) {
	if d == toContainer {
		return b.here, b.there, p.host, p.container
	}
	return b.there, b.here, p.container, p.host
}

// equal fails unless both directories hold the same.
func (b *bench) equal(p pair) (host, container probe.Reply, err error) {
	if host, err = b.here.Do(probe.Request{Op: "tree", Root: p.host}); err != nil {
		return host, container, err
	}
	if container, err = b.there.Do(probe.Request{Op: "tree", Root: p.container}); err != nil {
		return host, container, err
	}
	if host.Digest == container.Digest {
		return host, container, nil
	}
	return host, container, b.difference(p)
}

// difference names the first path at which two trees differ.
func (b *bench) difference(p pair) error {
	host, err := b.here.Do(probe.Request{Op: "list", Root: p.host})
	if err != nil {
		return err
	}
	container, err := b.there.Do(probe.Request{Op: "list", Root: p.container})
	if err != nil {
		return err
	}
	for i, l := range host.Lines {
		if i >= len(container.Lines) {
			return fmt.Errorf("the trees differ: only the host has %q", l)
		}
		if l != container.Lines[i] {
			return fmt.Errorf("the trees differ: %q on the host, %q in the container", l, container.Lines[i])
		}
	}
	if n := len(host.Lines); n < len(container.Lines) {
		return fmt.Errorf("the trees differ: only the container has %q", container.Lines[n])
	}
	return errors.New("the trees differed a moment ago")
}

// until waits for what is expected, and for the trees to be equal. It returns the
// seconds from the writer's end until the last change of the tree that received.
func (b *bench) until(ctx context.Context, k *kept, d direction, written probe.Reply, expect []probe.Expect) (float64, error) {
	before, err := b.ahead()
	if err != nil {
		return 0, err
	}
	if err := tell(ctx, k.session); err != nil {
		return 0, err
	}
	_, to, _, sink := b.at(k.p, d)
	if _, err := to.Do(probe.Request{Op: "arrive", Root: sink, Expect: expect, Limit: arriveLimit}); err != nil {
		return 0, err
	}
	host, container, err := b.untilEqual(ctx, k.p)
	if err != nil {
		return 0, err
	}
	after, err := b.ahead()
	if err := errors.Join(err, steady(before, after)); err != nil {
		return 0, err
	}
	end, start := container.Changed-int64(after), written.Wall-int64(written.Ago)
	if d == toHost {
		end, start = host.Changed, start-int64(before)
	}
	return max(0, float64(end-start)/1e9), nil
}

// untilEqual waits for the trees to be equal, and no longer than a tool needs that
// has brought all files.
func (b *bench) untilEqual(ctx context.Context, p pair) (host, container probe.Reply, err error) {
	for end := time.Now().Add(equalLimit); ; {
		host, container, err = b.equal(p)
		if err == nil || time.Now().After(end) {
			return host, container, err
		}
		if err := rest(ctx, equalPause); err != nil {
			return host, container, err
		}
	}
}

const (
	reachTries = 30
	// Between two tries: at first the pause of one who is eager, then of one who
	// lets a slow tool finish what it has begun.
	reachPause  = 100 * time.Millisecond
	reachPauses = 5 // times the pause is doubled
)

// reaches saves until a save arrives, for tools that do not say when they are
// there.
func (b *bench) reaches(p pair, d direction) (err error) {
	const name = "ready"
	from, to, source, sink := b.at(p, d)
	for i := range reachTries {
		text := []byte(fmt.Sprintf("try %d", i))
		if _, err := from.Do(probe.Request{Op: "save", Root: source, Path: name, Data: text}); err != nil {
			return err
		}
		_, err = to.Do(probe.Request{Op: "arrive", Root: sink, Limit: reachPause << min(i, reachPauses),
			Expect: []probe.Expect{{Path: name, Size: int64(len(text)), Want: text}}})
		if err == nil {
			return nil
		}
	}
	return err
}

// seen is what was seen of a tool that says nothing.
type seen struct {
	alike   time.Time // when the container had what the host had
	reached time.Time // when a save had come through
}

// caughtUp waits until the container has what the host has, and a save comes
// through.
func (b *bench) caughtUp(ctx context.Context, p pair, d direction) (at seen, err error) {
	for end := time.Now().Add(inSyncLimit); ; {
		if at.alike, err = b.alike(p); err == nil {
			break
		}
		if time.Now().After(end) {
			return at, err
		}
		if err := rest(ctx, equalPause); err != nil {
			return at, err
		}
	}
	if err := b.reaches(p, d); err != nil {
		return at, err
	}
	at.reached = time.Now()
	from, to, source, sink := b.at(p, d)
	_, gone := from.Do(probe.Request{Op: "remove", Root: source, Path: "ready"})
	_, seen := to.Do(probe.Request{Op: "arrive", Root: sink, Limit: arriveLimit, Expect: []probe.Expect{{Path: "ready", Size: probe.Absent}}})
	return at, errors.Join(gone, seen)
}

const alikeLimit = 5 * time.Second

// alike looks whether the container has what the host has now: first file by
// file, which disturbs nobody, and only then at all content. It returns when it
// had seen the files. Someone may be saving, so what is asked for is soon out of
// date.
func (b *bench) alike(p pair) (at time.Time, err error) {
	has, err := b.here.Do(probe.Request{Op: "expect", Root: p.host})
	if err != nil {
		return at, err
	}
	if _, err := b.there.Do(probe.Request{Op: "arrive", Root: p.container, Expect: has.Expect, Limit: alikeLimit}); err != nil {
		return at, err
	}
	at = time.Now()
	_, _, err = b.equal(p)
	return at, err
}

// stateFolder is where a session keeps what it knows.
func (b *bench) stateFolder(o options) (string, error) {
	if o.keepState != "" {
		return o.keepState, nil
	}
	return os.MkdirTemp(b.work, "s-") // a short name: sockets go into it
}

// warm has a tool sync once, for what it does once for a container.
func (b *bench) warm(ctx context.Context, start func(context.Context, *bench, pair, direction, options) (session, error)) error {
	p, err := b.newPair(tool{}, "warm")
	if err != nil {
		return err
	}
	s, err := start(ctx, b, p, toContainer, options{})
	if err != nil {
		return err
	}
	return errors.Join(s.stop(), b.remove(p))
}

// quiet lets the disk finish what came before.
func (b *bench) quiet() error {
	_, err := b.here.Do(probe.Request{Op: "run", Args: []string{"sync"}})
	return err
}

// neverCross are the names of repositories, which twosync leaves where they are.
var neverCross = []string{".git", ".hg", ".svn", ".twosync"}

// copyTree copies files, directories and links, so that -tree is only read.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case slices.Contains(neverCross, d.Name()) && rel != ".":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type() == fs.ModeSymlink:
			link, err := os.Readlink(name)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case d.Type().IsRegular():
			return copyFile(target, name)
		}
		return nil // sockets and devices are no part of a source tree
	})
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	return errors.Join(err, f.Close())
}
