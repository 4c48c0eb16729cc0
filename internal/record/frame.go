package record

import (
	"encoding/binary"
	"hash/crc32"
)

// MaxFrame bounds a frame's payload.
const MaxFrame = 64 << 20

// frameHead is four bytes of length and four of CRC-32C over length and payload.
const frameHead = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendFrame appends payload behind its length and checksum.
func AppendFrame(b, payload []byte) []byte {
	if len(payload) > MaxFrame {
		panic("record: internal error: frame too large")
	}
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	sum := crc32.Update(crc32.Checksum(b[at:], castagnoli), castagnoli, payload)
	return append(binary.LittleEndian.AppendUint32(b, sum), payload...)
}

// CutFrame takes the frame at the front of b. ok is false when there is none
// that is whole and right.
func CutFrame(b []byte) (payload, rest []byte, ok bool) {
	if len(b) < frameHead {
		return nil, b, false
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n > MaxFrame || n > len(b)-frameHead {
		return nil, b, false
	}
	payload, rest = b[frameHead:frameHead+n], b[frameHead+n:]
	sum := crc32.Update(crc32.Checksum(b[:4], castagnoli), castagnoli, payload)
	if sum != binary.LittleEndian.Uint32(b[4:]) {
		return nil, b, false
	}
	return payload, rest, true
}
