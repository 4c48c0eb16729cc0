package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/twosync/twosync/internal/run"
	"golang.org/x/sync/errgroup"
)

const (
	// maxSocketPath is what every system takes as the path of a socket: macOS
	// 103 bytes and a zero, Linux four more.
	maxSocketPath = 103

	// maxRequest and maxAnswer bound the lines, maxListed the held paths in an
	// answer; each may take 6 times its length when it is escaped.
	maxRequest = 1 << 20
	maxAnswer  = 64 << 20
	maxListed  = 1000

	// maxAsking bounds the requests that are answered at once.
	maxAsking = 16

	// shortly bounds what takes no time unless something is stuck.
	shortly = 5 * time.Second

	// maxFlush bounds the time that a flush may be given.
	maxFlush = 24 * time.Hour
)

// request is what is asked of a running session.
type request struct {
	Do      string        `json:"do"`                // "status", "flush", or what a desk knows
	Timeout time.Duration `json:"timeout,omitempty"` // of a flush, in nanoseconds
	Paths   []string      `json:"paths,omitempty"`
	Batch   string        `json:"batch,omitempty"`
	How     string        `json:"how,omitempty"`     // to resolve a conflict
	Guarded bool          `json:"guarded,omitempty"` // accept what is guarded, too
}

// answer is what it says.
type answer struct {
	Status run.Status `json:"status"`
	More   int        `json:"more,omitempty"` // held paths that are not listed
	Error  string     `json:"error,omitempty"`
	Remedy string     `json:"remedy,omitempty"`

	Resting []past `json:"resting,omitempty"`
	Put     []put  `json:"put,omitempty"`

	Released run.Released `json:"released,omitzero"`
}

// asked is the session as its control socket sees it.
type asked interface {
	Flush(ctx context.Context) (run.Status, error)
	Status(ctx context.Context) (run.Status, error)
	// other answers what is neither; false when it does not know it.
	other(ctx context.Context, q request) (answer, bool)
}

// control listens for requests.
type control struct {
	l      net.Listener
	path   string
	folder string // made for the socket alone; "" when it is in the state folder
}

// listen opens the control socket of a session whose folder is locked, so that
// one which is there already is nobody's any more.
func listen(s *state) (*control, error) {
	if r, ok := readRecord(s.path); ok && r.Socket != "" {
		removeSocket(s, r.Socket)
	}
	c := &control{path: filepath.Join(s.path, "socket")}
	if len(c.path) > maxSocketPath {
		folder, err := os.MkdirTemp("", "twosync-")
		if err != nil {
			return nil, fmt.Errorf("make folder of control socket: %w", err)
		}
		c.folder, c.path = folder, filepath.Join(folder, "socket")
	}
	l, err := net.Listen("unix", c.path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open control socket: %w", err), c.removeFolder())
	}
	c.l = l
	if err := os.Chmod(c.path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open control socket: %w", err), c.close())
	}
	return c, nil
}

// removeSocket removes what a session that was killed left behind.
func removeSocket(s *state, path string) {
	if filepath.Base(path) != "socket" {
		return // not a name of ours
	}
	_ = os.Remove(path) // listening says if it is still there
	if dir := filepath.Dir(path); dir != s.path {
		_ = os.Remove(dir) // empty, or not ours
	}
}

func (c *control) removeFolder() error {
	if c.folder == "" {
		return nil
	}
	err := os.Remove(c.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody cleans the temporary folder
	}
	return err
}

// close ends the listening and removes the socket.
func (c *control) close() error {
	err := c.l.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, c.removeFolder())
}

// serve answers requests until ctx is done, and waits for the last of them.
func (c *control) serve(ctx context.Context, s asked) {
	stop := context.AfterFunc(ctx, func() { c.l.Close() })
	defer stop()
	var answering errgroup.Group
	defer answering.Wait()
	answering.SetLimit(maxAsking)
	for {
		conn, err := c.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// No descriptors are left: one may come back.
			wait, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			<-wait.Done()
			cancel()
			continue
		}
		if !answering.TryGo(func() error { handle(ctx, conn, s); return nil }) {
			reply(conn, answer{Error: "too many ask at once", Remedy: "try again"})
		}
	}
}

// handle answers the one request of a connection, and closes it.
func handle(ctx context.Context, conn net.Conn, s asked) {
	// The session ends while somebody is slow to ask: nobody waits for them.
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })
	conn.SetReadDeadline(time.Now().Add(shortly))
	var q request
	err := readLine(conn, maxRequest, &q)
	stop()
	if err != nil {
		reply(conn, answer{Error: err.Error()})
		return
	}
	if q.Do == "flush" {
		var left context.CancelFunc
		ctx, left = context.WithCancel(ctx)
		defer left()
		go leaves(conn, left)
	}
	reply(conn, respond(ctx, q, s))
}

// leaves calls left when whoever asked does not wait any more: a flush may take a day,
// and has one of few places. It ends with the connection.
func leaves(conn net.Conn, left func()) {
	defer left()
	conn.SetReadDeadline(time.Time{})
	conn.Read(make([]byte, 1))
}

func respond(ctx context.Context, q request, s asked) answer {
	limit, do := shortly, s.Status
	switch q.Do {
	case "status":
	case "flush":
		limit, do = min(max(q.Timeout, 0), maxFlush), s.Flush
	default:
		if a, ok := s.other(ctx, q); ok {
			return a
		}
		return answer{Error: fmt.Sprintf("the running session does not know %q", q.Do), Remedy: "it is of another version: start it again"}
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	st, err := do(limited)
	switch {
	case ctx.Err() != nil:
		return answer{Error: "the session ended meanwhile", Remedy: "start it again"}
	case errors.Is(err, context.DeadlineExceeded) && q.Do == "flush":
		return late(ctx, limit, s)
	case errors.Is(err, context.DeadlineExceeded):
		return answer{Error: "the session does not say how it stands", Remedy: "try again"}
	case err != nil:
		return answer{Error: err.Error(), Remedy: "see twosync status"}
	}
	return listed(st)
}

// late answers a flush that was not over in time, with how things stand.
func late(ctx context.Context, limit time.Duration, s asked) answer {
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	a := answer{
		Error:  fmt.Sprintf("not everything was in sync after %v", limit),
		Remedy: "give it longer with --timeout, and see twosync status",
	}
	if st, err := s.Status(limited); err == nil {
		a.Error = fmt.Sprintf("%s: %s, %s to go", a.Error, st.State, plural(int64(st.Pending), "path"))
		a.Status = st
	}
	return a
}

// listed bounds the list of held paths.
func listed(st run.Status) answer {
	a := answer{Status: st}
	if n := len(st.Held); n > maxListed {
		a.Status.Held, a.More = st.Held[:maxListed], n-maxListed
	}
	return a
}

func reply(conn net.Conn, a answer) {
	// Whoever asked may be gone, and then nobody misses the answer.
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(shortly))
	_ = json.NewEncoder(conn).Encode(a)
}

// readLine reads one line of JSON, and no more than limit bytes.
func readLine(r io.Reader, limit int64, v any) error {
	b := bufio.NewReader(io.LimitReader(r, limit))
	text, err := b.ReadBytes('\n')
	switch {
	case errors.Is(err, io.EOF) && int64(len(text)) >= limit:
		return errors.New("a line is too long")
	case errors.Is(err, io.EOF) && len(text) == 0:
		return io.ErrUnexpectedEOF
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("read line: %w", err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("read line: %w", err)
	}
	return nil
}
