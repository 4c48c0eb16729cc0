package protocol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

func wantOf(path, content string) replica.Want {
	return replica.Want{Path: path, Digest: tree.DigestOf([]byte(content)), Size: int64(len(content))}
}

// TestCommands: every method arrives, and its answer comes back.
func TestCommands(t *testing.T) {
	f := newFake()
	id := replica.Identity{ID: replica.ID{7}, Gen: 3, Root: "/app", Facts: replica.Facts{Watch: "inotify"}}
	f.start = func(_ context.Context, s replica.Start) (replica.Identity, error) {
		if s.Rules != "*.o" {
			return replica.Identity{}, errors.New("the lock is held by 42")
		}
		return id, nil
	}
	f.adopt = func(_ context.Context, got replica.ID, gen uint64) error {
		if got != id.ID || gen != 4 {
			return errors.New("other identity")
		}
		return nil
	}
	p, ctx := newPair(t, f, Options{}), t.Context()
	if _, err := p.Start(ctx, replica.Start{}); err == nil || !strings.Contains(err.Error(), "held by 42") {
		t.Errorf("start that fails: %v", err)
	}
	if got, err := p.Start(ctx, replica.Start{Rules: "*.o"}); err != nil || got != id {
		t.Errorf("start: %+v, %v", got, err)
	}
	if err := p.Adopt(ctx, id.ID, 4); err != nil {
		t.Error(err)
	}
	var refused *RefusedError
	if err := p.Adopt(ctx, id.ID, 5); !errors.As(err, &refused) {
		t.Errorf("adopt that fails: %v", err)
	}
	p.Look(ctx, []string{"a", "b"})
	p.Flush(ctx, 9)
	p.Settle(ctx, replica.Settle{Gen: 2, Paths: []string{"c"}})
	p.Release(ctx, []string{"slot"})
	for _, want := range []any{[]string{"a", "b"}, uint64(9), replica.Settle{Gen: 2, Paths: []string{"c"}}, []string{"slot"}} {
		if got := soon(t, f.log); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.wait(t); err != nil {
		t.Errorf("serve: %v", err)
	}
	if err := p.Flush(ctx, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("flush after close: %v", err)
	}
}

// TestReportsInOrder: reports come out in the order in which they went in,
// large ones too.
func TestReportsInOrder(t *testing.T) {
	f := newFake()
	p := newPair(t, f, Options{})
	large := wide(50_000)
	go func() {
		f.reports <- replica.Report{Observed: &replica.Observed{Whole: true, Seen: []replica.Seen{{Entry: large}}}}
		f.reports <- replica.Report{} // says nothing
		for i := range 500 {
			f.reports <- replica.Report{Flushed: &replica.Flushed{N: uint64(i)}}
		}
	}()
	r, err := p.Next(t.Context())
	if err != nil || r.Observed == nil || !tree.Equal(r.Observed.Seen[0].Entry, large) {
		t.Fatalf("first report %+v, %v", r, err)
	}
	for i := range 500 {
		r, err := p.Next(t.Context())
		if err != nil || r.Flushed == nil || r.Flushed.N != uint64(i) {
			t.Fatalf("report %d: %+v, %v", i, r, err)
		}
	}
}

func wide(n int) *tree.Entry {
	var children []tree.Child
	for i := range n {
		children = append(children, tree.Child{Name: fmt.Sprintf("file-%06d", i), Entry: file(fmt.Sprint(i))})
	}
	return tree.NewDir(children)
}

// TestApply: contents come inline and on request, results come back with what
// the batch wanted.
func TestApply(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compress=%v", compress), func(t *testing.T) { testApply(t, compress) })
	}
}

