package ignore

import (
	"strconv"
	"strings"
)

// Pattern is one rule as it was written, and where.
type Pattern struct {
	Text   string // as in git's ignore files, with "!" and trailing slash
	Source string // the name of the file or flag it came from
	Line   int    // counted from 1; 0 where lines mean nothing
}

// Where says where the pattern was written, as a person would look it up.
func (p Pattern) Where() string {
	if p.Line == 0 {
		return p.Source
	}
	return p.Source + ":" + strconv.Itoa(p.Line)
}

// Group is the patterns of one source. Later ones win.
type Group []Pattern

// Parse reads the text of an ignore file. Blank lines and comments are dropped;
// every other line is a pattern, as in git: there is no wrong one, only ones
// that never match, which Flaws lists. New checks the limits.
func Parse(source, text string) Group {
	text = strings.TrimPrefix(text, "\ufeff")
	var g Group
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSuffix(line, "\r")
		line, _, _ = strings.Cut(line, "\x00") // git reads lines as C strings
		if line = trimSpaces(line); line != "" {
			g = append(g, Pattern{Text: line, Source: source, Line: n})
		}
	}
	return g
}

// Literal makes a group of patterns that were given one by one, as on a command
// line: "#" starts no comment, and spaces at the end belong to the pattern.
func Literal(source string, patterns ...string) Group {
	g := make(Group, 0, len(patterns))
	for _, p := range patterns {
		g = append(g, Pattern{Text: p, Source: source})
	}
	return g
}

// trimSpaces cuts the spaces at the end of a line, but not one that is quoted
// by a backslash. Tabs stay, as in git.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			i++
		}
		end = i + 1
	}
	return line[:min(end, len(line))]
}
