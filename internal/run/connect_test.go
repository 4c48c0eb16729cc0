package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/protocol"
)

// puppet is a container's replica that does what a test says, and nothing until
// it is closed where that says nothing.
type puppet struct {
	next    func(context.Context) (replica.Report, error)
	apply   func(context.Context) error
	asked   chan struct{} // Send was called
	closed  chan struct{}
	closing func()
}

func (p *puppet) Start(context.Context, replica.Start) (replica.Identity, error) {
	return replica.Identity{}, nil
}

func (p *puppet) Next(ctx context.Context) (replica.Report, error) {
	if p.next != nil {
		return p.next(ctx)
	}
	<-ctx.Done()
	return replica.Report{}, ctx.Err()
}

func (p *puppet) Apply(ctx context.Context, _ *replica.Batch, _ replica.Source) error {
	return p.apply(ctx)
}

func (p *puppet) Send(context.Context, []replica.Want, func(replica.Piece) error) error {
	select {
	case p.asked <- struct{}{}:
	default:
	}
	<-p.closed
	return errors.New("closed")
}

func (p *puppet) Settle(context.Context, replica.Settle) error          { return nil }
func (p *puppet) Look(context.Context, []string) error                  { return nil }
func (p *puppet) Flush(context.Context, uint64) error                   { return nil }
func (p *puppet) Release(context.Context, []string) error               { return nil }
func (p *puppet) Adopt(_ context.Context, _ replica.ID, _ uint64) error { return nil }
func (p *puppet) Close() error                                          { p.closing(); close(p.closed); return nil }

// puppets makes the session dial puppets, and says how many are open.
func (p *pair) puppets(one func() *puppet) (dials, open *atomic.Int64) {
	dials, open = new(atomic.Int64), new(atomic.Int64)
	p.dialled = func(context.Context) (replica.Replica, error) {
		dials.Add(1)
		open.Add(1)
		x := one()
		x.closed, x.closing = make(chan struct{}), func() { open.Add(-1) }
		return x, nil
	}
	return dials, open
}

// over returns what the session ended with.
func (p *pair) over() error {
	p.t.Helper()
	select {
	case err := <-p.errs:
		return err
	case <-time.After(deadline):
		p.t.Fatalf("the session does not end; it said %+v", p.told())
		return nil
	}
}

// What dialling again can't mend ends the session with its reason, although it
// was connected.
func TestFatalEndsTheSession(t *testing.T) {
	p := newPair(t)
	dials, open := p.puppets(func() *puppet {
		return &puppet{next: func(context.Context) (replica.Report, error) {
			return replica.Report{}, fmt.Errorf("next report: %w", errFatal)
		}}
	})
	p.start()
	if err := p.over(); !errors.Is(err, errFatal) {
		t.Errorf("session ended with %v, want %v", err, errFatal)
	}
	if dials.Load() != 1 || open.Load() != 0 {
		t.Errorf("%d connections, %d of them open", dials.Load(), open.Load())
	}
}

// A container that dies as soon as it was started is dialled again, at first
// soon, but never at once.
func TestRedial(t *testing.T) {
	var waits []time.Duration
	wait := time.Duration(0)
	for _, lived := range []time.Duration{0, 0, 0, 0, 0, redialReset, 0} {
		wait = redial(wait, lived)
		waits = append(waits, wait)
	}
	if got := fmt.Sprint(waits); got != "[200ms 400ms 800ms 1.6s 2s 200ms 400ms]" {
		t.Errorf("waits %s", got)
	}
	p := newPair(t)
	dials, _ := p.puppets(func() *puppet {
		return &puppet{next: func(context.Context) (replica.Report, error) {
			return replica.Report{}, &protocol.DisconnectError{Reason: "out of memory"}
		}}
	})
	began := time.Now()
	p.start()
	for dials.Load() < 3 {
		pause(t.Context(), time.Millisecond)
	}
	if time.Since(began) < redialFirst+2*redialFirst {
		t.Error("three dials came at once")
	}
	p.stop()
	if text := fmt.Sprint(p.told()); !strings.Contains(text, "out of memory") {
		t.Errorf("the session said %s", text)
	}
}

