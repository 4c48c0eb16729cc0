package engine

import (
	"time"

	"github.com/twosync/twosync/internal/tree"
)

// groupTime is how long agreed paths collect before they are made durable
// together.
const groupTime = 100 * time.Millisecond

// group is the next commit to base, and the one under way. Every attempt has a
// generation of its own, and none begins before the sides have answered the
// one before, or are lost: a side's generation must never go back.
type group struct {
	last     uint64 // the last generation that was attempted
	intended uint64 // the last that base was told of
	done     uint64 // the last that was committed
	retries  int

	paths set           // agreed since the group under way began
	past  []tree.Change // agreed since then and superseded by now, in order
	due   time.Time

	under      []string // the group under way; nil: none
	updates    []tree.Change
	waiting    [2]bool // for a side's Durable, also after the attempt failed
	committing bool
}

// intend returns the generation that what happens now will belong to, at the
// earliest.
func (g *group) intend() uint64 {
	g.intended = g.last + 1
	return g.intended
}

func (g *group) add(path string, now time.Time) {
	g.paths.add(path)
	if g.due.IsZero() {
		g.due = now.Add(groupTime)
	}
}

// maxPast bounds the superseded values of a group. They are for the history
// only, which tells an old copy from new work.
const maxPast = 1024

// supersede notes a value that was agreed within this group and is about to be
// agreed away: base will never hold it durably, but it was on both sides.
func (g *group) supersede(path string, e *tree.Entry) {
	if len(g.past) < maxPast && g.paths.covers(path) {
		g.past = append(g.past, tree.Change{Path: path, New: e})
	}
}

// next returns when to begin the next group; zero: not before an answer.
func (g *group) next() time.Time {
	if g.under != nil || g.waiting != [2]bool{} {
		return time.Time{}
	}
	return g.due
}

// drop forgets what is not durable, because a side was lost. A commit that was
// given out happens all the same.
func (g *group) drop(lost tree.Side) {
	rest := group{last: g.last, intended: g.intended, done: g.done, waiting: g.waiting}
	rest.waiting[lost] = false
	if g.committing {
		rest.under, rest.committing = g.under, true
	}
	*g = rest
}

// all returns the paths that were agreed and are in no commit.
func (g *group) all() (all set) {
	for _, path := range g.paths.tops() {
		all.add(path)
	}
	if !g.committing {
		for _, path := range g.under {
			all.add(path)
		}
	}
	return all
}

// covers returns the generation with whose commit all that is agreed by now
// will be durable.
func (g *group) covers() uint64 {
	switch {
	case g.paths.len() > 0:
		return g.last + 1
	case g.under != nil:
		return g.last
	}
	return 0
}

// commitGroup begins a group when its time has come.
func (s *State) commitGroup() {
	g := &s.group
	if due := g.next(); due.IsZero() || due.After(s.now) {
		return
	}
	g.under, g.due = g.paths.tops(), time.Time{}
	g.paths.clear()
	g.updates = s.updates()
	g.past = nil
	if g.last++; g.intended < g.last {
		g.intended = g.last
		s.emit(Intend{Gen: g.last, Paths: g.under})
	}
	for _, on := range both {
		g.waiting[on] = true
		s.emit(Settle{Side: on, Gen: g.last, Paths: g.under})
	}
}

// updates lists what the group under way commits: the values that passed, as
// far as there is room for them in base, and then those that hold.
func (s *State) updates() []tree.Change {
	var all []tree.Change
	t, ok := s.durable, false
	put := func(c tree.Change) {
		c.Old = tree.Get(t, c.Path)
		if t, ok = tree.Put(t, c.Path, c.New); ok {
			all = append(all, c)
		}
	}
	for _, c := range s.group.past {
		put(c)
	}
	for _, path := range s.group.under {
		put(tree.Change{Path: path, New: tree.Get(s.base, path)})
	}
	return all
}

// madeDurable waits for both sides and then commits. If a side could not, both
// are asked again later: base stays where it is until both have.
func (s *State) madeDurable(e Durable) {
	g := &s.group
	if e.Gen != g.last || !g.waiting[e.Side] {
		return
	}
	g.waiting[e.Side] = false
	switch {
	case g.under == nil:
		return // failed, or dropped
	case e.Err != "":
		s.retryGroup()
		return
	case g.waiting != [2]bool{}:
		return
	}
	for _, c := range g.updates {
		t, ok := tree.Put(s.durable, c.Path, c.New)
		if !ok {
			panic("engine: internal error: durable below what is no directory in base")
		}
		s.durable = alike(t, s.base, c.Path)
	}
	g.committing = true
	s.emit(Commit{Gen: g.last, Updates: g.updates})
}

func (s *State) retryGroup() {
	g := &s.group
	for _, path := range g.under {
		g.paths.add(path)
	}
	g.under, g.updates = nil, nil
	g.retries++
	g.due = s.now.Add(backoff(groupTime, retryMax, g.retries))
}

// committed ends the group under way.
func (s *State) committed(e Committed) {
	g := &s.group
	if !g.committing || e.Gen != g.last {
		return
	}
	g.done, g.retries = e.Gen, 0
	g.under, g.updates, g.committing = nil, nil, false
}
