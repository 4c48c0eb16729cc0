package run

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// How long apart a lost container is dialled, and how long a connection must
// have lived for the next one to be as quick as if it were the first.
const (
	redialFirst = 200 * time.Millisecond
	redialMax   = 2 * time.Second
	redialReset = 5 * time.Second
)

// feedContainer connects to the container, brings its reports to the loop, and
// connects again when it is lost. What is wrong before the first connection is
// an error. Later a container that is stopped, replaced or broken is waited for,
// whatever the engine says of it; but an agent that breaks the protocol, or a
// batch that no message can hold, would be no better the next time.
func (s *Session) feedContainer(ctx context.Context) error {
	for wait := time.Duration(0); ; {
		began := s.machine.Now()
		met, err := s.visit(ctx, wait == 0)
		switch {
		case ctx.Err() != nil:
			return nil
		case wait == 0 && !met, s.cfg.Fatal != nil && s.cfg.Fatal(err):
			return err
		}
		wait = redial(wait, s.machine.Now().Sub(began))
		if s.machine.Wait(ctx, nil, wait) != nil {
			return nil
		}
	}
}

// redial says how long to wait after a connection, or an attempt at one, that
// came after another wait. It is never at once: an agent that dies as soon as it
// was started must not be started as often as that goes.
func redial(wait, lived time.Duration) time.Duration {
	if lived >= redialReset {
		wait = 0
	}
	return min(max(2*wait, redialFirst), redialMax)
}

// visit is one connection, from its beginning to its end. It closes what it
// opened also when nobody was told of it any more. Met is whether there was one.
func (s *Session) visit(ctx context.Context, first bool) (met bool, err error) {
	r, err := s.connect(ctx, first)
	if err != nil {
		if !first {
			s.send(ctx, func(s *Session) error { s.told.lost(err, s.cfg.Remedy); return nil })
		}
		return false, err
	}
	defer r.Close()
	err = s.feed(ctx, r)
	s.send(ctx, func(s *Session) error { return s.lost(err) })
	return true, err
}

func (s *Session) tell(ctx context.Context, e Event) {
	s.send(ctx, func(s *Session) error { s.told.say(e); return nil })
}

// connect starts an agent and finds out whether base holds for its replica. If
// not, an epoch begins, and base's history is all that is left of the past.
func (s *Session) connect(ctx context.Context, first bool) (replica.Replica, error) {
	if first {
		s.tell(ctx, Event{Kind: Connecting})
	}
	r, err := s.cfg.Dial(ctx)
	if err != nil {
		return nil, err
	}
	id, err := r.Start(ctx, replica.Start{Rules: s.cfg.Rules.Text()})
	if err == nil {
		err = s.meet(ctx, r, id)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// meet decides whether this is a first contact and tells the loop.
func (s *Session) meet(ctx context.Context, r replica.Replica, id replica.Identity) error {
	j := engine.Joined{Side: tree.Container, Gen: s.base.last(), NoExec: id.Facts.NoExec, Names: namesOn(tree.Container, id.Facts)}
	known, forced := s.base.known(id), s.cfg.Take != "" && s.seen == nil
	j.First = forced || !known
	j.Kept = s.seen != nil && s.seen.ID == id.ID && s.seen.Boot == id.Boot && id.Boot != "" && s.base.explains(id)
	if forced && known {
		s.tell(ctx, Event{Kind: Note, Text: "both sides have met before; --take " + s.cfg.Take +
			" compares them as if for the first time: leave it away at the next start"})
	}
	if j.First {
		j.Gen++
		j.HostNew, j.Filling = s.base.blank()
		var err error
		if id.ID, err = s.adopt(ctx, r, j); err != nil {
			return err
		}
	}
	s.seen = &id
	return s.send(ctx, func(s *Session) error { return s.joined(r, id, j) })
}

// adopt gives the container's replica a new identity, and the host's one if it
// has none.
func (s *Session) adopt(ctx context.Context, r replica.Replica, j engine.Joined) (id replica.ID, err error) {
	id = s.machine.NewID()
	e := s.base.epoch(id, j)
	var failed error
	begun := make(chan struct{})
	s.base.do(func(l *ledger) error {
		defer close(begun)
		failed = l.begin(e, s.cfg.Rules.Text())
		return failed
	})
	if err = s.machine.Wait(ctx, begun, forever); err == nil {
		err = failed
	}
	if err == nil {
		err = s.cfg.Host.Adopt(ctx, e.Host, e.Gen)
	}
	if err == nil {
		err = r.Adopt(ctx, id, e.Gen)
	}
	return id, err
}

func (s *Session) joined(r replica.Replica, id replica.Identity, j engine.Joined) error {
	s.remote = r
	s.remotes.set(r)
	s.told.connected(id.Facts)
	return s.step(j)
}

// lost forgets the connection. Whoever waits for a barrier hears of it.
func (s *Session) lost(err error) error {
	s.remote = nil
	s.remotes.set(nil)
	s.told.lost(err, s.cfg.Remedy)
	for n := range s.waiters {
		s.passed(n, errGone)
	}
	return s.step(engine.Lost{Side: tree.Container})
}

// feed brings one connection's reports to the loop until it ends.
func (s *Session) feed(ctx context.Context, r replica.Replica) error {
	for {
		rep, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if n := rep.Notice; n != nil && n.Level == replica.Halt {
			// A root that vanished in the container is a container that is
			// being replaced: it is dialled again, and met as what it is then.
			return errors.New(cmp.Or(n.Text, "the agent gave up its root and does not say why"))
		}
		if err := s.reported(ctx, replica.Container, r, rep); err != nil {
			return err
		}
	}
}

// sides is the container's replica of the moment, as a source of contents.
type sides struct {
	mu sync.Mutex
	r  replica.Replica // guarded by mu
}

func (x *sides) set(r replica.Replica) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.r = r
}

// source returns the replica of the moment, or one that has nothing.
func (x *sides) source() replica.Source {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.r == nil {
		return nowhere{}
	}
	return patient{x.r}
}

// nowhere has no content.
type nowhere struct{}

func (nowhere) Send(_ context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	for i := range wants {
		if err := sink(replica.Piece{Want: i, Gone: "the container is not connected"}); err != nil {
			return err
		}
	}
	return nil
}

// patient makes the end of a connection the end of the contents that were to
// come over it, and not of whoever waits for them.
type patient struct{ src replica.Source }

func (p patient) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	over := make([]bool, len(wants))
	var sunk error
	err := p.src.Send(ctx, wants, func(x replica.Piece) error {
		if x.Want >= 0 && x.Want < len(over) && (x.End || x.Gone != "") {
			over[x.Want] = true
		}
		sunk = sink(x)
		return sunk
	})
	if err == nil || sunk != nil || ctx.Err() != nil {
		return err
	}
	for i := range wants {
		if over[i] {
			continue
		}
		if err := sink(replica.Piece{Want: i, Gone: "the container was lost"}); err != nil {
			return err
		}
	}
	return nil
}
