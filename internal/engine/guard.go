package engine

import "github.com/twosync/twosync/internal/tree"

// guard says why what the container made of path waits. What the user accepted is
// accepted as it was then.
func (s *State) guard(path string, e *tree.Entry) string {
	reason := s.opt.Guard(path, e.Kind == tree.Link)
	if reason == "" {
		return ""
	}
	for _, p := range s.accepted.overlapping(path) {
		was, _ := s.accepted.get(p)
		if tree.Within(path, p) && tree.Same(was, tree.Get(s.sides[tree.Container].tree, p)) {
			return ""
		}
	}
	return reason
}

// accept notes what the container holds at the guarded paths that are held at
// and below this one.
func (s *State) accept(at string) {
	for _, path := range s.held.within(at) {
		if h, _ := s.held.get(path); h.Guarded {
			s.accepted.put(path, tree.Get(s.sides[tree.Container].tree, path))
			s.dirty.add(path)
		}
	}
}

// forgetAccepted forgets what is done, or is no more what was accepted.
func (s *State) forgetAccepted() {
	container := s.sides[tree.Container].tree
	for _, p := range s.accepted.all() {
		was, _ := s.accepted.get(p)
		if now := tree.Get(container, p); !tree.Same(was, now) || tree.Equal(tree.Get(s.sides[tree.Host].tree, p), now) {
			s.accepted.drop(p)
		}
	}
}
