package ignore

import "strings"

// index finds the patterns that may match a name. Every list is in rising order
// and read from its end, so that the first that matches is the one that counts.
type index struct {
	names  map[string][]int // by the literal last name of the pattern
	ends   [256][]int       // by the last byte, for "*" and then literal bytes
	starts [256][]int       // by the first byte, where that is literal
	others []int
}

func newIndex() index { return index{names: make(map[string][]int)} }

// lists returns the lists in which a pattern for name may be.
func (x *index) lists(name []byte) [4][]int {
	return [4][]int{
		x.names[string(name)], x.ends[name[len(name)-1]], x.starts[name[0]], x.others,
	}
}

// add files pattern i, which comes after all that were added before.
func (x *index) add(i int, r *rule) {
	tail, form := r.tail()
	switch form {
	case tailName:
		x.names[tail] = append(x.names[tail], i)
	case tailEnd:
		b := tail[len(tail)-1]
		x.ends[b] = append(x.ends[b], i)
	case tailStart:
		x.starts[tail[0]] = append(x.starts[tail[0]], i)
	default:
		x.others = append(x.others, i)
	}
}

// tailForm says what is known of the last name that a pattern matches.
type tailForm uint8

const (
	tailOther tailForm = iota // nothing that would help
	tailName                  // it is the tail
	tailEnd                   // it ends in the tail
	tailStart                 // it starts with the tail
)

// tail returns what is known of the last name that the glob matches.
func (g *glob) tail() (string, tailForm) {
	ops, before := g.lastName()
	n := 0
	for n < len(ops) && ops[n].kind == literal {
		n++
	}
	start := before + literals(ops[:n])
	switch {
	case len(ops) > 0 && ops[len(ops)-1].kind == rest:
		return "", tailOther // what it matches may have more slashes
	case start != "" && n == len(ops):
		return start, tailName
	case start != "":
		return start, tailStart
	case len(ops) > 0 && ops[0].kind == star:
		if end := literals(ops[1:]); end != "" && len(end) == len(ops)-1 {
			return end, tailEnd
		}
	}
	return "", tailOther
}

// lastName returns the ops behind the last slash that the glob is sure to
// match, and what is left of the prefix behind it.
func (g *glob) lastName() (ops []op, before string) {
	for i := len(g.ops) - 1; i >= 0; i-- {
		o := g.ops[i]
		if o.kind == someDirs || o.kind == literal && o.b == '/' || o.kind == dirs && g.slashBefore(i) {
			return g.ops[i+1:], ""
		}
		if o.kind == dirs {
			return g.ops, ""
		}
	}
	return g.ops, g.prefix[strings.LastIndexByte(g.prefix, '/')+1:]
}

// slashBefore says whether op i, which may match nothing, stands at the start
// of a name. "a**/x" matches "ax": there it does not.
func (g *glob) slashBefore(i int) bool {
	for i > 0 && g.ops[i-1].kind == dirs {
		i--
	}
	return i > 0 || g.prefix == "" || strings.HasSuffix(g.prefix, "/")
}

// literals returns the bytes of the ops that are literal.
func literals(ops []op) string {
	b := make([]byte, 0, len(ops))
	for _, o := range ops {
		if o.kind == literal {
			b = append(b, o.b)
		}
	}
	return string(b)
}
