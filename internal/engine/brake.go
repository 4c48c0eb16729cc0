package engine

import (
	"slices"
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

	// calmTime without a deletion ends a going, and so does goTime: whoever makes
	// and removes files all day long is no accident.
	calmTime = 10 * time.Second
	goTime   = time.Minute
)

// brake holds deletions of the container that are too many to be meant. While it
// is on, every one waits until the user says what they are.
type brake struct {
	on   bool
	new  bool          // nobody was told of it yet
	over bool          // nothing is held any more, and what became of it is not durable yet
	held places[int64] // deletions that wait, with how many files each takes
	free set           // those that the user accepted
	back set           // those that the user wants undone in the container

	ebb   set       // deletions of late, which may be a part of more
	since time.Time // the first of them
	until time.Time // when they are believed

	start  *tree.Entry      // base, before the going that is under way
	began  time.Time        // when that was
	gone   int64            // how many of its files have gone
	went   []tree.Change    // with these
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
	if b.flying == 0 && (s.now.Sub(b.last) > calmTime || s.now.Sub(b.began) > goTime) {
		b.gone, b.went, b.start, b.began = 0, nil, s.base, s.now
	}
	var sum int64
	made := contentsMade(p.Host)
	for _, c := range p.Host {
		n := s.deletions(c, made)
		if b.on && !b.over { // each waits, of whatever age
			n = lost(c.Old, c.New, c.Old, made)
		}
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
		b.on, b.new = true, true
		s.emit(Brake{On: true})
	}
	for _, c := range p.Host {
		if _, counts := b.counts[c.Path]; counts {
			b.held.put(c.Path, lost(c.Old, c.New, c.Old, nil))
		}
	}
	return true
}

// lets says whether the container may take so many files from the host.
func (s *State) lets(p *reconcile.Plan, sum int64) bool {
	b := &s.brake
	most := s.most()
	return b.gone+b.flying+sum <= most || s.recount(p.Host) <= most
}

// most is how many files may go: as a part of what was there before, or of what
// is there now, as the tree may just have filled. None may of a root that is
// emptied.
func (s *State) most() int64 {
	if s.sides[tree.Container].tree.Width() == 0 && s.base.Width() >= minEmptied {
		return -1
	}
	return max(s.mostDeletions(), max(s.brake.start.Files(), s.base.Files())*deletedShare/100)
}

// weigh takes another look at a brake that nobody was told of, once all is quiet.
// In the middle of a checkout more is gone for a moment than in the end.
func (s *State) weigh() {
	b := &s.brake
	if !b.new || !s.idle() {
		return
	}
	b.new = false
	var all []tree.Change
	b.counts = make(map[string]int64)
	for _, path := range b.held.all() {
		c := tree.Change{Path: path, Old: tree.Get(s.sides[tree.Host].tree, path), New: tree.Get(s.sides[tree.Container].tree, path)}
		all = append(all, c)
		b.counts[path] = 0
	}
	n := s.recount(all)
	b.counts = nil
	if n > s.most() {
		return
	}
	b.on = false
	s.emit(Brake{})
	for _, c := range all {
		b.held.drop(c.Path)
		s.dirty.add(c.Path)
	}
	s.plan()
}

// recount counts again what has gone, goes and is to go with these changes, without what is elsewhere
// in the container by now: a package manager unpacks under one name and renames
// to another, and here the old name goes a moment after the new one came.
func (s *State) recount(changes []tree.Change) (sum int64) {
	b := &s.brake
	there := make(map[tree.Digest]bool)
	contentsOf(s.sides[tree.Container].tree, there)
	b.gone, b.flying = 0, 0
	b.went = slices.DeleteFunc(b.went, func(c tree.Change) bool {
		n := s.deletions(c, there)
		b.gone += n
		return n == 0
	})
	for _, f := range s.batches {
		for path := range f.takes {
			f.takes[path] = s.deletions(f.changes[path], there)
			b.flying += f.takes[path]
		}
	}
	for _, c := range changes {
		if _, counts := b.counts[c.Path]; counts {
			b.counts[c.Path] = s.deletions(c, there)
			sum += b.counts[c.Path]
		}
	}
	return b.gone + b.flying + sum
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
		if d, ok := contentOf(e); ok {
			into[d] = true
		}
		return true
	})
}

// deletions counts what a change takes of what was there when the going began.
func (s *State) deletions(c tree.Change, elsewhere map[tree.Digest]bool) int64 {
	return lost(c.Old, c.New, tree.Get(s.brake.start, c.Path), elsewhere)
}

// lost counts the files and links of old that new does not have, at paths that
// were there before, and whose contents are not elsewhere.
func lost(old, new, before *tree.Entry, elsewhere map[tree.Digest]bool) (n int64) {
	switch {
	case old == nil || before == nil:
	case old.IsDir():
		for name, child := range old.Children() {
			n += lost(child, new.Child(name), before.Child(name), elsewhere)
		}
	case new != nil && !new.IsDir():
	default:
		if d, ok := contentOf(old); ok && !elsewhere[d] {
			n = 1
		}
	}
	return n
}

// contentOf names what a file or link holds.
func contentOf(e *tree.Entry) (d tree.Digest, ok bool) {
	switch e.Kind {
	case tree.File:
		return e.Digest, true
	case tree.Link:
		return tree.DigestOf([]byte("link " + e.Text)), true
	}
	return d, false
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
func (s *State) arrive(f *flight, c tree.Change, applied bool) {
	b, path := &s.brake, c.Path
	if n, counts := f.takes[path]; counts {
		delete(f.takes, path)
		b.flying -= n
		if applied {
			b.gone, b.last = b.gone+n, s.now
			b.went = append(b.went, c)
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
		b.on, b.over, b.new = false, false, false
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
	b.over, b.new = false, false
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
