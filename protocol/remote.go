package protocol

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twosync/twosync/internal/replica"
)

// maxCommands bounds the commands that are under way at once. The host waits
// for a place; an agent that is asked for more ends the session.
const maxCommands = 16

// Remote is a replica behind a wire, as the host sees it.
type Remote struct {
	link    *link
	reports chan replica.Report
	slots   chan struct{} // one for each command under way
	closing atomic.Bool
	met     bool // the agent's hello was right; owned by the control stream's reader
	closed  func() error

	mu      sync.Mutex
	seq     uint64             // the last command's number, guarded by mu
	calls   map[uint64]*call   // by number, guarded by mu
	flights map[uint64]*flight // by number, guarded by mu
	batches map[uint64]*flight // by the batch's id, guarded by mu
}

var _ replica.Replica = (*Remote)(nil)

// call is a command whose answer the caller waits for.
type call struct {
	want   code
	answer chan message // holds one
}

// NewRemote begins a session with an agent on conn, whose greeting has been
// read. It returns without waiting for the agent. Closing conn must end its
// reads and writes; Remote closes it when the session is over, whatever ended
// it. Close must be called all the same.
func NewRemote(conn io.ReadWriteCloser, opts Options) (*Remote, error) {
	l, err := newLink(context.Background(), conn, true, opts)
	if err != nil {
		return nil, err
	}
	r := &Remote{
		link:    l,
		reports: make(chan replica.Report),
		slots:   make(chan struct{}, maxCommands),
		calls:   map[uint64]*call{},
		flights: map[uint64]*flight{},
		batches: map[uint64]*flight{},
	}
	r.closed = sync.OnceValue(r.close)
	context.AfterFunc(l.ctx, func() { l.wire.Close() })
	if err := r.begin(); err != nil {
		l.end(err)
		return nil, err
	}
	return r, nil
}

func (r *Remote) begin() error {
	l := r.link
	if err := l.begin(); err != nil {
		return err
	}
	if err := l.control.send(l.ctx, hello{Version, l.features()}); err != nil {
		return err
	}
	l.readStream(controlStream, l.opening(r.greeted, r.ended))
	l.readStream(workStream, r.reported)
	l.readStream(fetchStream, r.fetched)
	return l.runBulk()
}

// greeted checks the agent's answer to hello.
func (r *Remote) greeted(m hello) error {
	if m.Version != Version || !slices.Equal(m.Features, r.link.features()) {
		return violation("the agent speaks version %d with %q, and not %d", m.Version, m.Features, Version)
	}
	r.met = true
	return nil
}

// ended handles the agent's last message.
func (r *Remote) ended(m end) error {
	switch {
	case m.Text != "" && !r.met:
		return violation("the agent does not answer hello: %s", m.Text)
	case m.Text != "":
		return &DisconnectError{"the agent ended: " + m.Text, nil}
	case r.closing.Load():
		return ErrClosed
	}
	return &DisconnectError{"the agent ended", nil}
}

// reported hands a report to Next. While nobody calls Next nothing more is
// read, so the agent cannot fill the memory with reports.
func (r *Remote) reported(m message) error {
	report, ok := reportOf(m)
	if !ok {
		return violation("%v on the work stream", m.code())
	}
	if report.Outcome != nil {
		if err := r.complete(report.Outcome); err != nil {
			return err
		}
	}
	select {
	case r.reports <- report:
		return nil
	case <-r.link.ctx.Done():
		return r.link.err()
	}
}

// fetched handles a message of the fetch stream.
func (r *Remote) fetched(m message) error {
	if ours, err := r.link.fetched(m); ours {
		return err
	}
	switch m := m.(type) {
	case ask:
		return r.asked(m)
	case applied:
		return r.applied(m.Seq)
	case started:
		return r.answered(m.Seq, m)
	case adopted:
		return r.answered(m.Seq, m)
	case refused:
		return r.answered(m.Seq, m)
	}
	return violation("%v on the fetch stream", m.code())
}

// answered hands an answer to whoever waits for it, if anybody still does.
func (r *Remote) answered(seq uint64, m message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[seq]
	if c == nil || m.code() != c.want && m.code() != codeRefused {
		return violation("%v to no command", m.code())
	}
	delete(r.calls, seq)
	<-r.slots
	c.answer <- m
	return nil
}

