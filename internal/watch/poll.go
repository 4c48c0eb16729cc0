package watch

import (
	"sync"
	"time"
)

// PollInterval is how often the polling source says "look everywhere". A look costs
// about 4 µs a file, so 3 s keep a tree of 16k files near 2 % of a core; a shorter
// interval is felt in the battery, a longer one in every save.
const PollInterval = 3 * time.Second

// poll is the source for machines without a usable one: a clock.
type poll struct {
	// config
	interval time.Duration
	done     chan struct{} // closed by Close
	woken    chan struct{} // has one token after Wake

	// state
	close sync.Once
	mu    sync.Mutex
	next  time.Time // guarded by mu; when to say it again
}

// NewPoll returns a source that reports an Overflow in each interval and sees nothing.
func NewPoll(interval time.Duration) Source {
	return &poll{interval: interval, done: make(chan struct{}), woken: make(chan struct{}, 1), next: time.Now().Add(interval)}
}

func (p *poll) Add(string, int) error   { return nil }
func (p *poll) Plant(string, int) error { return nil }
func (p *poll) Remove(string)           {}
func (p *poll) Recursive() bool         { return true }
func (p *poll) Precise() bool           { return false }
func (p *poll) Count() int              { return 0 }
func (p *poll) Mode() string            { return "poll" }

// Wake leaves a token; one is as good as many.
func (p *poll) Wake() { wakeUp(p.woken) }

func wakeUp(woken chan struct{}) {
	select {
	case woken <- struct{}{}:
	default:
	}
}

func (p *poll) Close() error {
	p.close.Do(func() { close(p.done) })
	return nil
}

func (p *poll) Wait(timeout time.Duration) ([]Event, error) {
	p.mu.Lock()
	left := time.Until(p.next)
	p.mu.Unlock()
	if timeout >= 0 {
		left = min(left, timeout)
	}
	timer := time.NewTimer(max(left, 0))
	defer timer.Stop()
	select {
	case <-p.done:
		return nil, ErrClosed
	case <-p.woken:
		return nil, nil
	case <-timer.C:
		return p.tick(time.Now()), nil
	}
}

// tick returns the event if its time has come, and sets the next time. It counts
// from now, so that a machine that slept looks once and not once for each interval.
func (p *poll) tick(now time.Time) []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.next) {
		return nil
	}
	p.next = now.Add(p.interval)
	return []Event{{Op: Overflow}}
}
