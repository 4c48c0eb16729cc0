package engine

import (
	"slices"
	"time"

	"github.com/twosync/twosync/internal/tree"
)

// join begins with a side. Nothing is known of it yet.
func (s *State) join(e Joined) {
	if s.sides[e.Side].whole {
		s.lose(e.Side) // nobody said so
	}
	s.sides[e.Side].noExec, s.sides[e.Side].names = e.NoExec, e.Names
	if e.First {
		s.first = contact{open: true, new: e.HostNew, fill: e.Filling}
		if s.brake.on {
			s.emit(Brake{})
		}
		s.brake = brake{flying: s.brake.flying}
		s.stale.clear()
	}
	s.group.last = max(s.group.last, e.Gen)
	s.news = true
	switch {
	case !e.Kept || s.agreed == nil:
	case e.First:
		s.vouch(e.Side)
	default:
		s.restore(e.Side)
	}
	s.agreed, s.late = nil, nil
	for _, f := range s.batches {
		if f.late {
			f.other, f.late = nil, false
		}
	}
}

// restore goes back to what was agreed when a side was lost, and what landed
// since on the other side counts too. What of it is not durable will be.
func (s *State) restore(lost tree.Side) {
	tree.Diff("", s.durable, s.agreed, func(path string, _, _ *tree.Entry) bool {
		s.group.add(path, s.now)
		return true
	})
	s.base = s.agreed
	s.memory = slices.DeleteFunc(s.memory, func(m memory) bool { return m.entry == s.agreed })
	for _, l := range s.late {
		s.agreeOn(l.path, lost.Other(), l.holds, l.held)
	}
	for _, f := range s.batches {
		f.late = false
	}
}

// vouch makes what was agreed in a first contact that was cut short count when it
// begins anew, also where the side that was lost holds something else by now:
// somebody has worked there since.
func (s *State) vouch(lost tree.Side) {
	for i := range s.memory {
		if m := &s.memory[i]; m.lost == lost && m.whole() {
			m.sure = true
		}
	}
	for _, l := range s.late {
		s.memory = append(s.memory, memory{lost: lost.Other(), path: l.path, entry: l.held})
	}
}

// lose forgets what was known of a side and in flight there, and that
// something was agreed with it that is not durable.
func (s *State) lose(on tree.Side) {
	s.remember(on)
	s.sides[on] = newSide("not connected")
	for id, f := range s.batches {
		if f.late = true; f.side == on {
			delete(s.batches, id)
		}
	}
	if s.agreed == nil {
		s.agreed = s.base
	}
	s.base = s.durable
	s.group.drop(on)
	s.first.again()
	s.brake.again(on)
	s.abandon(on)
	for _, b := range s.flushes {
		b.waiting[on], b.open = true, nil
	}
	s.held.clear()
	s.dirty.clear()
	s.blocked.clear()
	s.parked.clear()
	clear(s.tries)
	s.refusals.clear()
	s.synced, s.doubt = false, time.Time{}
}

// observe takes in what a side saw.
func (s *State) observe(e Observed) {
	if e.Whole {
		s.sawWhole(e)
		return
	}
	if !s.sides[e.Side].whole {
		return // of a connection that was lost
	}
	was := s.sides[e.Side].tree
	for _, seen := range e.Seen {
		s.saw(e.Side, seen.Path, seen.Entry)
	}
	if now := s.sides[e.Side].tree; now.Width() < was.Width() && (now.Files() < was.Files() || e.nothingCame()) {
		s.shrank(e)
	}
	s.ebbs(e, was)
}

// sawWhole sets all that a side holds.
func (s *State) sawWhole(e Observed) {
	if len(e.Seen) != 1 || e.Seen[0].Path != "" || !e.Seen[0].Entry.IsDir() {
		s.gone(e.Side)
		return
	}
	sd, like := &s.sides[e.Side], s.base
	if other := s.sides[e.Side.Other()]; other.whole {
		like = other.tree
	}
	sd.tree, sd.whole = tree.Share(e.Seen[0].Entry, like), true
	s.seenEmpty(sd)
	s.freshen("")
	s.changed("")
	if s.sides[0].whole && s.sides[1].whole {
		s.meet()
	}
	s.askAgain(e.Side)
}

