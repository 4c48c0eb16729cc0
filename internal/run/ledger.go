package run

import (
	"context"
	"sync"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// ledger is base with a lane of its own: appending and syncing must not hold
// up a save.
type ledger struct {
	lane  lane
	mu    sync.Mutex
	host  replica.Identity // guarded by mu
	store *base.Store      // guarded by mu

	settledOnce bool   // guarded by mu: the first contact of this epoch is over
	intended    uint64 // guarded by mu: the last generation with an intent
}

func newLedger(m Machine, store *base.Store, was base.Loaded) *ledger {
	return &ledger{lane: newLane(m), store: store, settledOnce: was.Settled, intended: max(was.PendingGen, was.Epoch.Gen)}
}

func (l *ledger) do(f func(*ledger) error) {
	l.lane.do(func(context.Context) error { return f(l) })
}

func (l *ledger) run(ctx context.Context) error { return l.lane.run(ctx) }

func (l *ledger) knows(path string, e *tree.Entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.Knows(path, e)
}

func (l *ledger) intend(gen uint64, paths []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if gen <= l.store.Epoch().Gen {
		return nil // of a connection that was lost
	}
	l.intended = max(l.intended, gen)
	return l.store.Intend(gen, paths)
}

func (l *ledger) syncIntents() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.SyncIntents()
}

func (l *ledger) commit(gen uint64, updates []tree.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.store.Epoch()
	if gen <= e.Gen {
		return nil
	}
	e.Gen = gen
	l.host.Gen = gen // which both sides have recorded
	return l.store.Commit(e, updates)
}

func (l *ledger) settled() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settledOnce = true
	return l.store.SetSettled()
}

// known says whether base holds for this pair of replicas: they are the ones
// that met last, and no generation is there that base can't explain.
func (l *ledger) known(container replica.Identity) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settledOnce && l.store.Epoch().Container == container.ID &&
		container.ID != replica.ID{} && l.explainsLocked(container) && l.knowsHostLocked()
}

// explains says whether a replica's generation is one that it can have reached. A
// container that was set back to a snapshot has an earlier one.
func (l *ledger) explains(id replica.Identity) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.explainsLocked(id)
}

// explainsLocked says whether base accounts for a replica's generation: it was
// committed, or intended by a commit that a crash cut short.
func (l *ledger) explainsLocked(id replica.Identity) bool {
	gen := l.store.Epoch().Gen
	return id.Gen == gen || id.Gen > gen && id.Gen <= l.intended
}

// knowsHostLocked says whether the host's replica is that of the epoch. One that
// was cloned anew or came back from a backup is another.
func (l *ledger) knowsHostLocked() bool {
	return l.host.ID != replica.ID{} && l.store.Epoch().Host == l.host.ID && l.explainsLocked(l.host)
}

// blank says what the first contact that is to begin has to know of the host: its
// replica is new, and it was empty. An earlier one that did not come to its end
// knew.
func (l *ledger) blank() (hostNew, filling bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.store.Epoch()
	switch {
	case !l.knowsHostLocked():
		return true, false
	case l.settledOnce:
		return false, false
	}
	return e.HostNew, e.Filling
}

// filling notes that the host was empty.
func (l *ledger) filling() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.SetFilling()
}

// brake notes whether deletions of the container are held.
func (l *ledger) brake(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.SetBraked(on)
}

// last returns the latest generation that anybody here has seen. A container's
// that is later is not of this epoch: it is given another identity, and what it
// claims must not become the host's.
func (l *ledger) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.store.Epoch().Gen, l.host.Gen, l.intended)
}

// locked is Disk.Locked for the ledger.
func (l *ledger) locked() bool {
	if !l.mu.TryLock() {
		return true
	}
	l.mu.Unlock()
	return false
}

// met notes who the host's replica is.
func (l *ledger) met(host replica.Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.host = host
}

// epoch returns the epoch that begins with a new container's replica.
func (l *ledger) epoch(container replica.ID, j engine.Joined) base.Epoch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.host.ID == (replica.ID{}) {
		l.host.ID = l.lane.machine.NewID()
	}
	l.host.Gen = j.Gen
	return base.Epoch{Host: l.host.ID, Container: container, Gen: j.Gen, HostNew: j.HostNew, Filling: j.Filling}
}

// begin begins an epoch.
func (l *ledger) begin(e base.Epoch, rules string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settledOnce, l.intended = false, e.Gen
	return l.store.Begin(e, rules, nil)
}
