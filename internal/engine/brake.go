package engine

import (
	"time"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

const (
	// MaxDeletions is how many files the container's changes may take from the
	// host without being asked about, or deletedShare percent of base's files,
	// if that is more.
	MaxDeletions = 20
	deletedShare = 30

	// ebbTime is how long the container must have deleted nothing more before a
	// deletion there is believed to be all: rm -r takes one name after the other,
	// and what of it is held must be held whole. ebbMax bounds that for a few
	// deletions, and ebbMaxMany for more than a person makes one by one.
	ebbTime    = 250 * time.Millisecond
	ebbMax     = time.Second
	ebbMaxMany = 10 * time.Second
	ebbMany    = 20

	// calmTime without a deletion ends one going.
	calmTime = 10 * time.Second
)

// brake holds deletions of the container that are too many to be meant. While it
// is on, every one waits until the user says what they are.
type brake struct {
	on   bool
	over bool          // nothing is held any more, and what became of it is not durable yet
	held places[int64] // deletions that wait, with how many files each takes
	free set           // those that the user accepted
	back set           // those that the user wants undone in the container

	ebb   set       // deletions of late, which may be a part of more
	since time.Time // the first of them
	until time.Time // when they are believed

	files  int64            // base's, before the going that is under way
	gone   int64            // how many of them have gone
	flying int64            // and how many are about to
	last   time.Time        // when the last went
	counts map[string]int64 // by path, what the plan at hand takes
}

// heldBack is why a deletion is held.
const heldBack = "deleted in the container with many others: twosync accept lets it through, twosync restore brings it back"

// ebbs lets deletions in the container rest for a moment, for what else may go
// with them. What is only moved is no loss.
func (s *State) ebbs(e Observed, was *tree.Entry) {
	now := s.sides[tree.Container].tree
	if e.Side != tree.Container || s.first.open || now.Files() >= was.Files() || s.base.Files() <= s.mostDeletions() {
		return
	}
	b := &s.brake
	for _, x := range e.Seen {
		if x.Path != "" && tree.Get(was, x.Path).Files() > x.Entry.Files() {
			s.dirty.drop(x.Path)
			b.ebb.add(x.Path)
		}
	}
	if b.ebb.len() == 0 {
		return
	}
	if b.until.IsZero() {
		b.since = s.now
	}
	limit := ebbMax
	if b.ebb.len() > ebbMany {
		limit = ebbMaxMany
	}
	if b.until = s.now.Add(ebbTime); b.until.After(b.since.Add(limit)) {
		b.until = b.since.Add(limit)
	}
}

// ebbed makes dirty what has rested long enough.
func (s *State) ebbed() {
	b := &s.brake
	if b.until.IsZero() || b.until.After(s.now) {
		return
	}
	for _, path := range b.ebb.tops() {
		s.dirty.add(path)
	}
	b.ebb.clear()
	b.until = time.Time{}
}

// stir takes a path that was seen anew out of what rests or is held there and
// below.
func (b *brake) stir(path string, dirty *set) {
	for _, p := range b.ebb.within(path) {
		b.ebb.drop(p)
		dirty.add(p)
	}
	for _, p := range b.held.overlapping(path) {
		b.held.drop(p)
		dirty.add(p)
	}
}

func (s *State) mostDeletions() int64 {
	if s.opt.MostDeletions > 0 {
		return s.opt.MostDeletions
	}
	return MaxDeletions
}

// brakes says whether a plan has to be made again, because it takes more from the
// host than the container may.
func (s *State) brakes(p *reconcile.Plan) bool {
	b := &s.brake
	b.counts = nil
	if s.first.open {
		return false // it has rules of its own
	}
	var sum int64
	made := contentsMade(p.Host)
	for _, c := range p.Host {
		n := deletions(c.Old, c.New, made)
		empty := c.Old.IsDir() && c.Old.Files() == 0 && c.New == nil // it goes with the rest
		if (n > 0 || empty) && !b.free.covers(c.Path) {
			if b.counts == nil {
				b.counts = make(map[string]int64)
			}
			b.counts[c.Path] = n
			sum += n
		}
	}
	if sum == 0 || (!b.on || b.over) && s.lets(p, sum) {
		return false
	}
	if b.over = false; !b.on {
		b.on = true
		s.emit(Brake{On: true})
	}
	for path, n := range b.counts {
		b.held.put(path, n)
	}
	return true
}

// lets says whether the container may take so many files from the host.
func (s *State) lets(p *reconcile.Plan, sum int64) bool {
	b := &s.brake
	if b.flying == 0 && s.now.Sub(b.last) > calmTime {
		b.gone, b.files = 0, s.base.Files()
	}
	most := max(s.mostDeletions(), b.files*deletedShare/100)
	switch container := s.sides[tree.Container].tree; {
	case container.Width() == 0 && s.base.Width() >= minEmptied:
		return false
	case b.gone+b.flying+sum <= most:
		return true
	default:
		// What moved over in several goes is in the container still.
		sum = 0
		there := make(map[tree.Digest]bool)
		contentsOf(container, there)
		for _, c := range p.Host {
			if _, counts := b.counts[c.Path]; counts {
				b.counts[c.Path] = deletions(c.Old, c.New, there)
				sum += b.counts[c.Path]
			}
		}
		if b.gone+b.flying+sum > most {
			s.countAll(p)
			return false
		}
		return true
	}
}

// countAll counts what a plan would take, for people.
func (s *State) countAll(p *reconcile.Plan) {
	for _, c := range p.Host {
		if _, counts := s.brake.counts[c.Path]; counts {
			s.brake.counts[c.Path] = deletions(c.Old, c.New, nil)
		}
	}
}

// contentsMade returns the contents that changes put in place.
func contentsMade(changes []tree.Change) map[tree.Digest]bool {
	made := make(map[tree.Digest]bool)
	for _, c := range changes {
		if c.New != nil {
			contentsOf(c.New, made)
		}
	}
	return made
}

func contentsOf(e *tree.Entry, into map[tree.Digest]bool) {
	tree.Walk("", e, func(_ string, e *tree.Entry) bool {
		if e.IsFile() {
			into[e.Digest] = true
		}
		return true
	})
}

// deletions counts the files and links of old that new does not have, and whose
// contents are not elsewhere.
func deletions(old, new *tree.Entry, elsewhere map[tree.Digest]bool) (n int64) {
	switch {
	case old == nil:
	case old.IsDir():
		for name, child := range old.Children() {
			n += deletions(child, new.Child(name), elsewhere)
		}
	case new != nil && !new.IsDir(), old.IsFile() && elsewhere[old.Digest]:
	default:
		n = 1
	}
	return n
}

// depart counts what a batch for the host is about to take.
func (s *State) depart(f *flight) {
	if f.side != tree.Host {
		return
	}
	f.takes, s.brake.counts = s.brake.counts, nil
	for _, n := range f.takes {
		s.brake.flying += n
	}
}

// arrive counts what a change of a batch took.
func (s *State) arrive(f *flight, path string, applied bool) {
	b := &s.brake
	if n := f.takes[path]; n > 0 {
		delete(f.takes, path)
		b.flying -= n
		if applied {
			b.gone, b.last = b.gone+n, s.now
		}
	}
	if applied && f.side == tree.Container && b.back.covers(path) && tree.Get(s.base, path) != nil {
		s.group.add(path, s.now) // base does not move, but the container has it anew
	}
}

// release does with the deletions that are held what the user says.
func (s *State) release(e Release) {
	b := &s.brake
	for _, at := range e.Paths {
		if e.Guarded && !e.Back {
			s.accept(at)
		}
		for _, path := range b.held.within(at) {
			b.held.drop(path)
			s.dirty.add(path)
			if e.Back {
				b.back.add(path)
			} else {
				b.free.add(path)
			}
		}
	}
}

// settleBrake takes the brake off when nothing is left that it is about, and what
// became of it is durable. Until then the next start finds it on, however little is
// left to do.
func (s *State) settleBrake() {
	b := &s.brake
	if !b.on || !s.synced {
		return
	}
	for on, x := range [...]*set{tree.Host: &b.free, tree.Container: &b.back} {
		for _, path := range x.all() {
			if !s.sides[on].sealed.overlaps(path) { // it is done, or is none any more
				x.drop(path)
			}
		}
	}
	if b.over = b.held.len()+b.free.len()+b.back.len() == 0; b.over && s.Durable() {
		b.on, b.over = false, false
		s.emit(Brake{})
	}
}

// without returns base, at path, without what goes back to the container: there
// the host's state is news.
func (b *brake) without(path string, base, host, container *tree.Entry) *tree.Entry {
	for _, p := range b.back.within(path) {
		at := relative(path, p)
		if tree.Get(container, at) != nil || tree.Get(host, at) == nil {
			continue
		}
		if at == "" {
			return nil
		}
		if t, ok := tree.Put(base, at, nil); ok {
			base = t
		}
	}
	return base
}

// again forgets what a side that is lost was about to say.
func (b *brake) again(lost tree.Side) {
	b.held.clear()
	b.ebb.clear()
	b.over = false
	if b.until = (time.Time{}); lost == tree.Host {
		b.flying = 0
	}
}

// Braked returns up to limit of the paths whose deletion is held, in order.
func (s *State) Braked(limit int) []string {
	all := s.brake.held.all()
	return all[:min(len(all), limit)]
}

// braked returns how many files the deletions take that are held.
func (b *brake) braked() (n int64) {
	for _, path := range b.held.all() {
		files, _ := b.held.get(path)
		n += files
	}
	return n
}
