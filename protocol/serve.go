package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/twosync/twosync/internal/replica"
)

// errHostEnded is the one good reason for a session of an agent to be over.
var errHostEnded = errors.New("the host ended the session")

// server is an agent's side of a session.
type server struct {
	link     *link
	replica  replica.Replica
	commands sync.WaitGroup // commands and requests

	mu      sync.Mutex
	last    uint64                        // the last command's number, guarded by mu
	running map[uint64]context.CancelFunc // by number, guarded by mu
	ending  bool                          // nothing may be spawned, guarded by mu
}

// Serve lets the host at the other end of conn drive r until one of them ends
// the session or falls silent, or ctx is done. Then it closes r. It returns
// nil only if the host said that it is done, and at most 2 s after the end,
// even when r hangs: the caller should then leave the process.
//
// Closing conn must end its reads and writes, which os.Stdin does only after
// it was made non-blocking.
func Serve(ctx context.Context, conn io.ReadWriteCloser, r replica.Replica, opts Options) error {
	l, err := newLink(ctx, conn, false, opts)
	if err != nil {
		return err
	}
	s := &server{link: l, replica: r, running: map[uint64]context.CancelFunc{}}
	if err := l.begin(); err != nil {
		l.stop(err)
	} else {
		l.readStream(controlStream, l.opening(s.greeted, func(m end) error { return errHostEnded }))
	}
	<-l.ctx.Done()
	return s.finish()
}

// greeted answers the host's hello and begins everything else.
func (s *server) greeted(m hello) error {
	if m.Version != Version {
		return violation("the host speaks version %d, not %d", m.Version, Version)
	}
	l := s.link
	l.opts.Compress = slices.Contains(m.Features, featureZstd)
	if !slices.Equal(m.Features, l.features()) {
		return violation("features %q", m.Features)
	}
	if err := l.control.send(l.ctx, m); err != nil {
		return err
	}
	l.readStream(workStream, s.command)
	l.readStream(fetchStream, s.fetched)
	l.wg.Go(s.report)
	return l.runBulk()
}

// report sends reports, one message each, as soon as they are there.
func (s *server) report() {
	for {
		r, err := s.replica.Next(s.link.ctx)
		if err != nil {
			s.link.stop(fmt.Errorf("next report: %w", err))
			return
		}
		m := messageOf(r)
		if m == nil {
			continue
		}
		if err := s.link.work.send(s.link.ctx, m); err != nil {
			s.link.stop(err)
			return
		}
	}
}

// command handles a message of the work stream.
func (s *server) command(m message) error {
	ctx := s.link.ctx
	switch m := m.(type) {
	case start:
		return s.run(m.Seq, func(ctx context.Context) message {
			id, err := s.replica.Start(ctx, m.Start)
			return answer(m.Seq, started{m.Seq, id}, err)
		})
	case adopt:
		return s.run(m.Seq, func(ctx context.Context) message {
			return answer(m.Seq, adopted{m.Seq}, s.replica.Adopt(ctx, m.ID, m.Gen))
		})
	case apply:
		return s.run(m.Seq, func(ctx context.Context) message { return s.apply(ctx, m) })
	case cancel:
		s.cancel(m.Seq)
		return nil
	case look:
		return s.replica.Look(ctx, m.Paths)
	case flush:
		return s.replica.Flush(ctx, m.N)
	case settle:
		return s.replica.Settle(ctx, m.Settle)
	case release:
		return s.replica.Release(ctx, m.Slots)
	}
	return violation("%v on the work stream", m.code())
}

func answer(seq uint64, good message, err error) message {
	if err == nil {
		return good
	}
	m := refused{Seq: seq, Text: textOf(err)}
	if root, ok := errors.AsType[*replica.RootError](err); ok {
		m.Remedy = clip(root.Remedy)
	}
	return m
}

// run carries a command out beside the others and sends what f returns.
func (s *server) run(seq uint64, f func(context.Context) message) error {
	ctx, cancel := context.WithCancel(s.link.ctx)
	if err := s.note(seq, cancel); err != nil {
		cancel()
		return err
	}
	return s.spawn(func() {
		m := f(ctx)
		cancel()
		s.forget(seq)
		s.link.fetch.send(s.link.ctx, m)
	})
}

// spawn runs f beside everything else, unless the session is about to end.
func (s *server) spawn(f func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return s.link.err()
	}
	s.commands.Go(f)
	return nil
}

func (s *server) note(seq uint64, cancel context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq <= s.last || len(s.running) == maxCommands {
		return violation("command %d after %d, beside %d", seq, s.last, len(s.running))
	}
	s.last, s.running[seq] = seq, cancel
	return nil
}

func (s *server) forget(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, seq)
}

// cancel ends a command early, if it still runs.
func (s *server) cancel(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stop := s.running[seq]; stop != nil {
		stop()
	}
}

func (s *server) apply(ctx context.Context, m apply) message {
	err := s.replica.Apply(ctx, &m.Batch, remoteSource{s.link, m.Seq})
	if err != nil && ctx.Err() == nil {
		s.link.stop(fmt.Errorf("apply batch: %w", err))
	}
	return applied{m.Seq}
}

// remoteSource is the host's contents of one batch.
type remoteSource struct {
	link *link
	seq  uint64
}

func (s remoteSource) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	return s.link.asker.send(ctx, s.seq, wants, sink)
}

// fetched handles a message of the fetch stream.
func (s *server) fetched(m message) error {
	if ours, err := s.link.fetched(m); ours {
		return err
	}
	q, ok := m.(ask)
	if !ok || q.Seq != 0 {
		return violation("%v on the fetch stream", m.code())
	}
	out, err := s.link.giver.begin(q.Req)
	if err != nil {
		return err
	}
	return s.spawn(func() { out.serve(s.link.ctx, s.replica, q.Wants) })
}

// finish ends the session after its context was done.
func (s *server) finish() error {
	reason := s.link.err()
	if reason == errHostEnded {
		reason = nil
	}
	if err := s.halt(); reason == nil {
		reason = err
	}
	if s.link.control != nil {
		within(lastGrace, func() { s.link.control.last(end{textOf(reason)}) })
	}
	s.link.kill(reason)
	within(lastGrace, func() {
		s.link.session.Close()
		s.link.wg.Wait()
	})
	return reason
}

// halt closes the replica and waits for what still runs.
func (s *server) halt() error {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	closing := make(chan error, 1)
	ended := within(closeGrace, func() {
		closing <- s.replica.Close()
		s.commands.Wait()
	})
	if !ended {
		return errors.New("the replica does not stop")
	}
	if err := <-closing; err != nil {
		return fmt.Errorf("close replica: %w", err)
	}
	return nil
}
