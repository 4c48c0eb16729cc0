package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"
)

// Times of a session.
const (
	// Beat is how often each side says that it lives.
	Beat = 5 * time.Second

	// maxQuiet is how many beats in a row may be missing before the session
	// is dropped: 20 s of silence.
	maxQuiet = 4

	// writeTimeout bounds what the connection may take for one frame. Then
	// the session ends, since the frame may be half written.
	writeTimeout = 60 * time.Second

	// closeGrace bounds each step of an orderly end. An agent must be gone 2 s
	// after its host.
	closeGrace = 1500 * time.Millisecond
	lastGrace  = 250 * time.Millisecond
)

// The streams, in the order in which the host opens them.
const (
	controlStream = iota
	workStream
	fetchStream
	bulkStream
	streams
)

// muxWindow is yamux's: how much of a stream may be on its way to a side that does
// not read. The pipe through an engine is four programs long, and on a busy machine
// it takes 10 ms or more to cross: with 1 MiB to the agent, a first sync waited for
// credit more than it worked. Memory that was needed for it is given back.
const muxWindow = 4 << 20

// Options are choices; the zero value is right.
type Options struct {
	// Compress makes the bulk streams compressed. The host decides; an agent
	// does what the host says.
	Compress bool

	// Ticks comes every Beat, or whenever a test wants it to. Nil means a
	// ticker of Beat.
	Ticks <-chan time.Time
}

// link is a session: what host and agent have in common.
type link struct {
	// config
	host bool
	opts Options

	// state
	wire    *wire
	session *yamux.Session
	conns   [streams]*yamux.Stream
	ctx     context.Context // done when the session is over; its cause says why
	cancel  context.CancelCauseFunc
	wg      sync.WaitGroup // every goroutine of the session
	met     atomic.Bool    // hello came

	control, work, fetch *sender
	asker                asker
	giver                giver
}

func newLink(ctx context.Context, conn io.ReadWriteCloser, host bool, opts Options) (*link, error) {
	l := &link{host: host, opts: opts, wire: newWire(conn, !host)}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.asker.init(l)
	l.giver.init(l)
	mux := yamux.Server
	if host {
		mux = yamux.Client
	}
	var err error
	if l.session, err = mux(l.wire, muxConfig()); err != nil {
		return nil, fmt.Errorf("begin session: %w", err)
	}
	return l, nil
}

func muxConfig() *yamux.Config {
	c := yamux.DefaultConfig()
	c.AcceptBacklog = 2 * streams
	c.EnableKeepAlive = false // a ping would wait behind bulk, and bulk is life
	c.ConnectionWriteTimeout = writeTimeout
	c.StreamOpenTimeout = writeTimeout
	c.StreamCloseTimeout = writeTimeout
	c.MaxStreamWindowSize = muxWindow
	c.LogOutput = nil
	c.Logger = silence{}
	return c
}

// silence drops what yamux logs: it comes back as an error, too.
type silence struct{}

func (silence) Print(...any)          {}
func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}

// connect opens or accepts the streams.
func (l *link) connect() error {
	for i := range l.conns {
		var s *yamux.Stream
		var err error
		if l.host {
			s, err = l.session.OpenStream()
		} else {
			s, err = l.session.AcceptStreamWithContext(l.ctx)
		}
		if err != nil {
			return l.broken(err)
		}
		if s.StreamID() != uint32(2*i+1) {
			return violation("stream %d in place %d", s.StreamID(), i)
		}
		l.conns[i] = s
	}
	l.control = newSender(l, controlStream)
	l.work = newSender(l, workStream)
	l.fetch = newSender(l, fetchStream)
	return nil
}

// features are what this session uses besides Version.
func (l *link) features() []string {
	if l.opts.Compress {
		return []string{featureZstd}
	}
	return nil
}

// stop ends the session with a reason; the first one counts.
func (l *link) stop(err error) { l.cancel(err) }

// kill is stop when nothing more can be said to the other side.
func (l *link) kill(err error) {
	l.stop(err)
	l.wire.Close()
}

// err says why the session is over.
func (l *link) err() error { return context.Cause(l.ctx) }

// broken says what an error of a stream means.
func (l *link) broken(err error) error {
	if l.ctx.Err() != nil {
		return l.err()
	}
	if errors.Is(err, ErrViolation) {
		return err
	}
	switch err := l.wire.why(err); {
	case errors.Is(err, ErrViolation):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &DisconnectError{"the connection ended", nil}
	default:
		return &DisconnectError{"the connection broke", err}
	}
}

