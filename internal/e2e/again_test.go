//go:build linux

package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bases returns the files in which sessions of this place have written down what
// was agreed.
func (p *place) bases() (all []string) {
	p.t.Helper()
	err := filepath.WalkDir(p.state(), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() == "base" {
			all = append(all, path)
		}
		return err
	})
	must(p.t, err)
	if len(all) == 0 {
		p.t.Fatal("no base was written")
	}
	return all
}

// J10: what was agreed is gone, cut off, damaged, or not ours. Then nobody knows
// what was deleted since, so nothing is; what both sides edited is kept.
func TestBaseIsLost(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string, text []byte) error{
		"gone":    func(path string, _ []byte) error { return os.Remove(path) },
		"empty":   func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
		"cut":     func(path string, text []byte) error { return os.WriteFile(path, text[:len(text)/2], 0o600) },
		"damaged": func(path string, text []byte) error { text[len(text)/3]++; return os.WriteFile(path, text, 0o600) },
		"garbage": func(path string, _ []byte) error { return os.WriteFile(path, []byte("somebody else's"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := beginHere(t)
			source(p.host)
			p.settled(t)
			p.stop()
			p.host.write("main.go", "package main // host\n")
			p.inner.write("main.go", "package main // container\n")
			p.host.write("README.md", "edited\n")
			p.inner.remove("lib/a.go")
			for _, path := range p.bases() {
				text, err := os.ReadFile(path)
				must(t, err)
				must(t, spoil(path, text))
			}
			p.session = p.up(p.target)
			p.inSync()
			p.flushOpen()
			same(t, "host, but container", p.host.tree(), p.inner.tree())
			p.inner.holds("main.go", "package main // host\n")
			p.inner.holds("README.md", "edited\n")
			p.inner.holds("lib/a.go", "package lib // a\n")
			p.keeps("package main // container\n")
			p.stop()
		})
	}
}

// J8: the container's directory, with all that is in it, is set back to what it
// was. Nothing that was agreed since is undone on the host; what was written
// there in between is on both sides again.
func TestSetBack(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	source(p.host)
	p.settled(t)
	p.stop()
	there := p.inner.root()
	was := there + ".was"
	tool(t, "/", "cp", "-a", there, was)
	p.session = p.up(p.target)
	p.inSync()
	p.host.write("main.go", "package main // since\n")
	p.inner.write("lib/a.go", "package lib // since\n")
	p.inner.write("new", "since\n")
	p.host.remove("lib/b.go")
	before := p.settled(t)
	p.stop()
	must(t, os.RemoveAll(there))
	must(t, os.Rename(was, there))
	p.session = p.up(p.target)
	p.inSync()
	same(t, "host before, but after", before, p.settled(t))
	p.keptNothing()
	p.stop()
}

// J1, J2: both programs are killed in the middle of a storm on both sides, again
// and again. Nothing of it is lost, and nothing is left over.
func TestBothKilled(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	n := storm(300)
	for i := range int64(4) {
		here, there := []byte("host"), []byte("container")
		if i == 0 {
			p.host.do(Request{Do: "populate", Path: here, N: n, At: 1})
			p.inner.do(Request{Do: "populate", Path: there, N: n, At: 1})
		} else {
			p.host.do(Request{Do: "rename", Path: here, To: []byte("moving")})
			p.host.do(Request{Do: "rename", Path: []byte("moving"), To: here})
			p.host.do(Request{Do: "populate", Path: here, N: n, At: i + 1})
			p.inner.do(Request{Do: "populate", Path: there, N: n, At: i + 1})
		}
		host, container := p.host.tree().below("host"), p.inner.tree().below("container")
		agents := p.inner.do(Request{Do: "procs", Data: []byte(built.twosync + " agent")}).Procs
		killed := 0
		for _, a := range agents {
			if strings.Contains(a.Args, p.inner.root()) {
				p.inner.do(Request{Do: "kill", At: a.PID, N: 9})
				killed++
			}
		}
		if killed != 1 && i == 0 {
			t.Fatalf("%d agents of ours run: %v", killed, agents)
		}
		p.kill()
		p.session = p.up(p.target)
		p.inSync()
		after := p.settled(t)
		same(t, "what was written on the host, but then", host, after.below("host"))
		same(t, "what was written in the container, but then", container, after.below("container"))
		p.keptNothing()
	}
	p.stop()
}

