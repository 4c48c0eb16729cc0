package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// world is everything around an engine: two sides that hold trees, users that
// edit them, a base, a keep store, and machinery that carries out effects at
// moments that a seed decides. Whatever happens, happens in one goroutine.
type world struct {
	config
	r     *rand.Rand
	now   time.Time
	s     *engine.State
	side  [2]*fake
	store store
	kept  map[written]bool
	live  map[written]bool // contents that a user wrote and no user gave up
	ever  map[written]bool // all that they wrote
	misc  []engine.Event   // of base and the keep store
	tasks []task
	alarm time.Time
	fresh bool // the container's replica is a new one
	// intact: the container was lost, and has lost nothing
	intact bool

	last    int // the last content that was written
	lastN   uint64
	flushes map[uint64]*flush
	applies map[string]int
	keeps   int
	synced  int
	halted  string
	guarded map[string]bool // deletions that the brake held, until it is off
	meant   map[string]bool // those of them that the user accepted
	allowed map[string]bool // guarded paths that the user accepted
	upset   bool            // something happened by which one person's work can look like two's
	log     *strings.Builder
}

// config is what a history is like.
type config struct {
	before  int // operations before anything is connected
	ops     int
	cut     map[int]bool // operations to leave out
	writers [2]bool
	faults  bool // other than a lost connection
	losses  bool // of the connection
	noExec  [2]bool
	guard   bool  // paths with a-b in them are guarded
	most    int64 // deletions that need no word; 0: as many as ever
	opt     engine.Options
}

// written is a content and where it is.
type written struct{ path, content string }

type flush struct {
	was     [2]*tree.Entry
	edited  []string // since
	excused bool     // a connection was lost since
}

// bad is what a world panics with when a promise is broken.
type bad string

func (w *world) fail(format string, args ...any) { panic(bad(fmt.Sprintf(format, args...))) }

func (w *world) logf(format string, args ...any) {
	if w.log != nil {
		fmt.Fprintf(w.log, format+"\n", args...)
	}
}

func newWorld(c config, log *strings.Builder) *world {
	w := &world{
		config: c, now: time.Unix(1e9, 0), log: log,
		kept: map[written]bool{}, live: map[written]bool{}, ever: map[written]bool{},
		guarded: map[string]bool{}, meant: map[string]bool{}, allowed: map[string]bool{},
		flushes: map[uint64]*flush{}, applies: map[string]int{},
		store: store{tree: tree.NewDir(nil), values: map[string][]string{}},
	}
	for i := range w.side {
		root := tree.NewDir(nil).With("z", fileOf("z"))
		w.side[i] = &fake{real: root, durable: root}
		w.side[i].reset()
	}
	return w
}

// start makes a host with base, and connects both sides.
func (w *world) start(opt engine.Options) {
	opt.Known, opt.MostDeletions, opt.Braked = w.store.knows, w.most, w.store.braked
	if w.guard {
		opt.Guard = func(path string, _ bool) string { return map[bool]string{true: "guarded"}[guarded(path)] }
	}
	w.s = engine.New(w.store.tree, opt)
	w.alarm = time.Time{}
	w.join(tree.Host)
	w.join(tree.Container)
}

func (w *world) join(on tree.Side) {
	f := w.side[on]
	first := on == tree.Container && (w.fresh || !w.store.settled)
	if first {
		w.commits()
		w.store.tree, w.store.settled, w.fresh = tree.NewDir(nil), false, false
		for at := range leaves(f.real) {
			if !w.ever[at] {
				w.live[at], w.ever[at] = true, true // an image may bring along somebody's work
			}
		}
	}
	kept := on == tree.Container && w.intact && !first && w.r.IntN(2) == 0
	w.upset = w.upset || w.intact && !kept && w.writers[tree.Container]
	w.intact = false
	w.logf("join %v first=%v kept=%v", on, first, kept)
	f.joined, f.told, f.hints = true, f.real, nil
	w.step(engine.Joined{Side: on, First: first, Kept: kept, Gen: w.store.gen, NoExec: w.noExec[on]})
	f.queue = append(f.queue, engine.Observed{Side: on, Whole: true, Seen: []engine.Seen{{Entry: f.real}}})
}

// step tells the engine what happened and takes in what is to be done.
func (w *world) step(e engine.Event) {
	if w.log != nil {
		w.logf("%5d %s", w.now.Sub(time.Unix(1e9, 0)).Milliseconds(), show(e))
	}
	effects := w.s.Step(w.now, e)
	for _, f := range effects {
		if w.log != nil {
			w.logf("        -> %s", show(f))
		}
		w.do(f)
	}
	if w.store.braked {
		for _, path := range w.braked() {
			w.guarded[path] = true
		}
		if len(w.braked()) == 0 && w.s.InSync() {
			clear(w.guarded) // it is over
		}
	}
}

