//go:build linux

package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/internal/sim/simfs"
	"github.com/twosync/twosync/internal/tree"
)

// Result is what came of a history.
type Result struct {
	Trace     uint64 // equal for equal runs
	Violation *Violation
	Acts      int
	Calls     int
	Sent      int
	Time      time.Duration // that passed inside
	Held      string        // by both sides, in the end
	Steps     [2][]int      // before the last act: behind which calls since the act before it a side had changed something or made it durable
}

// Run plays a history. say gets what happens, line by line; it may be nil.
func Run(h *History, say func(string)) (r Result) {
	s := &sched{rng: rand.New(rand.NewPCG(h.Seed, 1)), wall: 1_700_000_000e9}
	s.trace.full = say
	w := newWorld(s, h)
	defer func() {
		if v, ok := recover().(*Violation); ok {
			r.Violation = v
		}
		w.over()
		r.Steps, r.Held = w.paced, w.both
		r.Trace, r.Acts, r.Calls, r.Sent, r.Time = s.trace.sum, w.next, w.calls, w.sends, time.Duration(s.mono)
	}()
	w.play()
	return r
}

// over ends all processes, so that nothing of them is left behind.
func (w *world) over() {
	w.s.cur = nil
	for _, a := range slices.Clone(w.agents) {
		w.killAgent(a)
	}
	w.killHost()
	for _, t := range slices.Clone(w.s.tasks) {
		w.s.kill(t.proc)
	}
	for _, c := range w.s.spare {
		c.stop()
	}
}

// How long things may take at the end.
const (
	quietTime  = 3 * time.Second
	settleTime = 4 * time.Minute
	cleanTime  = 70 * time.Second
	stillTime  = 30 * time.Second
	sweepTime  = 31 * time.Minute // two sweeps, for what no event tells
)

func (w *world) play() {
	w.s.run(func() bool { return w.next == len(w.h.Acts) }, never)
	w.heal()
	if w.unheard {
		w.rest(sweepTime)
	}
	w.calm()
	w.healed = w.s.mono
	w.compare("the sides differ")
	if w.faulty {
		w.again() // what could not be tidied up is left to the next start
	}
	w.rest(cleanTime)
	sends := w.sends
	w.rest(stillTime)
	if w.sends != sends && len(w.status().Held) == 0 { // what is held is tried now and then
		panic(violation(fmt.Sprintf("%d messages were sent while nothing happened", w.sends-sends)))
	}
	w.clean()
	w.compare("the sides differ after a rest")
}

// again ends the session in good order, and begins another.
func (w *world) again() {
	x := w.host
	x.stop()
	w.s.run(func() bool { return w.host != x && len(w.agents) == 0 }, w.s.mono+int64(time.Minute))
	w.startHost()
	w.calm()
}

// rest lets time pass.
func (w *world) rest(d time.Duration) {
	w.s.run(func() bool { return false }, w.s.mono+int64(d))
}

// calm waits until both sides are in sync and nothing happens.
func (w *world) calm() {
	limit := w.s.mono + int64(settleTime)
	var st run.Status
	for w.s.mono < limit {
		for w.active = w.s.mono; w.s.mono < min(w.active+int64(quietTime), limit); {
			w.s.run(func() bool { return w.active == w.s.mono }, min(w.active+int64(quietTime), limit))
			w.s.pass(1)
		}
		if st = w.status(); st.State == "in sync" && !w.unnoticed() && !slices.ContainsFunc(st.Held, func(h run.Held) bool { return !w.mayHold(h.Reason) }) {
			return
		}
		w.rest(time.Second)
		w.startHost()
		w.accept(st)
	}
	for _, t := range w.s.tasks {
		w.s.line("waits: %s %s until %d", t.proc.name, t.name, t.until)
	}
	panic(violation(fmt.Sprintf("not in sync after %v without an edit: %s, %d pending, held %v", settleTime, st.State, st.Pending, st.Held)))
}

// accept lets deletions through that the brake holds, as a user does.
func (w *world) accept(st run.Status) {
	x := w.host
	if x != nil && x.session != nil && slices.ContainsFunc(st.Held, func(h run.Held) bool { return strings.Contains(h.Reason, "with many others") }) {
		w.s.spawn(x.p, "accept", func() { x.session.Release(context.Background(), engine.Release{Paths: []string{""}}) })
	}
}

// unnoticed says whether a connection is gone of which an end believes otherwise.
func (w *world) unnoticed() bool {
	return slices.ContainsFunc(w.links, func(l *link) bool { return l.silent && l.ends[hostEnd].err == nil })
}

// status asks the session.
func (w *world) status() (st run.Status) {
	x := w.host
	if x == nil || x.session == nil {
		return st
	}
	answered := false
	w.s.spawn(x.p, "status", func() {
		st, _ = x.session.Status(context.Background())
		answered = true
	})
	w.s.run(func() bool { return answered || x.p.dead }, w.s.mono+int64(time.Minute))
	return st
}

// compare holds the two roots against each other, but for what is held.
func (w *world) compare(what string) {
	st := w.status()
	var held []string
	for _, h := range st.Held {
		held = append(held, h.Path)
	}
	host, container := w.listing(0, held), w.listing(1, held)
	if host == container {
		w.both = host
		return
	}
	panic(violation(fmt.Sprintf("%s; the host holds\n%s\nand the container\n%s", what, host, container)))
}

// mayHold says whether something may be out of sync for that reason.
func (w *world) mayHold(reason string) bool {
	return strings.Contains(reason, "not synced") || strings.Contains(reason, "can't be synced") || strings.Contains(reason, "ignored")
}

// listing describes what a root holds, without what never crosses.
func (w *world) listing(side int, held []string) string {
	var b strings.Builder
	w.users[side].Walk(roots[side], func(f simfs.Found) bool {
		rel := strings.TrimPrefix(f.Path, roots[side]+"/")
		parent, name := tree.Split(rel)
		if rel == ".twosync" || w.rules.Match(parent, name, f.Stat.Kind == fsx.Directory) || slices.Contains(held, rel) {
			return false
		}
		switch f.Stat.Kind {
		case fsx.Regular:
			fmt.Fprintf(&b, "  %s %d %.40q exec=%v\n", rel, len(f.Content), f.Content, f.Stat.Mode&0o111 != 0)
		case fsx.Symlink:
			fmt.Fprintf(&b, "  %s -> %s\n", rel, f.Content)
		default:
			fmt.Fprintf(&b, "  %s kind %d\n", rel, f.Stat.Kind)
		}
		return true
	})
	return b.String()
}

// clean looks whether our folders are nearly empty, the keep store holds what it
// should, and nobody was outside.
func (w *world) clean() {
	for side, u := range w.users {
		for _, path := range []string{"/etc/canary", "/home-canary"} {
			if got, err := u.Read(path); err != nil || got[:5] != "sings" {
				panic(violation(fmt.Sprintf("%s on the %s: %q, %v", path, sideNames[side], got, err)))
			}
		}
		for _, dir := range []string{roots[side] + "/.twosync/stage", hostState + "/stage", agentStage} {
			names, _ := u.ReadDir(dir)
			for _, name := range names {
				if name != "intents" {
					panic(violation(fmt.Sprintf("%s/%s was left behind on the %s", dir, name, sideNames[side])))
				}
			}
		}
	}
	w.ledger.Check()
	if w.h.Writer == both || w.host == nil || w.muddled {
		return
	}
	for _, i := range w.host.kept.List() {
		if i.Why == keep.Conflict {
			panic(violation(fmt.Sprintf("a version of %s was kept though only one side wrote", i.Path)))
		}
	}
}