// A9, A10, D1: what changes no content changes nothing: other times, the same
// bytes in place and by rename, the same new file on both sides.
func TestNothingNew(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	source(p.host)
	p.settled(t)
	applied := len(p.changed())
	for _, u := range []*user{p.host, p.inner} {
		for _, at := range []int64{0, -1e9, 1 << 33, 4e9} {
			u.do(Request{Do: "touch", Path: []byte("main.go"), N: at})
			u.do(Request{Do: "touch", Path: []byte("lib"), N: at})
		}
		u.write("lib/a.go", "package lib // a\n")
		u.save("lib/b.go", "package lib // b\n")
		p.flush()
	}
	p.settled(t)
	if all := p.changed()[applied:]; len(all) > 0 {
		t.Errorf("changes were made: %v", all)
	}
	p.stop()
	p.host.write("both", "the same\n")
	p.inner.write("both", "the same\n")
	p.session = p.up(p.target)
	p.inSync()
	p.settled(t)
	if n := len(p.said("applied")); n != 0 {
		t.Errorf("%d changes were made for what both sides hold", n)
	}
	p.keptNothing()
	p.stop()
}

// H6: one volume in two containers, two hosts that do not know of one another.
// Whoever is second is told of the first, and changes nothing.
func TestOneVolumeTwoContainers(t *testing.T) {
	t.Parallel()
	v := newVolume(t)
	first, second := runContainer(t, scratch, "-v", v+":/app"), runContainer(t, scratch, "-v", v+":/app")
	p := beginWith(t, first, "/app")
	before := p.inner.tree()
	q := newPlace(t)
	onHost(t, q.dir).write("main.go", "another project\n")
	q.refuses(failed, []string{"/app", "another session"}, second+":/app")
	same(t, "volume before, but after", before, p.inner.tree())
	p.host.write("main.go", "package main // undisturbed\n")
	p.settled(t)
	p.stop()
}

// A8: a formatter on each side, and they disagree. That does not go on for ever;
// it is said, and nobody waits for it.
func TestFormattersFight(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	p.host.write("main.go", "as the host likes it\n")
	p.settled(t)
	ctx, cancel := context.WithCancel(t.Context())
	var both sync.WaitGroup
	defer both.Wait()
	defer cancel()
	saves := [2]atomic.Int64{}
	for i, u := range []*user{p.host, p.inner} {
		path, mine := filepath.Join(u.root(), "main.go"), []byte("as the "+u.name+" likes it\n")
		both.Go(func() {
			every := time.NewTicker(2 * time.Millisecond)
			defer every.Stop()
			for ctx.Err() == nil {
				if text, err := os.ReadFile(path); err == nil && len(text) > 0 && !bytes.Equal(text, mine) {
					_ = os.WriteFile(path, mine, 0o644)
					saves[i].Add(1)
				}
				<-every.C
			}
		})
	}
	p.next("that it rests", func(e told) bool { return e.Event == "held" && strings.Contains(e.Text, "in turn") })
	if list := p.flushHeld(); !strings.Contains(list, "main.go") {
		t.Errorf("flush does not list it: %q", list)
	}
	p.host.write("other.go", "other\n")
	p.flushHeld()
	p.inner.holds("other.go", "other\n")
	if n := saves[0].Load() + saves[1].Load(); n > 40 {
		t.Errorf("%d saves before that was seen", n)
	}
	cancel()
	both.Wait()
	p.host.write("main.go", "as both like it\n")
	p.flushOpen() // what the container's formatter wrote last was in nobody's hands but its own
	p.inner.holds("main.go", "as both like it\n")
	p.stop()
}
