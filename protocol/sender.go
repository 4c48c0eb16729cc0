package protocol

import (
	"context"
	"io"
	"time"
)

// sender puts messages on one direction of a stream, one at a time.
type sender struct {
	link *link
	w    io.Writer
	turn chan struct{} // holds one token: whoever has it may write
	buf  []byte        // guarded by turn
}

func newSender(l *link, stream int) *sender {
	s := &sender{link: l, w: l.conns[stream], turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// send sends m. If ctx is done before m's turn came, nothing was sent. A
// message that was begun is finished, or it is the end of the session:
// nothing can follow half a message.
func (s *sender) send(ctx context.Context, m message) error {
	return s.sendMade(ctx, func() message { return m })
}

// sendMade is send of what compose returns when its turn has come.
func (s *sender) sendMade(ctx context.Context, compose func() message) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.link.ctx.Done():
		return s.link.err()
	}
	defer func() { s.turn <- struct{}{} }()
	m := compose()
	b, err := encode(s.buf, m)
	if err != nil {
		s.link.stop(err)
		return err
	}
	defer s.hurry(ctx)()
	if err := writeFrames(s.w, m.code(), b); err != nil {
		s.link.lost(err) // some of it may be on its way
		return s.link.err()
	}
	s.buf = nil
	if cap(b) <= keepBuffer {
		s.buf = b
	}
	return nil
}

// hurry kills the session when ctx is done and the write that begins now has
// not ended soon after. The function that it returns says that it has ended.
func (s *sender) hurry(ctx context.Context) func() {
	if ctx.Done() == nil {
		return func() {}
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-ended:
		case <-time.After(closeGrace):
			s.link.kill(&DisconnectError{"given up in the middle of a message", context.Cause(ctx)})
		}
	})
	return func() { stop(); close(ended) }
}

// last sends the last message of all, when the session is already over. It
// may hang.
func (s *sender) last(m message) {
	<-s.turn
	b, err := encode(nil, m)
	if err == nil {
		writeFrames(s.w, m.code(), b)
	}
}
