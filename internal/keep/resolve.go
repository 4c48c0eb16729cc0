package keep

import (
	"fmt"
	"time"

	"github.com/twosync/twosync/internal/tree"
)

// Resolve marks the losers of the conflict at path as decided about: they stay
// for as long as what was replaced. It returns how many there were.
func (s *Store) Resolve(path string, now time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rest, done []Item
	for _, i := range s.items {
		if i.Why == Conflict && i.Path == path {
			done = append(done, i)
		} else {
			rest = append(rest, i)
		}
	}
	if len(done) == 0 {
		return 0, nil
	}
	was := s.items
	for n := range done {
		s.loosen(done[n])
		done[n].Why, done[n].When = Resolved, now
	}
	s.items = append(rest, done...)
	if err := s.rewrite(); err != nil {
		s.items = was
		for _, i := range done {
			s.firmUp(i)
		}
		return 0, fmt.Errorf("resolve %q: %w", path, err)
	}
	return len(done), nil
}

// loosen takes an item out of what never goes. Callers hold mu.
func (s *Store) loosen(i Item) {
	s.firm--
	if !i.stored {
		return
	}
	c := s.contents[i.object()]
	if c.firm--; c.firm == 0 {
		s.firmBytes -= c.size
	}
	s.contents[i.object()] = c
}

// firmUp counts an item among what never goes. Callers hold mu.
func (s *Store) firmUp(i Item) {
	s.firm++
	if !i.stored {
		return
	}
	c := s.contents[i.object()]
	if c.firm++; c.firm == 1 {
		s.firmBytes += c.size
	}
	s.contents[i.object()] = c
}

// Conflicts returns the paths of the conflicts that are open, each once, in the
// order in which they came.
func (s *Store) Conflicts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var paths []string
	seen := make(map[string]bool)
	for _, i := range s.items {
		if i.Why == Conflict && !seen[i.Path] && tree.CheckPath(i.Path) == nil {
			seen[i.Path] = true
			paths = append(paths, i.Path)
		}
	}
	return paths
}
