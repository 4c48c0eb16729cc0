package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/names"
	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// drainTime is how long a session that is to end waits for what is in flight to
// land, and for what was agreed to become durable. Without it nothing is lost, but
// looked at again; and whoever goes on with a file of which nobody knows that it
// was agreed on has a conflict.
const drainTime = time.Second

// Session is a running session.
type Session struct {
	// config
	cfg     Config
	machine Machine

	// state, owned by the loop but for the queues
	engine    *engine.State
	events    *queue[event]
	keeps     lane // what goes to the keep store, one after the other
	base      *ledger
	remote    replica.Replica // the container's; nil while it is lost
	remotes   sides           // the same, for those who are not the loop
	inline    pocket
	seen      *replica.Identity // the container's, of the last connection; feedContainer's own
	wake      time.Time         // when the engine wants to be told that time has passed; zero: never
	stopBy    time.Time         // when a session that is to end does; zero: it is not to
	strays    [2]chan struct{}  // a token for each stray that may yet wait to be kept, by side
	unkept    [2]int            // strays that are to be tried again, by side; maxStrays at most
	large     [2]chan struct{}  // a token for a large report that waits for the loop, by side
	waiters   map[uint64]func(error)
	unsettled [2]int // how often in a row a side could not make changes durable
	lastN     uint64
	told      teller
	since     time.Time
	crew      *crew
	ctx       context.Context // of the replicas: outlives the caller's by drainTime
}

// maxStrays bounds the strays of a side that wait to be kept: each may have a
// path and a reason of 70 kB. While there are more its reports wait.
const maxStrays = 500

// largeReport is what a report may take of memory, roughly, without being a large
// one. Of large ones, which may take a gigabyte and seconds of the loop, one waits
// at a time: dozens could fill any memory, and keep the end of a session waiting.
const largeReport = 256 << 10

// event is what the loop takes in: a step of the engine, or something about
// the session itself.
type event func(*Session) error

// maxEvents bounds those that wait for the loop: whoever has another waits.
const maxEvents = 64

// errDone ends the loop without an error.
var errDone = errors.New("done")

// New returns a session; nothing happens before Run.
func New(cfg Config) *Session {
	m := cfg.Machine
	if m == nil {
		m = system{}
	}
	return &Session{
		cfg: cfg, machine: m, events: newQueue[event](m, maxEvents), base: newLedger(m, cfg.Base, cfg.Was),
		waiters: make(map[uint64]func(error)), since: m.Now(),
		told: teller{tell: cfg.Tell, now: m.Now}, keeps: newLane(m),
		strays: [2]chan struct{}{tokens(maxStrays), tokens(maxStrays)},
		large:  [2]chan struct{}{tokens(1), tokens(1)},
	}
}

// Run keeps the two sides the same until ctx is done (it returns nil then), or
// Once is reached, or something stops it: a *HaltError, whatever Dial or Start of
// the first connection said, or an agent that breaks the protocol.
func (s *Session) Run(ctx context.Context) error {
	s.crew = newCrew(context.WithoutCancel(ctx), s.machine)
	s.ctx = s.crew.ctx
	defer s.crew.cancel(nil)
	id, err := s.begin()
	if err != nil {
		return err
	}
	s.crew.do(func(ctx context.Context) error { return ended(s.cfg.Host.Run(ctx), ctx) })
	s.crew.do(func(ctx context.Context) error { return s.feedHost(ctx, id) })
	s.crew.do(s.feedContainer)
	s.crew.do(s.keeps.run)
	s.crew.do(s.base.run)
	s.crew.do(s.loop)
	s.crew.do(func(inner context.Context) error { return s.stopWith(inner, ctx) })
	if err := s.crew.wait(); !errors.Is(err, errDone) {
		return err
	}
	return nil
}

