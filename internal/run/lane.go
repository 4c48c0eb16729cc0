package run

import (
	"context"
	"sync"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// lane does things one after the other, apart from the loop. What is handed to
// it is bounded by what the engine has in flight, and by maxStrays.
type lane struct {
	mu    *sync.Mutex
	todo  *[]func(context.Context) error // guarded by mu
	ready chan struct{}
}

func newLane() lane {
	return lane{mu: new(sync.Mutex), todo: new([]func(context.Context) error), ready: make(chan struct{}, 1)}
}

func (l lane) do(f func(context.Context) error) {
	l.mu.Lock()
	*l.todo = append(*l.todo, f)
	l.mu.Unlock()
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

func (l lane) take() []func(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	todo := *l.todo
	*l.todo = nil
	return todo
}

// run does what it is handed until ctx is done or something fails.
func (l lane) run(ctx context.Context) error {
	for {
		select {
		case <-l.ready:
		case <-ctx.Done():
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
