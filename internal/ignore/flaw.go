package ignore

import "strings"

// Flaw is a pattern that can never match, and what is wrong with it.
type Flaw struct {
	Pattern
	Reason string
}

// Flaws lists the patterns that can never match. Git is silent about them; a
// user who wrote "./build" would like to know.
func (r *Rules) Flaws() []Flaw {
	var flaws []Flaw
	for _, p := range r.list() {
		if reason := flaw(p.Text); reason != "" {
			flaws = append(flaws, Flaw{p, reason})
		}
	}
	return flaws
}

func flaw(text string) string {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "!"), "/")
	_, reason := parse(text)
	if reason != "" || strings.Contains(text, "[") || strings.Contains(text, "**") {
		return reason // a slash in [] or behind "a**" may separate nothing
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(text, "/"), "/") {
		switch name {
		case "":
			return "a name in it is empty"
		case ".", "..":
			return "paths have no " + name + " in them; start with / for the root"
		}
	}
	return ""
}
