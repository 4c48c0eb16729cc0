package keep

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Limits bound a store.
type Limits struct {
	Total int64         // bytes of all contents together
	Trash int64         // bytes of those that pass; 0: as many as there is room for
	Age   time.Duration // how long those stay at least, unless room is needed; 0: Retention
}

// Retention is how long what passes stays by default.
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

// Evict drops what passes and is older than its age, and more if it takes more
// than its share. Nothing depends on it: what can't be dropped stays.
func (s *Store) Evict(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.evict(func(i Item) bool { return now.Sub(i.When) > s.limits.Age })
	s.makeRoom(0, true)
	return err
}

// roomFor makes room for size bytes that will never go, or says that there is
// none; then nothing was dropped. Callers hold mu.
func (s *Store) roomFor(size int64) error {
	if used := s.firmBytes + s.promised; size > s.limits.Total-used {
		return fmt.Errorf("%w: %d of %d bytes are used by what has to stay", ErrFull, used, s.limits.Total)
	}
	if s.firm >= s.most {
		return fmt.Errorf("%w: %d versions have to stay", ErrFull, s.firm)
	}
	s.makeRoom(size, false)
	return nil
}

// makeRoom lets passing items go, oldest first, until one more of size bytes
// fits that passes, or does not. Callers hold mu.
func (s *Store) makeRoom(size int64, passing bool) {
	over := s.total + s.promised + size - s.limits.Total
	if passing {
		over = max(over, s.total-s.firmBytes+size-s.limits.Trash)
	}
	surplus := len(s.items) + 1 - s.most
	if over <= 0 && surplus <= 0 {
		return
	}
	if over > 0 {
		over += max(0, min(s.limits.Total-s.firmBytes-s.promised, s.limits.Trash)) / spareShare
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
