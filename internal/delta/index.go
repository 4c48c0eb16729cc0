package delta

import (
	"math/bits"

	"github.com/zeebo/xxh3"
)

const (
	// maxProbe bounds how many slots are looked at for one weak hash. The
	// table is at most half full, where honest hashes need two slots and one
	// in many thousands needs more than this; its block is then left out and
	// costs a few literal bytes at worst.
	maxProbe = 32

	// filterBits is the least number of bits that the bitmap has for each
	// block: one window in 32 or more goes on to the table.
	filterBits = 32

	// maxFilterLog bounds the bitmap to 2 MiB, since it is useful only as
	// long as it stays near the processor.
	maxFilterLog = 24

	// spread is 2^32 divided by the golden ratio, made prime: the upper bits
	// of a product with it depend on all bits of the hash.
	spread = 2654435761
)

// index finds the blocks of a signature by their weak hash.
type index struct {
	strong []xxh3.Uint128

	filter      []uint64 // bitmap over the upper bits of the spread hash
	filterShift uint
	slots       []uint64 // weak hash in the upper half, block+1 in the lower; 0 is free
	slotShift   uint

	probes int64 // how many slots were looked at; tests read it
}

// newIndex holds all blocks of full length. A short last block is not in it,
// because the rolling window is a full block long.
func newIndex(s *Signature) *index {
	full := int(s.Size / int64(s.Block))
	slotLog := bits.Len(uint(2*full + 1))
	filterLog := min(max(bits.Len(uint(filterBits*full)), 6), maxFilterLog)
	x := &index{
		strong:      s.Strong,
		filter:      make([]uint64, 1<<(filterLog-6)),
		filterShift: uint(32 - filterLog),
		slots:       make([]uint64, 1<<slotLog),
		slotShift:   uint(32 - slotLog),
	}
	for i, w := range s.Weak[:full] {
		x.insert(w, i)
	}
	return x
}

// insert adds a block unless one with the same content is there already or no
// slot is free within maxProbe.
func (x *index) insert(w uint32, block int) {
	at := w * spread >> x.slotShift
	for range maxProbe {
		x.probes++
		slot := x.slots[at]
		if slot == 0 {
			x.slots[at] = uint64(w)<<32 | uint64(block+1)
			bit := w * spread >> x.filterShift
			x.filter[bit>>6] |= 1 << (bit & 63)
			return
		}
		if uint32(slot>>32) == w && x.strong[uint32(slot)-1] == x.strong[block] {
			return
		}
		at = (at + 1) & uint32(len(x.slots)-1)
	}
}

// find returns a block with the weak hash w and the strong hash that strong
// returns, or -1. It calls strong at most once, and reports whether it did.
func (x *index) find(w uint32, strong func() xxh3.Uint128) (block int, asked bool) {
	var sum xxh3.Uint128
	at := w * spread >> x.slotShift
	for range maxProbe {
		x.probes++
		slot := x.slots[at]
		if slot == 0 {
			break
		}
		if uint32(slot>>32) == w {
			if !asked {
				sum, asked = strong(), true
			}
			if i := int(uint32(slot)) - 1; x.strong[i] == sum {
				return i, true
			}
		}
		at = (at + 1) & uint32(len(x.slots)-1)
	}
	return -1, asked
}

// scan moves the window over out by one byte at a time, where in holds the
// bytes that enter, until the bitmap knows its weak hash or out ends. It
// returns how many bytes it moved.
func (x *index) scan(w weak, block int, out, in []byte) (int, weak) {
	a, b, length := w.a, w.b, uint32(block)
	filter, shift := x.filter, x.filterShift
	in = in[:len(out)]
	for i, old := range out {
		a += uint32(in[i]) - uint32(old)
		b += a - length*uint32(old)
		bit := (a&0xffff | b<<16) * spread >> (shift & 31) // the mask saves a test for longer shifts
		if filter[bit>>6]>>(bit&63)&1 != 0 {
			return i + 1, weak{a, b}
		}
	}
	return len(out), weak{a, b}
}
