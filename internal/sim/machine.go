//go:build linux

package sim

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/twosync/twosync/internal/replica"
)

// machine is what a process runs on: run.Machine, and the clock of a disk.
type machine struct {
	s *sched
	p *process
}

func (m machine) Now() time.Time { return m.s.now() }

func (m machine) Go(f func()) { m.s.spawn(m.p, "part", f) }

func (m machine) NewID() (id replica.ID) {
	binary.BigEndian.PutUint64(id[:8], m.s.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], m.s.rng.Uint64()|1)
	return id
}

func (m machine) Wait(ctx context.Context, c <-chan struct{}, d time.Duration) error {
	taken := false
	poll := func() bool {
		select {
		case <-c:
			taken = true
			return true
		default:
			return ctx.Err() != nil
		}
	}
	if !poll() {
		until := int64(never)
		if d >= 0 {
			until = m.s.mono + int64(d)
		}
		m.s.wait(poll, until)
	}
	if !taken {
		return ctx.Err()
	}
	return nil
}

func (m machine) Pause(ctx context.Context, d time.Duration) error { return m.Wait(ctx, nil, d) }

// each is disk.Options.Each, in order.
func each(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}
