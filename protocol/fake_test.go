package protocol

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/replica"
)

// patience bounds what a test waits for. Nothing waits that long unless
// something is broken.
const patience = 20 * time.Second

// fake is a replica whose methods are what a test makes them.
type fake struct {
	reports chan replica.Report
	log     chan any // what Look, Flush, Settle and Release were told

	start func(context.Context, replica.Start) (replica.Identity, error)
	adopt func(context.Context, replica.ID, uint64) error
	apply func(context.Context, *replica.Batch, replica.Source) error
	send  func(context.Context, []replica.Want, func(replica.Piece) error) error
	close func() error
}

func newFake() *fake {
	return &fake{reports: make(chan replica.Report, 100), log: make(chan any, 100)}
}

func (f *fake) Start(ctx context.Context, s replica.Start) (replica.Identity, error) {
	return f.start(ctx, s)
}

func (f *fake) Next(ctx context.Context) (replica.Report, error) {
	select {
	case r, ok := <-f.reports:
		if !ok {
			return r, errors.New("root is gone")
		}
		return r, nil
	case <-ctx.Done():
		return replica.Report{}, ctx.Err()
	}
}

func (f *fake) Apply(ctx context.Context, b *replica.Batch, src replica.Source) error {
	return f.apply(ctx, b, src)
}

func (f *fake) Settle(ctx context.Context, s replica.Settle) error { f.log <- s; return nil }
func (f *fake) Look(ctx context.Context, paths []string) error     { f.log <- paths; return nil }
func (f *fake) Flush(ctx context.Context, n uint64) error          { f.log <- n; return nil }
func (f *fake) Release(ctx context.Context, slots []string) error  { f.log <- slots; return nil }
func (f *fake) Adopt(ctx context.Context, id replica.ID, gen uint64) error {
	return f.adopt(ctx, id, gen)
}

func (f *fake) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	return f.send(ctx, wants, sink)
}

func (f *fake) Close() error {
	if f.close != nil {
		return f.close()
	}
	return nil
}

// duplex is one end of two pipes.
type duplex struct {
	in, out *os.File
	once    sync.Once
}

func (d *duplex) Read(p []byte) (int, error)  { return d.in.Read(p) }
func (d *duplex) Write(p []byte) (int, error) { return d.out.Write(p) }
func (d *duplex) Close() error {
	d.once.Do(func() { d.in.Close(); d.out.Close() })
	return nil
}

func pipes(t testing.TB) (host, agent *duplex) {
	ar, hw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	hr, aw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return &duplex{in: hr, out: hw}, &duplex{in: ar, out: aw}
}

// pair is a Remote and an agent that serves a fake, over pipes.
type pair struct {
	*Remote
	fake        *fake
	host, agent *duplex
	hostTicks   chan time.Time
	agentTicks  chan time.Time
	served      chan error
	stop        context.CancelFunc
}

func newPair(t testing.TB, f *fake, opts Options) *pair {
	p := &pair{fake: f, served: make(chan error, 1)}
	p.hostTicks, p.agentTicks = make(chan time.Time), make(chan time.Time)
	p.host, p.agent = pipes(t)
	var ctx context.Context
	ctx, p.stop = context.WithCancel(t.Context())
	go func() { p.served <- Serve(ctx, p.agent, f, Options{Ticks: p.agentTicks}) }()
	opts.Ticks = p.hostTicks
	var err error
	if p.Remote, err = NewRemote(p.host, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		p.stop()
		p.wait(t)
	})
	return p
}

// wait returns what Serve returned.
func (p *pair) wait(t testing.TB) error {
	t.Helper()
	err := soon(t, p.served)
	p.served <- err
	return err
}

// soon takes from c within patience.
func soon[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("nothing came in time")
	}
	return v
}

// inTime runs f and fails the test if it does not return.
func inTime(t testing.TB, what string, f func()) {
	t.Helper()
	if !within(patience, f) {
		t.Fatalf("%s does not return", what)
	}
}

// contents is a source of contents by path.
type contents map[string][]byte

func (c contents) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	for i, w := range wants {
		content, ok := c[w.Path]
		if !ok {
			if err := sink(replica.Piece{Want: i, Gone: "no such file"}); err != nil {
				return err
			}
			continue
		}
		for len(content) > 0 {
			n := min(len(content), replica.MaxPiece)
			if err := sink(replica.Piece{Want: i, Data: content[:n]}); err != nil {
				return err
			}
			content = content[n:]
		}
		if err := sink(replica.Piece{Want: i, End: true}); err != nil {
			return err
		}
	}
	return nil
}

// fetch asks src for contents and puts them together.
func fetch(ctx context.Context, src replica.Source, wants ...replica.Want) ([]string, error) {
	got := make([]string, len(wants))
	err := src.Send(ctx, wants, func(p replica.Piece) error {
		switch {
		case p.Gone != "":
			got[p.Want] = "gone: " + p.Gone
		default:
			got[p.Want] += string(p.Data)
		}
		return nil
	})
	return got, err
}

func overNetPipe(t testing.TB, r replica.Replica) (*Remote, chan error) {
	host, agent := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- Serve(t.Context(), agent, r, Options{}) }()
	remote, err := NewRemote(host, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return remote, served
}