// meet begins when both sides are known whole.
func (s *State) meet() {
	first := s.first.open && !s.first.met
	if first {
		s.base, s.durable = tree.NewDir(nil), tree.NewDir(nil)
	}
	for _, on := range both {
		if s.sides[on].noExec {
			s.sides[on].tree = s.normal(on, "", s.sides[on].tree)
		}
	}
	if first {
		s.meetFirst()
	}
	s.recall()
	if first {
		s.base = yield(s.base, s.sides[tree.Host].tree, s.sides[tree.Container].tree)
		s.measure()
	}
}

// saw sets what a side holds at a path.
func (s *State) saw(on tree.Side, path string, e *tree.Entry) {
	if path == "" && !e.IsDir() {
		s.gone(on)
		return
	}
	sd := &s.sides[on]
	e = s.normal(on, path, e)
	if tree.Same(tree.Get(sd.tree, path), e) {
		return // seen before, or our own doing
	}
	if s.note(on, path, tree.Share(e, tree.Get(s.sides[on.Other()].tree, path))) {
		s.seenEmpty(sd)
		s.settleFight(path, e)
		s.changed(path)
	}
}

// note makes a side's tree hold e at a path. If that can't be, because a parent
// is no directory as far as is known, the side is asked for it.
func (s *State) note(on tree.Side, path string, e *tree.Entry) bool {
	sd := &s.sides[on]
	t, ok := tree.Put(sd.tree, path, e)
	if !ok {
		parent, _ := tree.Split(path)
		s.emit(Look{Side: on, Paths: []string{parent}})
		return false
	}
	if sd.tree = t; t.Width() > 0 {
		sd.emptied = time.Time{}
	}
	s.freshen(path)
	return true
}

// changed is called for a path that a user changed. What was refused or kept
// failing there is tried again.
func (s *State) changed(path string) {
	s.news = true
	s.dirty.add(path)
	s.brake.stir(path, &s.dirty)
	for _, p := range s.refusals.overlapping(path) {
		s.refusals.drop(p)
	}
	for i := range s.sides {
		s.wakeUp(&s.sides[i].sealed, path, func(string) bool { return true })
	}
	s.wakeUp(&s.parked, path, func(p string) bool { return s.tries[p] <= quickTries })
}

func (s *State) wakeUp(r *rests, path string, sound func(string) bool) {
	for _, p := range r.overlapping(path) {
		if sound(p) {
			r.drop(p)
			s.dirty.add(p)
		}
	}
}

func (s *State) seenEmpty(sd *side) {
	if sd.tree.Width() == 0 && sd.emptied.IsZero() {
		sd.emptied = s.now
	}
}

func (s *State) gone(on tree.Side) {
	s.halt("the root on the "+on.String()+" is gone", "put it back, or start again with the directory that is meant")
}

// normal gives files of a side that can't store exec bits those that base has,
// or else those that the other side has.
func (s *State) normal(on tree.Side, path string, e *tree.Entry) *tree.Entry {
	if !s.sides[on].noExec {
		return e
	}
	return withBits(e, tree.Get(s.base, path), tree.Get(s.sides[on.Other()].tree, path))
}

func withBits(e, base, other *tree.Entry) *tree.Entry {
	like := base
	if !like.IsFile() {
		like = other
	}
	switch {
	case e.IsFile():
		if exec := like.IsFile() && like.Exec; exec != e.Exec {
			return tree.NewFile(e.Digest, e.Size, exec)
		}
	case e.IsDir():
		for name, child := range e.Children() {
			if x := withBits(child, base.Child(name), other.Child(name)); x != child {
				e = e.With(name, x)
			}
		}
	}
	return e
}
