package disk

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// privateName is our folder at the root: the lock, the replica tokens, intents,
// slots. It never syncs, and ignores itself in git.
const privateName = ".twosync"

// Options are a Disk's choices; the zero value is the default.
type Options struct {
	// FS is the file system; fsx.OS() when nil.
	FS fsx.FS
	// Clock is the time; the system's when nil.
	Clock replica.Clock
	// Source watches a root; watch.Open when nil.
	Source func(root string) (watch.Source, error)
	// Each runs f for 0 to n-1, side by side where it can, and returns when
	// all have ended; goroutines on every core when nil.
	Each func(n int, f func(i int))
	// NewID returns an ID that nobody has; a random one when nil.
	NewID func() replica.ID
	// Stage is a folder outside the root for files that are being built, for
	// this root alone. It is used if a probe shows that a rename from there
	// into the root works.
	Stage string
	// Session names the session where several meet on this root in turn. Each
	// knows this replica by a token of its own.
	Session string
	// Holder is what the lock says of its holder, for whoever finds it taken.
	Holder string
	// LockWait is how long to wait for a lock that somebody has.
	LockWait time.Duration
	// Make makes a missing root.
	Make bool
	// Displaced takes over a file that was replaced or deleted, by a rename or
	// a copy; nil: it is dropped.
	Displaced func(dir fsx.Dir, name string, was Past) error
	// DisplacedDone is called after some calls of Displaced; nil: nobody has to
	// know.
	DisplacedDone func() error
	// Sweep is how often everything is statted although nothing was noticed; 0
	// is 15 minutes, or less where the kernel does not notice all.
	Sweep time.Duration
}

// Past is what a path held before it was replaced or deleted.
type Past struct {
	Path  string
	Entry *tree.Entry
	Why   string // "replaced" or "deleted"
	At    time.Time
}

// Disk is a replica on a file system. Its methods are those of
// replica.Replica, and Run.
type Disk struct {
	// config
	path     string
	opt      Options
	rules    *ignore.Rules
	facts    replica.Facts
	granule  int64
	deaf     bool   // the kernel does not tell all that is written
	uid, gid uint32 // of what we make
	boot     string // names the machine's current boot; empty when that is not known

	// state
	root    fsx.Dir
	above   fsx.Dir // the directory that the root is in; may be nil
	rootIno uint64
	rootDev uint64
	own     atomic.Pointer[own] // what it points to never changes
	watch   watch.Source
	started chan struct{}
	out     queue
	slots   slots
	cleanBy time.Time // set by Close, when nobody else is at work
	intents intents
	settles chan replica.Settle
	chores  chan struct{}
	life    context.Context // ends with Close
	end     context.CancelFunc
	loops   sync.WaitGroup // Run

	tokenMu  sync.Mutex
	id       replica.ID  // guarded by tokenMu
	gen      uint64      // guarded by tokenMu: the last that was recorded
	cantGive atomic.Bool // new files can't be given to another owner

	saidLinked atomic.Bool

	sweeps sweeps   // owned by the watch loop
	young  []string // owned by the watch loop: directories whose stats are to be proven

	mu         sync.Mutex
	index      index               // guarded by mu
	settle     watch.Settle        // guarded by mu
	leased     map[string]int      // guarded by mu: paths a batch is at work on
	again      map[string]asked    // guarded by mu: looks to be made whatever the watch says
	saw        sights              // guarded by mu: what is just being committed
	retry      retry               // guarded by mu
	links      map[uint64][]string // guarded by mu: the names of files that have several, by inode
	single     []uint64            // guarded by mu: inodes in links that may have had a name before
	forced     map[string]bool     // guarded by mu: paths to report even if nothing changed
	touched    map[string]struct{} // guarded by mu: paths set by batches during a scan; nil when there is none
	flushes    []flush             // guarded by mu
	polled     map[string]struct{} // guarded by mu: directories without a watch
	saidPolled bool                // guarded by mu
	lastEvent  time.Time           // guarded by mu
	restless   bool                // guarded by mu: some stats may not be proven
	unsaved    bool                // guarded by mu: the stat cache is older than the index
	begunAt    time.Time           // guarded by mu: when the first scan was over
	savedAt    time.Time           // guarded by mu
	saveDue    bool                // guarded by mu
	choring    bool                // guarded by mu: chores were ordered and are not done
	gone       bool                // guarded by mu: the root is; nothing is applied any more
	closed     bool                // guarded by mu
}

// New returns a Disk on the directory at path. Nothing is touched before Start.
func New(path string, opt Options) *Disk {
	if opt.FS == nil {
		opt.FS = fsx.OS()
	}
	if opt.Clock == nil {
		opt.Clock = systemClock{}
	}
	if opt.Source == nil {
		opt.Source = watch.Open
	}
	if opt.NewID == nil {
		opt.NewID = newID
	}
	if opt.Each == nil {
		opt.Each = newEach(workers())
	}
	d := &Disk{
		path: path, opt: opt,
		settles: make(chan replica.Settle, maxSettles),
		chores:  make(chan struct{}, 1),
		started: make(chan struct{}),
		leased:  make(map[string]int),
		again:   make(map[string]asked),
		forced:  make(map[string]bool),
		polled:  make(map[string]struct{}),
	}
	d.life, d.end = context.WithCancel(context.Background())
	d.out.init()
	id := opt.NewID()
	d.slots.prefix = hex.EncodeToString(id[:8])
	d.settle.Known = d.knows
	return d
}

