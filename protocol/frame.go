package protocol

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/twosync/twosync/internal/replica"
)

const (
	// headSize is a frame's head: its code, and two bytes of length.
	headSize = 3

	// maxBody bounds a frame's body: one piece and what names it. What is in
	// front of a save is never more than one such frame a stream.
	maxBody = replica.MaxPiece + 64

	// moreBit in a frame's code says that the message goes on.
	moreBit = 0x80

	// keepBuffer is how much memory a stream keeps between two messages.
	keepBuffer = 64 << 10
)

// putHead writes a frame's head into the first bytes of b.
func putHead(b []byte, c code, n int, more bool) {
	b[0] = byte(c)
	if more {
		b[0] |= moreBit
	}
	binary.BigEndian.PutUint16(b[1:headSize], uint16(n))
}

// appendFrame appends a message that fits one frame.
func appendFrame(b []byte, m message) []byte {
	at := len(b)
	b = m.append(append(b, make([]byte, headSize)...))
	n := len(b) - at - headSize
	if n > maxBody {
		panic("protocol: internal error: message does not fit one frame")
	}
	putHead(b[at:], m.code(), n, false)
	return b
}

// encode returns m behind room for one head. scratch is used when it is large
// enough.
func encode(scratch []byte, m message) ([]byte, error) {
	b := m.append(append(scratch[:0], make([]byte, headSize)...))
	if n, c := len(b)-headSize, m.code(); n > limits[c] {
		return nil, fmt.Errorf("send %v: %w: %d bytes are more than %d", c, ErrTooLarge, n, limits[c])
	}
	return b, nil
}

// writeFrames writes what encode returned, each frame by one Write. A head
// overwrites the end of what was sent before.
func writeFrames(w io.Writer, c code, b []byte) error {
	for at := headSize; ; at += maxBody {
		n := min(len(b)-at, maxBody)
		more := at+n < len(b)
		putHead(b[at-headSize:], c, n, more)
		if _, err := w.Write(b[at-headSize : at+n]); err != nil || !more {
			return err
		}
	}
}

// receiver takes messages from one direction of a stream.
type receiver struct {
	in      *bufio.Reader
	control bool   // whether this is the control stream
	body    []byte // of the last message
}

func newReceiver(r io.Reader, size int) *receiver {
	return &receiver{in: bufio.NewReaderSize(r, size)}
}

// next returns the next message. A piece's data is valid until the next call;
// everything else is the caller's.
func (r *receiver) next() (message, error) {
	if cap(r.body) > keepBuffer {
		r.body = nil
	}
	r.body = r.body[:0]
	var first code
	for {
		c, n, more, err := r.head()
		switch {
		case err != nil:
			return nil, err
		case len(r.body) > 0 && c != first:
			return nil, violation("%v within %v", c, first)
		case len(r.body)+n > limits[c]:
			return nil, violation("%v of more than %d bytes", c, limits[c])
		}
		first = c
		if err := r.take(n); err != nil {
			return nil, err
		}
		if !more {
			return decode(c, r.body)
		}
	}
}

// head takes a frame's head. Frames before the last are full, so that nobody
// can keep a message going for ever without sending it.
func (r *receiver) head() (c code, n int, more bool, err error) {
	var b [headSize]byte
	if _, err := io.ReadFull(r.in, b[:]); err != nil {
		return 0, 0, false, err
	}
	more = b[0]&moreBit != 0
	c = code(b[0] &^ moreBit)
	n = int(binary.BigEndian.Uint16(b[1:]))
	if !c.known() {
		return 0, 0, false, violation("message of unknown type %d", b[0]&^moreBit)
	}
	if n > maxBody || more && n != maxBody {
		return 0, 0, false, violation("frame of %d bytes", n)
	}
	return c, n, more, nil
}

// take appends n bytes to the body.
func (r *receiver) take(n int) error {
	at := len(r.body)
	r.body = slices.Grow(r.body, n)[:at+n]
	_, err := io.ReadFull(r.in, r.body[at:])
	return err
}