// ended makes the end that we asked for no error.
func ended(err error, ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// begin opens the host's root and restricts base to what the rules cover now.
func (s *Session) begin() (replica.Identity, error) {
	id, err := s.cfg.Host.Start(s.ctx, replica.Start{Rules: s.cfg.Rules.Text()})
	if err != nil {
		return id, err
	}
	s.told.facts[replica.Host] = id.Facts
	was := s.cfg.Was
	if was.Lost != "" {
		s.told.say(Event{Kind: Warning, Text: "what was last agreed can't be read: " + was.Lost,
			Remedy: "nothing is deleted because of it; both sides are compared as if for the first time"})
	}
	if was.Tree != nil && was.Rules != s.cfg.Rules.Text() {
		was.Tree = covered("", was.Tree, s.cfg.Rules)
		if err := s.cfg.Base.SetRules(s.cfg.Rules.Text(), was.Tree); err != nil {
			return id, err
		}
	}
	s.base.met(id)
	s.engine = engine.New(was.Tree, engine.Options{
		Winner: winner(s.cfg.Take), Mirror: s.cfg.Take == "host", Forced: s.cfg.Take != "",
		Known: s.base.knows, Conflicts: s.cfg.Keep.Conflicts(), Braked: was.Epoch.Braked, OneWay: s.cfg.OneWay, Guard: s.cfg.Guard, Dependency: s.dependency,
	})
	return id, nil
}

// dependency says whether path is a folder of dependencies about which no rule
// of the user's says anything: "!vendor" does.
func (s *Session) dependency(path string) bool {
	_, name := tree.Split(path)
	if !slices.Contains(ignore.DependencyFolders[:], name) {
		return false
	}
	p, ok := s.cfg.Rules.Rule(path, true)
	return !ok || p.Source == ignore.BuiltInSource
}

func winner(take string) tree.Side {
	if take == "container" {
		return tree.Container
	}
	return tree.Host
}

// covered returns e without what the rules ignore.
func covered(path string, e *tree.Entry, rules *ignore.Rules) *tree.Entry {
	for name, child := range e.Children() {
		if rules.Match(path, name, child.IsDir()) {
			e = e.With(name, nil)
		} else if child.IsDir() {
			e = e.With(name, covered(tree.Join(path, name), child, rules))
		}
	}
	return e
}

// loop owns the engine. It waits for nothing but the next event.
func (s *Session) loop(ctx context.Context) error {
	for {
		for _, e := range append(s.events.take(), s.due()...) {
			if err := e(s); err != nil {
				return err
			}
			if s.engine.Durable() && (s.stopping() && !s.engine.Flying() || s.cfg.Once && s.engine.InSync()) {
				return s.writtenDown(ctx)
			}
		}
		if err := s.machine.Wait(ctx, s.events.ready, s.patience()); err != nil {
			return err
		}
	}
}

// due returns the event that is the time, if it is.
func (s *Session) due() []event {
	now := s.machine.Now()
	switch {
	case s.stopping() && !now.Before(s.stopBy):
		return []event{func(*Session) error { return errDone }}
	case !s.wake.IsZero() && !now.Before(s.wake):
		s.wake = time.Time{}
		return []event{func(s *Session) error { return s.step(engine.Tick{}) }}
	}
	return nil
}

// patience is how long the loop may wait.
func (s *Session) patience() time.Duration {
	d, now := forever, s.machine.Now()
	for _, t := range [...]time.Time{s.wake, s.stopBy} {
		if left := max(t.Sub(now), 0); !t.IsZero() && (d < 0 || left < d) {
			d = left
		}
	}
	return d
}

// stopWith stops the session when the caller's ctx is done.
func (s *Session) stopWith(ctx, callers context.Context) error {
	if s.machine.Wait(ctx, callers.Done(), forever) == nil {
		s.send(ctx, (*Session).stop)
	}
	return nil
}

// stop ends the session when what was agreed to is durable, or drainTime over.
func (s *Session) stop() error {
	s.stopBy = s.machine.Now().Add(drainTime)
	return nil
}

func (s *Session) stopping() bool { return !s.stopBy.IsZero() }

// writtenDown ends the loop once base has done what it was handed.
func (s *Session) writtenDown(ctx context.Context) error {
	done := make(chan struct{})
	s.base.do(func(*ledger) error { close(done); return nil })
	if err := s.machine.Wait(ctx, done, drainTime); err != nil {
		return err
	}
	return errDone
}

// send hands the loop an event.
func (s *Session) send(ctx context.Context, e event) error { return s.events.put(ctx, e) }

// step tells the engine what happened and carries out what it says.
func (s *Session) step(e engine.Event) error {
	effects := s.engine.Step(s.machine.Now(), e)
	s.told.plan(s.engine, effects)
	for _, f := range effects {
		if err := s.act(f); err != nil {
			return err
		}
	}
	return nil
}

// feedHost brings the host's reports to the loop.
func (s *Session) feedHost(ctx context.Context, id replica.Identity) error {
	if err := s.send(ctx, func(s *Session) error {
		return s.step(engine.Joined{Side: tree.Host, Gen: id.Gen, NoExec: id.Facts.NoExec, Names: namesOn(tree.Host, id.Facts)})
	}); err != nil {
		return nil
	}
	for {
		r, err := s.cfg.Host.Next(ctx)
		if err != nil {
			return ended(fmt.Errorf("the host's directory: %w", err), ctx)
		}
		if s.reported(ctx, replica.Host, s.cfg.Host, r) != nil {
			return nil
		}
	}
}

// namesOn says what names a side can hold. The host's system is this one; the agent
// runs on Linux, which can hold any.
func namesOn(side replica.Side, f replica.Facts) reconcile.Names {
	n := reconcile.Names{Fold: names.Fold(f.FoldsCase, f.FoldsNFC)}
	if side == replica.Host {
		n.Bad = names.Bad(runtime.GOOS)
	}
	return n
}

// reported hands the loop a report, and waits for a place where it is a stray or
// large.
func (s *Session) reported(ctx context.Context, side replica.Side, from replica.Replica, r replica.Report) error {
	if r.Stray != nil {
		if err := s.machine.Wait(ctx, s.strays[side], forever); err != nil {
			return err
		}
	}
	if !isLarge(r) {
		return s.send(ctx, func(s *Session) error { return s.report(side, from, r) })
	}
	if err := s.machine.Wait(ctx, s.large[side], forever); err != nil {
		return err
	}
	return s.send(ctx, func(s *Session) error {
		defer func() { s.large[side] <- struct{}{} }()
		return s.report(side, from, r)
	})
}

func isLarge(r replica.Report) bool {
	cost := 0
	add := func(path string, e *tree.Entry) {
		cost += len(path) + 256*int(1+e.Count())
	}
	switch {
	case r.Observed != nil:
		for _, x := range r.Observed.Seen {
			add(x.Path, x.Entry)
		}
	case r.Outcome != nil:
		for _, x := range r.Outcome.Results {
			add(x.Path, x.Entry)
		}
	}
	return cost > largeReport
}

// report translates a side's report into a step.
func (s *Session) report(side replica.Side, from replica.Replica, r replica.Report) error {
	switch {
	case r.Observed != nil:
		s.inline.put(r.Observed.Contents)
		o := engine.Observed{Side: side, Whole: r.Observed.Whole}
		for _, seen := range r.Observed.Seen {
			o.Seen = append(o.Seen, engine.Seen(seen))
		}
		if err := s.step(o); err != nil {
			return err
		}
		return s.bounded(side)
	case r.Outcome != nil:
		o := engine.Outcome{Side: side, Batch: r.Outcome.Batch, Done: r.Outcome.Done}
		for _, x := range r.Outcome.Results {
			o.Results = append(o.Results, engine.Result{Path: x.Path, Entry: x.Entry, Status: engine.Status(x.Status), Reason: x.Reason})
		}
		s.told.outcome(side, r.Outcome)
		return s.step(o)
	case r.Durable != nil:
		if err := s.settled(side, r.Durable.Err); err != nil {
			return err
		}
		return s.step(engine.Durable{Side: side, Gen: r.Durable.Gen, Err: r.Durable.Err})
	case r.Flushed != nil:
		return s.step(engine.Flushed{Side: side, N: r.Flushed.N})
	case r.Stray != nil:
		s.rescue(side, from, *r.Stray, 0)
	case r.Notice != nil:
		return s.notice(side, *r.Notice)
	case r.Progress != nil:
		s.told.progress(side, *r.Progress)
	}
	return nil
}

// maxEntries bounds what a side may hold (CASES §4.3.6): no message or base with
// more could be read. A variable for tests.
var maxEntries int64 = 5 << 20

// bounded halts when a side holds more than can be kept in mind.
func (s *Session) bounded(side replica.Side) error {
	n := s.engine.Tree(side).Count()
	if n <= maxEntries {
		return nil
	}
	return &HaltError{
		Reason: fmt.Sprintf("the %s holds %d files and directories, and %d are the most that can be synced", side, n, maxEntries),
		Remedy: "leave out what need not be on both sides with --ignore or --keep",
	}
}

// notice passes on what a side has to say, or ends the session because of it.
func (s *Session) notice(side replica.Side, n replica.Notice) error {
	if n.Level == replica.Halt {
		return &HaltError{Reason: n.Text, Remedy: n.Remedy}
	}
	kind := Note
	if n.Level == replica.Warn {
		kind = Warning
	}
	s.told.say(Event{Kind: kind, Side: side.String(), Text: n.Text, Remedy: n.Remedy})
	return nil
}

// other returns where a side's contents come from.
func (s *Session) other(side replica.Side) replica.Source {
	if side == replica.Container {
		return s.cfg.Host
	}
	return s.remotes.source()
}
