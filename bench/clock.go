package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// clock says how moments on the two sides are compared.
type clock struct {
	shared bool          // one kernel, one clock
	round  time.Duration // the idle pipe's round trip, median
}

const (
	pings = 100
	// How far the container's clock may move, beside ours, while a bulk job is
	// measured.
	clockMoves = 10 * time.Millisecond
)

// setClock finds out, and times the idle pipe.
func (b *bench) setClock() error {
	var rounds []time.Duration
	for range pings {
		start := time.Now()
		if _, err := b.there.Do(probe.Request{Op: "ping"}); err != nil {
			return err
		}
		rounds = append(rounds, time.Since(start))
	}
	slices.Sort(rounds)
	here, err := b.here.Do(probe.Request{Op: "ping"})
	if err != nil {
		return err
	}
	there, err := b.there.Do(probe.Request{Op: "ping"})
	if err != nil {
		return err
	}
	b.clock = clock{here.Boot != "" && here.Boot == there.Boot && !b.options.hostClock, rounds[pings/2]}
	return nil
}

func (c clock) String() string {
	if c.shared {
		return "one clock on both sides"
	}
	return fmt.Sprintf("the host's clock only; half of the idle pipe's round trip of %s is taken off each time",
		show(c.round.Seconds(), seconds))
}

// moment is when what a reply tells of was done, by the host's clock. What the
// container says has travelled for half of a round trip.
func (b *bench) moment(from *probe.Client, r probe.Reply) int64 {
	if from == b.there {
		return r.Received - int64(r.Ago) - int64(b.clock.round)/2
	}
	return r.Wall - int64(r.Ago)
}

// between is the seconds from one moment on a side to one on the other.
func (b *bench) between(from, to *probe.Client, start, end probe.Reply) float64 {
	took := end.Mono - start.Mono
	if !b.clock.shared {
		took = b.moment(to, end) - b.moment(from, start)
	}
	return max(0, float64(took)/1e9)
}

// ahead is by how much the container's wall clock is ahead of the host's, as
// exactly as the quickest of a few questions can say.
func (b *bench) ahead() (time.Duration, error) {
	if b.clock.shared {
		return 0, nil
	}
	var asked []question
	for range pings / 5 {
		start := time.Now().UnixNano()
		r, err := b.there.Do(probe.Request{Op: "ping"})
		if err != nil {
			return 0, err
		}
		asked = append(asked, question{start, r.Wall, r.Received})
	}
	return offset(asked), nil
}

// question is one that the other side answered with its time.
type question struct{ asked, there, answered int64 }

// offset is taken from the quickest: the less time a question took, the less can
// its way back have differed from its way there.
func offset(all []question) time.Duration {
	q := slices.MinFunc(all, func(a, b question) int { return cmp.Compare(a.answered-a.asked, b.answered-b.asked) })
	return time.Duration(q.there - (q.asked+q.answered)/2)
}

// steady fails where the container's clock has moved beside ours.
func steady(before, after time.Duration) error {
	if d := (after - before).Abs(); d > clockMoves {
		return fmt.Errorf("the container's clock moved by %v while this was measured", d)
	}
	return nil
}
