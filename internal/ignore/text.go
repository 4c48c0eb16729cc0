package ignore

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// header opens the text of rules, with the version of its form.
const header = "twosync-rules 1\n"

// Text writes the rules down, for ParseText. Equal patterns from equal places
// give equal text.
func (r *Rules) Text() string {
	if r == nil {
		return header
	}
	return r.text
}

// format writes one line a pattern, its line number and itself, after a line
// that starts with "=" wherever the source changes.
func format(patterns Group) string {
	var b strings.Builder
	b.WriteString(header)
	source := ""
	for _, p := range patterns {
		if p.Source != source {
			source = p.Source
			b.WriteString("=" + source + "\n")
		}
		b.WriteString(strconv.Itoa(p.Line) + " " + p.Text + "\n")
	}
	return b.String()
}

// ParseText reads what Text wrote. The text comes from the other side and is
// checked as such.
func ParseText(text string) (*Rules, error) {
	if len(text) > MaxTextBytes {
		return nil, fmt.Errorf("ignore rules of %d bytes are larger than %d", len(text), MaxTextBytes)
	}
	body, ok := strings.CutPrefix(text, header)
	if !ok {
		return nil, fmt.Errorf("ignore rules do not start with %q", header)
	}
	if body != "" && !strings.HasSuffix(body, "\n") {
		return nil, errors.New("ignore rules are cut off")
	}
	if n := strings.Count(body, "\n"); n > 2*MaxRules {
		return nil, fmt.Errorf("ignore rules of %d lines are too many", n)
	}
	var g Group
	source := ""
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "="); ok {
			source = name
			continue
		}
		number, pattern, ok := strings.Cut(line, " ")
		n, err := strconv.ParseUint(number, 10, 31)
		if !ok || err != nil {
			return nil, fmt.Errorf("ignore rules have a bad line %.100q", line)
		}
		g = append(g, Pattern{Text: pattern, Source: source, Line: int(n)})
	}
	return New(g)
}

// Equal says whether both have the same patterns in the same order, and so
// decide alike; where the patterns were written does not matter.
func (r *Rules) Equal(o *Rules) bool {
	return slices.EqualFunc(r.list(), o.list(), func(a, b Pattern) bool {
		return a.Text == b.Text
	})
}

func (r *Rules) list() Group {
	if r == nil {
		return nil
	}
	return r.patterns
}
