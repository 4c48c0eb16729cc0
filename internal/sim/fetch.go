//go:build linux

package sim

import (
	"context"
	"errors"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/protocol"
)

// fetching is one end's part of the transfer of contents: what package
// protocol's asker and giver are.
type fetching struct {
	l     *link
	which int
	last  uint64
	open  map[uint64]*asking
	gives map[uint64]*bool // requests that are being answered; true when dropped
}

type asking struct {
	queue []replica.Piece
	ended bool
	text  string
}

func newFetching(l *link, which int) *fetching {
	return &fetching{l: l, which: which, open: make(map[uint64]*asking), gives: make(map[uint64]*bool)}
}

// carried is what the other end gets of v.
func carried[T any](v T) T {
	got, _, err := protocol.Carried(v)
	if err != nil {
		panic(violation("what we sent can't be read: " + err.Error()))
	}
	return got
}

// send asks the other end for contents; seq is the command that they are for.
func (f *fetching) send(ctx context.Context, seq uint64, wants []replica.Want, sink func(replica.Piece) error) error {
	if len(wants) == 0 {
		return nil
	}
	f.last++
	req, q := f.last, &asking{}
	f.open[req] = q
	defer delete(f.open, req)
	if err := f.l.send(f.which, fetchStream, ask{req, seq, carried(wants)}); err != nil {
		return err
	}
	e := f.l.ends[f.which]
	for {
		some := func() bool { return len(q.queue) > 0 || q.ended || ctx.Err() != nil || e.err != nil }
		if !some() {
			f.l.s.wait(some, never)
		}
		switch {
		case ctx.Err() != nil:
			f.l.send(f.which, fetchStream, drop{req})
			return ctx.Err()
		case len(q.queue) > 0:
			p := q.queue[0]
			q.queue = q.queue[1:]
			if err := sink(p); err != nil {
				f.l.send(f.which, fetchStream, drop{req})
				return err
			}
		case q.ended && q.text != "":
			return errors.New("contents did not come: " + q.text)
		case q.ended:
			return nil
		default:
			return e.err
		}
	}
}

// serve answers a request from src, beside everything else.
func (f *fetching) serve(ctx context.Context, m ask, src replica.Source) {
	dropped := new(bool)
	f.gives[m.req] = dropped
	f.l.s.spawn(f.l.ends[f.which].p, "give", func() {
		defer delete(f.gives, m.req)
		err := src.Send(ctx, m.wants, func(p replica.Piece) error {
			if *dropped {
				return errors.New("nobody waits")
			}
			if len(p.Data) == 0 && p.Count == 0 && !p.End && p.Gone == "" {
				return nil
			}
			got := carried(p)
			got.Data = append([]byte(nil), got.Data...)
			if err := f.l.send(f.which, bulkStream, piece{m.req, got}); err != nil {
				return err
			}
			if f.l.s.rng.IntN(4) == 0 {
				f.l.s.wait(nil, never) // for others to have a turn
			}
			return nil
		})
		text := ""
		if err != nil {
			text = err.Error()
		}
		f.l.send(f.which, bulkStream, done{m.req, text})
	})
}

// take handles what both ends get.
func (f *fetching) take(m any) bool {
	switch m := m.(type) {
	case drop:
		if d := f.gives[m.req]; d != nil {
			*d = true
		}
	case piece:
		if q := f.open[m.req]; q != nil {
			q.queue = append(q.queue, m.p)
		}
	case done:
		if q := f.open[m.req]; q != nil {
			q.ended, q.text = true, m.text
		}
	default:
		return false
	}
	return true
}
