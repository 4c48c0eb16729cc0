package protocol

// pulse counts the ticks since a byte was heard. It counts ticks and reads
// no clock: after a night in which the machine slept, one tick has passed.
type pulse struct {
	heard uint64
	quiet int
}

// tick returns false when the other side is to be given up.
func (p *pulse) tick(heard uint64) bool {
	p.quiet++
	if heard != p.heard {
		p.heard, p.quiet = heard, 0
	}
	return p.quiet < maxQuiet
}

// slack notices when work is over and its memory can go back to the system, which
// the runtime would take minutes for. It counts ticks, as pulse does.
type slack struct {
	heard uint64
	given bool // since the work
}

// quietBytes is what comes between two beats at most if the other side sends nothing
// but its own: two of 15 bytes, and what yamux gives back of its window. It is less
// than a save takes. Reads are not counted: how they are cut is the transport's affair.
const quietBytes = 64

// tick returns true once, when nothing but beats came since the tick before.
func (s *slack) tick(heard uint64) bool {
	quiet := heard-s.heard <= quietBytes
	s.heard = heard
	give := quiet && !s.given
	s.given = quiet
	return give
}