// call sends a command and waits for its answer.
func (r *Remote) call(ctx context.Context, want code, compose func(seq uint64) message) (message, error) {
	if err := r.slot(ctx); err != nil {
		return nil, err
	}
	c := &call{want, make(chan message, 1)}
	var seq uint64
	err := r.link.work.sendMade(ctx, func() message {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seq++
		seq = r.seq
		r.calls[seq] = c
		return compose(seq)
	})
	if err != nil && r.withdraw(seq) {
		return nil, err
	}
	select {
	case m := <-c.answer:
		return accepted(m)
	case <-ctx.Done():
		r.cancel(seq)
		return nil, context.Cause(ctx)
	case <-r.link.ctx.Done():
	}
	select {
	case m := <-c.answer: // it came before the end did
		return accepted(m)
	default:
		return nil, r.link.err()
	}
}

// withdraw takes a command back that was not sent; seq is 0 when its turn never
// came. It reports false when there is an answer to it all the same.
func (r *Remote) withdraw(seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq != 0 && r.calls[seq] == nil {
		return false
	}
	delete(r.calls, seq)
	<-r.slots
	return true
}

// accepted makes a refusal an error.
func accepted(m message) (message, error) {
	if m, ok := m.(refused); ok {
		return nil, &RefusedError{cmp.Or(m.Text, "the agent does not say why"), m.Remedy}
	}
	return m, nil
}

// slot waits for a place among the commands under way.
func (r *Remote) slot(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.link.ctx.Done():
		return r.link.err()
	}
}

// cancel tells the agent that nobody waits for a command any more.
func (r *Remote) cancel(seq uint64) {
	ctx, stop := r.link.soon()
	defer stop()
	r.link.work.send(ctx, cancel{seq})
}

// Start implements replica.Replica.
func (r *Remote) Start(ctx context.Context, s replica.Start) (replica.Identity, error) {
	m, err := r.call(ctx, codeStarted, func(seq uint64) message { return start{seq, s} })
	if err != nil {
		return replica.Identity{}, fmt.Errorf("start agent: %w", err)
	}
	return m.(started).Identity, nil
}

// Adopt implements replica.Replica.
func (r *Remote) Adopt(ctx context.Context, id replica.ID, gen uint64) error {
	_, err := r.call(ctx, codeAdopted, func(seq uint64) message { return adopt{seq, id, gen} })
	if err != nil {
		return fmt.Errorf("adopt identity: %w", err)
	}
	return nil
}

// Next implements replica.Replica.
func (r *Remote) Next(ctx context.Context) (replica.Report, error) {
	select {
	case report := <-r.reports:
		return report, nil
	case <-ctx.Done():
		return replica.Report{}, context.Cause(ctx)
	case <-r.link.ctx.Done():
		return replica.Report{}, r.link.err()
	}
}

// Settle implements replica.Replica.
func (r *Remote) Settle(ctx context.Context, s replica.Settle) error {
	return r.link.work.send(ctx, settle{s})
}

// Look implements replica.Replica.
func (r *Remote) Look(ctx context.Context, paths []string) error {
	return r.link.work.send(ctx, look{paths})
}

// Flush implements replica.Replica.
func (r *Remote) Flush(ctx context.Context, n uint64) error {
	return r.link.work.send(ctx, flush{n})
}

// Release implements replica.Replica.
func (r *Remote) Release(ctx context.Context, slots []string) error {
	return r.link.work.send(ctx, release{slots})
}

// Send implements replica.Source: contents come from the agent's root.
func (r *Remote) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	return r.link.asker.send(ctx, 0, wants, sink)
}

// Close ends the session: the agent closes its replica and says so. The error
// says why that did not happen.
func (r *Remote) Close() error { return r.closed() }

func (r *Remote) close() error {
	r.closing.Store(true)
	late := time.AfterFunc(closeGrace, func() {
		r.link.kill(&DisconnectError{"the agent did not end in time", nil})
	})
	defer late.Stop()
	r.link.control.send(context.Background(), end{})
	<-r.link.ctx.Done()
	err := r.link.err()
	if !r.link.end(err) {
		return fmt.Errorf("close session: the connection does not close")
	}
	if err == ErrClosed {
		return nil
	}
	return fmt.Errorf("close session: %w", err)
}
