package run

import (
	"context"
	"errors"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// act carries out one effect, or hands it to whoever does.
func (s *Session) act(f engine.Effect) error {
	switch f := f.(type) {
	case engine.Apply:
		s.apply(f)
	case engine.Intend:
		s.base.do(func(l *ledger) error { return l.intend(f.Gen, f.Paths) })
	case engine.Keep:
		s.keep(f)
	case engine.Close:
		s.keeps.do(func(context.Context) error { return s.resolve(f.Path) })
	case engine.Settle:
		s.settle(f)
	case engine.Commit:
		s.commit(f)
	case engine.Look:
		if r := s.replica(f.Side); r != nil {
			s.background(f.Side, func(ctx context.Context) error { return r.Look(ctx, f.Paths) })
		}
	case engine.AskFlush:
		if r := s.replica(f.Side); r != nil {
			s.background(f.Side, func(ctx context.Context) error { return r.Flush(ctx, f.N) })
		}
	case engine.Wake:
		s.wake = f.At
	case engine.FlushDone:
		s.passed(f.N, nil)
	case engine.Filling:
		s.base.do(func(l *ledger) error { return l.filling() })
	case engine.Brake:
		s.base.do(func(l *ledger) error { return l.brake(f.On) })
	case engine.FirstDone:
		s.base.do(func(l *ledger) error { return l.settled() })
	case engine.InSync:
		s.told.inSync(s.engine.Summary())
	case engine.Halt:
		return &HaltError{Reason: f.Reason, Remedy: f.Remedy}
	}
	return nil
}

func (s *Session) replica(side replica.Side) replica.Replica {
	if side == replica.Host {
		return s.cfg.Host
	}
	return s.remote
}

// background runs something that asks a side to do something. What goes wrong
// with the container is its connection's end, which is noticed where its
// reports are read; what goes wrong with the host ends the session.
func (s *Session) background(side replica.Side, f func(context.Context) error) {
	s.crew.do(func(ctx context.Context) error {
		err := f(ctx)
		if side == replica.Container || ctx.Err() != nil {
			return nil
		}
		return err
	})
}

// apply gives a side its batch, with the contents that came with what it is
// about.
func (s *Session) apply(f engine.Apply) {
	r := s.replica(f.Side)
	if r == nil {
		return // lost meanwhile: the engine is about to hear of it
	}
	b := &replica.Batch{ID: f.Batch, Changes: f.Changes, Contents: s.inline.take(f.Changes)}
	src := s.other(f.Side)
	s.background(f.Side, func(ctx context.Context) error { return r.Apply(ctx, b, src) })
}

// settle asks a side for durability, behind every intent that was given out
// before: a side's generation must never be ahead of what base can explain.
func (s *Session) settle(f engine.Settle) {
	r := s.replica(f.Side)
	if r == nil {
		return
	}
	s.base.do(func(l *ledger) error {
		if err := l.syncIntents(); err != nil {
			return err
		}
		s.background(f.Side, func(ctx context.Context) error {
			return r.Settle(ctx, replica.Settle{Gen: f.Gen, Paths: f.Paths})
		})
		return nil
	})
}

func (s *Session) commit(f engine.Commit) {
	s.base.do(func(l *ledger) error {
		if err := l.commit(f.Gen, f.Updates); err != nil {
			return err
		}
		return s.send(s.ctx, func(s *Session) error { return s.step(engine.Committed{Gen: f.Gen}) })
	})
}

// keep brings the loser of a conflict into the keep store.
func (s *Session) keep(f engine.Keep) {
	src := replica.Source(s.replica(f.Side))
	s.keeps.do(func(ctx context.Context) error {
		why := keep.Conflict
		if f.First || f.Path == s.cfg.OneWay {
			why = keep.Version
		}
		item := keep.Item{Path: f.Path, Entry: f.Entry, Side: f.Side, Why: why}
		err := s.store(ctx, src, replica.Want{Path: f.Path, Digest: f.Entry.Digest, Size: f.Entry.Size}, item)
		return s.send(ctx, func(s *Session) error {
			k := engine.Kept{Path: f.Path, Entry: f.Entry}
			if err != nil {
				k.Err = err.Error()
			} else {
				s.told.say(Event{Kind: Kept, Side: f.Side.String(), Path: f.Path, First: s.engine.FirstContact(),
					Text: "the " + f.Side.String() + "'s version was kept"})
			}
			return s.step(k)
		})
	})
}

// rescueFirst and rescueMax are how long a stray waits that could not be kept, because
// a disk is full perhaps; the time doubles in between.
const (
	rescueFirst = 15 * time.Second
	rescueMax   = 10 * time.Minute
)

// rescue brings a stray into the keep store, and gives it up on its side. Then there
// is a place for another. What was agreed there once is kept for a while only, as is
// all that sync took away: mostly it is an old copy, and not work of somebody who has
// gone back to it.
func (s *Session) rescue(side replica.Side, from replica.Replica, x replica.Stray, wait time.Duration) {
	s.keeps.do(func(ctx context.Context) error {
		old := s.base.knows(x.Path, x.Entry)
		want := replica.Want{Path: x.Path, Slot: x.Slot, Digest: x.Entry.Digest, Size: x.Entry.Size}
		item := keep.Item{Path: x.Path, Entry: x.Entry, Side: side, Why: keep.LeftOver, Note: x.Why}
		if old {
			item.Why = keep.Replaced
		}
		if err := s.store(ctx, from, want, item); err != nil {
			return s.send(ctx, func(s *Session) error { s.notRescued(side, from, x, wait, err); return nil })
		}
		defer func() { s.strays[side] <- struct{}{} }()
		if !old {
			s.send(ctx, func(s *Session) error {
				s.told.say(Event{Kind: Kept, Side: side.String(), Path: x.Path, Text: x.Why})
				return nil
			})
		}
		from.Release(ctx, []string{x.Slot})
		return nil
	})
}

// notRescued tells that a stray could not be kept, and tries again later. One that
// its side does not have as it was announced is announced again by that side.
func (s *Session) notRescued(side replica.Side, from replica.Replica, x replica.Stray, wait time.Duration, err error) {
	if wait == 0 {
		s.told.say(Event{Kind: Warning, Side: side.String(), Path: x.Path, Text: "a displaced version can't be kept: " + err.Error(), Remedy: "it is tried again"})
	}
	s.strays[side] <- struct{}{} // whatever comes of it, others must not wait for it
	if _, lost := errors.AsType[*lostContent](err); lost || s.replica(side) != from || s.unkept[side] == maxStrays {
		return
	}
	s.unkept[side]++
	s.rescueLater(side, from, x, wait)
}

// rescueLater waits longer than the time before.
func (s *Session) rescueLater(side replica.Side, from replica.Replica, x replica.Stray, wait time.Duration) {
	wait = min(max(2*wait, rescueFirst), rescueMax)
	s.crew.do(func(ctx context.Context) error {
		if err := s.machine.Wait(ctx, nil, wait); ctx.Err() != nil {
			return err
		}
		return s.send(ctx, func(s *Session) error {
			if s.replica(side) != from {
				s.unkept[side]--
				return nil
			}
			select {
			case <-s.strays[side]:
				s.unkept[side]--
				s.rescue(side, from, x, wait)
			default: // there are many
				s.rescueLater(side, from, x, wait)
			}
			return nil
		})
	})
}

// changesFiles returns how many files and bytes the changes put in place.
func changesFiles(changes []tree.Change) (files, bytes int64) {
	for _, c := range changes {
		files, bytes = files+c.New.Files(), bytes+c.New.Bytes()
	}
	return files, bytes
}
