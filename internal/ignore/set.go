package ignore

import "strings"

// set is a set of bytes.
type set [4]uint64

func (s *set) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

func (s *set) add(b byte) { s[b>>6] |= 1 << (b & 63) }

func (s *set) addRange(from, to byte) {
	for b := int(from); b <= int(to); b++ {
		s.add(byte(b))
	}
}

func (s *set) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// classes are the names that may stand in [:name:]. Bytes beyond ASCII are in
// none of them, and space is what git takes for one.
var classes = map[string]func(b byte) bool{
	"alnum":  func(b byte) bool { return isAlpha(b) || isDigit(b) },
	"alpha":  isAlpha,
	"blank":  func(b byte) bool { return b == ' ' || b == '\t' },
	"cntrl":  func(b byte) bool { return b < 0x20 || b == 0x7f },
	"digit":  isDigit,
	"graph":  isGraph,
	"lower":  func(b byte) bool { return 'a' <= b && b <= 'z' },
	"print":  func(b byte) bool { return isGraph(b) || b == ' ' },
	"punct":  func(b byte) bool { return isGraph(b) && !isAlpha(b) && !isDigit(b) },
	"space":  func(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' },
	"upper":  func(b byte) bool { return 'A' <= b && b <= 'Z' },
	"xdigit": func(b byte) bool { return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'f' },
}

func isAlpha(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
func isDigit(b byte) bool { return '0' <= b && b <= '9' }
func isGraph(b byte) bool { return 0x20 < b && b < 0x7f }

// What can be wrong with a set.
const (
	openSet   = "a [ is not closed"
	noSuchSet = "a name in [: :] is unknown"
)

// setParser reads the inside of [...].
type setParser struct {
	s   string
	i   int
	set set
	// last is the byte that a following "-" would start a range from; -1 after
	// a range, a class, and at the start.
	last int
}

// parseSet compiles the set whose first byte after "[" is s[i].
func parseSet(s string, i int) (o op, next int, flaw string) {
	p := setParser{s: s, i: i, last: -1}
	inverted := p.at(0) == '!' || p.at(0) == '^'
	if inverted {
		p.i++
	}
	for first := p.i; p.at(0) != ']' || p.i == first; {
		if p.i >= len(s) {
			return op{kind: never}, len(s), openSet
		}
		if flaw = p.step(); flaw != "" {
			return op{kind: never}, len(s), flaw
		}
	}
	if inverted {
		p.set.invert()
	}
	return op{kind: oneOf, set: &p.set}, p.i + 1, ""
}

// at returns the byte k after the current one, or 0 behind the end: patterns
// hold no NUL.
func (p *setParser) at(k int) byte {
	if p.i+k < len(p.s) {
		return p.s[p.i+k]
	}
	return 0
}

// step takes one member of the set: a byte, the rest of a range, or a class.
func (p *setParser) step() (flaw string) {
	switch c := p.at(0); {
	case c == '-' && p.last >= 0 && p.at(1) != 0 && p.at(1) != ']':
		p.i++
		from := byte(p.last)
		to, ok := p.take()
		if !ok {
			return openSet
		}
		p.set.addRange(from, to)
		p.last = -1
	case c == '[' && p.at(1) == ':':
		return p.class()
	default:
		b, ok := p.take()
		if !ok {
			return openSet
		}
		p.set.add(b)
		p.last = int(b)
	}
	return ""
}

// take returns the next byte, unquoted.
func (p *setParser) take() (b byte, ok bool) {
	if p.at(0) == '\\' {
		p.i++
	}
	b = p.at(0)
	p.i++
	return b, b != 0
}

// class takes [:name:]. Without the closing ":]" the "[" stands for itself.
func (p *setParser) class() (flaw string) {
	inside, _, closed := strings.Cut(p.s[p.i+2:], "]")
	name, named := strings.CutSuffix(inside, ":")
	switch {
	case !closed:
		return openSet
	case !named:
		p.set.add('[')
		p.last = '['
		p.i++
		return ""
	}
	in, known := classes[name]
	if !known {
		return noSuchSet
	}
	for b := 1; b < 256; b++ {
		if in(byte(b)) {
			p.set.add(byte(b))
		}
	}
	p.last = -1
	p.i += len("[:") + len(inside) + len("]")
	return ""
}
