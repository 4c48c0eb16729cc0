package disk

import (
	"context"
	"sync"

	"github.com/twosync/twosync/internal/replica"
)

// queue holds reports until they are asked for. It has no limit of its own:
// what it holds is bounded by the index that the reports speak of.
type queue struct {
	mu    sync.Mutex
	items []replica.Report // guarded by mu
	err   error            // guarded by mu: set once, the end
	ready chan struct{}    // has one token when there may be something
}

func (q *queue) init() { q.ready = make(chan struct{}, 1) }

func (q *queue) put(r replica.Report) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, r)
	q.wake()
}

func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *queue) next(ctx context.Context) (replica.Report, error) {
	for {
		if r, ok, err := q.take(); ok || err != nil {
			return r, err
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return replica.Report{}, ctx.Err()
		}
	}
}

func (q *queue) take() (r replica.Report, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		if q.err != nil {
			q.wake()
		}
		return r, false, q.err
	}
	r = q.items[0]
	q.items[0] = replica.Report{}
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil
	}
	return r, true, nil
}
