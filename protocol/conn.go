package protocol

import (
	"bufio"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
)

// What a yamux frame looks like: version, type, flags, stream, length.
const (
	muxHead = 12

	muxData   = 0
	muxPing   = 2
	muxGoAway = 3

	muxSyn = 1
)

const (
	// readAhead spares system calls; yamux itself reads 4 KiB at a time.
	readAhead = 64 << 10

	// maxMuxData bounds a data frame of yamux. Nobody writes more at once.
	maxMuxData = maxBody + headSize
)

// wire is the connection below yamux. It notes that the other side lives,
// puts a frame's head and body into one write, and lets only those frames
// through that this protocol needs: yamux itself would start a goroutine for
// every ping, and take any number of streams.
type wire struct {
	// config
	conn  io.ReadWriteCloser
	opens bool // whether the other side may open streams

	// state
	heard atomic.Uint64 // bytes that came
	in    *bufio.Reader
	close sync.Once
	cause atomic.Pointer[error] // why reading ended

	// of reading
	skip int // bytes left of the current frame's body
	have int // bytes of head
	head [muxHead]byte

	// of writing
	held []byte // a head that waits for its body
}

func newWire(conn io.ReadWriteCloser, opens bool) *wire {
	w := &wire{conn: conn, opens: opens}
	w.in = bufio.NewReaderSize(listener{w}, readAhead)
	return w
}

// listener reads from the connection and notes how much it heard.
type listener struct{ *wire }

func (l listener) Read(p []byte) (int, error) {
	n, err := l.conn.Read(p)
	if n > 0 {
		l.heard.Add(uint64(n))
	}
	return n, err
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.in.Read(p)
	if bad := w.check(p[:n]); bad != nil {
		n, err = 0, bad
	}
	if err != nil {
		w.cause.CompareAndSwap(nil, &err)
		w.Close()
	}
	return n, err
}

// check follows the frames that go by.
func (w *wire) check(p []byte) error {
	for len(p) > 0 {
		if w.skip > 0 {
			n := min(w.skip, len(p))
			w.skip -= n
			p = p[n:]
			continue
		}
		n := copy(w.head[w.have:], p)
		w.have += n
		p = p[n:]
		if w.have == muxHead {
			w.have = 0
			if err := w.frame(); err != nil {
				return err
			}
		}
	}
	return nil
}

// frame judges the frame that begins with w.head.
func (w *wire) frame() error {
	kind, flags := w.head[1], binary.BigEndian.Uint16(w.head[2:])
	id, length := binary.BigEndian.Uint32(w.head[4:]), binary.BigEndian.Uint32(w.head[8:])
	switch {
	case w.head[0] != 0:
		return violation("what came is not ours: %q", w.head)
	case kind == muxPing:
		return violation("ping of yamux")
	case kind != muxGoAway && (id%2 == 0 || id > 2*streams), flags&muxSyn != 0 && !w.opens:
		return violation("stream %d", id)
	case kind == muxData && length > maxMuxData:
		return violation("yamux frame of %d bytes", length)
	case kind == muxData:
		w.skip = int(length)
	}
	return nil
}

// Write is called by one goroutine of yamux, first with the head of a frame
// and then with its body, if it has one.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.write(p)
	if err != nil {
		w.Close()
	}
	return n, err
}

func (w *wire) write(p []byte) (int, error) {
	if len(w.held) == 0 && len(p) == muxHead && p[1] == muxData && binary.BigEndian.Uint32(p[8:]) > 0 {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	if len(w.held) == 0 {
		return w.conn.Write(p)
	}
	w.held = append(w.held, p...)
	n, err := w.conn.Write(w.held)
	n = max(n-muxHead, 0)
	w.held = w.held[:0]
	return n, err
}

// Close closes the connection, which may take the time of a process that does not
// end. It is called before yamux learns that there is an end: from then on, and
// until its own Close is through, whoever reads from a stream of it spins.
func (w *wire) Close() (err error) {
	w.close.Do(func() { err = w.conn.Close() })
	return err
}

// why returns what ended the session, given what a stream said about it.
func (w *wire) why(err error) error {
	if cause := w.cause.Load(); cause != nil {
		err = *cause
	}
	return err
}
