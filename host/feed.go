package host

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/twosync/twosync/internal/run"
)

// maxQueued bounds the events that wait for a slow terminal or reader.
const maxQueued = 10_000

// sink shows events. It is used by one goroutine.
type sink interface {
	show(e run.Event) error
	end() error
}

// feed brings events to a sink. Who puts them does not wait for who reads: a
// terminal that is held with Ctrl-S must not hold up a save.
type feed struct {
	// config
	sink   sink
	broken context.CancelCauseFunc // called when the sink fails

	// state
	mu     sync.Mutex
	more   *sync.Cond  // on mu
	queue  []run.Event // guarded by mu
	lost   int         // guarded by mu: events that found no room
	closed bool        // guarded by mu
	failed error       // of the sink; run's until it has returned
}

func newFeed(s sink, broken context.CancelCauseFunc) *feed {
	f := &feed{sink: s, broken: broken}
	f.more = sync.NewCond(&f.mu)
	return f
}

func (f *feed) put(e run.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) >= maxQueued {
		f.lost++
		return
	}
	f.queue = append(f.queue, e)
	f.more.Signal()
}

// close makes run return once everything is shown.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.more.Signal()
}

// take waits for events and returns them all; none when the feed is closed.
func (f *feed) take() []run.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) == 0 && !f.closed {
		f.more.Wait()
	}
	events := f.queue
	f.queue = nil
	if f.lost > 0 {
		events = append(events, run.Event{
			Time: events[len(events)-1].Time, Kind: run.Note,
			Text: fmt.Sprintf("%s were not shown, because what came before was not read", plural(int64(f.lost), "event")),
		})
		f.lost = 0
	}
	return events
}

// run shows events until the feed is closed. When the sink fails it goes on
// taking them, so that they do not pile up.
func (f *feed) run() {
	for events := f.take(); len(events) > 0; events = f.take() {
		for _, e := range events {
			f.check(f.sink.show, e)
		}
	}
	f.check(func(run.Event) error { return f.sink.end() }, run.Event{})
}

func (f *feed) check(show func(run.Event) error, e run.Event) {
	if f.failed != nil {
		return
	}
	if f.failed = show(e); f.failed != nil {
		f.broken(f.failed)
	}
}

// jsonSink prints events as lines of JSON.
type jsonSink struct{ w io.Writer }

func (j jsonSink) show(e run.Event) error { return printJSON(j.w, e) }

func (j jsonSink) end() error { return nil }
