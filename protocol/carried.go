package protocol

import (
	"fmt"

	"github.com/twosync/twosync/internal/replica"
)

// Carried returns what the other end of a session gets of v, and how many bytes
// that is on the wire. It is for a simulator, which carries messages in its own
// way. T is one of replica.Start, Identity, Settle, Report, *Batch, []Want and
// Piece, or []string for paths.
func Carried[T any](v T) (T, int, error) {
	m, err := sendable(v)
	if err != nil {
		return v, 0, err
	}
	b, err := encode(nil, m)
	if err != nil {
		return v, 0, err
	}
	got, err := decode(m.code(), b[headSize:])
	if err != nil {
		return v, len(b), err
	}
	return received(got).(T), len(b), nil
}

// sendable returns the message that carries v.
func sendable(v any) (message, error) {
	switch v := v.(type) {
	case replica.Start:
		return start{Start: v}, nil
	case replica.Identity:
		return started{Identity: v}, nil
	case replica.Settle:
		return settle{v}, nil
	case replica.Report:
		if m := messageOf(v); m != nil {
			return m, nil
		}
	case *replica.Batch:
		return apply{Batch: *v}, nil
	case []replica.Want:
		return ask{Wants: v}, nil
	case replica.Piece:
		return piece{Piece: v}, nil
	case []string:
		return look{v}, nil
	}
	return nil, fmt.Errorf("protocol: internal error: no message carries %T", v)
}

// received is the reverse of sendable.
func received(m message) any {
	switch m := m.(type) {
	case start:
		return m.Start
	case started:
		return m.Identity
	case settle:
		return m.Settle
	case apply:
		return &m.Batch
	case ask:
		return m.Wants
	case piece:
		return m.Piece
	case look:
		return m.Paths
	}
	r, _ := reportOf(m)
	return r
}

// Complete fills into an outcome of b what the wire leaves out, as Remote does.
func Complete(b *replica.Batch, o *replica.Outcome) error { return newFlight(b).fill(o) }

// Brings says whether a want is for a content that b brings to that path: a host
// gives out nothing else.
func Brings(b *replica.Batch, w replica.Want) bool { return newFlight(b).holds(w) }
