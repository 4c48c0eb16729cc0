package protocol

import (
	"context"
	"fmt"
	"sync"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// flight is a batch that the agent has been given.
type flight struct {
	// config
	batch   *replica.Batch
	changes map[string]*tree.Change // by path

	// state
	seq     uint64
	asks    chan request  // holds as many as there can be
	landed  chan struct{} // closed when the agent's Apply has returned
	left    bool          // Apply here has returned, guarded by Remote.mu
	applied bool          // landed is closed, guarded by Remote.mu
	done    bool          // the last outcome has come, guarded by Remote.mu
}

// request is a request of the agent for contents of a batch.
type request struct {
	out   *giving
	wants []replica.Want
}

// Apply implements replica.Replica. The batch must not change until the last
// outcome has come out of Next.
func (r *Remote) Apply(ctx context.Context, b *replica.Batch, src replica.Source) error {
	if err := r.slot(ctx); err != nil {
		return err
	}
	f, err := r.launch(ctx, b)
	if err != nil {
		r.abandon(f)
		return fmt.Errorf("apply batch: %w", err)
	}
	defer r.leave(f)
	return r.supply(ctx, f, src)
}

func newFlight(b *replica.Batch) *flight {
	f := &flight{
		batch:   b,
		changes: make(map[string]*tree.Change, len(b.Changes)),
		asks:    make(chan request, maxRequests),
		landed:  make(chan struct{}),
	}
	for i := range b.Changes {
		f.changes[b.Changes[i].Path] = &b.Changes[i]
	}
	return f
}

// launch sends the batch.
func (r *Remote) launch(ctx context.Context, b *replica.Batch) (*flight, error) {
	f := newFlight(b)
	err := r.link.work.sendMade(ctx, func() message {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.batches[b.ID] != nil {
			panic("protocol: internal error: two batches with one id")
		}
		r.seq++
		f.seq = r.seq
		r.flights[f.seq], r.batches[b.ID] = f, f
		return apply{f.seq, *b}
	})
	return f, err
}

// abandon forgets a batch that was not sent, and its place: unless an agent has
// answered the half that it got, and both were given up then.
func (r *Remote) abandon(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.seq == 0 || r.flights[f.seq] == f {
		r.forgetLocked(f)
	}
}

// supply answers the agent's requests until the batch has ended.
func (r *Remote) supply(ctx context.Context, f *flight, src replica.Source) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	for {
		select {
		case q := <-f.asks:
			wg.Go(func() { q.out.serve(serving, src, q.wants) })
		case <-f.landed:
			return nil
		case <-ctx.Done():
			r.cancel(f.seq)
			return context.Cause(ctx)
		case <-r.link.ctx.Done():
			return r.link.err()
		}
	}
}

// leave ends the requests that nobody will serve.
func (r *Remote) leave(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.left = true
	for len(f.asks) > 0 {
		(<-f.asks).out.finish("the batch has ended")
	}
}

// asked handles a request of the agent. It gets contents only of what it was
// told to write: no path is looked at here that the host did not name first.
func (r *Remote) asked(m ask) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flights[m.Seq]
	if f == nil || f.applied {
		return violation("request for contents of no batch")
	}
	for _, w := range m.Wants {
		if !f.holds(w) {
			return violation("request for %q, which is not in the batch", w.Path)
		}
	}
	out, err := r.link.giver.begin(m.Req)
	if err != nil {
		return err
	}
	if f.left {
		out.finish("the batch has ended")
		return nil
	}
	f.asks <- request{out, m.Wants}
	return nil
}

// holds says whether the batch brings this content to this path.
func (f *flight) holds(w replica.Want) bool {
	e, ok := f.brings(w.Path)
	return ok && w.Slot == "" && e.IsFile() && e.Digest == w.Digest && e.Size == w.Size
}

// brings returns what the batch wants path to hold; ok is false when the path
// is none of the batch's.
func (f *flight) brings(path string) (e *tree.Entry, ok bool) {
	for at, below := path, ""; ; {
		if c := f.changes[at]; c != nil {
			return tree.Get(c.New, below), true
		}
		if at == "" {
			return nil, false
		}
		var name string
		at, name = tree.Split(at)
		if below == "" {
			below = name
		} else {
			below = tree.Join(name, below)
		}
	}
}

// complete fills in what an outcome leaves out, and checks that it speaks of
// a batch that is under way.
func (r *Remote) complete(o *replica.Outcome) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.batches[o.Batch]
	if f == nil || f.done {
		return violation("outcome of no batch")
	}
	if err := f.fill(o); err != nil {
		return err
	}
	f.done = o.Done
	r.retireLocked(f)
	return nil
}

// fill fills in what an outcome of the batch leaves out.
func (f *flight) fill(o *replica.Outcome) error {
	for i := range o.Results {
		res := &o.Results[i]
		e, ok := f.brings(res.Path)
		if !ok {
			return violation("outcome for %q, which is not in the batch", res.Path)
		}
		if res.Status == replica.Applied {
			res.Entry = e
		}
	}
	return nil
}

// applied handles the return of the agent's Apply.
func (r *Remote) applied(seq uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flights[seq]
	if f == nil || f.applied {
		return violation("end of no batch")
	}
	f.applied = true
	close(f.landed)
	r.retireLocked(f)
	return nil
}

// retireLocked forgets a batch of which nothing more can come.
func (r *Remote) retireLocked(f *flight) {
	if f.applied && f.done {
		r.forgetLocked(f)
	}
}

func (r *Remote) forgetLocked(f *flight) {
	delete(r.flights, f.seq)
	if r.batches[f.batch.ID] == f {
		delete(r.batches, f.batch.ID)
	}
	<-r.slots
}
