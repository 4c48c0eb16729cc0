package protocol

import (
	"context"
	"sync"

	"github.com/twosync/twosync/internal/replica"
)

const (
	// window is how much of one request may be on its way, by cost. It is what
	// a link of 100 ms carries at 40 MB/s, and the receiver's memory.
	window = 4 << 20

	// pieceCost is added to a piece's data: the memory of the piece itself.
	pieceCost = 64

	// maxRequests bounds the requests that one side has open.
	maxRequests = 8

	// turn is how much a request may have ready for the wire before it waits:
	// requests take turns of that size.
	turn = replica.MaxPiece
)

func costOf(p replica.Piece) int { return pieceCost + len(p.Data) }

// giver answers the other side's requests. Each has a place of its own to put
// pieces, and one writer takes from all of them in turn, so that a small
// request is not stuck behind a large one.
type giver struct {
	link *link

	mu    sync.Mutex
	open  map[uint64]*giving // guarded by mu
	last  uint64             // the highest request so far, guarded by mu
	ready []*giving          // have something to write, guarded by mu
	wake  chan struct{}      // ready is not empty
}

// giving is one request that is being answered.
type giving struct {
	giver *giver
	id    uint64
	ctx   context.Context // done when nobody waits for it any more
	stop  context.CancelFunc

	// guarded by giver.mu
	buf    []byte // frames
	queued bool   // is in giver.ready
	credit int

	room chan struct{} // credit or buf changed
}

func (g *giver) init(l *link) {
	g.link, g.open, g.wake = l, map[uint64]*giving{}, make(chan struct{}, 1)
}

// begin notes a request. Whoever calls it must call finish.
func (g *giver) begin(id uint64) (*giving, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case id <= g.last:
		return nil, violation("request %d after %d", id, g.last)
	case len(g.open) == maxRequests:
		return nil, violation("more than %d requests", maxRequests)
	}
	o := &giving{giver: g, id: id, credit: window, room: make(chan struct{}, 1)}
	o.ctx, o.stop = context.WithCancel(g.link.ctx)
	g.open[id], g.last = o, id
	return o, nil
}

// serve answers a request from source.
func (o *giving) serve(ctx context.Context, source replica.Source, wants []replica.Want) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(o.ctx, cancel)()
	err := source.Send(ctx, wants, func(p replica.Piece) error { return o.put(ctx, p) })
	o.finish(textOf(err))
}

// put queues a piece. It waits until the receiver has room for it and the
// writer has taken what was queued before.
func (o *giving) put(ctx context.Context, p replica.Piece) error {
	if len(p.Data) > replica.MaxPiece || p.Want < 0 || p.Want >= replica.MaxWants {
		panic("protocol: internal error: a source made a bad piece")
	}
	if len(p.Data) == 0 && p.Count == 0 && !p.End && p.Gone == "" {
		return nil
	}
	for !o.try(p) {
		select {
		case <-o.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (o *giving) try(p replica.Piece) bool {
	o.giver.mu.Lock()
	defer o.giver.mu.Unlock()
	if o.credit < costOf(p) || len(o.buf) >= turn {
		return false
	}
	o.credit -= costOf(p)
	o.queueLocked(piece{o.id, p})
	return true
}

// finish ends a request.
func (o *giving) finish(text string) {
	o.stop()
	o.giver.mu.Lock()
	defer o.giver.mu.Unlock()
	delete(o.giver.open, o.id)
	o.queueLocked(done{o.id, text})
}

func (o *giving) queueLocked(m message) {
	o.buf = appendFrame(o.buf, m)
	if !o.queued {
		o.queued = true
		o.giver.ready = append(o.giver.ready, o)
	}
	nudge(o.giver.wake)
}

// nudge wakes the one who waits at c, now or when it comes to wait.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// credit hands a request what the receiver has room for.
func (g *giver) credit(m credit) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.open[m.Req]
	if o == nil {
		return g.pastLocked(m.Req)
	}
	if o.credit += m.N; o.credit > window {
		return violation("credit of more than %d", window)
	}
	nudge(o.room)
	return nil
}

// drop ends a request early; its done follows.
func (g *giver) drop(m drop) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o := g.open[m.Req]; o != nil {
		o.stop()
		return nil
	}
	return g.pastLocked(m.Req)
}

// pastLocked returns an error unless there was a request with this id: its
// end may have crossed what came for it.
func (g *giver) pastLocked(id uint64) error {
	if id > g.last {
		return violation("no request %d", id)
	}
	return nil
}

// write is the one writer of a bulk direction. It flushes when there is
// nothing more to write.
func (g *giver) write(out flusher) {
	var spare []byte
	for {
		buf := g.next(spare)
		var err error
		if len(buf) == 0 {
			if err = out.Flush(); err == nil {
				select {
				case <-g.wake:
					continue
				case <-g.link.ctx.Done():
					return
				}
			}
		} else {
			_, err = out.Write(buf)
		}
		if err != nil {
			g.link.lost(err)
			return
		}
		spare = buf
	}
}

// next takes what the request at the front has queued, and leaves it spare to
// go on with. It returns nothing when there is nothing.
func (g *giver) next(spare []byte) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ready) == 0 {
		return nil
	}
	o := g.ready[0]
	g.ready = g.ready[1:]
	buf := o.buf
	o.buf, o.queued = spare[:0], false
	nudge(o.room)
	return buf
}
