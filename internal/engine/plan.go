package engine

import (
	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

// maxFlights bounds the batches in flight on a side. Beyond it changes
// collect, and batches grow by themselves.
const maxFlights = 8

// plan reconciles what is dirty and gives out what has to be done.
func (s *State) plan() {
	host, container := &s.sides[tree.Host], &s.sides[tree.Container]
	switch {
	case s.dirty.len() == 0 || !host.whole || !container.whole:
		return
	case host.flights >= maxFlights || container.flights >= maxFlights:
		return // changes collect until a batch has landed
	case s.emptied():
		return
	}
	policy := s.policy()
	at := s.reaches(policy)
	for _, path := range at {
		s.held.dropWithin(path)
	}
	p := s.planAt(at, policy)
	for s.brakes(&p) {
		p = s.planAt(at, policy) // what is held now has to be seen beside the rest
	}
	s.follow(p)
	s.planFirst()
}

func (s *State) planAt(at []string, policy reconcile.Policy) (p reconcile.Plan) {
	host, container := s.sides[tree.Host].tree, s.sides[tree.Container].tree
	for _, path := range at {
		b, h, c := s.baseAt(path), tree.Get(host, path), tree.Get(container, path)
		reconcile.At(path, s.brake.without(path, b, h, c), h, c, policy, &p)
	}
	return p
}

// reaches returns the paths at which to reconcile what is dirty: none of them
// within another.
func (s *State) reaches(p reconcile.Policy) []string {
	var at set
	for _, path := range s.dirty.tops() {
		at.add(p.Reach(path, s.base, s.sides[0].tree, s.sides[1].tree))
	}
	s.dirty.clear()
	return at.tops()
}

func (s *State) policy() reconcile.Policy {
	p := reconcile.Policy{
		Kept: func(path string, e *tree.Entry) bool {
			return s.kept[loserOf(path, e)] || s.oldCopy(path, e)
		},
		Sealed: func(on tree.Side, path string) (string, bool) {
			if _, held := s.brake.held.get(path); held && on == tree.Host {
				return heldBack, true
			}
			x, ok := s.fights.resting.get(path)
			if !ok {
				x, ok = s.sides[on].sealed.get(path)
			}
			return x.reason, ok
		},
		Busy: func(on tree.Side, path string) bool {
			return s.busy(on, path) || s.parked.covers(path) || s.brake.ebb.overlaps(path)
		},
		Names: s.names(),
	}
	if s.opt.Guard != nil {
		p.Guard = s.guard
	}
	if s.opt.OneWay != "" {
		p.OneWay = func(path string) bool { return path == s.opt.OneWay }
	}
	if s.first.open {
		p.Winner, p.Mirror = s.opt.Winner, s.opt.Mirror
	}
	return p
}

func (s *State) names() [2]reconcile.Names {
	return [2]reconcile.Names{s.sides[tree.Host].names, s.sides[tree.Container].names}
}

// follow gives out what a plan says.
func (s *State) follow(p reconcile.Plan) {
	for _, h := range p.Held {
		s.held.put(h)
	}
	for _, path := range p.Busy {
		switch {
		case s.brake.ebb.overlaps(path):
			s.brake.ebb.add(path)
		case !s.parked.covers(path):
			s.blocked.add(path)
		}
	}
	for _, c := range p.Agreed {
		s.agree(c)
	}
	for _, k := range p.Keep {
		s.keep(k)
	}
	s.give(tree.Host, p.Host)
	s.give(tree.Container, p.Container)
}

// give hands a side its changes as one batch.
func (s *State) give(on tree.Side, changes []tree.Change) {
	if len(changes) == 0 {
		return
	}
	s.lastID++
	sd := &s.sides[on]
	f := &flight{side: on, changes: make(map[string]tree.Change, len(changes)), other: s.sides[on.Other()].tree}
	paths := make([]string, len(changes))
	for i, c := range changes {
		f.changes[c.Path] = c
		sd.fly(c.Path)
		paths[i] = c.Path
	}
	s.batches[s.lastID] = f
	sd.flights++
	s.depart(f)
	s.emit(Intend{Gen: s.group.intend(), Paths: paths})
	s.emit(Apply{Side: on, Batch: s.lastID, Changes: changes})
}

// finish says so when nothing is left to do.
func (s *State) finish() {
	s.passFirst()
	s.passBarriers()
	s.synced = s.idle() && (s.synced && s.held.digest == s.told || s.becomeIdle())
	s.settleBrake()
}

func (s *State) idle() bool {
	return s.dirty.len()+s.blocked.len()+s.parked.len()+s.brake.ebb.len()+len(s.batches) == 0 &&
		s.sides[0].whole && s.sides[1].whole
}

// becomeIdle says InSync if there is anything to say.
func (s *State) becomeIdle() bool {
	clear(s.kept) // nothing waits for them
	clear(s.tries)
	s.forgetAccepted()
	if s.news || s.held.digest != s.told {
		s.news, s.told = false, s.held.digest
		s.emit(InSync{})
	}
	return true
}

// holds are the held paths, with a digest over them.
type holds struct {
	places[reconcile.Held]
	digest tree.Digest
}

func (h *holds) clear() { *h = holds{} }

func (h *holds) put(x reconcile.Held) {
	h.dropAt(x.Path)
	h.places.put(x.Path, x)
	h.mark(x)
}

// dropWithin drops what was said about path and below it.
func (h *holds) dropWithin(path string) {
	for _, p := range h.within(path) {
		h.dropAt(p)
	}
}

func (h *holds) dropAt(path string) {
	if x, ok := h.get(path); ok {
		h.mark(x)
		h.places.drop(path)
	}
}

// mark puts x into the digest, or takes it out.
func (h *holds) mark(x reconcile.Held) {
	d := tree.DigestOf([]byte(x.Side.String() + "\x00" + x.Path + "\x00" + x.Reason))
	for i := range d {
		h.digest[i] ^= d[i]
	}
}
