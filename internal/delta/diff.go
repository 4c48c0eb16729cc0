package delta

import (
	"fmt"
	"io"
	"math"

	"github.com/zeebo/xxh3"
)

const (
	// MaxLiteral is the most bytes that one Op carries: a piece on the wire
	// is not longer, so that a large file does not delay a save.
	MaxLiteral = 32 << 10

	// GiveUpAfter is how much input is looked at before Diff may decide that
	// looking does not pay. Long blocks get patienceBlocks of them.
	GiveUpAfter    = 1 << 20
	patienceBlocks = 64

	// giveUpShare: less than one part in this many matched means giving up.
	giveUpShare = 4

	// skipBlocks are passed over unseen once Diff gave up, then probeBlocks
	// are rolled over. One block length of positions is enough to meet
	// unchanged content whatever its offset; two leave room for its end.
	skipBlocks  = 14
	probeBlocks = 2

	// readAhead is the buffer's length besides a pending literal.
	readAhead = 256 << 10

	// alarmRate is how many bytes may be hashed in vain for each byte that
	// the window rolled, alarmBlocks is how many blocks of it can be saved up.
	// Honest content uses a thousandth.
	alarmRate   = 4
	alarmBlocks = 64
)

// Op is one step of building a file: literal bytes, or a copy of Count blocks
// of the old file, beginning with Block. Count 0 means literal.
type Op struct {
	Data         []byte
	Block, Count int
}

// Diff reads new content from r and emits the ops that build it from the file
// that sig was made of. Data is valid only until emit returns. An error of
// emit ends Diff and is returned as it is.
func Diff(sig *Signature, r io.Reader, emit func(Op) error) error {
	if err := sig.Valid(); err != nil {
		return err
	}
	return newDiffer(sig, r, emit).run()
}

type differ struct {
	// config
	sig      *Signature
	index    *index
	emit     func(Op) error
	patience int // bytes looked at before giving up

	// state
	in      input
	pending Op   // a copy that the next block may extend
	want    int  // the old block that should be at in.pos; -1 after a miss
	rolling bool // weak is the hash of the window at in.pos, which did not match
	weak    weak
	span    int   // length of the period that is judged
	look    int   // what is left of it
	matched int   // what of it matched
	skip    int   // bytes to pass over unseen
	credit  int   // bytes that may be hashed in vain
	hashed  int64 // bytes that went into strong hashes; tests read it
	err     error
}

func newDiffer(sig *Signature, r io.Reader, emit func(Op) error) *differ {
	patience := max(GiveUpAfter, patienceBlocks*sig.Block)
	d := &differ{
		sig:      sig,
		index:    newIndex(sig),
		emit:     emit,
		patience: patience,
		in:       newInput(r, sig.Block, max(readAhead, 4*sig.Block), MaxLiteral),
		span:     patience,
		look:     patience,
		credit:   alarmBlocks * sig.Block,
	}
	if sig.Size < int64(sig.Block) {
		d.skip = math.MaxInt // there is nothing that rolling could find
	}
	return d
}

// run decides, again and again, what to do with the window at in.pos.
func (d *differ) run() error {
	for d.err == nil {
		d.literals(d.in.literal)
		if err := d.in.fill(); err != nil {
			return fmt.Errorf("read new content: %w", err)
		}
		have, block := d.in.end-d.in.pos, d.sig.Block
		switch {
		case have < block, have == block && d.in.eof && d.rolling:
			d.tail()
			return d.err
		case d.follow():
		case d.giveUp():
			d.pass(min(d.skip, have-block+1))
		default:
			d.seek()
		}
	}
	return d.err
}

// follow takes the block that comes after the last match in the old file too.
func (d *differ) follow() bool {
	if d.want < 0 || d.want >= len(d.sig.Strong) || !d.equal(d.want, d.in.pos) {
		return false
	}
	d.take(d.want)
	return true
}

// overEdit reports whether the block that was expected here was edited in
// place: the one after it is where it was. Then the edited one is literal,
// and the window need not roll through it. In content that repeats itself this
// may be wrong, which costs one block.
func (d *differ) overEdit() bool {
	i := d.want + 1
	d.want = -1
	if i == 0 || i >= len(d.sig.Strong) || !d.equal(i, d.in.pos+d.sig.Block) {
		return false
	}
	d.in.pos += d.sig.Block
	d.look = max(d.look-d.sig.Block, 0)
	d.want, d.rolling = i, false
	return true
}

