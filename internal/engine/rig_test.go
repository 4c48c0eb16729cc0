package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// rig drives a State by hand. What it says to do is done at once by play, or
// looked at.
type rig struct {
	t    *testing.T
	s    *engine.State
	now  time.Time
	real [2]*tree.Entry
	todo []engine.Effect
	log  []string // kinds of effects, but for Wake and Intend

	// status answers a change instead of it being made; 0: make it.
	status func(on tree.Side, c tree.Change) engine.Status
	alarm  time.Time
}

func dirOf(nameContent ...string) *tree.Entry {
	d := tree.NewDir(nil)
	for i := 0; i < len(nameContent); i += 2 {
		d, _ = tree.Put(d, nameContent[i], fileOf(nameContent[i+1]))
	}
	return d
}

// synced returns a rig whose sides hold the same, and base too.
func synced(t *testing.T, e *tree.Entry) *rig {
	g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(e, engine.Options{})}
	g.join(e, e, false)
	g.play()
	if !g.s.InSync() || !g.s.Durable() {
		t.Fatalf("not in sync: %v", g.log)
	}
	g.log = nil
	return g
}

func (g *rig) join(host, container *tree.Entry, first bool) {
	g.step(engine.Joined{Side: tree.Host})
	g.whole(tree.Host, host)
	g.rejoin(container, first)
}

func (g *rig) rejoin(container *tree.Entry, first bool) {
	g.step(engine.Joined{Side: tree.Container, First: first})
	g.whole(tree.Container, container)
}

func (g *rig) whole(on tree.Side, e *tree.Entry) []engine.Effect {
	g.real[on] = e
	return g.step(engine.Observed{Side: on, Whole: true, Seen: []engine.Seen{{Entry: e}}})
}

// saw edits a side and reports that.
func (g *rig) saw(on tree.Side, pathEntry ...any) []engine.Effect {
	o := engine.Observed{Side: on}
	for i := 0; i < len(pathEntry); i += 2 {
		e, _ := pathEntry[i+1].(*tree.Entry)
		path := pathEntry[i].(string)
		g.real[on], _ = tree.Put(g.real[on], path, e)
		o.Seen = append(o.Seen, engine.Seen{Path: path, Entry: e})
	}
	return g.step(o)
}

func (g *rig) step(e engine.Event) []engine.Effect {
	effects := g.s.Step(g.now, e)
	for _, f := range effects {
		switch k := kindOf(f); k {
		case "Wake":
			g.alarm = f.(engine.Wake).At
		case "Intend":
		default:
			g.log = append(g.log, k)
		}
	}
	g.todo = append(g.todo, effects...)
	return effects
}

func kindOf(f any) string { return strings.TrimPrefix(fmt.Sprintf("%T", f), "engine.") }

func kinds(effects []engine.Effect) (out []string) {
	for _, f := range effects {
		out = append(out, kindOf(f))
	}
	return out
}

func (g *rig) count(kind string) (n int) {
	for _, k := range g.log {
		if k == kind {
			n++
		}
	}
	return n
}

// take returns the first effect of a kind that waits to be done.
func (g *rig) take(kind string) engine.Effect {
	g.t.Helper()
	i := slices.IndexFunc(g.todo, func(f engine.Effect) bool { return kindOf(f) == kind })
	if i < 0 {
		g.t.Fatalf("no %s; %v", kind, g.log)
	}
	f := g.todo[i]
	g.todo = slices.Delete(g.todo, i, i+1)
	return f
}

// play does everything, and lets time pass, until nothing is left.
func (g *rig) play() { g.until("") }

// until does everything until an effect of a kind is next.
func (g *rig) until(kind string) {
	g.t.Helper()
	for n := 0; n < 10_000; n++ {
		if len(g.todo) == 0 {
			if g.alarm.IsZero() {
				return
			}
			g.tick()
			continue
		}
		f := g.todo[0]
		if kindOf(f) == kind {
			return
		}
		g.todo = g.todo[1:]
		g.do(f)
	}
	g.t.Fatal("does not come to rest")
}

func (g *rig) tick() {
	g.now, g.alarm = g.alarm, time.Time{}
	g.step(engine.Tick{})
}

func (g *rig) do(f engine.Effect) {
	switch f := f.(type) {
	case engine.Apply:
		for _, c := range f.Changes {
			g.step(engine.Outcome{Side: f.Side, Batch: f.Batch, Results: []engine.Result{g.change(f.Side, c)}})
		}
		g.step(engine.Outcome{Side: f.Side, Batch: f.Batch, Done: true})
	case engine.Keep:
		g.step(engine.Kept{Path: f.Path, Entry: f.Entry})
	case engine.Settle:
		g.step(engine.Durable{Side: f.Side, Gen: f.Gen})
	case engine.Commit:
		g.step(engine.Committed{Gen: f.Gen})
	case engine.Look:
		for _, p := range f.Paths {
			g.step(engine.Observed{Side: f.Side, Seen: []engine.Seen{{Path: p, Entry: tree.Get(g.real[f.Side], p)}}})
		}
	case engine.AskFlush:
		g.step(engine.Flushed(f))
	}
}

func (g *rig) change(on tree.Side, c tree.Change) engine.Result {
	r := engine.Result{Path: c.Path, Entry: tree.Get(g.real[on], c.Path), Status: engine.Applied, Reason: "told to"}
	if g.status != nil {
		if x := g.status(on, c); x != 0 {
			r.Status = x
			return r
		}
	}
	if !tree.Same(r.Entry, c.Old) {
		r.Status = engine.MovedOn
		return r
	}
	g.real[on], _ = tree.Put(g.real[on], c.Path, c.New)
	r.Entry = c.New
	return r
}