// do begins an effect.
func (w *world) do(f engine.Effect) {
	switch f := f.(type) {
	case engine.Apply:
		w.checkApply(f)
		w.tasks = append(w.tasks, &applying{Apply: f, inline: w.r.IntN(2) == 0})
	case engine.Keep:
		w.keeps++
		w.tasks = append(w.tasks, &once{f.Side, func() { w.keep(f) }, false})
	case engine.Settle:
		w.checkSettle(f)
		w.tasks = append(w.tasks, &once{f.Side, func() { w.settle(f) }, true})
	case engine.Commit:
		w.tasks = append(w.tasks, &committing{f})
	case engine.Look:
		if w.side[f.Side].joined {
			w.tasks = append(w.tasks, &once{f.Side, func() { w.report(f.Side, f.Paths...) }, true})
		}
	case engine.AskFlush:
		w.tasks = append(w.tasks, &once{f.Side, func() { w.flushed(f) }, true})
	case engine.Intend:
		w.store.intended = max(w.store.intended, f.Gen)
	case engine.Wake:
		w.alarm = f.At
	case engine.InSync:
		w.synced++
		w.checkInSync()
	case engine.FlushDone:
		w.checkFlush(f.N)
	case engine.FirstDone:
		w.store.settled = true
	case engine.Brake:
		if w.store.braked = f.On; !f.On {
			clear(w.guarded)
			clear(w.meant)
		}
	case engine.Halt:
		w.halted = f.Reason
	}
}

// task is an effect under way; once it has been done, it is.
type task interface {
	on() tree.Side
	run(w *world) (done bool)
}

type once struct {
	side tree.Side
	f    func()
	dies bool // with the connection
}

func (o *once) on() tree.Side       { return o.side }
func (o *once) run(*world) (_ bool) { o.f(); return true }

type committing struct{ f engine.Commit }

func (c *committing) on() tree.Side         { return tree.Host }
func (c *committing) run(w *world) (_ bool) { w.commit(c.f); return true }

// applying makes the changes of a batch in any order, one at a time.
type applying struct {
	engine.Apply
	inline bool // contents rode along
	mute   bool // the connection is gone
}

func (a *applying) on() tree.Side { return a.Side }

func (a *applying) run(w *world) bool {
	f := w.side[a.Side]
	if len(a.Changes) > 0 {
		a.Changes = slices.Clone(a.Changes)
		i := w.r.IntN(len(a.Changes))
		c := a.Changes[i]
		a.Changes = slices.Delete(a.Changes, i, i+1)
		if w.faults && w.r.IntN(50) == 0 {
			return false // not even mentioned
		}
		r := w.change(a, c)
		if !a.mute {
			f.queue = append(f.queue, engine.Outcome{Side: a.Side, Batch: a.Batch, Results: []engine.Result{r}})
		}
		return false
	}
	if !a.mute {
		f.queue = append(f.queue, engine.Outcome{Side: a.Side, Batch: a.Batch, Done: true})
	}
	return true
}

// change captures, verifies, and puts in place or back.
func (w *world) change(a *applying, c tree.Change) engine.Result {
	f := w.side[a.Side]
	res := engine.Result{Path: c.Path, Entry: tree.Get(f.told, c.Path)}
	if f.refuse != "" && tree.Overlap(c.Path, f.refuse) {
		res.Status, res.Reason = engine.Refused, "not permitted"
		return res
	}
	parent, _ := tree.Split(c.Path)
	was := tree.Get(f.real, c.Path)
	if !tree.Same(was, w.stored(a.Side, c.Old)) || !tree.Get(f.real, parent).IsDir() {
		f.hints = append(f.hints, c.Path)
		res.Status = engine.MovedOn
		return res
	}
	now, whole := w.fetch(a, c.Path, w.stored(a.Side, c.New))
	if !whole && (now == nil || w.r.IntN(2) == 0) {
		res.Status = engine.MovedOn
		return res
	}
	w.lose(a.Side, c.Path, was, now, false)
	w.put(a.Side, c.Path, now)
	f.told = force(f.told, c.Path, now)
	res.Status, res.Entry = engine.Applied, c.New
	if !whole {
		res.Status, res.Entry = engine.MovedOn, now
	}
	return res
}

