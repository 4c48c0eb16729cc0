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

// newPair returns two directories that no one has used.
func (b *bench) newPair(name string) (pair, error) {
	name = fmt.Sprintf("%s-%d", name, b.next())
	p := pair{filepath.Join(b.work, name), containerRoot + "/" + name}
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
func (b *bench) until(ctx context.Context, p pair, d direction, written probe.Reply, expect []probe.Expect) (float64, error) {
	_, to, _, sink := b.at(p, d)
	if _, err := to.Do(probe.Request{Op: "arrive", Root: sink, Expect: expect, Limit: arriveLimit}); err != nil {
		return 0, err
	}
	for end := time.Now().Add(equalLimit); ; {
		host, container, err := b.equal(p)
		if err == nil {
			received := container
			if d == toHost {
				received = host
			}
			return max(0, float64(received.Changed-written.Wall)/1e9), nil
		}
		if time.Now().After(end) {
			return 0, err
		}
		if err := rest(ctx, equalPause); err != nil {
			return 0, err
		}
	}
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
