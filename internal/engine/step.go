package engine

import (
	"time"

	"github.com/twosync/twosync/internal/tree"
)

// both lists the sides.
var both = [...]tree.Side{tree.Host, tree.Container}

// Step takes what happened and returns what to do, in order.
func (s *State) Step(now time.Time, e Event) []Effect {
	if now.After(s.now) {
		s.now = now
	}
	s.effects = nil
	if s.halted {
		return nil
	}
	s.take(e)
	s.expire()
	for _, next := range [...]func(){s.plan, s.finish, s.commitGroup, s.wake} {
		if !s.halted {
			next()
		}
	}
	return s.effects
}

func (s *State) emit(e Effect) { s.effects = append(s.effects, e) }

func (s *State) take(e Event) {
	switch e := e.(type) {
	case Joined:
		s.join(e)
	case Lost:
		s.lose(e.Side)
	case Observed:
		s.observe(e)
	case Outcome:
		s.outcome(e)
	case Kept:
		s.keptLoser(e)
	case Durable:
		s.madeDurable(e)
	case Committed:
		s.committed(e)
	case Flush:
		s.flush(e.N)
	case Flushed:
		s.flushed(e)
	case Release:
		s.release(e)
	case Decided:
		s.decide(e.Path)
	case Tick:
		s.waking = time.Time{}
	}
}

// expire makes dirty what has rested long enough.
func (s *State) expire() {
	for _, r := range [...]*rests{&s.sides[0].sealed, &s.sides[1].sealed, &s.fights.resting, &s.parked} {
		for _, path := range r.due(s.now) {
			s.dirty.add(path)
		}
	}
	s.ebbed()
}

// wake asks for the next time at which something has to be done.
func (s *State) wake() {
	var next time.Time
	for _, t := range [...]time.Time{
		s.group.next(), s.doubt, s.brake.until, s.parked.next(),
		s.sides[0].sealed.next(), s.sides[1].sealed.next(), s.fights.resting.next(),
	} {
		if t.After(s.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if !next.IsZero() && (s.waking.IsZero() || next.Before(s.waking)) {
		s.waking = next
		s.emit(Wake{At: next})
	}
}

// halt ends everything. What this step was about to do is not done.
func (s *State) halt(reason, remedy string) {
	s.halted, s.synced = true, false
	s.effects = []Effect{Halt{reason, remedy}}
}
