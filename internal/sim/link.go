//go:build linux

package sim

import (
	"errors"
	"slices"
	"time"

	"github.com/twosync/twosync/internal/replica"
)

// link is a connection between two processes, without yamux: messages go
// through the codec of package protocol one by one, and arrive in the order of
// their stream.
type link struct {
	s       *sched
	ends    [2]*end       // the host's and the agent's
	latency time.Duration // of a message, and up to as much again
	silent  bool          // nothing arrives any more, and nobody has noticed
	lost    [2]int64      // when each end notices at the latest
	sent    func()        // is told of each message
}

// The ends of a link.
const (
	hostEnd = iota
	agentEnd
)

// The streams of a link whose messages keep their order.
const (
	workStream = iota
	fetchStream
	bulkStream
	streams
)

// end is what one side has of a link.
type end struct {
	p      *process
	in     [streams][]packet
	at     [streams]int64 // when the last one that was sent to here arrives
	err    error          // the link is over for this end
	task   *task          // that receives
	handle func(m any)
}

// packet is a message on its way.
type packet struct {
	at int64
	m  any
}

var errLost = errors.New("the connection ended")

func newLink(s *sched, host, agent *process, latency time.Duration) *link {
	l := &link{s: s, latency: latency, lost: [2]int64{never, never}}
	l.ends = [2]*end{{p: host}, {p: agent}}
	return l
}

// send puts a message on its way to the other end. It fails when this end knows
// that the link is over.
func (l *link) send(from, stream int, m any) error {
	if err := l.ends[from].err; err != nil {
		return err
	}
	l.sent()
	to := l.ends[1-from]
	if l.silent || to.p.dead {
		return nil // nobody will hear it
	}
	at := l.s.mono
	if l.latency > 0 {
		at += int64(l.latency) + l.s.rng.Int64N(int64(l.latency))
	}
	to.at[stream] = max(to.at[stream], at)
	to.in[stream] = append(to.in[stream], packet{to.at[stream], m})
	to.wake(to.at[stream])
	return nil
}

// wake lets an end have a turn at a time, or before.
func (e *end) wake(at int64) {
	if e.task != nil {
		e.task.until = min(e.task.until, at)
	}
}

// serve handles what arrives at an end, until the link is over for it.
func (l *link) serve(which int) {
	e := l.ends[which]
	e.task = l.s.cur
	defer func() { e.task = nil }()
	stream := -1
	arrived := func() bool {
		if e.err != nil || l.lost[which] <= l.s.mono {
			return true
		}
		first := l.s.rng.IntN(streams)
		for i := range streams {
			n := (first + i) % streams
			if q := e.in[n]; len(q) > 0 && q[0].at <= l.s.mono {
				stream = n
				return true
			}
		}
		return false
	}
	for {
		stream = -1
		if !arrived() {
			l.s.wait(arrived, l.soonest(which))
		}
		if l.lost[which] <= l.s.mono {
			l.end(which, errLost)
		}
		if e.err != nil {
			return
		}
		if stream < 0 {
			continue
		}
		m := e.in[stream][0].m
		e.in[stream] = slices.Delete(e.in[stream], 0, 1)
		e.handle(m)
	}
}

// soonest is when something arrives, or the silence is too long.
func (l *link) soonest(which int) int64 {
	at := l.lost[which]
	for _, q := range l.ends[which].in {
		if len(q) > 0 {
			at = min(at, q[0].at)
		}
	}
	return at
}

// end makes the link over for one end.
func (l *link) end(which int, err error) {
	if e := l.ends[which]; e.err == nil {
		e.err = err
		e.in = [streams][]packet{}
	}
}

// cut ends the link. What is on its way is lost, from a random message on. With
// half, an end notices only when it has heard nothing for long enough.
func (l *link) cut(half bool) {
	for which, e := range l.ends {
		for n := range e.in {
			if k := len(e.in[n]); k > 0 {
				e.in[n] = e.in[n][:l.s.rng.IntN(k+1)]
			}
		}
		wait := int64(l.latency)
		if half {
			wait += l.s.rng.Int64N(int64(20 * time.Second))
		}
		l.lost[which] = min(l.lost[which], l.s.mono+wait)
		e.wake(l.lost[which])
	}
	l.silent = true
}

// gone is cut for the end of one of the two processes.
func (l *link) gone() {
	l.silent = true
	for which, e := range l.ends {
		l.lost[which] = min(l.lost[which], l.s.mono+int64(l.latency))
		e.wake(l.lost[which])
	}
}

// The messages. What package protocol has a codec for went through it.
type (
	call struct {
		seq   uint64
		start *replica.Start
		adopt *adoption
		apply *replica.Batch
	}
	adoption struct {
		id  replica.ID
		gen uint64
	}
	answer struct {
		seq uint64
		id  replica.Identity
		err error
	}
	cancelled struct{ seq uint64 }
	looks     struct{ paths []string }
	flush     struct{ n uint64 }
	settle    struct{ s replica.Settle }
	release   struct{ slots []string }
	goodbye   struct{}

	ask struct {
		req, seq uint64
		wants    []replica.Want
	}
	drop  struct{ req uint64 }
	piece struct {
		req uint64
		p   replica.Piece
	}
	done struct {
		req  uint64
		text string
	}
)