// fetch returns what of e can still be had.
func (w *world) fetch(a *applying, path string, e *tree.Entry) (_ *tree.Entry, whole bool) {
	switch {
	case a.inline || e == nil:
		return e, true
	case e.IsFile():
		src := w.side[a.Side.Other()]
		if (src.joined || a.Side == tree.Container) && tree.SameContent(tree.Get(src.real, path), e) {
			return e, true
		}
		return nil, false
	}
	whole = true
	for name, child := range e.Children() {
		x, ok := w.fetch(a, tree.Join(path, name), child)
		if !ok {
			whole = false
			e = e.With(name, x)
		}
	}
	return e, whole
}

func (w *world) keep(f engine.Keep) {
	k := engine.Kept{Path: f.Path, Entry: f.Entry}
	at := written{f.Path, contentOf(f.Entry)}
	src := w.side[f.Side]
	switch {
	case w.faults && w.r.IntN(10) == 0:
		k.Err = "disk full"
	case !src.joined, contentOf(tree.Get(src.real, f.Path)) != at.content:
		k.Err = "it is gone"
	default:
		w.kept[at] = true
	}
	w.misc = append(w.misc, k)
}

func (w *world) settle(f engine.Settle) {
	d := engine.Durable{Side: f.Side, Gen: f.Gen}
	if w.faults && w.r.IntN(10) == 0 {
		d.Err = "I/O error"
	} else {
		x := w.side[f.Side]
		for _, p := range f.Paths {
			x.durable = force(x.durable, p, tree.Get(x.real, p))
		}
		x.gen = f.Gen
	}
	w.side[f.Side].queue = append(w.side[f.Side].queue, d)
}

func (w *world) commit(f engine.Commit) {
	w.checkCommit(f)
	w.store.commit(f)
	w.misc = append(w.misc, engine.Committed{Gen: f.Gen})
}

// report says what paths hold now.
func (w *world) report(on tree.Side, paths ...string) {
	f := w.side[on]
	o := engine.Observed{Side: on}
	for _, p := range paths {
		e := tree.Get(f.real, p)
		if w.faults && e.IsFile() && w.r.IntN(30) == 0 {
			e = tree.NewUnknown("torn")
			f.hints = append(f.hints, p)
		}
		f.told = force(f.told, p, e)
		o.Seen = append(o.Seen, engine.Seen{Path: p, Entry: e})
	}
	f.queue = append(f.queue, o)
}

// flushed reports everything, and then that it did.
func (w *world) flushed(f engine.AskFlush) {
	x := w.side[f.Side]
	for len(x.hints) > 0 {
		p := x.hints[0]
		x.hints = x.hints[1:]
		w.report(f.Side, p)
	}
	x.queue = append(x.queue, engine.Flushed(f))
}

// machine lets one thing happen that nobody outside has a part in. It says
// whether there was any.
func (w *world) machine() bool {
	w.now = w.now.Add(time.Duration(w.r.IntN(3000)) * time.Microsecond)
	var can [8]int
	n := 0
	option := func(kind int, ok bool) {
		if ok {
			can[n] = kind
			n++
		}
	}
	h, c := w.side[0], w.side[1]
	option(0, len(h.queue) > 0)
	option(1, len(c.queue) > 0)
	option(2, len(h.hints) > 0 && h.joined)
	option(3, len(c.hints) > 0 && c.joined)
	option(4, len(w.misc) > 0)
	option(5, len(w.tasks) > 0)
	option(6, !w.alarm.IsZero() && !w.alarm.After(w.now))
	if n == 0 {
		return false
	}
	switch kind := can[w.r.IntN(n)]; kind {
	case 0, 1:
		q := &w.side[kind].queue
		e := (*q)[0]
		*q = (*q)[1:]
		w.step(e)
	case 2, 3:
		w.hint(tree.Side(kind - 2))
	case 4:
		e := w.misc[0]
		w.misc = w.misc[1:]
		w.step(e)
	case 5:
		i := w.r.IntN(len(w.tasks))
		if t := w.tasks[i]; t.run(w) {
			w.tasks = slices.DeleteFunc(w.tasks, func(x task) bool { return x == t })
		}
	case 6:
		w.alarm = time.Time{}
		w.step(engine.Tick{})
	}
	return true
}

// hint looks at what was hinted, in any order, and sometimes twice.
func (w *world) hint(on tree.Side) {
	f := w.side[on]
	i := w.r.IntN(len(f.hints))
	p := f.hints[i]
	if w.r.IntN(8) > 0 {
		f.hints = slices.Delete(f.hints, i, i+1)
	}
	w.report(on, p)
}

// settleDown lets time pass until nothing happens any more.
func (w *world) settleDown() {
	for n := 0; ; n++ {
		if n > 20_000 {
			w.fail("does not come to rest")
		}
		if w.machine() {
			continue
		}
		if w.alarm.IsZero() {
			return
		}
		w.now = w.alarm
	}
}
