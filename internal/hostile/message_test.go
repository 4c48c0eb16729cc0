//go:build linux

package hostile

import "encoding/binary"

// The codes of messages.
const (
	hello = 1 + iota
	beat
	ended
	start
	adopt
	apply
	cancel
	look
	flush
	settle
	release
	observed
	outcome
	durable
	flushed
	stray
	notice
	progress
	ask
	credit
	drop
	started
	adopted
	applied
	refused
	piece
	done
)

const (
	maxBody = 32832
	more    = 0x80
)

// message is what the agent is about to send.
type message struct {
	stream uint32
	code   byte
	body   *value
}

func say(stream uint32, code byte, fields ...*value) *message {
	return &message{stream, code, all(fields...)}
}

// frames writes a message as frames of its stream.
func (m *message) frames() [][]byte {
	var out [][]byte
	for b := m.body.write(nil); ; {
		n := min(len(b), maxBody)
		f := append(make([]byte, 3), b[:n]...)
		f[0] = m.code
		if n < len(b) {
			f[0] |= more
		}
		binary.BigEndian.PutUint16(f[1:], uint16(n))
		out = append(out, f)
		if b = b[n:]; len(b) == 0 {
			return out
		}
	}
}

// inbox puts a stream's messages together.
type inbox struct {
	b    []byte
	body []byte
}

// next returns a message that is whole.
func (in *inbox) next() (code byte, body []byte, ok bool) {
	for len(in.b) >= 3 {
		n := int(binary.BigEndian.Uint16(in.b[1:]))
		if len(in.b) < 3+n {
			return 0, nil, false
		}
		first := in.b[0]
		in.body = append(in.body, in.b[3:3+n]...)
		in.b = in.b[3+n:]
		if first&more == 0 {
			body, in.body = in.body, nil
			return first, body, true
		}
	}
	return 0, nil, false
}
