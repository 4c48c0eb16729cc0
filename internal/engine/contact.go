package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

// What a first contact may bring from the container without being asked.
const (
	MaxFirstFiles = 200
	MaxFirstBytes = 20 << 20
)

// contact is the state of a first contact: base says nothing of this pair of
// replicas, and the history has to tell old copies from new work.
type contact struct {
	open bool        // its rules hold
	new  bool        // the host's replica is new as well
	fill bool        // the host was empty, and takes all
	met  bool        // what the container holds was compared with the history
	was  *tree.Entry // what that was
	left *backlog    // what is still to be done of it; nil: not known yet

	closing bool   // all was done once; some of it may not be durable
	gen     uint64 // the commit after which it is
}

// again begins anew, because a side was lost before the end.
func (c *contact) again() { *c = contact{open: c.open || c.closing, new: c.new, fill: c.fill} }

// planFirst notes what a first contact has to do, once that is known.
func (s *State) planFirst() {
	if s.first.met && s.first.left == nil {
		s.first.left = s.backlog()
	}
}

// passFirst ends the rules of the first contact when everything that it found
// has been carried over or held, and says so when that is durable.
func (s *State) passFirst() {
	c := &s.first
	if c.open && c.left != nil && s.worked(c.left) {
		agreed := s.group.all()
		s.base = s.affirm(&agreed, "", s.durable, s.base, s.sides[0].tree, s.sides[1].tree)
		*c = contact{closing: true, new: c.new, fill: c.fill, gen: s.group.covers()}
	}
	if !c.closing || s.group.done < c.gen {
		return
	}
	*c = contact{}
	// What the user said was about the container as it was. If it is replaced one
	// day, nobody has been asked about what its image brings along.
	s.opt.Winner, s.opt.Mirror, s.opt.Forced = tree.Host, false, false
	s.emit(FirstDone{})
}

// affirm returns base without what it took from the container as an old copy,
// at the end of a first contact. By then such a copy was replaced, and agreed
// on, or both sides hold it, which nobody had to agree on until now, or it is
// held, and then base knows nothing: it is noted as stale.
func (s *State) affirm(agreed *set, path string, durable, base, host, container *tree.Entry) *tree.Entry {
	switch {
	case tree.Same(durable, base), agreed.covers(path):
		return base
	case tree.Equal(host, container) && tree.Equal(base, host):
		s.group.add(path, s.now)
		return base
	case !base.IsDir():
		s.spoil(path, base, durable, container)
		return durable
	case !host.IsDir() || !container.IsDir():
		left := withAgreed(agreed, path, durable, base)
		if agreed.overlaps(path) {
			s.group.add(path, s.now) // what is agreed below it makes no directory of it
		}
		s.spoil(path, base, left, container)
		return left
	case !durable.IsDir():
		s.group.add(path, s.now)
	}
	for name, child := range base.Children() {
		below := tree.Join(path, name)
		base = base.With(name, s.affirm(agreed, below, durable.Child(name), child, host.Child(name), container.Child(name)))
	}
	return base
}

// spoil notes what the container still holds of an old copy, where base has
// nothing.
func (s *State) spoil(path string, old, base, container *tree.Entry) {
	switch left := remains(old, container); {
	case left == nil:
	case base == nil:
		s.stale.put(path, left)
	default:
		for name, child := range left.Children() {
			s.spoil(tree.Join(path, name), child, base.Child(name), container.Child(name))
		}
	}
}

// remains returns what e still holds of an old copy.
func remains(old, e *tree.Entry) *tree.Entry {
	switch {
	case tree.Equal(old, e):
		return old
	case !old.IsDir() || !e.IsDir():
		return nil
	}
	for name, child := range old.Children() {
		old = old.With(name, remains(child, e.Child(name)))
	}
	return old
}

// freshen forgets the old copies at, above and below path that are none any
// more: the container holds something else there, or the host the same.
func (s *State) freshen(path string) {
	host, container := &s.sides[tree.Host], &s.sides[tree.Container]
	for _, p := range s.stale.overlapping(path) {
		old, _ := s.stale.get(p)
		if tree.Equal(tree.Get(host.tree, p), old) {
			s.stale.drop(p)
		} else if container.whole {
			s.stale.drop(p)
			s.spoil(p, old, nil, tree.Get(container.tree, p))
		}
	}
}

