package run

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/replica"
)

// Machine is what a session runs on: the time, and the means to do one thing
// beside another. It is the only seam of this package: nothing else here reads a
// clock, starts a goroutine or waits. A simulator has a machine that does all in
// an order of its own.
type Machine interface {
	Now() time.Time
	NewID() replica.ID // nobody else has it
	// Go calls f beside whatever else goes on.
	Go(f func())
	// Wait takes a token from c, or returns when d is over; a negative d never
	// is. An error is that of ctx, which is done.
	Wait(ctx context.Context, c <-chan struct{}, d time.Duration) error
}

// forever is a time that is never over.
const forever time.Duration = -1

// system is the machine that we are on.
type system struct{}

func (system) Now() time.Time { return time.Now() }
func (system) Go(f func())    { go f() }

func (system) NewID() (id replica.ID) {
	rand.Read(id[:])
	return id
}

func (system) Wait(ctx context.Context, c <-chan struct{}, d time.Duration) error {
	var over <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-c:
	case <-over:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Locked says whether a lock is held over a call of the file system. A machine
// with a single goroutine must not go on with anything else of the session then.
func (s *Session) Locked() bool { return s.base.locked() }

// crew are the parts of a session that are at work. The first error ends all.
type crew struct {
	machine Machine
	ctx     context.Context
	cancel  context.CancelCauseFunc
	empty   chan struct{} // closed when all have ended

	mu sync.Mutex
	n  int // guarded by mu: those at work, and one for wait
}

func newCrew(ctx context.Context, m Machine) *crew {
	c := &crew{machine: m, empty: make(chan struct{}), n: 1}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// do has f done beside the others.
func (c *crew) do(f func(context.Context) error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	c.machine.Go(func() {
		if err := f(c.ctx); err != nil {
			c.cancel(err)
		}
		c.left()
	})
}

func (c *crew) left() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 {
		close(c.empty)
	}
}

// wait returns the first error when all have ended.
func (c *crew) wait() error {
	c.left()
	c.machine.Wait(context.Background(), c.empty, forever)
	err := context.Cause(c.ctx)
	c.cancel(nil)
	return err
}
