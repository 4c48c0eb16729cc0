package run

import (
	"context"
	"sync"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// queue hands things from whoever has them to the one who takes them, in order.
type queue[T any] struct {
	machine Machine
	room    chan struct{} // a token for each free place; nil: there is no limit
	ready   chan struct{} // has one token when there may be something

	mu   sync.Mutex
	list []T // guarded by mu
}

// newQueue returns a queue that holds at most n things, or any number if n is 0.
func newQueue[T any](m Machine, n int) *queue[T] {
	return &queue[T]{machine: m, room: tokens(n), ready: make(chan struct{}, 1)}
}

// tokens returns a channel with n tokens in it, nil for none.
func tokens(n int) chan struct{} {
	if n == 0 {
		return nil
	}
	c := make(chan struct{}, n)
	for range n {
		c <- struct{}{}
	}
	return c
}

// put waits for room. The error is ctx's.
func (q *queue[T]) put(ctx context.Context, x T) error {
	if q.room != nil {
		if err := q.machine.Wait(ctx, q.room, forever); err != nil {
			return err
		}
	}
	q.mu.Lock()
	q.list = append(q.list, x)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return nil
}

// take returns what there is.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = nil
	for range list {
		if q.room != nil {
			q.room <- struct{}{}
		}
	}
	return list
}

// lane does things one after the other, apart from the loop. What is handed to
// it is bounded by what the engine has in flight, and by maxStrays.
type lane struct {
	*queue[func(context.Context) error]
}

func newLane(m Machine) lane { return lane{newQueue[func(context.Context) error](m, 0)} }

func (l lane) do(f func(context.Context) error) { l.put(context.Background(), f) }

// run does what it is handed until ctx is done or something fails.
func (l lane) run(ctx context.Context) error {
	for {
		if l.machine.Wait(ctx, l.ready, forever) != nil {
			return nil
		}
		for _, f := range l.take() {
			if err := f(ctx); err != nil {
				return ended(err, ctx)
			}
		}
	}
}

// maxPocket bounds the contents that wait to go along with a batch.
const maxPocket = 16 * replica.MaxInline

// pocket holds small contents from the report that brought them to the batch
// that needs them, which is most often the same step's.
type pocket struct {
	contents replica.Contents
	order    []tree.Digest
	size     int
}

func (p *pocket) put(contents replica.Contents) {
	if p.contents == nil {
		p.contents = make(replica.Contents)
	}
	for d, c := range contents {
		if _, ok := p.contents[d]; ok {
			continue
		}
		p.contents[d] = c
		p.order = append(p.order, d)
		p.size += len(c)
	}
	for p.size > maxPocket {
		p.size -= len(p.contents[p.order[0]])
		delete(p.contents, p.order[0])
		p.order = p.order[1:]
	}
}

// take returns the contents that the changes need, MaxInline at most.
func (p *pocket) take(changes []tree.Change) replica.Contents {
	if len(p.contents) == 0 {
		return nil
	}
	out, size, seen := make(replica.Contents), 0, 0
	for _, c := range changes {
		tree.Walk("", c.New, func(_ string, e *tree.Entry) bool {
			if content, ok := p.contents[e.Digest]; ok && e.IsFile() && out[e.Digest] == nil && size+len(content) <= replica.MaxInline {
				out[e.Digest] = content
				size += len(content)
			}
			seen++
			return seen < maxLooked
		})
	}
	return out
}

// maxLooked bounds the search for contents in a large change: what is inline
// comes in small ones.
const maxLooked = 4096
