package engine

import "github.com/twosync/twosync/internal/tree"

// Trees returns all that a State holds.
func Trees(s *State) []*tree.Entry {
	return []*tree.Entry{s.base, s.durable, s.sides[0].tree, s.sides[1].tree}
}