// Strays that come faster than they are kept wait where they are: in the agent.
func TestManyStrays(t *testing.T) {
	p := newPair(t)
	asked := make(chan struct{}, 1)
	var taken atomic.Int64
	p.puppets(func() *puppet {
		x := &puppet{asked: asked}
		x.next = func(ctx context.Context) (replica.Report, error) {
			n := taken.Add(1)
			e := tree.NewFile(tree.DigestOf([]byte(fmt.Sprint(n))), 1, false)
			return replica.Report{Stray: &replica.Stray{Slot: "s", Path: "a", Entry: e}}, ctx.Err()
		}
		return x
	})
	p.start()
	<-asked // for the first one, which is not given
	for taken.Load() <= maxStrays {
		pause(t.Context(), time.Millisecond)
	}
	for range 100 { // rounds in which a feed without a limit would go on
		p.session.Status(t.Context())
	}
	if n := taken.Load(); n != maxStrays+1 {
		t.Errorf("%d strays were taken, want %d", n, maxStrays+1)
	}
	p.stop()
}

// A side that reports more and more, a little at a time, comes to an end.
func TestTooManyEntries(t *testing.T) {
	was := maxEntries
	t.Cleanup(func() { maxEntries = was })
	maxEntries = 100
	p := newPair(t)
	p.puppets(func() *puppet {
		n := 0
		return &puppet{next: func(ctx context.Context) (replica.Report, error) {
			o := &replica.Observed{Whole: n == 0, Seen: []replica.Seen{{Entry: tree.NewDir(nil)}}}
			if n++; n > 1 {
				o.Seen = []replica.Seen{{Path: fmt.Sprint(n), Entry: tree.NewLink("a")}}
			}
			return replica.Report{Observed: o}, ctx.Err()
		}, apply: func(context.Context) error { return nil }}
	})
	p.start()
	halt := (*HaltError)(nil)
	if err := p.over(); !errors.As(err, &halt) || halt.Remedy == "" {
		t.Errorf("session ended with %v, want a halt", err)
	}
}

// A session that is to end closes its connection, which is what ends a call to
// an agent that lives and does not listen.
func TestEndsBesideADeafAgent(t *testing.T) {
	p := newPair(t)
	write(t, p.host, "a", "1")
	applying := make(chan struct{}, 1)
	whole := replica.Report{Observed: &replica.Observed{Whole: true, Seen: []replica.Seen{{Entry: tree.NewDir(nil)}}}}
	_, open := p.puppets(func() *puppet {
		reports := make(chan replica.Report, 1)
		reports <- whole
		x := &puppet{}
		x.next = func(ctx context.Context) (replica.Report, error) {
			select {
			case r := <-reports:
				return r, nil
			case <-ctx.Done():
				return replica.Report{}, ctx.Err()
			}
		}
		x.apply = func(context.Context) error {
			applying <- struct{}{}
			<-x.closed
			return errors.New("closed")
		}
		return x
	})
	p.start()
	<-applying
	p.stop()
	if n := open.Load(); n != 0 {
		t.Errorf("%d connections are open after the end", n)
	}
}

// An agent that answers in the moment in which the session ends is closed, too.
func TestEndsWhileConnecting(t *testing.T) {
	for range 20 {
		p := newPair(t)
		_, open := p.puppets(func() *puppet { return &puppet{} })
		dial, dialling := p.dialled, make(chan struct{})
		p.dialled = func(ctx context.Context) (replica.Replica, error) {
			close(dialling)
			<-ctx.Done()
			return dial(ctx)
		}
		p.start()
		<-dialling
		p.stop()
		if n := open.Load(); n != 0 {
			t.Fatalf("%d connections are open after the end", n)
		}
	}
}
