package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// Run watches the root and makes groups durable until ctx is done or the disk
// is closed. It waits for Start.
func (d *Disk) Run(ctx context.Context) error {
	select {
	case <-d.started:
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return fs.ErrClosed
	}
	d.loops.Add(1)
	d.mu.Unlock()
	defer d.loops.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(d.life, cancel)()
	woken := make(chan struct{})
	defer func() { cancel(); <-woken }() // nobody wakes a watch that is closed
	context.AfterFunc(ctx, func() { defer close(woken); d.watch.Wake() })
	done := make(chan struct{})
	go func() { defer close(done); d.choreLoop(ctx) }()
	defer func() { cancel(); <-done }()
	err := d.watchLoop(ctx)
	d.out.close(err)
	return err
}

// watchLoop is the disk's pace.
func (d *Disk) watchLoop(ctx context.Context) error {
	d.FirstScan()
	for ctx.Err() == nil {
		if err := d.Turn(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Turn waits for hints, settles them and looks, once. With FirstScan before it
// and Chore beside it, it is all that Run does; who calls them does not call Run.
func (d *Disk) Turn() error {
	events, err := d.watch.Wait(d.patience())
	if errors.Is(err, watch.ErrClosed) {
		return err
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", d.path, err)
	}
	d.take(events)
	now := d.opt.Clock.Now()
	d.sweep(now)
	d.rest(now)
	d.orderChores(now)
	return nil
}

// FirstScan reports everything as one entry.
func (d *Disk) FirstScan() {
	end := d.beginScan()
	defer end()
	s := &scanner{d: d, prior: d.loadCache().prior, gauge: newGauge(d, 0), torn: d.rereadLater}
	f := s.dir("", d.root)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life.Err() != nil {
		return
	}
	if f.stats == nil {
		d.halt("the root "+d.path+" can't be read: "+f.entry.Text, "make it readable, then start again")
		return
	}
	d.drain(sights{{f: f}})
	f, _ = d.current("", f)
	f = d.graft("", f)
	d.set("", f)
	d.begunAt = d.opt.Clock.Now()
	d.lastEvent = d.begunAt
	d.report(replica.Report{Observed: &replica.Observed{Whole: true, Seen: []replica.Seen{{Entry: f.entry}}}})
}

// patience is how long the watch may wait.
func (d *Disk) patience() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.opt.Clock.Now()
	until := d.nextSweep(now)
	for _, f := range d.flushes {
		if f.until.IsZero() {
			return 0
		}
		until = earlier(until, f.until)
	}
	for p, k := range d.again {
		if !d.leasedAt(p) {
			until = earlier(until, k.at)
		}
	}
	if len(d.retry.paths) > 0 {
		until = earlier(until, d.retry.at)
	}
	if t, ok := d.settle.Next(); ok {
		until = earlier(until, t)
	}
	if t, ok := d.nextRest(); ok {
		until = earlier(until, t)
	}
	if t, ok := d.nextChore(); ok {
		until = earlier(until, t)
	}
	return max(until.Sub(now), 0)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.Before(a) {
		return a
	}
	return b
}

// take hands events to settle and looks at what is due.
func (d *Disk) take(events []watch.Event) {
	d.mu.Lock()
	now := d.opt.Clock.Now()
	if len(events) > 0 {
		d.lastEvent = now
	}
	d.settle.Add(now, events)
	unseen := d.drainForFlush(now)
	d.retries(now)
	batches := d.settle.Due(now)
	if b := d.takeAgain(now); len(b.Looks) > 0 {
		batches = append(batches, b)
	}
	d.mu.Unlock()
	for _, b := range batches {
		d.look(b)
	}
	if len(unseen) > 0 {
		d.glance(unseen)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answerFlushes()
}

// takeAgain returns the looks that were asked for, whose time has come, and
// that meet no lease. Callers hold mu.
func (d *Disk) takeAgain(now time.Time) (b watch.Batch) {
	for p, k := range d.again {
		if !d.leasedAt(p) && !now.Before(k.at) {
			delete(d.again, p)
			b.Looks = append(b.Looks, k.Look)
		}
	}
	b.Sort()
	return b
}

// Look implements replica.Replica.
func (d *Disk) Look(_ context.Context, paths []string) error {
	for _, p := range paths {
		if err := tree.CheckPath(p); err != nil {
			return fmt.Errorf("look at: %w", err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range paths {
		d.forced[p] = true
		d.lookAgain(watch.Look{Path: p, Deep: true, Modified: true})
	}
	d.watch.Wake()
	return nil
}

// flush is a barrier that was asked for.
type flush struct {
	n      uint64
	rounds int       // how often everything that waited was looked at since
	until  time.Time // when the current round ends; zero: it has not begun
	over   bool      // the round ends with the looks that are under way
}

// flushRounds is how often something that was written before a flush may be
// put off for AbsenceWait: as a directory's absence, then as that of a name, or
// as a young file, below it.
const flushRounds = 3

// Flush implements replica.Replica.
func (d *Disk) Flush(_ context.Context, n uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flushes = append(d.flushes, flush{n: n})
	d.watch.Wake()
	return nil
}

// drainForFlush takes what the kernel holds, once for every flush that has
// come, and makes due what may be. Absences keep their time. It returns the
// directories of which the kernel tells nothing; where it tells not all of any,
// a look everywhere becomes due. Callers hold mu.
func (d *Disk) drainForFlush(now time.Time) (unseen []string) {
	for i := range d.flushes {
		f := &d.flushes[i]
		f.over = !f.until.IsZero() && !now.Before(f.until)
		if !f.until.IsZero() && !f.over {
			continue
		}
		d.drain(nil)
		if f.until.IsZero() {
			unseen = d.polledDirs()
			if !d.settle.Precise || d.deaf {
				d.settle.Add(now, []watch.Event{{Op: watch.Overflow}})
			}
		}
		d.settle.Expedite(now)
		if !f.over {
			f.until = now.Add(watch.AbsenceWait)
		}
	}
	return unseen
}

// answerFlushes reports the barriers behind which everything was looked at:
// nothing waits, or what was there at the time of the flush has had its time,
// however long the looks took. Callers hold mu.
func (d *Disk) answerFlushes() {
	rest := d.flushes[:0]
	now := d.opt.Clock.Now()
	for _, f := range d.flushes {
		if f.over {
			f.rounds++
			f.until = now.Add(watch.AbsenceWait)
		}
		if !f.until.IsZero() && len(d.again) == 0 && (d.settle.Idle() || f.rounds >= flushRounds) {
			d.report(replica.Report{Flushed: &replica.Flushed{N: f.n}})
			continue
		}
		rest = append(rest, f)
	}
	d.flushes = rest
}
