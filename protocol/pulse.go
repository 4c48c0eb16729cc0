package protocol

// pulse counts the ticks since something was heard. It counts ticks and reads
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

// quietReads is how many reads there are between two beats at most if the other side
// sends nothing but its own.
const quietReads = 2

// tick returns true once, when nothing but beats came since the tick before.
func (s *slack) tick(heard uint64) bool {
	quiet := heard-s.heard <= quietReads
	s.heard = heard
	give := quiet && !s.given
	s.given = quiet
	return give
}