func testApply(t *testing.T, compress bool) {
	big := make([]byte, 20<<20)
	rand.NewChaCha8([32]byte{1}).Read(big)
	dir := tree.NewDir([]tree.Child{{Name: "big", Entry: file(string(big))}, {Name: "gone", Entry: file("gone")}})
	batch := &replica.Batch{
		ID:       5,
		Changes:  []tree.Change{{Path: "d", New: dir}, {Path: "small", Old: file("x"), New: file("small")}},
		Contents: inline("small"),
	}
	f := newFake()
	f.apply = func(ctx context.Context, b *replica.Batch, src replica.Source) error {
		if !tree.Equal(b.Changes[0].New, dir) || string(b.Contents[file("small").Digest]) != "small" {
			t.Errorf("batch %+v", b)
		}
		got, err := fetch(ctx, src, wantOf("d/big", string(big)), wantOf("d/gone", "gone"), wantOf("small", "small"))
		if err != nil || got[0] != string(big) || got[1] != "gone: no such file" || got[2] != "small" {
			t.Errorf("fetched %d bytes, %.40q, %v", len(got[0]), got[1:], err)
		}
		f.reports <- replica.Report{Outcome: &replica.Outcome{Batch: b.ID, Done: true, Results: []replica.Result{
			{Path: "d", Status: replica.Applied}, {Path: "d/gone", Status: replica.Applied},
			{Path: "small", Status: replica.MovedOn, Entry: file("edited"), Reason: "edited"},
		}}}
		return nil
	}
	p := newPair(t, f, Options{Compress: compress})
	if err := p.Apply(t.Context(), batch, contents{"d/big": big, "small": []byte("small")}); err != nil {
		t.Fatal(err)
	}
	r, err := p.Next(t.Context())
	if err != nil || r.Outcome == nil || len(r.Outcome.Results) != 3 || !r.Outcome.Done {
		t.Fatalf("outcome %+v, %v", r.Outcome, err)
	}
	for i, want := range []*tree.Entry{dir, file("gone"), file("edited")} {
		if got := r.Outcome.Results[i].Entry; !tree.Equal(got, want) {
			t.Errorf("result %d holds %+v", i, got)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.flights)+len(p.batches)+len(p.slots) > 0 {
		t.Error("the batch is not forgotten")
	}
}

// TestSend: contents of the agent, with pieces that copy, in several requests
// because the signatures are large.
func TestSend(t *testing.T) {
	f := newFake()
	f.send = func(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
		for i, w := range wants {
			n := len(w.Base.Weak)
			sink(replica.Piece{Want: i, Block: 1, Count: n - 1})
			sink(replica.Piece{Want: i, Data: []byte(w.Path)})
			if err := sink(replica.Piece{Want: i, End: true}); err != nil {
				return err
			}
		}
		return nil
	}
	p := newPair(t, f, Options{})
	sig := someSignature()
	sig.Size = int64(40_000 * sig.Block)
	sig.Weak, sig.Strong = append(sig.Weak, make([]uint32, 39_997)...), slices.Repeat(sig.Strong[:1], 40_000)
	var wants []replica.Want
	for i := range 5 {
		wants = append(wants, replica.Want{Path: fmt.Sprint("f", i), Size: sig.Size, Base: sig})
	}
	var got []string
	err := p.Send(t.Context(), wants, func(p replica.Piece) error {
		got = append(got, fmt.Sprint(p.Want, p.Block, p.Count, string(p.Data), p.End))
		return nil
	})
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprint(i, 1, 39_999, "", false), fmt.Sprint(i, 0, 0, "f", i, false), fmt.Sprint(i, 0, 0, "", true))
	}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "f ", "f")
	}
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %q, %v", got, err)
	}
}

