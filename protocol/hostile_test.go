package protocol

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// rogue returns a Remote and an agent that does nothing but answer hello: the
// test speaks for it.
func rogue(t *testing.T, opts Options) (*Remote, *link) {
	host, conn := pipes(t)
	if opts.Ticks == nil {
		opts.Ticks = make(chan time.Time)
	}
	r, err := NewRemote(host, opts)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := newLink(t.Context(), conn, false, Options{Compress: opts.Compress})
	if err == nil {
		err = agent.connect()
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := newReceiver(agent.conns[controlStream], 64).next()
	if err != nil {
		t.Fatal(err)
	}
	tell(t, agent, controlStream, m)
	t.Cleanup(func() {
		r.Close()
		agent.end(ErrClosed)
	})
	return r, agent
}

// tell sends messages on a stream.
func tell(t *testing.T, l *link, stream int, list ...message) {
	t.Helper()
	for _, m := range list {
		b, err := encode(nil, m)
		if err == nil {
			err = writeFrames(l.conns[stream], m.code(), b)
		}
		if err != nil {
			t.Logf("tell %v: %v", m.code(), err) // the host may be gone already
		}
	}
}

// underway gives the rogue a batch and returns its command's number.
func underway(t *testing.T, r *Remote, agent *link) uint64 {
	t.Helper()
	dir := tree.NewDir([]tree.Child{{Name: "a", Entry: file("a")}, {Name: "l", Entry: tree.NewLink("a")}})
	b := &replica.Batch{ID: 77, Changes: []tree.Change{
		{Path: "d", New: dir}, {Path: "old", Old: file("old"), New: file("new")}, {Path: "away", Old: file("away")},
	}}
	source := contents{"d/a": []byte("a"), "/etc/passwd": []byte("secret")}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Apply(ctx, b, source)
	}()
	t.Cleanup(func() { cancel(); soon(t, ended) })
	m, err := newReceiver(agent.conns[workStream], 64).next()
	if err != nil {
		t.Fatal(err)
	}
	return m.(apply).Seq
}

