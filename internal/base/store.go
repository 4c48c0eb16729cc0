package base

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// Epoch is the time in which a base is valid: as long as the same two replicas
// meet. Gen counts the groups that were committed in it.
type Epoch struct {
	Host, Container replica.ID
	Gen             uint64

	// What the first contact of this epoch has to know, as long as it is not
	// settled.
	HostNew bool // the host's replica was new as well
	Filling bool // the host was empty, and takes all

	// Braked: deletions of the container are held until the user says what they are.
	Braked bool
}

// Loaded is what a Store begins with.
type Loaded struct {
	Epoch   Epoch
	Settled bool        // first contact in this epoch was completed
	Rules   string      // the ignore rules that base was last restricted to
	Tree    *tree.Entry // base; nil when there is none

	// The paths that were intended but not committed. PendingGen is the last
	// generation that was intended: a replica whose generation is between
	// Epoch.Gen and PendingGen was in a commit when it crashed, and only these
	// paths need another look.
	Pending    []string
	PendingGen uint64

	Lost string // why base was discarded, for people; empty when it was not
}

// MaxRules bounds the text of the rules.
const MaxRules = 1 << 20

// minJournal is how long a journal may get before it is compacted, however
// small the snapshot is. 4 MiB are read in 20 ms.
const minJournal = 4 << 20

// Store is a base on disk.
type Store struct {
	// config
	dir     fsx.Dir
	session string

	// state
	state
	hist     history
	log      *record.Log
	snapshot int64 // where the snapshot ends and the journal begins
	limit    int64 // how long the log may get before it is compacted
	broken   error
}

// state is the part of a Store that is a plain value: copying it makes a
// second one that can be changed without the first.
type state struct {
	epoch   Epoch
	settled bool
	rules   string
	tree    *tree.Entry
	former  *tree.Entry // values of earlier epochs that were not agreed again
	pending []intent    // not committed, in the order of their generations
}

type intent struct {
	gen   uint64
	paths []string
}

// Tree returns base.
func (s *Store) Tree() *tree.Entry { return s.tree }

// Epoch returns the epoch, with the generation that was committed last.
func (s *Store) Epoch() Epoch { return s.epoch }

// Begin begins an epoch: first contact with a replica. Base becomes t, which
// may be nil, and is not settled; history is kept, and so is what base held,
// as former values. It is durable when Begin returns.
func (s *Store) Begin(e Epoch, rules string, t *tree.Entry) error {
	if err := checkRules(rules); err != nil {
		return err
	}
	if e.Gen > maxGen {
		return fmt.Errorf("begin epoch: %w", errHighGen)
	}
	mustBeClear(t)
	next, displaced := s.state.begun(e, rules, t)
	if err := s.commit("base.begin", appendBegin(nil, e, rules, t)); err != nil {
		return fmt.Errorf("begin epoch: %w", err)
	}
	s.become(next, displaced)
	s.compactIfLong()
	return nil
}

// Intend says that these paths are about to change in this generation, which
// is not committed yet. It is durable after SyncIntents. It may be called several
// times for a generation, and for the next one before this one is committed.
func (s *Store) Intend(gen uint64, paths []string) error {
	next, err := s.state.intended(gen, paths)
	if err != nil {
		return fmt.Errorf("intend generation %d: %w", gen, err)
	}
	if err := s.append("base.intend.truncate", appendIntent(nil, gen, paths)); err != nil {
		return fmt.Errorf("intend generation %d: %w", gen, err)
	}
	s.state = next
	s.compactIfLong()
	return nil
}

// SyncIntents makes durable what Intend said. Only then may a side record the
// generation: a base that can't explain it is one of other replicas.
func (s *Store) SyncIntents() error {
	if s.broken != nil {
		return s.broken
	}
	if err := s.log.Sync("base.intend.sync"); err != nil {
		return fmt.Errorf("sync intents: %w", err)
	}
	return nil
}

// Commit records what both sides durably hold, and that e.Gen was reached. The
// replicas must be those of the epoch and the generation a later one. Updates
// are made in their order; New replaces everything that base has at Path and
// below it, and nil is absence, so an empty directory put over a full one
// empties it. Missing parents are made. Old is not looked at.
//
// All of the updates are made or none. They are durable when Commit returns.
func (s *Store) Commit(e Epoch, updates []tree.Change) error {
	for _, u := range updates {
		mustBeClear(u.New)
	}
	next, displaced, err := s.state.committed(e, updates)
	if err != nil {
		return fmt.Errorf("commit generation %d: %w", e.Gen, err)
	}
	if err := s.commit("base.commit", appendCommit(nil, e, updates)); err != nil {
		return fmt.Errorf("commit generation %d: %w", e.Gen, err)
	}
	s.become(next, displaced)
	s.compactIfLong()
	return nil
}

