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
	"golang.org/x/sync/errgroup"
)

// drainTime is how long a session that is to end waits for what was agreed to
// become durable. Without it nothing is lost, but looked at again.
const drainTime = time.Second

// Session is a running session.
type Session struct {
	// config
	cfg Config

	// state, owned by the loop but for the channels
	engine  *engine.State
	events  chan event
	keeps   lane // what goes to the keep store, one after the other
	base    *ledger
	remote  replica.Replica // the container's; nil while it is lost
	remotes sides           // the same, for those who are not the loop
	inline  pocket
	seen    *replica.Identity // the container's, of the last connection; feedContainer's own
	timer   *time.Timer
	strays  [2]chan struct{} // a place for each stray that waits to be kept, by side
	large   [2]chan struct{} // a place for a large report that waits for the loop, by side
	waiters map[uint64]chan<- error
	lastN   uint64
	told    teller
	since   time.Time
	group   *errgroup.Group
	ctx     context.Context // of the replicas: outlives the caller's by drainTime
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

// errDone ends the loop without an error.
var errDone = errors.New("done")

// New returns a session; nothing happens before Run.
func New(cfg Config) *Session {
	return &Session{
		cfg: cfg, events: make(chan event, 64), base: newLedger(cfg.Base, cfg.Was),
		waiters: make(map[uint64]chan<- error), since: time.Now(),
		told: teller{tell: cfg.Tell}, keeps: newLane(),
		strays: [2]chan struct{}{make(chan struct{}, maxStrays), make(chan struct{}, maxStrays)},
		large:  [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)},
	}
}

// Run keeps the two sides the same until ctx is done (it returns nil then), or
// Once is reached, or something stops it: a *HaltError, whatever Dial or Start of
// the first connection said, or an agent that breaks the protocol.
func (s *Session) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.group, s.ctx = errgroup.WithContext(inner)
	id, err := s.begin()
	if err != nil {
		return err
	}
	s.group.Go(func() error { return ended(s.cfg.Host.Run(s.ctx), s.ctx) })
	s.group.Go(func() error { return s.feedHost(s.ctx, id) })
	s.group.Go(func() error { return s.feedContainer(s.ctx) })
	s.group.Go(func() error { return s.keeps.run(s.ctx) })
	s.group.Go(func() error { return s.base.run(s.ctx) })
	s.group.Go(func() error { return s.loop(ctx) })
	err = s.group.Wait()
	if errors.Is(err, errDone) {
		return nil
	}
	return err
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
	s.timer = time.NewTimer(time.Hour)
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
	defer s.timer.Stop()
	var drained <-chan time.Time
	stop := ctx.Done()
	for {
		var err error
		select {
		case e := <-s.events:
			err = e(s)
		case <-s.timer.C:
			err = s.step(engine.Tick{})
		case <-stop:
			stop, drained = nil, time.After(drainTime)
		case <-drained:
			return errDone
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		if err != nil {
			return err
		}
		if s.engine.Durable() && (stop == nil || s.cfg.Once && s.engine.InSync()) {
			return s.writtenDown()
		}
	}
}

// writtenDown ends the loop once base has done what it was handed.
func (s *Session) writtenDown() error {
	done := make(chan struct{})
	s.base.do(func(*ledger) error { close(done); return nil })
	select {
	case <-done:
	case <-time.After(drainTime):
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	return errDone
}

// send hands the loop an event.
func (s *Session) send(ctx context.Context, e event) error {
	select {
	case s.events <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// step tells the engine what happened and carries out what it says.
func (s *Session) step(e engine.Event) error {
	effects := s.engine.Step(time.Now(), e)
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
		select {
		case s.strays[side] <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !isLarge(r) {
		return s.send(ctx, func(s *Session) error { return s.report(side, from, r) })
	}
	select {
	case s.large[side] <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.send(ctx, func(s *Session) error {
		defer func() { <-s.large[side] }()
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
		if r.Durable.Err != "" {
			s.told.say(Event{Kind: Warning, Side: side.String(), Text: "can't make changes durable: " + r.Durable.Err, Remedy: "it is tried again"})
		}
		return s.step(engine.Durable{Side: side, Gen: r.Durable.Gen, Err: r.Durable.Err})
	case r.Flushed != nil:
		return s.step(engine.Flushed{Side: side, N: r.Flushed.N})
	case r.Stray != nil:
		s.rescue(side, from, *r.Stray)
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
