package run

import (
	"context"
	"errors"
	"time"

	"github.com/twosync/twosync/internal/engine"
)

// errGone answers a barrier that can't be reached.
var errGone = errors.New("the container is not connected")

// Flush waits until everything that was written on either side before the call
// is on the other, or held. The error is ctx's, or that the other side is gone.
func (s *Session) Flush(ctx context.Context) (Status, error) {
	var gone error
	err := s.ask(ctx, func(s *Session, done func()) error {
		return s.flush(func(err error) { gone = err; done() })
	})
	if err == nil {
		err = gone
	}
	if err != nil {
		return Status{}, err
	}
	return s.Status(ctx)
}

func (s *Session) flush(done func(error)) error {
	if s.remote == nil {
		done(errGone)
		return nil
	}
	s.lastN++
	s.waiters[s.lastN] = done
	return s.step(engine.Flush{N: s.lastN})
}

// Decided ends the conflict at path: somebody has decided about it.
func (s *Session) Decided(ctx context.Context, path string) error {
	return s.send(ctx, func(s *Session) error { return s.step(engine.Decided{Path: path}) })
}

// Released is how much of what was held is not any more: files that deletions
// take, and guarded paths.
type Released struct{ Files, Guarded int64 }

// Release does with what is held at and below paths what the user says.
func (s *Session) Release(ctx context.Context, r engine.Release) (Released, error) {
	var n Released
	err := s.ask(ctx, func(s *Session, done func()) error {
		was := s.engine.Summary()
		err := s.step(r)
		is := s.engine.Summary()
		n = Released{was.Braked - is.Braked, int64(was.Guarded - is.Guarded)}
		done()
		return err
	})
	if err != nil {
		return Released{}, err
	}
	return n, nil
}

// passed answers whoever waits for a barrier.
func (s *Session) passed(n uint64, err error) {
	if done, ok := s.waiters[n]; ok {
		delete(s.waiters, n)
		done(err)
	}
}

// Status says how things stand.
func (s *Session) Status(ctx context.Context) (Status, error) {
	var st Status
	err := s.ask(ctx, func(s *Session, done func()) error {
		st = s.status()
		done()
		return nil
	})
	if err != nil {
		return Status{}, err
	}
	return st, nil
}

// ask has the loop do something, and waits until it calls done.
func (s *Session) ask(ctx context.Context, f func(s *Session, done func()) error) error {
	answered := make(chan struct{})
	if err := s.send(ctx, func(s *Session) error { return f(s, func() { close(answered) }) }); err != nil {
		return err
	}
	return s.machine.Wait(ctx, answered, forever)
}

func (s *Session) status() Status {
	sum := s.engine.Summary()
	st := Status{
		State: s.state(sum), Reason: s.told.gone.Text, Remedy: s.told.gone.Remedy, Since: s.since.Truncate(time.Second),
		Files: sum.Files, Bytes: sum.Bytes, Pending: sum.Pending, Conflicts: sum.Conflicts, Open: s.engine.Conflicts(MaxOpen), Versions: sum.Versions, Durable: sum.Durable,
		Braked: sum.Braked, Guarded: sum.Guarded,
		Held: []Held{}, Sides: s.told.facts,
		Watch: map[string]string{"host": s.told.facts[0].Watch, "container": s.told.facts[1].Watch},
	}
	for _, h := range sum.Held {
		st.Held = append(st.Held, Held{Side: h.Side.String(), Path: h.Path, Reason: h.Reason, Guarded: h.Guarded})
	}
	return st
}

func (s *Session) state(sum engine.Summary) string {
	switch {
	case s.remote == nil:
		return "connecting"
	case !sum.Whole[0] || !sum.Whole[1]:
		return "scanning"
	case !sum.InSync:
		return "syncing"
	}
	return "in sync"
}