// lost ends the session because of a stream's error. If it is the end of the
// whole connection, the other side may have said why on the control stream, of
// which everything that came can still be read: its reader has the last word.
func (l *link) lost(err error) {
	if errors.Is(err, ErrViolation) {
		l.stop(err)
		return
	}
	if l.session.IsClosed() {
		t := time.NewTimer(lastGrace)
		defer t.Stop()
		select {
		case <-l.ctx.Done():
		case <-t.C:
		}
	}
	l.kill(l.broken(err))
}

// read hands every message of a stream to handle until the session is over,
// and makes it so when one of them fails.
func (l *link) read(in *receiver, handle func(message) error) {
	for {
		m, err := in.next()
		if err != nil && in.control {
			l.stop(l.broken(err))
			return
		}
		if err != nil {
			l.lost(err)
			return
		}
		if err := handle(m); err != nil {
			l.stop(err)
			return
		}
	}
}

// readStream starts the one reader of a stream.
func (l *link) readStream(i int, handle func(message) error) {
	in := newReceiver(l.conns[i], readAhead)
	in.control = i == controlStream
	l.wg.Go(func() { l.read(in, handle) })
}

// opening returns the handler of a control stream: hello first, then beats,
// then the end.
func (l *link) opening(greeted func(hello) error, ended func(end) error) func(message) error {
	return func(m message) error {
		switch m := m.(type) {
		case hello:
			if !l.met.Swap(true) {
				return greeted(m)
			}
		case beat:
			if l.met.Load() {
				return nil
			}
		case end:
			return ended(m)
		}
		return violation("%v on the control stream", m.code())
	}
}

// begin starts to listen for life, connects, and starts to give signs of it.
func (l *link) begin() error {
	due := make(chan struct{}, 1)
	l.wg.Go(func() { l.listen(due) })
	if err := l.connect(); err != nil {
		return err
	}
	l.wg.Go(func() { l.beat(due) })
	return nil
}

// soon is a context for a last word on something. It is made of what the agent
// has in it anyway.
func (l *link) soon() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(l.ctx)
	late := time.AfterFunc(closeGrace, cancel)
	return ctx, func() { late.Stop(); cancel() }
}

// listen drops the session when the other side is silent, and says at every
// tick that a beat is due.
func (l *link) listen(due chan<- struct{}) {
	ticks := l.opts.Ticks
	if ticks == nil {
		t := time.NewTicker(Beat)
		defer t.Stop()
		ticks = t.C
	}
	early := maxQuiet // ticks that are left to say hello, for whoever says it byte by byte
	for p := (pulse{}); ; early-- {
		select {
		case <-l.ctx.Done():
			return
		case <-ticks:
		}
		if early == 0 && !l.met.Load() {
			l.kill(&DisconnectError{"hello did not come within 20 s", nil})
			return
		}
		if !p.tick(l.wire.heard.Load()) {
			l.kill(&DisconnectError{"nothing was heard for 20 s", nil})
			return
		}
		select {
		case due <- struct{}{}:
		default: // the last one is still being written
		}
	}
}

// beat sends a beat whenever one is due. It is not part of listen because a
// write may block for as long as the other side does not read.
func (l *link) beat(due <-chan struct{}) {
	var s slack
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-due:
		}
		if l.control.send(l.ctx, beat{}) != nil {
			return
		}
		for _, c := range l.conns {
			c.Shrink() // a window's worth of memory, if nothing is in it now
		}
		if s.tick(l.wire.heard.Load()) {
			debug.FreeOSMemory()
		}
	}
}

// runBulk starts what carries contents both ways.
func (l *link) runBulk() error {
	stream := l.conns[bulkStream]
	out, err := pack(stream, l.opts.Compress)
	if err != nil {
		return fmt.Errorf("begin compression: %w", err)
	}
	in, release, err := unpack(stream, l.opts.Compress)
	if err != nil {
		return fmt.Errorf("begin compression: %w", err)
	}
	l.wg.Go(func() { l.giver.write(out) })
	l.wg.Go(func() {
		defer release()
		l.read(newReceiver(in, readAhead), l.asker.take)
	})
	return nil
}

// fetched handles the messages of the fetch stream that both sides get.
func (l *link) fetched(m message) (bool, error) {
	switch m := m.(type) {
	case credit:
		return true, l.giver.credit(m)
	case drop:
		return true, l.giver.drop(m)
	}
	return false, nil
}

// end closes everything and waits for it; false when something hangs.
func (l *link) end(err error) bool {
	l.kill(err)
	return within(closeGrace, func() {
		l.session.Close()
		l.wg.Wait()
	})
}

// within says whether f returned in time. An f that hangs is left behind:
// whoever gets false is about to leave the process.
func within(d time.Duration, f func()) bool {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ended:
		return true
	case <-t.C:
		return false
	}
}
