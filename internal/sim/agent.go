//go:build linux

package sim

import (
	"context"
	"errors"
	"time"

	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/replica"
)

// closeGrace is how long an agent may take to end.
const closeGrace = 1500 * time.Millisecond

// agent is what runs in the container for one connection: what protocol.Serve
// does around a disk.
type agent struct {
	s       *sched
	p       *process
	d       *disk.Disk
	runs    *runner
	l       *link
	fetch   *fetching
	ctx     context.Context
	cancel  context.CancelFunc
	running map[uint64]context.CancelFunc
	leave   func() // says that it ends in good order
	exit    func() // ends the process
}

// runner drives a disk as Disk.Run does.
type runner struct {
	s     *sched
	p     *process
	d     *disk.Disk
	wake  func()
	alive int  // loops that have not ended
	over  bool // they are to end
	err   error
}

// run has the loops of a disk that was started done in tasks of their own.
func (r *runner) run(ctx context.Context) {
	r.alive = 2
	r.s.spawn(r.p, "watch", func() {
		defer func() { r.alive-- }()
		r.d.FirstScan()
		for !r.over && ctx.Err() == nil && r.err == nil {
			r.err = r.d.Turn()
		}
	})
	r.s.spawn(r.p, "chores", func() {
		defer func() { r.alive-- }()
		over := func() bool { return r.over || ctx.Err() != nil }
		for !over() {
			if !r.d.Chore() {
				r.s.wait(func() bool { return over() || r.d.Busy() }, never)
			}
		}
	})
}

// end ends the loops and waits for them.
func (r *runner) end() {
	r.over = true
	r.wake()
	r.s.wait(func() bool { return r.alive == 0 }, never)
}

func (a *agent) start() {
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.running = make(map[uint64]context.CancelFunc)
	a.fetch = newFetching(a.l, agentEnd)
	a.l.ends[agentEnd].handle = a.handle
	a.s.spawn(a.p, "reports", a.report)
	a.s.spawn(a.p, "serve", func() {
		a.l.serve(agentEnd)
		a.s.spawn(a.p, "grace", func() { // what hangs is left behind
			a.s.pause(closeGrace)
			a.exit()
		})
		a.cancel()
		if a.runs.alive > 0 {
			a.runs.end()
		}
		a.leave()
		a.d.Close()
		a.exit()
	})
}

// report sends reports as they come.
func (a *agent) report() {
	for {
		r, err := nextOf(a.s, a.d, a.ctx)
		if err != nil {
			a.l.end(agentEnd, err)
			return
		}
		if a.l.send(agentEnd, workStream, carried(r)) != nil {
			return
		}
	}
}

// nextOf is Disk.Next, which waits as a task does.
func nextOf(s *sched, d *disk.Disk, ctx context.Context) (r replica.Report, err error) {
	some := func() bool {
		r, err = d.Next(deadCtx)
		return !errors.Is(err, context.Canceled) || ctx.Err() != nil
	}
	if !some() {
		s.wait(some, never)
	}
	return r, err
}

func (a *agent) handle(m any) {
	if a.fetch.take(m) {
		return
	}
	switch m := m.(type) {
	case call:
		a.command(m)
	case cancelled:
		if stop := a.running[m.seq]; stop != nil {
			stop()
		}
	case looks:
		a.must(a.d.Look(a.ctx, m.paths))
	case flush:
		a.must(a.d.Flush(a.ctx, m.n))
	case settle:
		a.must(a.d.Settle(a.ctx, m.s))
	case release:
		a.d.Release(a.ctx, m.slots)
	case ask:
		a.fetch.serve(a.ctx, m, a.d)
	case goodbye:
		a.l.end(agentEnd, errLost)
	}
}

// must ends the link where the real one does.
func (a *agent) must(err error) {
	if err != nil {
		a.l.end(agentEnd, err)
	}
}

// command carries one out beside the others.
func (a *agent) command(m call) {
	ctx, cancel := context.WithCancel(a.ctx)
	a.running[m.seq] = cancel
	a.s.spawn(a.p, "command", func() {
		r := answer{seq: m.seq}
		switch {
		case m.start != nil:
			r.id, r.err = a.d.Start(ctx, *m.start)
			if r.err == nil {
				r.id = carried(r.id)
				a.runs.run(a.ctx)
			}
		case m.adopt != nil:
			r.err = a.d.Adopt(ctx, m.adopt.id, m.adopt.gen)
		default:
			err := a.d.Apply(ctx, m.apply, agentSource{a.fetch, m.seq})
			if err != nil && ctx.Err() == nil {
				a.l.end(agentEnd, err)
			}
		}
		cancel()
		delete(a.running, m.seq)
		a.l.send(agentEnd, fetchStream, r)
	})
}

// agentSource is the host's contents of one batch.
type agentSource struct {
	f   *fetching
	seq uint64
}

func (s agentSource) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	return s.f.send(ctx, s.seq, wants, sink)
}
