//go:build linux

package hostile

import (
	"encoding/binary"
	"io"
	"sync"
)

// What a frame of the multiplexer looks like: version 0, type, flags, stream,
// length.
const (
	headSize = 12

	muxData   = 0
	muxUpdate = 1
	muxPing   = 2
	muxAway   = 3

	flagSyn = 1
	flagAck = 2
	flagFin = 4
	flagRst = 8

	firstWindow = 256 << 10
)

// The streams, by number.
const (
	controlStream = 1
	workStream    = 3
	fetchStream   = 5
	bulkStream    = 7
)

func muxFrame(kind byte, flags uint16, stream, length uint32, data []byte) []byte {
	b := make([]byte, headSize, headSize+len(data))
	b[1] = kind
	binary.BigEndian.PutUint16(b[2:], flags)
	binary.BigEndian.PutUint32(b[4:], stream)
	binary.BigEndian.PutUint32(b[8:], length)
	return append(b, data...)
}

// mux is the agent's end of the multiplexer. What is to be sent is queued, and
// one writer sends it as the host's windows allow, so that reading never waits
// for writing.
type mux struct {
	conn io.ReadWriteCloser
	data func(stream uint32, b []byte) // what came, in order

	mu     sync.Mutex
	change *sync.Cond
	queue  []chunk           // guarded by mu
	window map[uint32]uint32 // what may be sent, by stream, guarded by mu
	over   bool              // guarded by mu
	cut    bool              // close once the queue is empty, guarded by mu
}

// chunk is data for a stream, or bytes as they are.
type chunk struct {
	stream uint32 // 0: as they are
	b      []byte
	pause  func() // is waited for before the bytes are written, byte by byte
}

func newMux(conn io.ReadWriteCloser, data func(uint32, []byte)) *mux {
	m := &mux{conn: conn, data: data, window: map[uint32]uint32{}}
	m.change = sync.NewCond(&m.mu)
	return m
}

// run ends with the connection.
func (m *mux) run() {
	var writer sync.WaitGroup
	writer.Go(m.write)
	m.read()
	m.stop()
	writer.Wait()
}

func (m *mux) stop() {
	m.mu.Lock()
	m.over = true
	m.mu.Unlock()
	m.change.Broadcast()
	m.conn.Close()
}

func (m *mux) send(c chunk) {
	m.mu.Lock()
	m.queue = append(m.queue, c)
	m.mu.Unlock()
	m.change.Broadcast()
}

// end closes the connection when everything is written.
func (m *mux) end() {
	m.mu.Lock()
	m.cut = true
	m.mu.Unlock()
	m.change.Broadcast()
}

func (m *mux) read() {
	head := make([]byte, headSize)
	for {
		if _, err := io.ReadFull(m.conn, head); err != nil {
			return
		}
		flags, stream, length := binary.BigEndian.Uint16(head[2:]), binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
		if flags&flagSyn != 0 {
			m.grant(stream, firstWindow)
			m.send(chunk{b: muxFrame(muxUpdate, flagAck, stream, 0, nil)})
		}
		switch head[1] {
		case muxUpdate:
			m.grant(stream, length)
		case muxData:
			b := make([]byte, length)
			if _, err := io.ReadFull(m.conn, b); err != nil {
				return
			}
			m.send(chunk{b: muxFrame(muxUpdate, 0, stream, length, nil)})
			m.data(stream, b)
		}
	}
}

func (m *mux) grant(stream, n uint32) {
	m.mu.Lock()
	m.window[stream] += n
	m.mu.Unlock()
	m.change.Broadcast()
}

func (m *mux) write() {
	for {
		c, ok := m.next()
		if !ok {
			m.conn.Close()
			return
		}
		if err := put(m.conn, c); err != nil {
			m.stop()
			return
		}
	}
}

func put(w io.Writer, c chunk) error {
	if c.stream != 0 {
		c.b = muxFrame(muxData, 0, c.stream, uint32(len(c.b)), c.b)
	}
	if c.pause == nil {
		_, err := w.Write(c.b)
		return err
	}
	for i := range c.b {
		c.pause()
		if _, err := w.Write(c.b[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// next returns the first chunk whose stream has room. Chunks of one stream stay
// in order, and a stream without room holds up no other.
func (m *mux) next() (chunk, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		full := map[uint32]bool{}
		for i, c := range m.queue {
			if full[c.stream] {
				continue
			}
			if c.stream != 0 && m.window[c.stream] < uint32(len(c.b)) {
				full[c.stream] = true
				continue
			}
			if c.stream != 0 {
				m.window[c.stream] -= uint32(len(c.b))
			}
			m.queue = append(m.queue[:i:i], m.queue[i+1:]...)
			return c, true
		}
		if m.over || m.cut && len(m.queue) == 0 {
			return chunk{}, false
		}
		m.change.Wait()
	}
}
