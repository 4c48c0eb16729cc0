package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// guarding returns a rig on which paths with a name that begins with "g" are
// guarded.
func guarding(t *testing.T, e *tree.Entry) *rig {
	guard := func(path string, _ bool) string {
		if strings.HasPrefix(path, "g") || strings.Contains(path, "/g") {
			return "guarded"
		}
		return ""
	}
	g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(e, engine.Options{Guard: guard})}
	g.join(e, e, false)
	g.play()
	g.log = nil
	return g
}

// TestGuard: what the container makes of a guarded path waits, in whatever it
// comes; the host's flows.
func TestGuard(t *testing.T) {
	for _, x := range []struct {
		what   string
		edits  []any
		host   string // then
		held   string
		accept string // the host, when everything is accepted
	}{
		{"created", []any{"g2", fileOf("1")}, "{d={g=1 x=1} g=1}", "g2", "{d={g=1 x=1} g=1 g2=1}"},
		{"changed", []any{"g", fileOf("2"), "d/x", fileOf("2")}, "{d={g=1 x=2} g=1}", "g", "{d={g=1 x=2} g=2}"},
		{"deleted", []any{"g", nil}, "{d={g=1 x=1} g=1}", "g", "{d={g=1 x=1}}"},
		{"deleted with its folder", []any{"d", nil}, "{d={g=1 x=1} g=1}", "d", "{g=1}"},
		{"in a new folder", []any{"n", dirOf("x", "1", "g/y", "1", "m/g", "1")}, "{d={g=1 x=1} g=1 n={m={} x=1}}", "n/g n/m/g", "{d={g=1 x=1} g=1 n={g={y=1} m={g=1} x=1}}"},
		{"a folder that becomes a file", []any{"d", fileOf("1")}, "{d={g=1 x=1} g=1}", "d", "{d=1 g=1}"},
	} {
		g := guarding(t, dirOf("g", "1", "d/g", "1", "d/x", "1"))
		g.saw(tree.Container, x.edits...)
		g.play()
		sum := g.s.Summary()
		var held []string
		for _, h := range sum.Held {
			held = append(held, h.Path)
		}
		if got := showEntry(g.real[0]); got != x.host || strings.Join(held, " ") != x.held || sum.Guarded != len(held) || !sum.InSync {
			t.Errorf("%s: host %s, held %v", x.what, got, held)
		}
		g.step(engine.Release{Paths: []string{""}}) // of deletions only
		g.play()
		if got := showEntry(g.real[0]); got != x.host {
			t.Errorf("%s: not accepted, and the host holds %s", x.what, got)
		}
		g.step(engine.Release{Guarded: true, Paths: []string{""}})
		g.play()
		if got := showEntry(g.real[0]); got != x.accept || !tree.Same(g.real[0], g.real[1]) || len(g.s.Summary().Held) > 0 {
			t.Errorf("%s: accepted, and the host holds %s, the container %s", x.what, got, showEntry(g.real[1]))
		}
	}
	g := guarding(t, dirOf("g", "1"))
	g.saw(tree.Host, "g", fileOf("2"))
	g.play()
	if showEntry(g.real[1]) != "{g=2}" {
		t.Errorf("from the host: the container holds %s", showEntry(g.real[1]))
	}
}

// TestGuardAccepted: what is accepted is what the container held at that time.
func TestGuardAccepted(t *testing.T) {
	g := guarding(t, dirOf("g", "1", "z", "1"))
	g.saw(tree.Container, "g", fileOf("2"))
	g.play()
	g.step(engine.Release{Guarded: true, Paths: []string{"g"}})
	apply := g.take("Apply")
	g.saw(tree.Container, "g", fileOf("3")) // before it has crossed
	g.do(apply)
	g.play()
	if showEntry(g.real[0]) != "{g=2 z=1}" || g.s.Summary().Guarded != 1 {
		t.Errorf("host %s, held %v", showEntry(g.real[0]), g.s.Summary().Held)
	}
	// Both have changed it: the host's goes over, and the other is kept.
	g.saw(tree.Host, "g", fileOf("4"))
	g.play()
	if showEntry(g.real[1]) != "{g=4 z=1}" || g.count("Keep") != 1 || g.s.Summary().Guarded != 0 {
		t.Errorf("container %s, %v", showEntry(g.real[1]), g.log)
	}
}
