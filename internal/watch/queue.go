package watch

import (
	"sync"
	"time"
)

// queue reads events from a channel whose sender drops them when it is full.
//
// A drop needs a full channel, and only queue receives. So a drop between two
// receives leaves at least cap-1 events right after the second one: looking at the
// length after each receive finds every drop.
type queue[T any] struct {
	// config
	c         chan T
	translate func(T) (Event, bool) // false: nothing to look at
	done      chan struct{}         // closed by close
	woken     chan struct{}         // has one token after Wake

	// state
	once sync.Once
	mu   sync.Mutex // held by the one that receives
}

func newQueue[T any](size int, translate func(T) (Event, bool)) *queue[T] {
	return &queue[T]{c: make(chan T, size), translate: translate, done: make(chan struct{}), woken: make(chan struct{}, 1)}
}

func (q *queue[T]) close() { q.once.Do(func() { close(q.done) }) }

func (q *queue[T]) wait(timeout time.Duration) ([]Event, error) {
	var expired <-chan time.Time // nil, for ever
	if timeout >= 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	if timeout == 0 && !q.mu.TryLock() {
		return nil, nil // the one that waits gets them
	} else if timeout != 0 {
		q.mu.Lock()
	}
	defer q.mu.Unlock()
	for {
		if events, err := q.drain(); len(events) > 0 || err != nil || timeout == 0 {
			return events, err
		}
		select {
		case <-q.done:
			return nil, ErrClosed
		case <-q.woken:
			return nil, nil
		case v := <-q.c:
			if events := q.collect(v); len(events) > 0 {
				return events, nil
			}
		case <-expired:
			return nil, nil
		}
	}
}

// drain takes what is there without waiting.
func (q *queue[T]) drain() ([]Event, error) {
	select {
	case <-q.done:
		return nil, ErrClosed
	default:
	}
	select {
	case v := <-q.c:
		return q.collect(v), nil
	default:
		return nil, nil
	}
}

// collect translates v and all that has queued up behind it. It takes no more than
// one channelful, so that a storm cannot keep it here.
func (q *queue[T]) collect(v T) []Event {
	var events []Event
	lost, more := false, true
	for n := 1; more; n++ {
		lost = lost || len(q.c) >= cap(q.c)-1
		if e, ok := q.translate(v); ok && (len(events) == 0 || events[len(events)-1] != e) {
			events = append(events, e)
		}
		if n == cap(q.c) {
			break
		}
		select {
		case v = <-q.c:
		default:
			more = false
		}
	}
	if lost {
		return []Event{{Op: Overflow}}
	}
	return events
}