// baseAt returns what a decision about path is made against: base, and the old
// copies that were held when a first contact ended, where base has nothing. Nobody
// worked on those, and whatever the host's user did since, or had done before,
// takes their path.
func (s *State) baseAt(path string) *tree.Entry {
	b := tree.Get(s.base, path)
	for _, p := range s.stale.within(path) {
		if tree.Get(s.base, p) != nil {
			continue
		}
		old, _ := s.stale.get(p)
		if t, ok := tree.Put(b, relative(path, p), old); ok {
			b = t
		}
	}
	return b
}

// meetFirst prepares a first contact, once both sides are known whole: what
// the container holds and the history knows is an old copy, so it counts as
// base, and the host's state takes its path. Everything else has no base.
//
// An empty host takes all, and one that is new, too, has deleted nothing: what
// it lacks is no witness that somebody gave up what the container holds.
func (s *State) meetFirst() {
	host, container := s.sides[tree.Host].tree, s.sides[tree.Container].tree
	s.first.met, s.first.was = true, container
	if s.isBlank(host) && !s.first.fill && !s.opt.Mirror {
		s.first.fill = true
		s.emit(Filling{})
	}
	if !s.trustsHistory() {
		return
	}
	if old := s.old("", host, container); old != nil {
		s.base = old
	}
}

// isBlank says whether the host holds nothing, but for rules that somebody wrote
// down before the first start.
func (s *State) isBlank(host *tree.Entry) bool {
	return host.Width() == 0 || host.Width() == 1 && s.opt.OneWay != "" && host.Child(s.opt.OneWay) != nil
}

// old returns as much of what the container holds as the history knows and
// the host does not hold the same. What both hold has no base yet: it is agreed
// anew.
func (s *State) old(path string, host, container *tree.Entry) *tree.Entry {
	switch {
	case container == nil || container.Kind >= tree.Opaque || tree.Equal(host, container):
		return nil
	case container.Kind != tree.Dir:
		if s.knows(path, container) {
			return container
		}
		return nil
	}
	var children []tree.Child
	for name, child := range container.Children() {
		if c := s.old(tree.Join(path, name), host.Child(name), child); c != nil {
			children = append(children, tree.Child{Name: name, Entry: c})
		}
	}
	if len(children) == 0 && (host.IsDir() || !s.knows(path, tree.NewDir(nil))) {
		return nil
	}
	return tree.NewDir(children)
}

// yield returns base without the directories in whose place the host holds
// something else, if anything in them is new: a first contact leaves the path
// to the host, whatever the container made of it.
func yield(base, host, container *tree.Entry) *tree.Entry {
	switch {
	case !base.IsDir() || host == nil || !container.IsDir(),
		tree.Equal(base, container), tree.Equal(host, container):
		return base
	case !host.IsDir():
		return nil
	}
	for name, child := range base.Children() {
		base = base.With(name, yield(child, host.Child(name), container.Child(name)))
	}
	return base
}

// oldCopy says whether e is what the container brought along to the first
// contact, and the history knows it: then nobody loses anything by it.
func (s *State) oldCopy(path string, e *tree.Entry) bool {
	return s.first.open && s.trustsHistory() &&
		tree.Equal(tree.Get(s.first.was, path), e) && s.knows(path, e)
}

// trustsHistory says whether this first contact takes what the history knows for an
// old copy: the host was there all the time, and has the say.
func (s *State) trustsHistory() bool {
	return !s.first.fill && !s.first.new && s.opt.Winner == tree.Host
}

func (s *State) knows(path string, e *tree.Entry) bool {
	return s.opt.Known != nil && s.opt.Known(path, e)
}

// measure stops a first contact that would bring or overwrite much from the
// container's side, or mix folders of dependencies, unless the user has said
// that it shall, or there is nothing to mix it with. A container is never made like
// an empty host: a directory that is not mounted looks like one.
func (s *State) measure() {
	if s.opt.Mirror && s.isBlank(s.sides[tree.Host].tree) && s.sides[tree.Container].tree.Width() > 0 {
		s.stop("the host is empty, and --take host would empty the container",
			"put the files back, or fill it from the container: start again with --take container")
		return
	}
	if s.opt.Forced || s.first.fill {
		return
	}
	var p reconcile.Plan
	reconcile.At("", s.base, s.sides[0].tree, s.sides[1].tree, reconcile.Policy{Kept: s.oldCopy, Names: s.names()}, &p)
	if dep := s.dependency("", s.base, s.sides[0].tree, s.sides[1].tree); dep != "" {
		s.stop(fmt.Sprintf("%s in the container differs from the host's, and no rule says whose it is", dep),
			fmt.Sprintf("--keep %s leaves each side its own; --take host or --take container makes them the same", lastName(dep)))
		return
	}
	var files, bytes int64
	for _, c := range p.Host {
		files, bytes = files+c.New.Files(), bytes+c.New.Bytes()
	}
	for _, k := range p.Keep {
		files, bytes = files+1, bytes+k.Entry.Bytes()
	}
	if files > MaxFirstFiles || bytes > MaxFirstBytes {
		s.stop(fmt.Sprintf("the container holds %d files (%.1f MB) that the host does not hold, or holds otherwise", files, float64(bytes)/1e6),
			"--keep NAME leaves each side its own NAME; --take host makes the container like the host; --take container brings the container's files")
	}
}

