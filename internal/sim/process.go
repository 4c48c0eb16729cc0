//go:build linux

package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/internal/sim/simfs"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// hostProcess is `twosync up`.
type hostProcess struct {
	p        *process
	fs       *simfs.Proc
	d        *disk.Disk
	kept     *keep.Store
	session  *run.Session
	stop     context.CancelFunc
	met      bool // it was connected once
	stopping bool // it was asked to end
}

// agentProcess is what a dial started.
type agentProcess struct {
	agent
	fs *simfs.Proc
}

// source is a watch that waits as a task does.
type source struct {
	watch.Source
	w  *world
	fs *simfs.Proc
}

func (x source) Wait(d time.Duration) ([]watch.Event, error) {
	if d != 0 && !x.fs.Waiting() {
		until := int64(never)
		if d > 0 {
			until = x.w.s.mono + int64(d)
		}
		x.w.s.wait(x.fs.Waiting, until)
	}
	return x.Source.Wait(d)
}

// sourceOf opens a watch, which r can wake.
func (w *world) sourceOf(p *simfs.Proc, r *runner) func(string) (watch.Source, error) {
	return func(root string) (watch.Source, error) {
		src, err := p.Source(root)
		if err != nil {
			return nil, err
		}
		r.wake = src.Wake
		return source{src, w, p}, nil
	}
}

// options are those of a disk of either side.
func (w *world) options(f *simfs.Proc, r *runner) disk.Options {
	m := machine{w.s, r.p}
	return disk.Options{FS: f, Clock: m, Source: w.sourceOf(f, r), Each: each, NewID: m.NewID}
}

// hostDisk is the host's replica, as run.Config has it.
type hostDisk struct {
	*disk.Disk
	runs *runner
}

func (h hostDisk) Next(ctx context.Context) (replica.Report, error) {
	return nextOf(h.runs.s, h.Disk, ctx)
}

func (h hostDisk) Run(ctx context.Context) error {
	h.runs.run(ctx)
	h.runs.s.wait(func() bool { return ctx.Err() != nil || h.runs.err != nil }, never)
	h.runs.end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return h.runs.err
}

// startHost is somebody who types `twosync up`.
func (w *world) startHost() {
	if w.host != nil {
		return
	}
	x := &hostProcess{p: &process{name: "host"}, fs: w.fs[0].Process("host")}
	x.p.locked = func() bool {
		return x.d != nil && x.d.Locked() || x.kept != nil && x.kept.Locked() || x.session != nil && x.session.Locked()
	}
	x.fs.Hook = func(c *simfs.Call) error { return w.hook(x.p, c) }
	w.host = x
	w.s.spawn(x.p, "main", func() {
		err := w.up(x)
		if x.p.dead {
			return
		}
		w.host = nil
		x.fs.Kill()
		x.p.dead = true
		w.ended(x, err)
	})
}

// up is what the command does between the opening and the closing of all.
func (w *world) up(x *hostProcess) (err error) {
	m := machine{w.s, x.p}
	dir, err := x.fs.OpenRoot(hostState)
	if err != nil {
		return err
	}
	keepDir, err := x.fs.OpenRoot(hostState + "/keep")
	if err != nil {
		return err
	}
	if x.kept, err = keep.Open(keepDir, keep.Limits{Total: 2 << 30}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.kept.Close()) }()
	store, was, err := base.Open(dir, "s")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	runs := &runner{s: w.s, p: x.p}
	opt := w.options(x.fs, runs)
	opt.Session, opt.Holder, opt.Stage = "s", "twosync up", hostState+"/stage"
	opt.Displaced = func(from fsx.Dir, name string, was disk.Past) error {
		return x.kept.Adopt(from, name, keep.Item{Path: was.Path, Entry: was.Entry, Side: tree.Host, Why: keep.Why(was.Why), When: was.At})
	}
	opt.DisplacedDone = x.kept.Sync
	x.d = disk.New(hostRoot, opt)
	runs.d = x.d
	defer func() { x.fs.Ending = true; err = errors.Join(err, x.d.Close()) }()
	ctx, cancel := context.WithCancel(context.Background())
	x.stop = cancel
	x.session = run.New(run.Config{
		Host: hostDisk{x.d, runs},
		Dial: func(ctx context.Context) (replica.Replica, error) { return w.dial(ctx, x) },
		Base: store, Was: was, Keep: x.kept, Rules: w.rules, OneWay: ".twosyncignore",
		Machine: m, Tell: func(e run.Event) { x.met = x.met || e.Kind == run.Connected; w.tell(e) },
	})
	return x.session.Run(ctx)
}

func (w *world) tell(e run.Event) {
	if e.Kind == run.Kept {
		w.kept++
	}
	w.s.line("told: %s %s %s %s", e.Kind, e.Side, e.Path, e.Text)
	if e.Kind == run.Lost || e.Kind == run.Connected {
		w.lost = e.Kind == run.Lost
	}
	w.events = append(w.events, e)
	w.synced = e.Kind == run.InSync || w.synced && e.Kind == run.Kept
}

// ended is told why a session ended by itself.
func (w *world) ended(x *hostProcess, err error) {
	w.s.line("the session ended: %v", err)
	w.halted = fmt.Sprint(err)
	w.muddled = w.muddled || err != nil // as by a kill
	if !x.met && w.healed == 0 {
		return // what is wrong before the first connection is an error
	}
	if !w.expected(err) || w.ending && err != nil && w.healed > 0 && w.s.mono > w.healed {
		panic(violation(fmt.Sprintf("the session ended by itself: %v", err)))
	}
}

var errDown = errors.New("the container is not running")

// dial starts an agent.
func (w *world) dial(ctx context.Context, x *hostProcess) (replica.Replica, error) {
	m := machine{w.s, x.p}
	if err := m.Pause(ctx, time.Duration(20+w.s.rng.IntN(200))*time.Millisecond); err != nil {
		return nil, err
	}
	if w.down {
		return nil, errDown
	}
	p := &process{name: "agent"}
	a := &agentProcess{fs: w.fs[1].Process("agent")}
	a.fs.Hook = func(c *simfs.Call) error { return w.hook(p, c) }
	runs := &runner{s: w.s, p: p}
	opt := w.options(a.fs, runs)
	opt.Make, opt.LockWait, opt.Holder = true, 5*time.Second, "the agent"
	if w.h.Outer {
		opt.Stage = agentStage
	}
	l := newLink(w.s, x.p, p, w.h.Latency)
	l.sent = func() { w.sends++; w.active = w.s.mono }
	a.agent = agent{s: w.s, p: p, d: disk.New(agentRoot, opt), l: l}
	a.runs, runs.d = runs, a.d
	p.locked = a.d.Locked
	a.leave = func() { a.fs.Ending = true }
	a.exit = func() { w.killAgent(a) }
	w.agents, w.links = append(w.agents, a), append(w.links, l)
	a.start()
	r := newRemote(l)
	w.s.spawn(x.p, "receive", func() { l.serve(hostEnd) })
	return r, nil
}

// killAgent ends an agent's process.
func (w *world) killAgent(a *agentProcess) {
	a.fs.Kill()
	w.s.kill(a.p)
	a.l.gone()
	w.agents = slices.DeleteFunc(w.agents, func(b *agentProcess) bool { return a == b })
	w.links = slices.DeleteFunc(w.links, func(l *link) bool { return l == a.l })
}

// killHost ends the host's process.
func (w *world) killHost() {
	if w.host == nil {
		return
	}
	x := w.host
	w.host = nil
	x.fs.Kill()
	w.s.kill(x.p)
	for _, l := range w.links {
		l.gone()
	}
}