// equal reports whether the old block i is what the buffer holds at pos.
func (d *differ) equal(i, pos int) bool {
	n := d.sig.blockLen(i)
	return pos+n <= d.in.end && d.strong(pos, n) == d.sig.Strong[i]
}

func (d *differ) strong(pos, n int) xxh3.Uint128 {
	d.hashed += int64(n)
	return xxh3.Hash128(d.in.buf[pos : pos+n])
}

// giveUp reports whether the bytes ahead should be passed over. At the end of
// each period it judges whether looking paid.
func (d *differ) giveUp() bool {
	if d.look <= 0 {
		if d.matched < d.span/giveUpShare {
			d.skip, d.span = skipBlocks*d.sig.Block, probeBlocks*d.sig.Block
		} else {
			d.span = d.patience
		}
		d.look, d.matched = d.span, 0
	}
	return d.skip > 0
}

// pass makes n bytes literal without looking at them.
func (d *differ) pass(n int) {
	d.in.pos += n
	d.skip -= n
	d.want, d.rolling = -1, false
}

// seek rolls the window until it matches an old block, or the buffer, the
// period or the literal ends.
func (d *differ) seek() {
	block := d.sig.Block
	if !d.rolling {
		d.rolling = true
		d.weak = weakOf(d.in.buf[d.in.pos : d.in.pos+block])
		if d.hit() || d.overEdit() {
			return
		}
	}
	stop := min(d.in.end-block, d.in.lit+d.in.literal, d.in.pos+d.look)
	for d.in.pos < stop {
		var n int
		n, d.weak = d.index.scan(d.weak, block, d.in.buf[d.in.pos:stop], d.in.buf[d.in.pos+block:])
		d.in.pos += n
		d.look -= n
		d.credit = min(d.credit+alarmRate*n, alarmBlocks*block)
		if d.hit() {
			return
		}
	}
}

// hit takes the block that equals the window, if there is one.
func (d *differ) hit() bool {
	if d.credit < 0 {
		return false
	}
	i, asked := d.index.find(d.weak.sum(), func() xxh3.Uint128 {
		return d.strong(d.in.pos, d.sig.Block)
	})
	if i >= 0 {
		d.take(i)
		return true
	}
	if asked {
		d.credit -= d.sig.Block
	}
	return false
}

// take makes the bytes at pos a copy of the old block i.
func (d *differ) take(i int) {
	n := d.sig.blockLen(i)
	d.literals(1)
	if d.pending.Count > 0 && d.pending.Block+d.pending.Count == i {
		d.pending.Count++
	} else {
		d.flushCopy()
		d.pending = Op{Block: i, Count: 1}
	}
	d.in.pos += n
	d.in.lit = d.in.pos
	d.look = max(d.look-n, 0)
	d.matched = min(d.matched+n, d.span)
	d.want, d.rolling = i+1, false
}

// tail deals with what is left when there is no full window any more: it can
// only be, or end with, the short last block of the old file.
func (d *differ) tail() {
	if last := len(d.sig.Strong) - 1; last >= 0 {
		end := d.in.end - d.sig.blockLen(last)
		switch {
		case d.equal(last, d.in.pos):
			d.take(last)
		case end > d.in.pos && d.equal(last, end):
			d.in.pos = end
			d.take(last)
		}
	}
	d.in.pos = d.in.end
	d.literals(1)
	d.flushCopy()
}

// literals emits what is before pos and not yet accounted for, as long as it
// is at least atLeast bytes.
func (d *differ) literals(atLeast int) {
	for d.err == nil && d.in.pos-d.in.lit >= atLeast {
		d.flushCopy()
		n := min(d.in.pos-d.in.lit, d.in.literal)
		d.send(Op{Data: d.in.buf[d.in.lit : d.in.lit+n]})
		d.in.lit += n
	}
}

func (d *differ) flushCopy() {
	if d.pending.Count > 0 {
		d.send(d.pending)
		d.pending = Op{}
	}
}

func (d *differ) send(op Op) {
	if d.err == nil {
		d.err = d.emit(op)
	}
}