// SetFilling records that the first contact of this epoch found the host empty.
func (s *Store) SetFilling() error {
	if s.epoch.Filling {
		return nil
	}
	if err := s.commit("base.filling", []byte{kindFilling}); err != nil {
		return fmt.Errorf("fill the host: %w", err)
	}
	s.epoch.Filling = true
	return nil
}

// SetBraked records whether deletions of the container are held.
func (s *Store) SetBraked(on bool) error {
	if s.epoch.Braked == on {
		return nil
	}
	if err := s.commit("base.braked", record.AppendBool([]byte{kindBraked}, on)); err != nil {
		return fmt.Errorf("hold deletions: %w", err)
	}
	s.epoch.Braked = on
	return nil
}

// SetSettled records that the first contact of this epoch was completed.
func (s *Store) SetSettled() error {
	if s.settled {
		return nil
	}
	if err := s.commit("base.settle", []byte{kindSettled}); err != nil {
		return fmt.Errorf("settle epoch: %w", err)
	}
	s.settle()
	return nil
}

func (s *Store) settle() {
	s.hist.forget("", s.former, s.tree)
	s.settled, s.former = true, nil
}

// SetRules records that other rules are in force, and restricts base to t: base
// without the paths that these rules and the earlier ones do not both cover.
// That no longer agrees on those paths; it does not agree on their absence.
func (s *Store) SetRules(rules string, t *tree.Entry) error {
	if err := checkRules(rules); err != nil {
		return err
	}
	gone := removed(s.tree, t)
	if err := s.commit("base.rules", appendRules(nil, rules, gone)); err != nil {
		return fmt.Errorf("set rules: %w", err)
	}
	s.restrict(rules, gone)
	return nil
}

func (s *Store) restrict(rules string, gone []string) {
	for _, path := range gone {
		s.hist.forget(path, tree.Get(s.tree, path), nil)
		s.tree, _ = tree.Put(s.tree, path, nil) // what goes has parents
	}
	s.rules = rules
}

// removed returns the paths that t lacks of base.
func removed(base, t *tree.Entry) (gone []string) {
	tree.Diff("", base, t, func(path string, _, b *tree.Entry) bool {
		if b != nil {
			panic("base: internal error: rules can only take paths from base")
		}
		gone = append(gone, path)
		return true
	})
	return gone
}

// Knows says whether e is an old copy: one of the last values that were agreed
// for this path, the current one included. A value is a file's content, whatever
// its exec bit, a link's target, the existence of a directory, or, as nil,
// that the path was removed.
func (s *Store) Knows(path string, e *tree.Entry) bool {
	return slices.ContainsFunc(s.History(path), func(v *tree.Entry) bool { return sameValue(v, e) })
}

// History returns the values that were agreed for a path, at most 8, each once,
// the current one last. A nil entry is a removal. Directories are empty.
func (s *Store) History(path string) []*tree.Entry {
	values := s.hist.values(path)
	for _, t := range []*tree.Entry{s.former, s.tree} {
		if e := tree.Get(t, path); e != nil {
			values = push(values, e)
		}
	}
	return values[max(0, len(values)-maxValues):]
}

// Close closes the file. Everything that was committed is durable already.
func (s *Store) Close() error {
	if err := s.log.Close(); err != nil {
		return fmt.Errorf("close base: %w", err)
	}
	return nil
}

// become takes a new state, and into the history what it displaced.
func (s *Store) become(next state, displaced []tree.Change) {
	s.state = next
	for _, c := range displaced {
		s.hist.note(c)
	}
}

func (s *Store) append(site fsx.Site, rec []byte) error {
	if s.broken != nil {
		return s.broken
	}
	return s.log.Append(site, rec)
}

// commit appends a record and makes it durable. When that fails, the record is
// taken back.
func (s *Store) commit(site fsx.Site, rec []byte) error {
	if err := s.append(site+".truncate", rec); err != nil {
		return err
	}
	return s.log.Sync(site + ".sync")
}

func checkRules(rules string) error {
	if len(rules) > MaxRules {
		return fmt.Errorf("rules of %d bytes are longer than %d", len(rules), MaxRules)
	}
	return nil
}

// mustBeClear keeps out what nobody can have agreed on.
func mustBeClear(e *tree.Entry) {
	if e.Murky() {
		panic("base: internal error: unknown or opaque entry in base")
	}
}

var (
	errOtherEpoch = errors.New("not of the epoch that base is in")
	errOldGen     = errors.New("the generation was reached before")
	errHighGen    = errors.New("the generation is higher than can be read again")
	errNoDir      = errors.New("below what is no directory in base")
)
