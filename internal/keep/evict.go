package keep

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Retention is how long what was replaced or deleted stays at least, unless
// room is needed.
const Retention = 7 * 24 * time.Hour

const (
	// maxItems bounds the items, in memory and in the log: at some 300 bytes
	// each they take 30 MB. Few files are so small that this is reached first.
	maxItems = 100_000
	// spareShare is the part of what passing contents may take that is made
	// free at once, so that a store that is full does not have to make room
	// for each content again.
	spareShare = 16
)

// ErrFull says that the limit of the store leaves no room for a content.
var ErrFull = errors.New("the keep store is full")

// Evict drops what was replaced or deleted longer than Retention ago. Nothing
// depends on it: what can't be dropped stays.
func (s *Store) Evict(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.evict(func(i Item) bool { return now.Sub(i.When) > Retention })
}

// roomFor makes room for size bytes that will never go, or says that there is
// none; then nothing was dropped. Callers hold mu.
func (s *Store) roomFor(size int64) error {
	if used := s.firmBytes + s.promised; size > s.limit-used {
		return fmt.Errorf("%w: %d of %d bytes are used by what has to stay", ErrFull, used, s.limit)
	}
	if s.firm >= s.most {
		return fmt.Errorf("%w: %d versions have to stay", ErrFull, s.firm)
	}
	s.makeRoom(size)
	return nil
}

// makeRoom lets passing items go, oldest first, until one more of size bytes
// fits. Callers hold mu.
func (s *Store) makeRoom(size int64) {
	over := s.total + s.promised + size - s.limit
	surplus := len(s.items) + 1 - s.most
	if over <= 0 && surplus <= 0 {
		return
	}
	if over > 0 {
		over += max(0, s.limit-s.firmBytes-s.promised) / spareShare
	}
	if surplus > 0 {
		surplus += max(0, s.most-s.firm) / spareShare
	}
	target := s.total - over
	_ = s.evict(func(i Item) bool { // what can't be dropped stays, and more has to go
		surplus--
		return surplus >= 0 || s.total > target && i.Entry.Size > 0
	})
}

// evict drops, oldest first, the passing items for which old says true.
// Callers hold mu.
func (s *Store) evict(old func(Item) bool) error {
	var errs []error
	s.items = slices.DeleteFunc(s.items, func(i Item) bool {
		if !i.Why.passing() || !old(i) {
			return false
		}
		err := s.drop(i)
		if err != nil {
			errs = append(errs, err)
		}
		return err == nil
	})
	s.compact()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean keep store: %w", err)
	}
	return nil
}

// drop removes a passing item's content, if no other item names it. Callers
// hold mu.
func (s *Store) drop(i Item) error {
	if !i.stored {
		return nil
	}
	o := i.object()
	c := s.contents[o]
	if c.refs--; c.refs > 0 {
		s.contents[o] = c
		return nil
	}
	if err := s.objects.Unlink(siteEvict, o.name()); err != nil && !gone(s.objects, o.name()) {
		return err
	}
	s.total -= c.size
	delete(s.contents, o)
	delete(s.suspect, o)
	return nil
}