// knows says whether an absence at path is news. Where a batch is at work it
// may be: the index learns of what was put there a moment after everybody else
// can see it, and take it away again. The same goes for what is just being
// committed. And whoever asked wants to know. Callers hold mu.
func (d *Disk) knows(path string) bool {
	return d.forced[path] || d.leasedAt(path) || tree.Get(d.index.tree, path) != nil || d.saw.holds(path)
}

// maxSettles bounds the groups that wait for durability; the engine has one in
// flight, so more is a bug or a hostile host.
const maxSettles = 16

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Start implements replica.Replica. When it fails it has given back the lock;
// whoever waits in Next waits on until Close.
func (d *Disk) Start(ctx context.Context, s replica.Start) (replica.Identity, error) {
	id, err := d.start(ctx, s)
	if err != nil {
		d.giveBack()
		return replica.Identity{}, err
	}
	close(d.started)
	return id, nil
}

func (d *Disk) start(ctx context.Context, s replica.Start) (id replica.Identity, err error) {
	if d.rules, err = ignore.ParseText(s.Rules); err != nil {
		return id, fmt.Errorf("read rules: %w", err)
	}
	if d.path, err = filepath.Abs(d.path); err != nil {
		return id, fmt.Errorf("open %s: %w", d.path, err)
	}
	d.boot = d.bootID()
	folders := func() error { return d.openOwn(ctx) }
	for _, step := range []func() error{d.openRoot, folders, d.probe} {
		if err := step(); err != nil {
			return id, err
		}
	}
	if id.ID, id.Gen, err = d.readToken(); err != nil {
		return id, err
	}
	d.id, d.gen = id.ID, id.Gen
	if err := d.recoverSlots(); err != nil {
		return id, err
	}
	if err := d.openWatch(); err != nil {
		return id, err
	}
	id.Root, id.Boot, id.Facts = d.path, d.boot, d.facts
	if real, err := filepath.EvalSymlinks(d.path); err == nil {
		id.Root = real
	}
	return id, nil
}

// openWatch opens the best source that there is.
func (d *Disk) openWatch() (err error) {
	d.watch, err = d.opt.Source(d.path)
	if limit, ok := errors.AsType[*watch.LimitError](err); ok {
		d.watch, err = watch.NewPoll(watch.PollInterval), nil
		d.report(replica.Report{Notice: &replica.Notice{Level: replica.Warn, Remedy: limit.Remedy,
			Text: "changes can't be watched: " + limit.Error() + "; everything is looked at every few seconds"}})
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", d.path, err)
	}
	d.settle.Precise, d.facts.Watch = d.watch.Precise(), d.watch.Mode()
	d.deaf = d.facts.Watch == "poll"
	d.sweeps.every = cmp.Or(d.opt.Sweep, sweepEvery)
	switch fs := d.opt.FS.Magic(d.root); fs {
	case "nfs", "9p", "cifs", "smb2", "smb", "smbfs", "ceph", "afs", "vboxsf":
		d.deaf, d.sweeps.every = true, min(d.sweeps.every, farEvery)
		d.report(replica.Report{Notice: &replica.Notice{Level: replica.Info,
			Text: d.path + " is on " + fs + ": what other machines change there is noticed within seconds, not at once"}})
	}
	return nil
}

// Next implements replica.Replica.
func (d *Disk) Next(ctx context.Context) (replica.Report, error) { return d.out.next(ctx) }

// Close implements replica.Replica. It ends Run and waits for that: nothing is
// asked of the watch after it was closed.
func (d *Disk) Close() error {
	d.out.close(fs.ErrClosed)
	return d.giveBack()
}

// giveBack ends everything but the queue of reports, once.
func (d *Disk) giveBack() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	d.end()
	d.loops.Wait()
	d.cleanBy = d.opt.Clock.Now().Add(closeFor)
	var errs []error
	if d.watch != nil {
		errs = append(errs, d.watch.Close(), d.cleanSlots(true), d.saveCache())
	}
	errs = append(errs, d.intents.close())
	for _, dir := range []fsx.Dir{d.above, d.root} {
		if dir != nil {
			errs = append(errs, dir.Close())
		}
	}
	if o := d.own.Load(); o != nil {
		errs = append(errs, o.close())
	}
	return errors.Join(errs...)
}

// Locked says whether a lock is held. It is for who drives a disk in a single
// goroutine: nothing else of it may be called then, which would only wait.
func (d *Disk) Locked() bool {
	for _, mu := range [...]*sync.Mutex{&d.mu, &d.tokenMu, &d.intents.mu, &d.slots.mu} {
		if !mu.TryLock() {
			return true
		}
		mu.Unlock()
	}
	return false
}

// ignored says whether the rules leave out a name.
func (d *Disk) ignored(parent, name string, isDir bool) bool {
	return d.rules.Match(parent, name, isDir)
}

// report puts r behind everything that was reported before. Callers that speak
// of paths hold mu, so that reports are in the order of the index.
func (d *Disk) report(r replica.Report) { d.out.put(r) }
