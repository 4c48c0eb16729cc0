package ignore

import "strings"

// specials end the part of a pattern that is compared as it is.
const specials = `*?[\`

// rule is a compiled pattern.
type rule struct {
	glob
	negated bool // "!": what matches is not ignored
	dirOnly bool // trailing slash
	whole   bool // matches whole paths; else the last name of a path
}

// compile never fails: a pattern that is broken compiles to one that matches
// nothing, as in git.
func compile(text string) rule {
	var r rule
	text, r.negated = strings.CutPrefix(text, "!")
	text, r.dirOnly = strings.CutSuffix(text, "/")
	if r.whole = strings.Contains(text, "/"); r.whole {
		text = strings.TrimPrefix(text, "/")
	}
	n := strings.IndexAny(text, specials)
	if n < 0 {
		n = len(text)
	}
	r.prefix = text[:n]
	r.ops, _ = parse(text[n:])
	return r
}

// parse compiles what follows a literal prefix. The second result says what is
// wrong with a pattern that can never match.
func parse(s string) (ops []op, flaw string) {
	for i := 0; i < len(s); {
		var o op
		switch s[i] {
		case '*':
			o, i = parseStars(s, i)
		case '?':
			o, i = op{kind: anyByte}, i+1
		case '[':
			o, i, flaw = parseSet(s, i+1)
		case '\\':
			if i++; i == len(s) {
				o, flaw = op{kind: never}, "it ends in a backslash"
				break
			}
			o, i = op{kind: literal, b: s[i]}, i+1
		default:
			o, i = op{kind: literal, b: s[i]}, i+1
		}
		ops = append(ops, o)
		if o.kind == never {
			break
		}
	}
	return ops, flaw
}

// parseStars compiles the stars at s[i:]. Two or more mean directories where
// they fill the room between two slashes; elsewhere they mean what one means.
// The start of s is as good as a slash even after a literal prefix: see Why.
func parseStars(s string, i int) (op, int) {
	end := i
	for end < len(s) && s[end] == '*' {
		end++
	}
	after := s[end:]
	switch {
	case end-i < 2 || i > 0 && s[i-1] != '/':
	case after == "":
		return op{kind: rest}, end
	case after[0] == '/':
		return op{kind: dirs}, end + 1
	case strings.HasPrefix(after, `\/`):
		return op{kind: someDirs}, end + 2
	}
	return op{kind: star}, end
}