// TestHostileWants: an agent gets what it was told to write, and nothing else
// by any name.
func TestHostileWants(t *testing.T) {
	good := wantOf("d/a", "a")
	for name, spoil := range map[string]func(*ask){
		"other path":       func(m *ask) { m.Wants[0].Path = "secret" },
		"beside":           func(m *ask) { m.Wants[0].Path = "d/b" },
		"below a file":     func(m *ask) { m.Wants[0].Path = "d/a/b" },
		"the directory":    func(m *ask) { m.Wants[0].Path = "d" },
		"root":             func(m *ask) { m.Wants[0].Path = "" },
		"a link":           func(m *ask) { m.Wants[0].Path = "d/l" },
		"other content":    func(m *ask) { m.Wants[0].Digest[0]++ },
		"other size":       func(m *ask) { m.Wants[0].Size++ },
		"what was there":   func(m *ask) { m.Wants[0] = wantOf("old", "old") },
		"what is deleted":  func(m *ask) { m.Wants[0] = wantOf("away", "away") },
		"a stray":          func(m *ask) { m.Wants[0].Slot = "s" },
		"the host's root":  func(m *ask) { m.Seq = 0 },
		"no command":       func(m *ask) { m.Seq += 5 },
		"second is bad":    func(m *ask) { m.Wants = append(m.Wants, wantOf("x", "x")) },
		"number goes back": func(m *ask) { m.Req = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			r, agent := rogue(t, Options{})
			m := ask{1, underway(t, r, agent), []replica.Want{good}}
			spoil(&m)
			tell(t, agent, fetchStream, m)
			if _, err := r.Next(t.Context()); !errors.Is(err, ErrViolation) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestGoodWant: the same request unspoilt is answered.
func TestGoodWant(t *testing.T) {
	r, agent := rogue(t, Options{})
	seq := underway(t, r, agent)
	tell(t, agent, fetchStream, ask{1, seq, []replica.Want{wantOf("d/a", "a")}})
	in := newReceiver(agent.conns[bulkStream], 64)
	var got []string
	for range 3 {
		m, err := in.next()
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := m.(piece); ok {
			got = append(got, string(p.Piece.Data), fmt.Sprint(p.Piece.End))
		} else {
			got = append(got, m.(done).Text)
		}
	}
	if s := strings.Join(got, ","); s != "a,false,,true," {
		t.Errorf("got %q", s)
	}
}

// TestHostileMessages: none of these is taken.
func TestHostileMessages(t *testing.T) {
	outcomeOf := func(batch uint64, path string) message {
		return &outcome{Batch: batch, Results: []replica.Result{{Path: path, Status: replica.Applied}}}
	}
	for name, c := range map[string]struct {
		stream int
		list   []message
	}{
		"outcome of no batch":     {workStream, []message{outcomeOf(78, "d")}},
		"outcome of another path": {workStream, []message{outcomeOf(77, "e")}},
		"outcome of root":         {workStream, []message{outcomeOf(77, "")}},
		"outcome after the last":  {workStream, []message{&outcome{Batch: 77, Done: true}, outcomeOf(77, "d")}},
		"command":                 {workStream, []message{flush{1}}},
		"beat among reports":      {workStream, []message{beat{}}},
		"end of no batch":         {fetchStream, []message{applied{99}}},
		"end twice":               {fetchStream, []message{applied{1}, applied{1}}},
		"answer to nothing":       {fetchStream, []message{adopted{5}}},
		"started, unasked":        {fetchStream, []message{started{1, replica.Identity{}}}},
		"refused, unasked":        {fetchStream, []message{refused{1, "no", ""}}},
		"credit for nothing":      {fetchStream, []message{credit{1, 1}}},
		"drop of nothing":         {fetchStream, []message{drop{1}}},
		"report to fetch":         {fetchStream, []message{&flushed{1}}},
		"piece for nothing":       {bulkStream, []message{piece{1, replica.Piece{End: true}}}},
		"done for nothing":        {bulkStream, []message{done{1, ""}}},
		"hello twice":             {controlStream, []message{hello{Version, nil}}},
		"ask on control":          {controlStream, []message{ask{1, 1, nil}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, agent := rogue(t, Options{})
			if seq := underway(t, r, agent); seq != 1 {
				t.Fatal("not the first command")
			}
			tell(t, agent, c.stream, c.list...)
			if err := lastError(t, r); !errors.Is(err, ErrViolation) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// lastError takes reports until there is an error.
func lastError(t *testing.T, r *Remote) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, err := r.Next(ctx); err != nil {
			return err
		}
	}
}

// J11: an agent that answers a request with what was not asked
// for.
func TestHostilePieces(t *testing.T) {
	sig := someSignature()
	size := sig.Size
	data := func(n int) replica.Piece { return replica.Piece{Data: make([]byte, n)} }
	flood := make([]message, window/replica.MaxPiece+1)
	for i := range flood {
		flood[i] = piece{1, data(replica.MaxPiece)}
	}
	for name, c := range map[string]struct {
		size int64
		base *delta.Signature
		list []message
	}{
		"longer than said":  {3, nil, []message{piece{1, data(4)}}},
		"longer by two":     {3, nil, []message{piece{1, data(2)}, piece{1, data(2)}}},
		"copy of nothing":   {size, nil, []message{piece{1, replica.Piece{Count: 1}}}},
		"copy beyond":       {size, sig, []message{piece{1, replica.Piece{Block: 1, Count: 3}}}},
		"copies too long":   {size, sig, []message{piece{1, replica.Piece{Count: 3}}, piece{1, replica.Piece{Count: 1}}}},
		"second want first": {3, nil, []message{piece{1, replica.Piece{Want: 1, End: true}}}},
		"third want":        {3, nil, []message{piece{1, replica.Piece{End: true}}, piece{1, replica.Piece{Want: 1, End: true}}, piece{1, replica.Piece{Want: 2, End: true}}}},
		"ended early":       {3, nil, []message{piece{1, replica.Piece{End: true}}, done{1, ""}}},
		"other request":     {3, nil, []message{piece{2, replica.Piece{End: true}}}},
		"without credit":    {1 << 40, nil, flood},
	} {
		t.Run(name, func(t *testing.T) {
			r, agent := rogue(t, Options{})
			failed := make(chan error, 1)
			release := make(chan struct{})
			go func() {
				wants := []replica.Want{{Path: "a", Size: c.size, Base: c.base}, {Path: "b"}}
				failed <- r.Send(t.Context(), wants, func(p replica.Piece) error {
					if len(p.Data) == replica.MaxPiece {
						<-release
					}
					return nil
				})
			}()
			if _, err := newReceiver(agent.conns[fetchStream], 64).next(); err != nil {
				t.Fatal(err)
			}
			tell(t, agent, bulkStream, c.list...)
			if err := lastError(t, r); !errors.Is(err, ErrViolation) {
				t.Errorf("next: %v", err)
			}
			close(release)
			if err := soon(t, failed); !errors.Is(err, ErrViolation) {
				t.Errorf("send: %v", err)
			}
		})
	}
}

// TestManyRequests: an agent that asks for more at once than it may.
func TestManyRequests(t *testing.T) {
	r, agent := rogue(t, Options{})
	seq := underway(t, r, agent)
	for i := range uint64(3000) {
		tell(t, agent, fetchStream, ask{1 + i, seq, []replica.Want{wantOf("d/a", "a")}})
		if r.link.ctx.Err() != nil {
			break
		}
	}
	// Answers are taken as fast as they are given unless the stream is full:
	// either way the host has at most maxRequests open.
	r.link.giver.mu.Lock()
	defer r.link.giver.mu.Unlock()
	if n := len(r.link.giver.open); n > maxRequests {
		t.Errorf("%d requests are open", n)
	}
}

// TestAnswerBeforeTheEnd: an agent that answers what the host is still sending,
// and is gone. Nobody waits for ever.
func TestAnswerBeforeTheEnd(t *testing.T) {
	sig := &delta.Signature{Block: delta.MinBlock, Size: 100_000 * delta.MinBlock}
	sig.Weak, sig.Strong = make([]uint32, 100_000), make([]xxh3.Uint128, 100_000)
	for name, c := range map[string]struct {
		begin  func(*Remote) error
		under  func(*Remote) bool
		answer func(*link)
	}{
		"apply": {
			func(r *Remote) error {
				b := &replica.Batch{ID: 7, Changes: []tree.Change{{Path: "d", New: wide(60_000)}}}
				return r.Apply(t.Context(), b, contents{})
			},
			func(r *Remote) bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.flights) > 0 },
			func(agent *link) {
				tell(t, agent, fetchStream, applied{1})
				tell(t, agent, workStream, &outcome{Batch: 7, Done: true})
			},
		},
		"send": {
			func(r *Remote) error {
				return r.Send(t.Context(), []replica.Want{{Path: "a", Size: sig.Size, Base: sig}}, func(replica.Piece) error { return nil })
			},
			func(r *Remote) bool {
				r.link.asker.mu.Lock()
				defer r.link.asker.mu.Unlock()
				return len(r.link.asker.open) > 0
			},
			func(agent *link) { tell(t, agent, bulkStream, done{1, "no"}) },
		},
		"start": {
			func(r *Remote) error {
				_, err := r.Start(t.Context(), replica.Start{Rules: strings.Repeat("*.o\n", 500_000)})
				return err
			},
			func(r *Remote) bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.calls) > 0 },
			func(agent *link) { tell(t, agent, fetchStream, refused{1, "no", ""}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, agent := rogue(t, Options{})
			ended := make(chan error, 1)
			go func() { ended <- c.begin(r) }()
			for !c.under(r) {
				runtime.Gosched()
			}
			c.answer(agent)
			for c.under(r) && r.link.ctx.Err() == nil {
				runtime.Gosched()
			}
			agent.end(ErrClosed)
			if err := soon(t, ended); err == nil {
				t.Error("no error")
			}
		})
	}
}

// TestDeafToCredit: an agent that answers, and does not read what it is allowed
// to go on with, keeps nobody who has given up.
func TestDeafToCredit(t *testing.T) {
	r, agent := rogue(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	came, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- r.Send(ctx, []replica.Want{{Path: "a", Size: window}}, func(replica.Piece) error { nudge(came); return nil })
	}()
	if _, err := newReceiver(agent.conns[fetchStream], 64).next(); err != nil {
		t.Fatal(err)
	}
	<-r.link.fetch.turn // another message that does not get through
	for range window/replica.MaxPiece - 1 {
		tell(t, agent, bulkStream, piece{1, replica.Piece{Data: make([]byte, replica.MaxPiece)}})
	}
	soon(t, came)
	cancel()
	if err := soon(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("send: %v", err)
	}
	r.link.fetch.turn <- struct{}{}
}

// TestTooLarge: what no message can hold ends the session, and is not missed
// without a word.
func TestTooLarge(t *testing.T) {
	was := limits[codeApply]
	t.Cleanup(func() { limits[codeApply] = was })
	limits[codeApply] = 1000
	r, _ := rogue(t, Options{})
	b := &replica.Batch{ID: 1, Changes: []tree.Change{{Path: "d", New: wide(100)}}}
	if err := r.Apply(t.Context(), b, contents{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("apply: %v", err)
	}
	if err := lastError(t, r); !errors.Is(err, ErrTooLarge) {
		t.Errorf("next: %v", err)
	}
}

// J14: each side refuses another version than its own.
func TestOtherVersion(t *testing.T) {
	host, conn := pipes(t)
	served := make(chan error, 1)
	go func() { served <- Serve(t.Context(), conn, newFake(), Options{}) }()
	l, err := newLink(t.Context(), host, true, Options{})
	if err == nil {
		err = l.connect()
	}
	if err != nil {
		t.Fatal(err)
	}
	tell(t, l, controlStream, hello{Version + 1, nil})
	m, err := newReceiver(l.conns[controlStream], 64).next()
	if e, ok := m.(end); err != nil || !ok || !strings.Contains(e.Text, "version") {
		t.Errorf("got %+v, %v", m, err)
	}
	if err := soon(t, served); !errors.Is(err, ErrViolation) {
		t.Errorf("serve: %v", err)
	}
	l.end(ErrClosed)
	for _, m := range []hello{{Version + 1, nil}, {Version, []string{"zstd"}}} {
		r := &Remote{link: &link{}}
		if err := r.greeted(m); !errors.Is(err, ErrViolation) {
			t.Errorf("%+v: %v", m, err)
		}
		if err := r.ended(end{"version"}); !errors.Is(err, ErrViolation) {
			t.Errorf("end instead of hello: %v", err)
		}
	}
}

// TestEndUnasked: an agent that says good-bye by itself is no success.
func TestEndUnasked(t *testing.T) {
	for _, text := range []string{"", "out of memory"} {
		r, agent := rogue(t, Options{})
		tell(t, agent, controlStream, end{text})
		if err := lastError(t, r); !errors.Is(err, ErrDisconnected) || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v", err)
		}
	}
}

// TestBomb: what unpacks to very much is refused before it is unpacked.
func TestBomb(t *testing.T) {
	r, agent := rogue(t, Options{Compress: true})
	// A frame of zstd that asks for a window of 1 GiB.
	agent.conns[bulkStream].Write([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0, 0, 0, 0})
	if err := lastError(t, r); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