// TestSendFails: an error of the source ends the request, not the session; an
// error of the sink is returned, and the request's place is free again.
func TestSendFails(t *testing.T) {
	f := newFake()
	f.send = func(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
		if wants[0].Path == "bad" {
			return errors.New("cannot read")
		}
		for {
			if err := sink(replica.Piece{Data: make([]byte, 1000)}); err != nil {
				return err
			}
		}
	}
	p := newPair(t, f, Options{})
	enough := errors.New("enough")
	for range 3 * maxRequests {
		if _, err := fetch(t.Context(), p, wantOf("bad", "")); err == nil || !strings.Contains(err.Error(), "cannot read") {
			t.Fatalf("got %v", err)
		}
		err := p.Send(t.Context(), []replica.Want{{Path: "endless", Size: 1 << 40}}, func(replica.Piece) error { return enough })
		if err != enough {
			t.Fatalf("got %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 * maxRequests {
		cancelled := make(chan error, 1)
		go func() {
			_, err := fetch(ctx, p, replica.Want{Path: "endless", Size: 1 << 40})
			cancelled <- err
		}()
		cancel()
		if err := soon(t, cancelled); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
	}
	cancel()
	if p.link.ctx.Err() != nil {
		t.Error(p.link.err())
	}
}

// TestStuckRequest: requests of which nobody takes the contents do not hinder
// another one, and hold no more memory than their window.
func TestStuckRequest(t *testing.T) {
	f := newFake()
	f.send = contents{"big": make([]byte, 10*window), "small": []byte("small")}.Send
	p := newPair(t, f, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	stuck := make(chan error, maxRequests-1)
	begun := make(chan struct{}, maxRequests-1)
	for range maxRequests - 1 {
		go func() {
			stuck <- p.Send(ctx, []replica.Want{{Path: "big", Size: 10 * window}}, func(replica.Piece) error {
				begun <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			})
		}()
	}
	for range maxRequests - 1 {
		soon(t, begun)
	}
	if got, err := fetch(t.Context(), p, wantOf("small", "small")); err != nil || got[0] != "small" {
		t.Errorf("beside stuck requests: %q, %v", got, err)
	}
	p.link.asker.mu.Lock()
	for _, q := range p.link.asker.open {
		if q.held > window {
			t.Errorf("a request holds %d", q.held)
		}
	}
	p.link.asker.mu.Unlock()
	cancel()
	for range maxRequests - 1 {
		if err := soon(t, stuck); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	big := string(make([]byte, 10*window))
	if got, err := fetch(t.Context(), p, wantOf("big", big)); err != nil || got[0] != big {
		t.Errorf("after stuck requests: %d bytes, %v", len(got[0]), err)
	}
}

// TestFair: a small request ends while a large one is under way.
func TestFair(t *testing.T) {
	f := newFake()
	f.send = contents{"big": make([]byte, 64<<20), "small": []byte("small")}.Send
	p := newPair(t, f, Options{})
	taken := 0
	err := p.Send(t.Context(), []replica.Want{{Path: "big", Size: 64 << 20}}, func(piece replica.Piece) error {
		if taken += len(piece.Data); taken != replica.MaxPiece {
			return nil
		}
		if got, err := fetch(t.Context(), p, wantOf("small", "small")); err != nil || got[0] != "small" {
			t.Errorf("got %q, %v", got, err)
		}
		return nil
	})
	if err != nil || taken != 64<<20 {
		t.Errorf("%d bytes, %v", taken, err)
	}
}

// TestCancelledApply: the agent is told, and the session goes on.
func TestCancelledApply(t *testing.T) {
	f := newFake()
	began := make(chan struct{}, 1)
	f.apply = func(ctx context.Context, b *replica.Batch, src replica.Source) error {
		began <- struct{}{}
		<-ctx.Done()
		f.reports <- replica.Report{Outcome: &replica.Outcome{Batch: b.ID, Done: true}}
		return ctx.Err()
	}
	p := newPair(t, f, Options{})
	for i := range uint64(3 * maxCommands) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Apply(ctx, &replica.Batch{ID: i}, contents{}) }()
		soon(t, began)
		cancel()
		if err := soon(t, ended); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if r, err := p.Next(t.Context()); err != nil || r.Outcome.Batch != i {
			t.Fatal(r, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"apply": p.Apply(ctx, &replica.Batch{ID: 1000}, contents{}),
		"flush": p.Flush(ctx, 1),
		"start": func() error { _, err := p.Start(ctx, replica.Start{}); return err }(),
		"next":  func() error { _, err := p.Next(ctx); return err }(),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a context that is done: %v", name, err)
		}
	}
	if p.link.ctx.Err() != nil {
		t.Error(p.link.err())
	}
}

// TestCancelledBeforeItsTurn: a command that nobody waits for any more before it
// could be sent takes no place.
func TestCancelledBeforeItsTurn(t *testing.T) {
	p := newPair(t, newFake(), Options{})
	for name, f := range map[string]func(context.Context) error{
		"start": func(ctx context.Context) error { _, err := p.Start(ctx, replica.Start{}); return err },
		"apply": func(ctx context.Context) error { return p.Apply(ctx, &replica.Batch{ID: 1}, contents{}) },
		"send":  func(ctx context.Context) error { _, err := fetch(ctx, p, wantOf("a", "a")); return err },
	} {
		for _, s := range []*sender{p.link.work, p.link.fetch} {
			<-s.turn // somebody is sending
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f(ctx) }()
		for len(p.slots)+len(p.link.asker.slots) == 0 {
			runtime.Gosched()
		}
		cancel()
		if err := soon(t, ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		for _, s := range []*sender{p.link.work, p.link.fetch} {
			s.turn <- struct{}{}
		}
		if n := len(p.slots) + len(p.link.asker.slots); n != 0 {
			t.Errorf("%s keeps %d places", name, n)
		}
	}
}

// TestReplicaEnds: the agent's replica fails; the host hears why.
func TestReplicaEnds(t *testing.T) {
	f := newFake()
	p := newPair(t, f, Options{})
	close(f.reports)
	_, err := p.Next(t.Context())
	if !errors.Is(err, ErrDisconnected) || !strings.Contains(err.Error(), "root is gone") {
		t.Errorf("next: %v", err)
	}
	if err := p.wait(t); err == nil || !strings.Contains(err.Error(), "root is gone") {
		t.Errorf("serve: %v", err)
	}
}

// TestApplyFails: an error of Apply is the end of the replica.
func TestApplyFails(t *testing.T) {
	f := newFake()
	f.apply = func(context.Context, *replica.Batch, replica.Source) error { return errors.New("lock is lost") }
	p := newPair(t, f, Options{})
	err := p.Apply(t.Context(), &replica.Batch{ID: 1}, contents{})
	if _, next := p.Next(t.Context()); !strings.Contains(next.Error(), "lock is lost") {
		t.Errorf("apply: %v, next: %v", err, next)
	}
}

// J11: the end of the connection is never success, for nobody.
func TestCutOff(t *testing.T) {
	f := newFake()
	f.apply = func(ctx context.Context, b *replica.Batch, src replica.Source) error {
		<-ctx.Done()
		return ctx.Err()
	}
	p := newPair(t, f, Options{})
	applied := make(chan error, 1)
	go func() { applied <- p.Apply(t.Context(), &replica.Batch{ID: 1}, contents{}) }()
	p.Flush(t.Context(), 1)
	soon(t, f.log)
	p.agent.Close()
	if _, err := p.Next(t.Context()); !errors.Is(err, ErrDisconnected) {
		t.Errorf("next: %v", err)
	}
	if err := soon(t, applied); !errors.Is(err, ErrDisconnected) {
		t.Errorf("apply: %v", err)
	}
	if err := p.wait(t); err == nil {
		t.Error("serve: no error")
	}
	inTime(t, "close", func() {
		if err := p.Close(); !errors.Is(err, ErrDisconnected) {
			t.Errorf("close: %v", err)
		}
	})
}

// slowEnd is a connection that takes its time to close.
type slowEnd struct {
	*duplex
	closing func()
}

func (c slowEnd) Close() error {
	c.closing()
	return c.duplex.Close()
}

// TestNobodySpins: while a connection closes, yamux does not know yet that it is
// over, whichever direction has ended: its readers would spin.
func TestNobodySpins(t *testing.T) {
	for name, end := range map[string]func(*duplex){
		"reading": func(agent *duplex) { agent.out.Close() },
		"writing": func(agent *duplex) { agent.in.Close() },
	} {
		host, agent := pipes(t)
		known := make(chan bool, 1)
		var r *Remote
		ready := make(chan struct{})
		r, err := NewRemote(slowEnd{host, func() { <-ready; known <- r.link.session.IsClosed() }}, Options{Ticks: make(chan time.Time)})
		if err != nil {
			t.Fatal(err)
		}
		close(ready)
		if name == "reading" {
			go io.Copy(io.Discard, agent.in)
		}
		end(agent)
		for r.link.ctx.Err() == nil && len(known) == 0 {
			r.Flush(t.Context(), 1)
		}
		if soon(t, known) {
			t.Errorf("%s: yamux knew before the connection was closed", name)
		}
		inTime(t, "close", func() { r.Close() })
		agent.Close()
	}
}

// J11: the agent's end of the same.
func TestHostVanishes(t *testing.T) {
	f := newFake()
	closed := make(chan struct{}, 1)
	f.close = func() error { closed <- struct{}{}; return nil }
	p := newPair(t, f, Options{})
	p.Flush(t.Context(), 1)
	soon(t, f.log)
	p.host.Close()
	if err := p.wait(t); !errors.Is(err, ErrDisconnected) {
		t.Errorf("serve: %v", err)
	}
	soon(t, closed)
}

// I10r, J12: four ticks without a byte from the other side are the end, and
// one byte begins the count again.
func TestPulse(t *testing.T) {
	var p pulse
	for i, step := range []struct {
		heard uint64
		alive bool
	}{{0, true}, {0, true}, {0, true}, {1, true}, {1, true}, {1, true}, {1, true}, {1, false}} {
		if got := p.tick(step.heard); got != step.alive {
			t.Fatalf("step %d: %v", i, got)
		}
	}
}

// J11, J12: the host sends a beat at every tick, and drops an agent of
// which it hears nothing.
func TestSilence(t *testing.T) {
	ticks := make(chan time.Time)
	r, agent := rogue(t, Options{Ticks: ticks})
	in := newReceiver(agent.conns[controlStream], 64)
	send(t, ticks)
	if m, err := in.next(); err != nil || m != (beat{}) {
		t.Errorf("at a tick came %v, %v", m, err)
	}
	for r.link.ctx.Err() == nil { // what is still on its way counts
		select {
		case ticks <- time.Time{}:
		case <-r.link.ctx.Done():
		}
	}
	_, err := r.Next(t.Context())
	if !errors.Is(err, ErrDisconnected) || !strings.Contains(err.Error(), "20 s") {
		t.Errorf("got %v", err)
	}
}

func send[T any](t *testing.T, c chan<- T) {
	t.Helper()
	var v T
	select {
	case c <- v:
	case <-time.After(patience):
		t.Fatal("nobody takes the tick")
	}
}

// TestByteAtATime: a byte now and then is life, but no hello.
func TestByteAtATime(t *testing.T) {
	host, agent := pipes(t)
	defer agent.Close()
	ticks := make(chan time.Time)
	r, err := NewRemote(host, Options{Ticks: ticks})
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, agent.in)
	agent.out.Write([]byte{0, muxData, 0, 0, 0, 0, 0, 1, 0, 0, 100, 0})
	for i := 0; r.link.ctx.Err() == nil; i++ {
		heard := r.link.wire.heard.Load()
		agent.out.Write([]byte{0})
		for r.link.wire.heard.Load() == heard && r.link.ctx.Err() == nil {
			runtime.Gosched()
		}
		select {
		case ticks <- time.Time{}:
		case <-r.link.ctx.Done():
		}
		if i > 2*maxQuiet {
			t.Fatal("it goes on for ever")
		}
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, ErrDisconnected) || !strings.Contains(err.Error(), "hello") {
		t.Errorf("got %v", err)
	}
	inTime(t, "close", func() { r.Close() })
}

// H11: an agent whose host is stopped before it said anything, or
// does not even read, leaves.
func TestSilentHost(t *testing.T) {
	_, agent := pipes(t)
	ticks, served := make(chan time.Time), make(chan error, 1)
	go func() { served <- Serve(t.Context(), agent, newFake(), Options{Ticks: ticks}) }()
	for range maxQuiet {
		send(t, ticks)
	}
	if err := soon(t, served); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got %v", err)
	}
}

// TestBeatSize: an idle session costs 16 bytes a beat.
func TestBeatSize(t *testing.T) {
	b, _ := encode(nil, beat{})
	if n := muxHead + len(b); n > 16 {
		t.Errorf("%d bytes", n)
	}
}

// TestHang: a replica that answers nothing and closes never does not keep the
// agent from leaving, nor the host from closing.
func TestHang(t *testing.T) {
	f := newFake()
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	f.apply = func(context.Context, *replica.Batch, replica.Source) error { <-forever; return nil }
	f.start = func(context.Context, replica.Start) (replica.Identity, error) {
		<-forever
		return replica.Identity{}, nil
	}
	f.close = func() error { <-forever; return nil }
	p := newPair(t, f, Options{})
	go p.Apply(t.Context(), &replica.Batch{ID: 1}, contents{})
	go p.Start(t.Context(), replica.Start{})
	p.Flush(t.Context(), 1)
	soon(t, f.log)
	inTime(t, "close", func() {
		if p.Close() == nil {
			t.Error("close: no error")
		}
	})
	if err := p.wait(t); err == nil {
		t.Error("serve: no error")
	}
}

// TestDeafAgent: an agent that reads nothing does not keep Close.
func TestDeafAgent(t *testing.T) {
	host, agent := pipes(t)
	defer agent.Close()
	r, err := NewRemote(host, Options{Ticks: make(chan time.Time)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	applied := make(chan error, 1)
	batch := &replica.Batch{ID: 1, Changes: []tree.Change{{Path: "d", New: wide(30_000)}}}
	go func() { applied <- r.Apply(ctx, batch, contents{}) }()
	go func() { r.Flush(t.Context(), 1) }()
	cancel()
	if err := soon(t, applied); err == nil {
		t.Error("apply: no error")
	}
	inTime(t, "close", func() {
		if err := r.Close(); err == nil {
			t.Error("close: no error")
		}
	})
}

// TestCloseWhileBusy: bulk both ways, reports nobody takes, commands.
func TestCloseWhileBusy(t *testing.T) {
	f := newFake()
	endless := func(ctx context.Context, _ []replica.Want, sink func(replica.Piece) error) error {
		for ctx.Err() == nil {
			if err := sink(replica.Piece{Data: make([]byte, replica.MaxPiece)}); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	f.send = endless
	f.apply = func(ctx context.Context, b *replica.Batch, src replica.Source) error {
		_, err := fetch(ctx, src, replica.Want{Path: "d", Digest: file("x").Digest, Size: 1 << 40})
		return err
	}
	for range cap(f.reports) {
		f.reports <- replica.Report{Notice: &replica.Notice{Text: strings.Repeat("x", 4000)}}
	}
	p := newPair(t, f, Options{})
	busy := make(chan error, 3)
	moving := make(chan struct{}, 1)
	go func() {
		busy <- p.Send(t.Context(), []replica.Want{{Path: "a", Size: 1 << 40}}, func(replica.Piece) error { nudge(moving); return nil })
	}()
	source := &fake{send: endless}
	change := tree.Change{Path: "d", New: tree.NewFile(file("x").Digest, 1<<40, false)}
	go func() { busy <- p.Apply(t.Context(), &replica.Batch{ID: 1, Changes: []tree.Change{change}}, source) }()
	go func() {
		_, err := p.Next(t.Context())
		for err == nil {
			err = p.Look(t.Context(), []string{strings.Repeat("p/", 100) + "q"})
			select {
			case <-f.log:
			default:
			}
		}
		busy <- err
	}()
	soon(t, moving)
	inTime(t, "close", func() { p.Close() })
	for range 3 {
		if err := soon(t, busy); err == nil {
			t.Error("a method of a closed session returned no error")
		}
	}
	if err := p.wait(t); err != nil {
		t.Errorf("serve: %v", err)
	}
}

// J15: an agent that is no agent.
func TestGarbage(t *testing.T) {
	for name, text := range map[string]string{
		"text":   "sh: 1: twosync-agent: not found\r\n",
		"zeros":  string(make([]byte, 4096)),
		"ping":   "\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01",
		"stream": "\x00\x01\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00",
		"goaway": "\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		"large":  "\x00\x00\x00\x00\x00\x00\x00\x01\x00\xff\xff\xff",
		"short":  "\x00\x00",
		"empty":  "",
	} {
		host, agent := pipes(t)
		r, err := NewRemote(host, Options{Ticks: make(chan time.Time)})
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, agent.in)
		io.WriteString(agent.out, text)
		if name == "short" || name == "empty" {
			agent.out.Close()
		}
		_, err = r.Next(t.Context())
		cut := name == "short" || name == "empty" || name == "goaway"
		if cut && !errors.Is(err, ErrDisconnected) || !cut && !errors.Is(err, ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
		inTime(t, "close", func() { r.Close() })
		agent.Close()
	}
}

// TestNetPipe: the same over a connection without any buffer.
func TestNetPipe(t *testing.T) {
	f := newFake()
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	f.send = contents{"a": content}.Send
	r, served := overNetPipe(t, f)
	if got, err := fetch(t.Context(), r, wantOf("a", string(content))); err != nil || got[0] != string(content) {
		t.Errorf("%d bytes, %v", len(got[0]), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := soon(t, served); err != nil {
		t.Error(err)
	}
}
