package protocol

import (
	"context"
	"errors"
	"sync"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/replica"
)

// askChunk is how large a request may grow before the next one begins. One
// signature may be larger.
const askChunk = 1 << 20

// asker asks the other side for contents.
type asker struct {
	link  *link
	slots chan struct{} // one for each request that may be open

	mu   sync.Mutex
	open map[uint64]*asking // guarded by mu
	last uint64             // guarded by mu
}

// asking is one request whose answer is on its way.
type asking struct {
	// config
	id    uint64
	wants []replica.Want

	// guarded by asker.mu
	queue   []replica.Piece // what came and was not taken
	held    int             // cost of what came and was not credited
	at      int             // the want that is coming
	got     int64           // bytes of it so far
	ended   bool            // done has come
	text    string          // of done
	dropped bool            // nobody takes from queue any more

	news chan struct{} // queue or ended changed
}

func (a *asker) init(l *link) {
	a.link, a.open, a.slots = l, map[uint64]*asking{}, make(chan struct{}, maxRequests)
}

// send is replica.Source for what the other side holds.
func (a *asker) send(ctx context.Context, seq uint64, wants []replica.Want, sink func(replica.Piece) error) error {
	for from := 0; from < len(wants); {
		n := chunk(wants[from:])
		err := a.request(ctx, seq, wants[from:from+n], func(p replica.Piece) error {
			p.Want += from
			return sink(p)
		})
		if err != nil {
			return err
		}
		from += n
	}
	return nil
}

// chunk says how many of the wants go into one request.
func chunk(wants []replica.Want) int {
	size := 0
	for i, w := range wants {
		if i == replica.MaxWants || size > askChunk {
			return i
		}
		if size += len(w.Path) + pieceCost; w.Base != nil {
			size += len(w.Base.Weak) * hashesSize
		}
	}
	return len(wants)
}

func (a *asker) request(ctx context.Context, seq uint64, wants []replica.Want, sink func(replica.Piece) error) error {
	select {
	case a.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-a.link.ctx.Done():
		return a.link.err()
	}
	q, err := a.begin(ctx, seq, wants)
	if err != nil {
		return err
	}
	err = a.pump(ctx, q, sink)
	if err != nil {
		a.giveUp(ctx, q)
	}
	return err
}

// begin sends a request. Numbers rise on the wire, so they are given under the
// lock that orders the sends.
func (a *asker) begin(ctx context.Context, seq uint64, wants []replica.Want) (*asking, error) {
	q := &asking{wants: wants, news: make(chan struct{}, 1)}
	err := a.link.fetch.sendMade(ctx, func() message {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.last++
		q.id = a.last
		a.open[q.id] = q
		return ask{q.id, seq, wants}
	})
	if err != nil {
		a.forget(q)
		return nil, err
	}
	return q, nil
}

// forget frees the place of a request that was not sent, unless its end has come
// all the same and done that.
func (a *asker) forget(q *asking) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q.id == 0 || a.open[q.id] == q {
		delete(a.open, q.id)
		<-a.slots
	}
}

// pump hands pieces to sink until the request has ended.
func (a *asker) pump(ctx context.Context, q *asking, sink func(replica.Piece) error) error {
	owed := 0
	for {
		queue, ended := a.collect(q)
		for _, p := range queue {
			if err := sink(p); err != nil {
				return err
			}
			owed += costOf(p)
			if owed >= window/2 {
				if err := a.grant(ctx, q, owed); err != nil {
					return err
				}
				owed = 0
			}
		}
		if ended {
			return q.result()
		}
		select {
		case <-q.news:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.link.ctx.Done():
			return a.link.err()
		}
	}
}

// collect takes what came since the last time.
func (a *asker) collect(q *asking) (queue []replica.Piece, ended bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	queue, q.queue = q.queue, nil
	return queue, q.ended
}

func (a *asker) grant(ctx context.Context, q *asking, n int) error {
	a.mu.Lock()
	q.held -= n
	a.mu.Unlock()
	return a.link.fetch.send(ctx, credit{q.id, n})
}

func (q *asking) result() error {
	if q.text != "" {
		return errors.New("contents did not come: " + q.text)
	}
	return nil
}

// giveUp drops a request. Its place is free when the other side has ended it.
// Where ctx is over, the other side is told if it listens.
func (a *asker) giveUp(ctx context.Context, q *asking) {
	a.mu.Lock()
	q.dropped, q.queue = true, nil
	ended := q.ended
	a.mu.Unlock()
	if ended {
		return
	}
	if ctx.Err() != nil {
		var stop context.CancelFunc
		ctx, stop = a.link.soon()
		defer stop()
	}
	a.link.fetch.send(ctx, drop{q.id})
}

// take handles a message of the bulk stream. It never waits.
func (a *asker) take(m message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch m := m.(type) {
	case piece:
		q := a.open[m.Req]
		if q == nil {
			return violation("piece of no request")
		}
		return q.acceptLocked(m.Piece)
	case done:
		q := a.open[m.Req]
		if q == nil {
			return violation("end of no request")
		}
		if m.Text == "" && q.at < len(q.wants) && !q.dropped {
			return violation("request ended early")
		}
		q.ended, q.text = true, m.Text
		delete(a.open, m.Req)
		<-a.slots
		nudge(q.news)
		return nil
	}
	return violation("%v on the bulk stream", m.code())
}

// acceptLocked checks a piece and queues it.
func (q *asking) acceptLocked(p replica.Piece) error {
	if q.dropped {
		return nil
	}
	if p.Want != q.at || q.at >= len(q.wants) {
		return violation("piece of want %d, not %d", p.Want, q.at)
	}
	if q.held += costOf(p); q.held > window {
		return violation("pieces of more than %d bytes without credit", window)
	}
	switch {
	case p.End, p.Gone != "":
		q.at++
		q.got = 0
	case p.Count > 0:
		n, err := copied(q.wants[q.at].Base, p)
		if err != nil {
			return err
		}
		q.got += n
	default:
		p.Data = append([]byte(nil), p.Data...)
		q.got += int64(len(p.Data))
	}
	if q.at < len(q.wants) && q.got > q.wants[q.at].Size {
		return violation("content longer than was said")
	}
	q.queue = append(q.queue, p)
	nudge(q.news)
	return nil
}

// copied returns how many bytes a piece copies from base.
func copied(base *delta.Signature, p replica.Piece) (int64, error) {
	if base == nil || p.Block+p.Count > len(base.Weak) {
		return 0, violation("copy of what is not there")
	}
	from := int64(p.Block) * int64(base.Block)
	to := min(int64(p.Block+p.Count)*int64(base.Block), base.Size)
	return to - from, nil
}
