package ignore

import (
	"fmt"
	"strings"
)

// Limits of a set of rules. The agent takes them from the host and must not be
// made to hold more; no ignore file that a person wrote comes near.
const (
	MaxRules     = 10_000
	MaxRuleBytes = 64 << 10 // one pattern, or the name of its source
	MaxTextBytes = 1 << 20  // what Text returns
)

// Rules is a set of rules, ready to be asked. It never changes and may be used
// by many at once. A nil one holds only what is always ignored.
type Rules struct {
	patterns Group
	rules    []rule // one a pattern
	index    index
	text     string
}

// New makes rules of groups of patterns. The last pattern that matches a path
// decides, so a later group wins over an earlier one.
func New(groups ...Group) (*Rules, error) {
	r := &Rules{index: newIndex()}
	for _, g := range groups {
		for _, p := range g {
			if err := check(p); err != nil {
				return nil, err
			}
			r.patterns = append(r.patterns, p)
		}
	}
	if n := len(r.patterns); n > MaxRules {
		return nil, fmt.Errorf("%d ignore rules are more than %d", n, MaxRules)
	}
	if r.text = format(r.patterns); len(r.text) > MaxTextBytes {
		return nil, fmt.Errorf("ignore rules of %d bytes are larger than %d", len(r.text), MaxTextBytes)
	}
	for i, p := range r.patterns {
		r.rules = append(r.rules, compile(p.Text))
		r.index.add(i, &r.rules[i])
	}
	return r, nil
}

// check refuses what is too large, and what Text could not write down.
func check(p Pattern) error {
	switch {
	case len(p.Source) > MaxRuleBytes || strings.ContainsAny(p.Source, "\n\x00"):
		return fmt.Errorf("ignore rule has a bad source of %d bytes", len(p.Source))
	case p.Line < 0:
		return fmt.Errorf("ignore rule in %s has line %d", p.Source, p.Line)
	case len(p.Text) > MaxRuleBytes:
		return fmt.Errorf("ignore rule %s of %d bytes is longer than %d", p.Where(), len(p.Text), MaxRuleBytes)
	case strings.ContainsAny(p.Text, "\n\x00"):
		return fmt.Errorf("ignore rule %s has a line break or NUL in it: %q", p.Where(), p.Text)
	}
	return nil
}

// pathRoom is how long a path may be without costing an allocation.
const pathRoom = 512

// Match says whether name in the directory parent is ignored, given that parent
// is not. It is what a scan asks that walks down and stays out of what is
// ignored; whoever holds any path asks Ignored.
func (r *Rules) Match(parent, name string, isDir bool) bool {
	if guard(name) != nil {
		return true
	}
	if r == nil {
		return false
	}
	var room [pathRoom]byte
	path := append(room[:0], parent...)
	if parent != "" {
		path = append(path, '/')
	}
	start := len(path)
	path = append(path, name...)
	return r.ignores(r.last(path, start, isDir))
}

// Ignored says whether path is ignored, itself or because a directory above it
// is: nothing below an ignored directory can be taken back by "!".
func (r *Rules) Ignored(path string, isDir bool) bool {
	at, g := r.decide(path, isDir)
	return g != nil || r.ignores(at)
}

// Rule returns the pattern that decides about path, if any pattern does. It may
// be one that starts with "!", and then path is not ignored. A user who wrote
// "!vendor" has said something about vendor; one who is silent has not.
func (r *Rules) Rule(path string, isDir bool) (Pattern, bool) {
	at, g := r.decide(path, isDir)
	switch {
	case g != nil:
		return Pattern{Text: g.Text, Source: AlwaysSource}, true
	case at >= 0:
		return r.patterns[at], true
	}
	return Pattern{}, false
}

// Why says which rule ignores path and where it was written. It is not ok if
// path is not ignored.
func (r *Rules) Why(path string, isDir bool) (rule, source string, ok bool) {
	p, ok := r.Rule(path, isDir)
	if !ok || strings.HasPrefix(p.Text, "!") {
		return "", "", false
	}
	return p.Text, p.Where(), true
}

// ignores says whether the pattern at the index is one that ignores.
func (r *Rules) ignores(at int) bool { return at >= 0 && !r.rules[at].negated }

// decide goes down path and stops at the first name that is ignored. It returns
// the index of the pattern that decided, or -1, or a name that never crosses.
func (r *Rules) decide(path string, isDir bool) (at int, g *Note) {
	var room [pathRoom]byte
	whole := append(room[:0], path...)
	for start := 0; ; {
		name, _, more := strings.Cut(path[start:], "/")
		if g := guard(name); g != nil {
			return -1, g
		}
		end := start + len(name)
		at = r.last(whole[:end], start, more || isDir)
		if !more || r.ignores(at) {
			return at, nil
		}
		start = end + 1
	}
}

// last returns the index of the last pattern that matches the path, looking at
// no directory above it, or -1. Its last name starts at start.
func (r *Rules) last(path []byte, start int, isDir bool) int {
	name := path[start:]
	if r == nil || len(name) == 0 {
		return -1
	}
	best := -1
	for _, list := range r.index.lists(name) {
		for k := len(list) - 1; k >= 0 && list[k] > best; k-- {
			if r.rules[list[k]].matches(path, name, isDir) {
				best = list[k]
			}
		}
	}
	return best
}

func (r *rule) matches(path, name []byte, isDir bool) bool {
	if r.dirOnly && !isDir {
		return false
	}
	if r.whole {
		return r.match(path)
	}
	return r.match(name)
}
