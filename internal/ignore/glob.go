package ignore

import "bytes"

// kind is what an op matches.
type kind uint8

const (
	literal  kind = iota // the byte b
	anyByte              // one byte, but no slash
	oneOf                // one byte of set, but no slash
	star                 // any bytes, but no slash
	dirs                 // whole directories with their slashes, or none
	someDirs             // any bytes up to a slash, and the slash
	rest                 // everything that is left
	never                // nothing: the pattern is broken
)

// op is one step of a compiled pattern.
type op struct {
	kind kind
	b    byte
	set  *set
}

func (o op) takes(b byte) bool {
	switch o.kind {
	case literal:
		return o.b == b
	case anyByte:
		return b != '/'
	case oneOf:
		return b != '/' && o.set.has(b)
	}
	return false
}

// glob is a compiled pattern: bytes to compare, then ops to run.
type glob struct {
	prefix string
	ops    []op
}

// match says whether the glob matches all of text.
func (g *glob) match(text []byte) bool {
	n := len(g.prefix)
	if len(text) < n || string(text[:n]) != g.prefix {
		return false
	}
	return run(g.ops, text[n:])
}

// mark is a place to go back to: the op after a wildcard, and the text from
// which that op was last tried. Op 0 is never after a wildcard: there is none.
type mark struct{ op, text int }

// run matches ops against text. When it gets stuck it lets the last star take
// one byte more, and when that star stands before a slash, lets the last "**"
// take one directory more. Earlier wildcards need not be tried again: what
// stands between them and the last one was matched as far left as possible,
// and whatever the last one could reach from further right it can reach from
// there too.
func run(ops []op, text []byte) bool {
	var near, far mark
	p, t := 0, 0
	for {
		switch {
		case p == len(ops):
			if t == len(text) {
				return true
			}
		case ops[p].kind == rest:
			return true
		case ops[p].kind == star:
			p++
			near = mark{p, t}
			continue
		case ops[p].kind == dirs:
			p++
			near, far = mark{}, mark{p, t}
			continue
		case ops[p].kind == someDirs:
			p++
			near, far = mark{}, mark{p, t}
			if !far.nextDir(text) {
				return false
			}
			t = far.text
			continue
		case t < len(text) && ops[p].takes(text[t]):
			if text[t] == '/' {
				near = mark{} // a star never reaches over a slash
			}
			p, t = p+1, t+1
			continue
		}
		if near.op > 0 && near.text < len(text) && text[near.text] != '/' {
			near.text++
			p, t = near.op, near.text
			continue
		}
		if far.op == 0 || !far.nextDir(text) {
			return false
		}
		near = mark{}
		p, t = far.op, far.text
	}
}

// nextDir moves the mark behind the next slash.
func (m *mark) nextDir(text []byte) bool {
	i := bytes.IndexByte(text[m.text:], '/')
	m.text += i + 1
	return i >= 0
}
