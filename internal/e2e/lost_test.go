//go:build linux

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// saveBoth saves a file on both sides before either has heard of the other.
func (p *pair) saveBoth(path, host, container string) {
	p.t.Helper()
	p.stop()
	p.host.save(path, host)
	p.inner.save(path, container)
	p.session = p.up(p.target)
	p.inSync()
	p.flushOpen()
	p.host.holds(path, host)
	p.inner.holds(path, host)
}

// D10, D11, D12, D13, D15: conflict after conflict about the same paths. Each loser is kept
// once, under no name that a compiler or a glob would find, whatever it was
// called; and stays when the conflict is over.
func TestLosers(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	long := "d/" + longest("l")
	p.host.write("main.go", "package main\n")
	p.host.write(long, "0\n")
	names := p.settled(t)
	p.saveBoth("main.go", "package main // host 1\n", "package main // container 1\n")
	p.saveBoth("main.go", "package main // host 2\n", "package main // container 2\n")
	p.saveBoth("main.go", "package main // host 3\n", "package main // container 1\n")
	p.saveBoth(long, "host\n", "container\n")
	losers := []string{"container\n", "package main // container 1\n", "package main // container 2\n"}
	kept := func() []string { return slices.Sorted(slices.Values(p.keptOf("container"))) }
	if got := kept(); !slices.Equal(got, losers) {
		t.Errorf("kept are %q, want %q", got, losers)
	}
	now := p.host.tree()
	if a, b := slices.Sorted(maps.Keys(names)), slices.Sorted(maps.Keys(now)); !slices.Equal(a, b) {
		t.Errorf("names %q became %q", a, b)
	}
	p.host.save("main.go", "package main // merged\n")
	p.host.save(long, "merged\n")
	p.settled(t)
	if got := kept(); !slices.Equal(got, losers) {
		t.Errorf("after the conflicts kept are %q, want %q", got, losers)
	}
	p.stop()
}

// keptOf returns the kept contents that hold a word.
func (p *place) keptOf(word string) []string {
	p.t.Helper()
	return slices.DeleteFunc(p.stored("/keep/objects/"), func(text string) bool { return !strings.Contains(text, word) })
}

// D14: whoever deletes what was kept has deleted it. It does not come back, and
// no path hears of it.
func TestLoserIsDeleted(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	p.host.write("f", "0\n")
	p.settled(t)
	p.saveBoth("f", "host\n", "container\n")
	p.stop()
	err := filepath.WalkDir(p.state(), func(path string, d os.DirEntry, err error) error {
		if text, e := os.ReadFile(path); err == nil && e == nil && string(text) == "container\n" {
			return os.Remove(path)
		}
		return err
	})
	must(t, err)
	for range 2 {
		p.session = p.up(p.target)
		p.inSync()
		p.flushOpen()
		if got := p.keptOf("container"); len(got) > 0 {
			t.Errorf("kept are %q again", got)
		}
		p.host.holds("f", "host\n")
		p.inner.holds("f", "host\n")
		p.stop()
	}
}

// B6: a tree that is removed in the container goes on the host, and every file
// of it can be had again.
func TestTreeIsRemoved(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	p.host.do(Request{Do: "populate", Path: []byte("stays"), N: 400, At: 1})
	p.host.do(Request{Do: "populate", Path: []byte("goes"), N: 100, At: 2})
	gone := make(map[string]bool)
	for path, e := range p.settled(t).below("goes") {
		if e.Kind == File {
			gone[p.host.read(path)] = true
		}
	}
	p.inner.remove("goes")
	p.settled(t)
	p.host.lacks("goes")
	p.stop()
	p.onceMore(fine, p.target)
	for _, text := range append(p.kept(), p.stored("stage")...) {
		delete(gone, text)
	}
	if len(gone) > 0 {
		t.Errorf("%d of 100 files are nowhere any more", len(gone))
	}
}
