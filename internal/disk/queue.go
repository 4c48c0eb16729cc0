package disk

import (
	"context"
	"sync"

	"github.com/twosync/twosync/internal/replica"
)

// maxWaiting bounds the contents that wait with their reports. Where nobody reads,
// later ones stay behind, and are sent when they are asked for.
const maxWaiting = 4 << 20

// queue holds reports until they are asked for. Without contents a report is small,
// and a reader who is gone for long is given up; so their number has no limit.
type queue struct {
	mu    sync.Mutex
	items []replica.Report // guarded by mu
	size  int              // guarded by mu: of the contents in items
	err   error            // guarded by mu: set once, the end
	ready chan struct{}    // has one token when there may be something
}

func (q *queue) init() { q.ready = make(chan struct{}, 1) }

func (q *queue) put(r replica.Report) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if o := r.Observed; o != nil && q.size+size(o) > maxWaiting {
		o.Contents = nil
	}
	q.size += size(r.Observed)
	q.items = append(q.items, r)
	q.wake()
}

// size is that of the contents which ride along.
func size(o *replica.Observed) (n int) {
	if o != nil {
		for _, c := range o.Contents {
			n += len(c)
		}
	}
	return n
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
	q.size -= size(r.Observed)
	q.items[0] = replica.Report{}
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil
	}
	return r, true, nil
}
