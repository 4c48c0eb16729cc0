//go:build linux

package sim

import (
	"context"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/protocol"
)

// remote is the host's end of a link as a replica: what protocol.Remote is.
type remote struct {
	l       *link
	fetch   *fetching
	reports []replica.Report
	seq     uint64
	answers map[uint64]*answer // of calls that wait; nil until it has come
	batches map[uint64]*flight // by seq
}

// flight is a batch that the agent has been given.
type flight struct {
	batch  *replica.Batch
	src    replica.Source
	ctx    context.Context
	landed bool // the agent's Apply has returned
	done   bool // the last outcome has come
}

var _ replica.Replica = (*remote)(nil)

func newRemote(l *link) *remote {
	r := &remote{l: l, fetch: newFetching(l, hostEnd), answers: make(map[uint64]*answer), batches: make(map[uint64]*flight)}
	l.ends[hostEnd].handle = r.handle
	return r
}

func (r *remote) err() error { return r.l.ends[hostEnd].err }

func (r *remote) handle(m any) {
	if r.fetch.take(m) {
		return
	}
	switch m := m.(type) {
	case replica.Report:
		if m.Outcome != nil {
			r.complete(m.Outcome)
		}
		r.reports = append(r.reports, m)
	case answer:
		if f := r.batches[m.seq]; f != nil {
			f.landed = true
			r.retire(m.seq, f)
			return
		}
		if _, waits := r.answers[m.seq]; waits {
			r.answers[m.seq] = &m
		}
	case ask:
		f := r.batches[m.seq]
		if f == nil || f.landed {
			panic(violation("contents of no batch are asked for"))
		}
		for _, w := range m.wants {
			if !protocol.Brings(f.batch, w) {
				panic(violation("contents are asked for that are not in the batch"))
			}
		}
		r.fetch.serve(f.ctx, m, f.src)
	}
}

// complete does what the real one does with an outcome.
func (r *remote) complete(o *replica.Outcome) {
	for seq, f := range r.batches {
		if f.batch.ID != o.Batch {
			continue
		}
		if err := protocol.Complete(f.batch, o); err != nil || f.done {
			panic(violation("an outcome of what is not under way"))
		}
		f.done = o.Done
		r.retire(seq, f)
		return
	}
	panic(violation("an outcome of no batch"))
}

func (r *remote) retire(seq uint64, f *flight) {
	if f.landed && f.done {
		delete(r.batches, seq)
	}
}

// call sends a command and waits for its answer.
func (r *remote) call(ctx context.Context, m call) (replica.Identity, error) {
	r.seq++
	m.seq = r.seq
	r.answers[m.seq] = nil
	defer delete(r.answers, m.seq)
	if err := r.l.send(hostEnd, workStream, m); err != nil {
		return replica.Identity{}, err
	}
	got := func() bool { return r.answers[m.seq] != nil || ctx.Err() != nil || r.err() != nil }
	if !got() {
		r.l.s.wait(got, never)
	}
	switch a := r.answers[m.seq]; {
	case a != nil:
		return a.id, a.err
	case ctx.Err() != nil:
		r.l.send(hostEnd, workStream, cancelled{m.seq})
		return replica.Identity{}, ctx.Err()
	}
	return replica.Identity{}, r.err()
}

func (r *remote) Start(ctx context.Context, s replica.Start) (replica.Identity, error) {
	s = carried(s)
	return r.call(ctx, call{start: &s})
}

func (r *remote) Adopt(ctx context.Context, id replica.ID, gen uint64) error {
	_, err := r.call(ctx, call{adopt: &adoption{id, gen}})
	return err
}

func (r *remote) Next(ctx context.Context) (replica.Report, error) {
	some := func() bool { return len(r.reports) > 0 || ctx.Err() != nil || r.err() != nil }
	if !some() {
		r.l.s.wait(some, never)
	}
	switch {
	case ctx.Err() != nil:
		return replica.Report{}, ctx.Err()
	case r.err() != nil:
		return replica.Report{}, r.err()
	}
	x := r.reports[0]
	r.reports = r.reports[1:]
	return x, nil
}

func (r *remote) Apply(ctx context.Context, b *replica.Batch, src replica.Source) error {
	r.seq++
	seq, f := r.seq, &flight{batch: b, src: src, ctx: ctx}
	r.batches[seq] = f
	if err := r.l.send(hostEnd, workStream, call{seq: seq, apply: carried(b)}); err != nil {
		delete(r.batches, seq)
		return err
	}
	over := func() bool { return f.landed || ctx.Err() != nil || r.err() != nil }
	if !over() {
		r.l.s.wait(over, never)
	}
	switch {
	case f.landed:
		return nil
	case ctx.Err() != nil:
		r.l.send(hostEnd, workStream, cancelled{seq})
		return ctx.Err()
	}
	return r.err()
}

func (r *remote) Settle(_ context.Context, s replica.Settle) error {
	return r.l.send(hostEnd, workStream, settle{carried(s)})
}

func (r *remote) Look(_ context.Context, paths []string) error {
	return r.l.send(hostEnd, workStream, looks{carried(paths)})
}

func (r *remote) Flush(_ context.Context, n uint64) error {
	return r.l.send(hostEnd, workStream, flush{n})
}

func (r *remote) Release(_ context.Context, slots []string) error {
	return r.l.send(hostEnd, workStream, release{carried(slots)})
}

func (r *remote) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	return r.fetch.send(ctx, 0, wants, sink)
}

// Close says goodbye, and does not wait for long.
func (r *remote) Close() error {
	if r.l.send(hostEnd, workStream, goodbye{}) == nil && !r.l.ends[agentEnd].p.dead {
		until := r.l.s.mono + int64(closeGrace)
		r.l.s.wait(func() bool { return r.err() != nil }, until)
	}
	r.l.gone()
	r.l.end(hostEnd, errLost)
	return nil
}