func (s *State) stop(reason, remedy string) {
	s.halt("first contact changes nothing: "+reason, remedy)
}

func lastName(path string) string {
	_, name := tree.Split(path)
	return name
}

// dependency returns the first folder of dependencies that the container holds
// and the host does not hold the same.
func (s *State) dependency(path string, base, host, container *tree.Entry) string {
	if !container.IsDir() || tree.Equal(host, container) {
		return ""
	}
	if path != "" && s.opt.Dependency != nil && s.opt.Dependency(path) {
		if container.Files() > 0 && !tree.Equal(base, container) {
			return path
		}
		return ""
	}
	for name, child := range container.Children() {
		if dep := s.dependency(tree.Join(path, name), base.Child(name), host.Child(name), child); dep != "" {
			return dep
		}
	}
	return ""
}

const (
	// minEmptied is how many names base must hold at the root before an empty
	// root is taken for an accident.
	minEmptied = 2
	// emptyTime is how long a root must be empty. The only name there may just
	// have been renamed, and the other half of that is on its way.
	emptyTime = time.Second
)

const (
	// leaveTime is how long the root must have lost no further name before a
	// name that it lost is believed: rm -r of everything in it takes the names
	// one by one, and the last of them must find the others still there.
	leaveTime = 250 * time.Millisecond
	// leaveMax bounds that, and maxLeaving the names that wait for each other.
	leaveMax   = time.Second
	maxLeaving = 1024
)

// shrank lets the names that a side's root lost rest for a while, together with
// those that it lost just before. A rename loses nothing, nor does a move into a
// directory.
func (s *State) shrank(e Observed) {
	sd := &s.sides[e.Side]
	sd.leaving = slices.DeleteFunc(sd.leaving, func(name string) bool {
		_, waits := s.parked.get(name)
		return !waits || sd.tree.Child(name) != nil
	})
	if len(sd.leaving) == 0 {
		sd.shrinks = s.now
	}
	for _, x := range e.Seen {
		parent, name := tree.Split(x.Path)
		if parent == "" && x.Entry == nil && s.base.Child(name) != nil && len(sd.leaving) < maxLeaving {
			sd.leaving = append(sd.leaving, name)
		}
	}
	until := s.now.Add(leaveTime)
	if last := sd.shrinks.Add(leaveMax); until.After(last) {
		until = last
	}
	for _, name := range sd.leaving {
		s.dirty.drop(name)
		s.parked.put(name, rest{until: until})
	}
}

// nothingCame says whether all that was seen is that names are gone.
func (e Observed) nothingCame() bool {
	return !slices.ContainsFunc(e.Seen, func(x Seen) bool { return x.Entry != nil })
}

// emptied says whether a side's root was seen to hold nothing any more although
// base does: a volume that is not mounted, a disk that was swapped. Then
// nothing is done, and if it stays so, all ends.
func (s *State) emptied() bool {
	s.doubt = time.Time{}
	if s.base.Width() < minEmptied || s.first.open && s.opt.Forced {
		return false
	}
	for _, on := range both {
		since, take := s.sides[on].emptied, on.Other()
		if since.IsZero() || s.sides[take].tree.Width() == 0 {
			continue
		}
		s.doubt = since.Add(emptyTime)
		if !s.doubt.After(s.now) {
			if on == tree.Container && !s.first.open {
				continue // the brake holds it
			}
			s.halt(fmt.Sprintf("the root on the %s is empty, and it was not before; nothing was deleted on the %s", on, take),
				fmt.Sprintf("put the files back, or fill it from the %s: start again with --take %s", take, take))
		}
		return true
	}
	return false
}
