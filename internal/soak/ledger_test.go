//go:build linux

package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// line is what a writer says (testdata/writer).
type line struct {
	Step int
	Do   string
	Path []string
	ID   string
	Done bool
	OK   bool
	Out  []string
	Err  string
}

// ledger knows what was written and what was replaced.
type ledger struct {
	mu     sync.Mutex
	due    map[string]*write // guarded by mu: nobody replaced these
	closed map[string]string // guarded by mu: why a write is not due any more
	steps  int               // guarded by mu
	writes int               // guarded by mu
	moves  []move            // guarded by mu: the latest renames, also one that did not end
}

// move is a rename that a user did or was doing.
type move struct {
	by, to string
	at     time.Time
}

// write is one line of a file.
type write struct {
	by   string
	what line
}

func newLedger() *ledger {
	return &ledger{due: make(map[string]*write), closed: make(map[string]string)}
}

// did books a step. What its user replaced by it is not due any more, also where
// the write of the other side that it holds is booked later than this.
func (l *ledger) did(by string, began, ended line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps++
	l.moveLocked(by, began)
	for _, id := range ended.Out {
		l.closeLocked(id, fmt.Sprintf("%s, step %d, %s %q", by, began.Step, began.Do, began.Path))
	}
	if began.ID != "" && ended.OK && l.closed[began.ID] == "" {
		l.writes++
		l.due[began.ID] = &write{by, began}
	}
}

func (l *ledger) moveLocked(by string, began line) {
	if began.Do == "rename" {
		l.moves = append(l.moves, move{by, began.Path[1], time.Now()})
	}
}

func (l *ledger) closeLocked(id, why string) {
	delete(l.due, id)
	l.closed[id] = why
}

// cut books the step that a killed writer was at: its own write counts for
// nothing, and what it had taken from its path by then may be replaced.
func (l *ledger) cut(by string, began line, taken []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moveLocked(by, began)
	for _, id := range append(taken, began.ID) {
		l.closeLocked(id, "a writer was killed while it was at it")
	}
}

// dropSide gives up the writes of one side that are nowhere else: they went with
// their container.
func (l *ledger) dropSide(by string, found map[string]string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, w := range l.due {
		if _, ok := found[id]; !ok && w.by == by {
			l.closeLocked(id, "it went with the container")
			n++
		}
	}
	return n
}

// missing lists the writes that are due and were not found.
func (l *ledger) missing(found map[string]string) (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(l.due)) {
		if _, ok := found[id]; !ok {
			w := l.due[id]
			list = append(list, fmt.Sprintf("%s: written by the %s, step %d, %s %s", id, w.by, w.what.Step, w.what.Do, strings.Join(w.what.Path, " ")))
		}
	}
	return list
}

func (l *ledger) counts() (steps, writes, due int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.steps, l.writes, len(l.due)
}

// undurable is longer than what was put in place needs to become durable.
const undurable = time.Second

// at is what is due at a moment. What moved tells begins undurable before it.
func (l *ledger) at() map[string]*write {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moves = slices.DeleteFunc(l.moves, func(m move) bool { return time.Since(m.at) > undurable })
	return maps.Clone(l.due)
}

// cutAt goes back to a moment between was, what was due before it, and now: due is
// what is due at both. What was written or replaced in between may or may not be.
func (l *ledger) cutAt(was map[string]*write) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.due {
		if was[id] == nil {
			l.closeLocked(id, "it may have been written after the power was cut")
		}
	}
}

// moved says whether the user of a side was renaming something to p, or to a
// directory above, shortly before the moment of at or later.
func (l *ledger) moved(by, p string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.moves, func(m move) bool {
		return m.by == by && (p == m.to || strings.HasPrefix(p, m.to+"/"))
	})
}
