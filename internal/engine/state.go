package engine

import (
	"time"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

// Options are what the user chose, and what base remembers.
type Options struct {
	// Winner takes the path in conflicts of the first contact; later the host
	// does.
	Winner tree.Side
	// Mirror: the first contact makes the other side the same as the winner.
	Mirror bool
	// Forced: the user has said how the first contact goes; no limit applies.
	Forced bool
	// Known says whether base's history knows e at path. Nil: it knows nothing.
	Known func(path string, e *tree.Entry) bool
	// OneWay is a path that crosses from the host to the container only; empty
	// for none.
	OneWay string
	// Guard says why what the container makes of path waits until the user has
	// accepted it; "" where it does not. Nil: nothing does.
	Guard func(path string, isLink bool) string
	// MostDeletions is how many files the container may take from the host without
	// being asked about, at least; 0: MaxDeletions.
	MostDeletions int64
	// Braked: the session before ended with the brake on.
	Braked bool
	// Conflicts are the paths of those that were open when the session before
	// ended.
	Conflicts []string
	// Dependency says whether path is a folder of dependencies, which the first
	// contact does not mix. Nil: none is.
	Dependency func(path string) bool
}

// State is everything the engine knows. The zero value is not ready: use New.
type State struct {
	// config
	opt Options

	// state
	now     time.Time
	effects []Effect
	halted  bool

	base     *tree.Entry // what decisions are made against
	durable  *tree.Entry // what is left of it when a side is lost
	agreed   *tree.Entry // what base was when a side was lost; nil: none is
	late     []landing   // since then, on the other side
	sides    [2]side
	first    contact
	brake    brake
	accepted places[*tree.Entry] // what guarded paths of the container may become here
	stale    places[*tree.Entry] // old copies that a first contact left where they were
	memory   []memory            // of the side that is lost

	dirty     set            // to be reconciled
	blocked   set            // to be reconciled when what is in flight has landed
	parked    rests          // to be reconciled when it has been quiet for a while
	tries     map[string]int // how often in a row paths had moved on
	refusals  places[int]    // how often in a row changes were refused
	fights    fights
	held      holds
	kept      map[loser]bool // losers that are in the keep store
	keeping   map[loser]*keeping
	conflicts places[settled] // that nobody has worked on since
	versions  int
	batches   map[uint64]*flight
	lastID    uint64

	group   group
	flushes []*barrier
	doubt   time.Time   // when an empty root is one; zero: none is
	waking  time.Time   // the earliest Wake that was asked for; zero: none
	synced  bool        // nothing is left to do
	news    bool        // something was observed or agreed since InSync
	told    tree.Digest // held.digest at that time
}

// side is what is known of a side.
type side struct {
	tree    *tree.Entry
	whole   bool      // the tree is
	emptied time.Time // when somebody else than us took the last name at the root
	leaving []string  // names that the root lost of late, and that are parked
	shrinks time.Time // when the first of them went
	noExec  bool
	names   reconcile.Names
	flying  places[int] // in flight, with how many effects
	sealed  rests       // changes that were refused
	flights int         // batches
}

func newSide(reason string) side { return side{tree: tree.NewUnknown(reason)} }

func (sd *side) fly(path string) {
	n, _ := sd.flying.get(path)
	sd.flying.put(path, n+1)
}

func (sd *side) landed(path string) {
	if n, _ := sd.flying.get(path); n > 1 {
		sd.flying.put(path, n-1)
	} else {
		sd.flying.drop(path)
	}
}

// flight is a batch that was given out.
type flight struct {
	side    tree.Side
	changes map[string]tree.Change // that have no result yet
	other   *tree.Entry            // what the other side was known to hold; nil: that counts no more
	late    bool                   // the other side was lost since
	takes   map[string]int64       // by path, the files that the brake counts
}

// New returns a State that starts from a base, nil for none.
func New(base *tree.Entry, opt Options) *State {
	if base == nil {
		base = tree.NewDir(nil)
	}
	s := &State{
		opt: opt, base: base, durable: base,
		sides:   [2]side{newSide("not scanned yet"), newSide("not scanned yet")},
		tries:   make(map[string]int),
		fights:  fights{turns: make(map[string]turn)},
		kept:    make(map[loser]bool),
		keeping: make(map[loser]*keeping),
		batches: make(map[uint64]*flight),
	}
	s.brake.on = opt.Braked
	for _, path := range opt.Conflicts {
		if s.conflicts.len() < maxConflicts {
			e := tree.Get(base, path)
			s.conflicts.put(path, settled{e != nil, e})
		}
	}
	return s
}

// Summary is how things stand, for people.
type Summary struct {
	InSync    bool
	Durable   bool  // nothing that was agreed waits for a commit
	Files     int64 // that both sides agree on
	Bytes     int64
	Pending   int // paths that are dirty or in flight
	Conflicts int // paths whose loser was put into the keep store, and nobody has worked there since
	Versions  int // losers of a first contact; nobody has to decide about them
	Held      []reconcile.Held
	Guarded   int   // of the held paths, those that wait to be accepted
	Braked    int64 // files that the container deleted, and that are held
	Whole     [2]bool
}

// Summary returns how things stand. Its cost goes with the number of held
// paths.
func (s *State) Summary() Summary {
	sum := Summary{
		InSync: s.synced, Durable: s.Durable(), Files: s.base.Files(), Bytes: s.base.Bytes(),
		Pending:   s.dirty.len() + s.blocked.len() + s.parked.len() + s.brake.ebb.len(),
		Conflicts: s.conflicts.len(), Versions: s.versions, Braked: s.brake.braked(),
		Whole: [2]bool{s.sides[0].whole, s.sides[1].whole},
	}
	for _, f := range s.batches {
		sum.Pending += len(f.changes)
	}
	for _, path := range s.held.all() {
		h, _ := s.held.get(path)
		sum.Held = append(sum.Held, h)
		if h.Guarded {
			sum.Guarded++
		}
	}
	return sum
}

// Conflicts returns up to limit of the paths that Summary counts, in order.
func (s *State) Conflicts(limit int) []string {
	all := s.conflicts.all()
	return all[:min(len(all), limit)]
}

// InSync says whether nothing is left to do.
func (s *State) InSync() bool { return s.synced }

// Durable says whether nothing that was agreed waits for a commit.
func (s *State) Durable() bool { return s.group.under == nil && s.group.paths.len() == 0 }

// Flying says whether a side is at work on a batch.
func (s *State) Flying() bool { return len(s.batches) > 0 }

// FirstContact says whether the sides meet for the first time, and have not
// been in sync since.
func (s *State) FirstContact() bool { return s.first.open || s.first.closing }

// Now returns the time of the last step.
func (s *State) Now() time.Time { return s.now }

// Tree returns what a side is known to hold.
func (s *State) Tree(side tree.Side) *tree.Entry { return s.sides[side].tree }
