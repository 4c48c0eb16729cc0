package delta

import "encoding/binary"

// weak is the hash of rsync over a window of bytes x[0] to x[n-1]:
// a is the sum of all bytes, b is the sum of (n-i)*x[i]. Only the lower 16
// bits of both count; what overflows above them does no harm.
type weak struct{ a, b uint32 }

// sum returns the 32 bits that go into a signature.
func (w weak) sum() uint32 { return w.a&0xffff | w.b<<16 }

// Eight bytes are summed at once: the even and the odd ones are spread over
// four lanes of 16 bits each, and a multiplication adds up lanes, each with
// its own factor, in the highest lane. No lane overflows: 255*(8+6+4+2) fits.
const (
	evenLanes   = 0x00ff00ff00ff00ff
	sumLanes    = 0x0001000100010001
	weightsEven = 0x0008000600040002
	weightsOdd  = 0x0007000500030001
)

// weakOf returns the weak hash of p.
func weakOf(p []byte) weak {
	var a, b uint32
	for ; len(p) >= 8; p = p[8:] {
		x := binary.LittleEndian.Uint64(p)
		even, odd := x&evenLanes, x>>8&evenLanes
		b += 8*a + uint32(even*weightsEven>>48) + uint32(odd*weightsOdd>>48)
		a += uint32((even + odd) * sumLanes >> 48)
	}
	for _, x := range p {
		a += uint32(x)
		b += a
	}
	return weak{a, b}
}
