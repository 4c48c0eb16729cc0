package host

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twosync/twosync/host/target"
	"github.com/twosync/twosync/internal/run"
)

// patience bounds what a test waits for.
const patience = 20 * time.Second

// fakeSession answers as it is told to.
type fakeSession struct {
	status run.Status
	err    error
	hangs  bool // a flush does not end before its time
}

func (f *fakeSession) Status(context.Context) (run.Status, error) { return f.status, nil }

func (f *fakeSession) Flush(ctx context.Context) (run.Status, error) {
	if f.hangs {
		<-ctx.Done()
		return run.Status{}, ctx.Err()
	}
	return f.status, f.err
}

func (f *fakeSession) other(context.Context, request) (answer, bool) { return answer{}, false }

// openTestState opens a session's folder below dir.
func openTestState(t *testing.T, dir string) *state {
	t.Helper()
	setStateHome(t, dir)
	to, err := target.Parse("local:/nowhere", nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openState("/project", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serveTest listens in a folder below dir and returns the way to it.
func serveTest(t *testing.T, dir string, f *fakeSession) record {
	t.Helper()
	s := openTestState(t, dir)
	c, err := listen(s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { c.serve(ctx, f) })
	t.Cleanup(func() {
		cancel()
		serving.Wait()
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return record{Dir: "/project", Target: "local:/nowhere", PID: 42, Socket: c.path}
}

func TestControlStatus(t *testing.T) {
	want := run.Status{State: "in sync", Files: 3, Held: []run.Held{{Side: "host", Path: "p", Reason: "why"}}}
	r := serveTest(t, t.TempDir(), &fakeSession{status: want})
	for range 3 {
		a, err := ask(t.Context(), r, request{Do: "status"}, patience)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status.State != want.State || a.Status.Files != 3 || len(a.Status.Held) != 1 || a.Status.Held[0] != want.Held[0] {
			t.Errorf("got %+v", a.Status)
		}
	}
	if st, err := os.Stat(r.Socket); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", st, err)
	}
	if st, err := os.Stat(filepath.Dir(r.Socket)); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("its folder: %v, %v", st, err)
	}
}

// The list in an answer is bounded, and says what it leaves out.
func TestControlManyHeld(t *testing.T) {
	f := &fakeSession{status: run.Status{Held: make([]run.Held, maxListed+7)}}
	r := serveTest(t, t.TempDir(), f)
	a, err := ask(t.Context(), r, request{Do: "flush", Timeout: patience}, patience)
	if err != nil || len(a.Status.Held) != maxListed || a.More != 7 {
		t.Errorf("got %d and %d more, %v", len(a.Status.Held), a.More, err)
	}
}

func TestControlFlushLate(t *testing.T) {
	f := &fakeSession{hangs: true, status: run.Status{State: "syncing", Pending: 2}}
	r := serveTest(t, t.TempDir(), f)
	_, err := ask(t.Context(), r, request{Do: "flush", Timeout: time.Millisecond}, patience)
	if err == nil || err.Error() != "not everything was in sync after 1ms: syncing, 2 paths to go" || remedy(err) == "" {
		t.Errorf("got %v", err)
	}
}

// Whoever interrupted a flush gives its place back.
func TestControlFlushLeft(t *testing.T) {
	r := serveTest(t, t.TempDir(), &fakeSession{hangs: true, status: run.Status{State: "syncing"}})
	for range maxAsking {
		conn, err := net.Dial("unix", r.Socket)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(conn).Encode(request{Do: "flush", Timeout: time.Hour}); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	late := time.Now().Add(patience)
	for {
		_, err := ask(t.Context(), r, request{Do: "status"}, patience)
		if err == nil {
			return
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestControlFlushFails(t *testing.T) {
	r := serveTest(t, t.TempDir(), &fakeSession{err: errors.New("the container is not connected")})
	_, err := ask(t.Context(), r, request{Do: "flush", Timeout: patience}, patience)
	if err == nil || err.Error() != "the container is not connected" || remedy(err) == "" {
		t.Errorf("got %v", err)
	}
}

// A session that ends answers whoever waits.
func TestControlEnds(t *testing.T) {
	s := openTestState(t, t.TempDir())
	c, err := listen(s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	f := &endingSession{cancel: cancel}
	serving.Go(func() { c.serve(ctx, f) })
	_, err = ask(t.Context(), record{Socket: c.path}, request{Do: "flush", Timeout: patience}, patience)
	if err == nil || !strings.Contains(err.Error(), "ended meanwhile") {
		t.Errorf("got %v", err)
	}
	serving.Wait()
	if err := c.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(c.path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// endingSession ends when it is to flush.
type endingSession struct{ cancel func() }

func (e *endingSession) Status(context.Context) (run.Status, error) { return run.Status{}, nil }

func (e *endingSession) other(context.Context, request) (answer, bool) { return answer{}, false }

func (e *endingSession) Flush(ctx context.Context) (run.Status, error) {
	e.cancel()
	<-ctx.Done()
	return run.Status{}, ctx.Err()
}

// What is no request gets an answer or the end of the connection, and the next
// one is served.
func TestControlGarbage(t *testing.T) {
	r := serveTest(t, t.TempDir(), &fakeSession{})
	for _, text := range []string{"", "\n", "{", "nonsense\n", `{"do":"rm"}` + "\n", strings.Repeat("x", maxRequest+1)} {
		a := converse(t, r.Socket, text)
		if a.Error == "" {
			t.Errorf("%.20q: no error", text)
		}
	}
	if _, err := ask(t.Context(), r, request{Do: "status"}, patience); err != nil {
		t.Error(err)
	}
}

func converse(t *testing.T, socket, text string) (a answer) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	conn.(*net.UnixConn).CloseWrite()
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		t.Fatalf("%.20q: %v", text, err)
	}
	return a
}

// Nobody listens, or somebody does and says nothing: an error, in time.
func TestAskNobody(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	r := record{Dir: "/project", Target: "web:/app", PID: 42, Socket: socket}
	if answers(r) {
		t.Error("no socket answers")
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = ask(t.Context(), r, request{Do: "status"}, 20*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "/project with web:/app does not answer") || !strings.Contains(remedy(err), "process 42") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ask(ctx, r, request{Do: "status"}, patience); !errors.Is(err, errInterrupted) {
		t.Errorf("interrupted: got %v", err)
	}
}

// A socket that a killed session left is replaced, wherever it was.
func TestControlStale(t *testing.T) {
	s := openTestState(t, t.TempDir())
	for _, deep := range []bool{false, true} {
		if deep {
			s.path = filepath.Join(s.path, strings.Repeat("x", maxSocketPath))
			if err := os.Mkdir(s.path, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		var old string
		for range 3 {
			c, err := listen(s)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.path) > maxSocketPath || (c.folder != "") != deep {
				t.Errorf("socket %s in folder %q", c.path, c.folder)
			}
			if err := s.write(record{Dir: "/project", Socket: c.path}); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(old); old != "" && old != c.path && !os.IsNotExist(err) {
				t.Errorf("%s was left behind: %v", old, err)
			}
			old = c.path
			// As a kill would leave it: nobody listens, and the file is there.
			c.l.(*net.UnixListener).SetUnlinkOnClose(false)
			c.l.Close()
		}
		removeSocket(s, old)
	}
}
