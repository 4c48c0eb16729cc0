package simfs

import (
	"time"

	"github.com/twosync/twosync/internal/watch"
)

// poll is the source for a machine that has no usable one: the simulated clock.
// As the real one, it sees nothing, and says now and then "look everywhere".
type poll struct {
	p      *Proc
	every  int64
	next   int64
	closed bool
}

func (p *Proc) newPoll() *poll {
	every := p.Poll.Nanoseconds()
	return &poll{p: p, every: every, next: p.fs.Now() + every}
}

func (s *poll) Add(string, int) error   { return nil }
func (s *poll) Plant(string, int) error { return nil }
func (s *poll) Remove(string)           {}
func (s *poll) Wake()                   {}
func (s *poll) Recursive() bool         { return true }
func (s *poll) Precise() bool           { return false }
func (s *poll) Count() int              { return 0 }
func (s *poll) Mode() string            { return "poll" }

func (s *poll) Close() error {
	s.closed = true
	return nil
}

// Wait returns what is there, whatever the timeout.
func (s *poll) Wait(time.Duration) ([]watch.Event, error) {
	if s.closed || s.p.dead {
		return nil, watch.ErrClosed
	}
	now := s.p.fs.Now()
	if now < s.next {
		return nil, nil
	}
	s.next = now + s.every
	return []watch.Event{{Op: watch.Overflow}}, nil
}
