//go:build linux

package hostile

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/protocol"
)

var (
	sessions = flag.Int("sessions", 0, "how many sessions with an agent that lies; 0: 10000, or 1000 with -race")
	seed     = flag.Uint64("seed", 0, "of the first chain of sessions; 0: a new one")
	verbose  = flag.Bool("lies", false, "print what each agent did")
)

const (
	// chainLength is how many sessions a root and an agent have one after the
	// other: base, history and keep store are those of the lies before.
	chainLength = 25

	// atOnce is how many chains run at once. Most of a session is waiting.
	atOnce = 48

	// maxHeap bounds what all of them hold together.
	maxHeap = 1 << 30

	theSecret = "what is in here must never leave this host"
)

// F9, J11: whatever an agent does, the host keeps its promises.
func TestMutated(t *testing.T) {
	n, first := *sessions, *seed
	if n == 0 {
		if n = 10_000; raceOn {
			n = 1000
		}
		if testing.Short() {
			n = 500
		}
	}
	if first == 0 {
		first = rand.Uint64()>>16 + 1
	}
	dir, before := scratch(t), runtime.NumGoroutine()
	heap := watchHeap()
	var ran, slowest atomic.Int64
	var kinds, events counter
	began := time.Now()
	var wg sync.WaitGroup
	next := make(chan uint64)
	for range atOnce {
		wg.Go(func() {
			for seed := range next {
				c := &chain{seed: seed, dir: filepath.Join(dir, fmt.Sprint(seed)), slowest: &slowest, kinds: &kinds, events: &events}
				if err := c.run(t.Context(), min(n, chainLength)); err != nil {
					t.Errorf("%v\nagain: go test ./internal/hostile -run TestMutated -args -sessions=%d -seed=%d -lies", err, min(n, chainLength), seed)
				}
				ran.Add(int64(c.ran))
				os.RemoveAll(c.dir)
			}
		})
	}
	for i := range (n + chainLength - 1) / chainLength {
		next <- first + uint64(i)
	}
	close(next)
	wg.Wait()
	t.Logf("%d sessions in %v, seed %d; the slowest took %v to end; the heap was at most %d MiB",
		ran.Load(), time.Since(began).Round(time.Second), first, time.Duration(slowest.Load()).Round(time.Millisecond), heap.stop()>>20)
	t.Logf("how they ended: %v", kinds.String())
	t.Logf("what they told: %v", events.String())
	for _, k := range []run.Kind{run.Connected, run.InSync, run.Applied, run.Kept, run.HeldPath, run.Lost} {
		if events.m[string(k)] < int(ran.Load())/100 {
			t.Errorf("the sessions did not get far: %q was told %d times", k, events.m[string(k)])
		}
	}
	if kinds.m["without a word"] > 0 {
		t.Error("sessions ended without a word")
	}
	if heap.max > maxHeap {
		t.Errorf("the heap grew to %d MiB", heap.max>>20)
	}
	if err := noneLeft(before); err != nil {
		t.Error(err)
	}
}

// chain is a row of sessions of one host with one agent.
type chain struct {
	seed    uint64
	dir     string
	slowest *atomic.Int64
	kinds   *counter
	events  *counter
	told    *diary // what the host told
	ran     int

	user      *rand.Rand    // what happens on the host; the agent's is another goroutine's
	connected chan struct{} // the sides know each other
}

func (c *chain) run(ctx context.Context, n int) error {
	s, err := newSite(c.dir)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.root(), "secret"), []byte(theSecret), 0o644); err != nil {
		return err
	}
	c.connected, c.told = make(chan struct{}, 1), &diary{}
	s.events = func(e run.Event) {
		c.events.count(string(e.Kind))
		c.told.add(e)
		if e.Kind == run.Plan {
			select {
			case c.connected <- struct{}{}:
			default:
			}
		}
	}
	a := newAgent()
	for i := range n {
		rng := rand.New(rand.NewPCG(c.seed, uint64(i)))
		l := newLiar(a, rng)
		c.user = rand.New(rand.NewPCG(c.seed, uint64(i)|1<<32))
		err := c.session(ctx, s, l)
		c.ran++
		if *verbose {
			fmt.Printf("chain %d session %d: %v\n  %s\n", c.seed, i, s.errs, strings.Join(l.did, "\n  "))
		}
		if err == nil {
			err = s.check()
		}
		if err != nil {
			return fmt.Errorf("chain %d, session %d: %w\nit had: %v\nthe agent did:\n  %s\n%s", c.seed, i, err, s.errs, strings.Join(l.did, "\n  "), c.facts(s))
		}
	}
	return c.heals(ctx, s)
}

// heals returns an error unless a host that met all of this is still one that
// syncs.
func (c *chain) heals(ctx context.Context, s *site) error {
	a := newAgent()
	a.tree.put("c0", fileOf("a new container's"))
	err := honest(ctx, s, a, func(h *host) error {
		if err := s.save("u0", fmt.Sprint("after all ", c.seed)); err != nil && !errors.Is(err, os.ErrExist) {
			os.RemoveAll(filepath.Join(s.root(), "u0"))
			if err := s.save("u0", fmt.Sprint("after all ", c.seed)); err != nil {
				return err
			}
		}
		return h.flushed(ctx, a)
	})
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return fmt.Errorf("chain %d, afterwards: %w\n%s", c.seed, err, c.facts(s))
	}
	return nil
}

// session runs one with a liar. Its error is one of the host's promises that was
// not kept; that the session failed is none.
func (c *chain) session(ctx context.Context, s *site, l *liar) error {
	l.mu.Lock()
	l.tamper, l.gone = l.twist, false
	l.mu.Unlock()
	var serving sync.WaitGroup
	var leaked atomic.Bool
	var stopTicks []func()
	s.errs = nil
	select {
	case <-c.connected:
	default:
	}
	h, err := s.open(func() (net.Conn, protocol.Options) {
		here, there := net.Pipe()
		l.mu.Lock()
		l.mute, l.later = false, nil
		l.mu.Unlock()
		var opts protocol.Options
		if l.tick > 0 {
			t := time.NewTicker(l.tick)
			stopTicks = append(stopTicks, t.Stop)
			opts.Ticks = t.C
		}
		serving.Go(func() { l.serve(&spy{there, &leaked}) })
		return here, opts
	}, 1+c.user.IntN(8)/7)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- h.session.Run(running) }()
	c.work(running, h, l, ended)
	began := time.Now()
	if c.user.IntN(8) == 0 {
		stop() // in an orderly way
	} else {
		l.hangUp()
	}
	select {
	case err = <-ended:
	case <-time.After(patience / 3):
		where := stacks() // while it is not too late to see what it waits for
		select {
		case err = <-ended:
		case <-time.After(patience):
			return fmt.Errorf("the session does not end:\n%s", where)
		}
	}
	c.kinds.add(err)
	if took := int64(time.Since(began)); took > c.slowest.Load() {
		c.slowest.Store(took)
	}
	l.hangUp()
	serving.Wait()
	for _, f := range stopTicks {
		f()
	}
	if leaked.Load() {
		return errors.New("an ignored file went over the wire")
	}
	return h.close()
}

// work is what happens while a session runs: both users are at work.
func (c *chain) work(ctx context.Context, h *host, l *liar, ended chan error) {
	for step := range 2 + c.user.IntN(6) {
		if step == 1 { // the first is what both sides meet with
			select {
			case err := <-ended:
				ended <- err
				return
			case <-c.connected:
			case <-time.After(time.Second): // it is silent
			}
		}
		path := pick(c.user, []string{"u0", "u1", "d/u1", "dir/sub/u2"})
		what, wait := c.user.IntN(4), time.Duration(c.user.IntN(40))*time.Millisecond
		switch what {
		case 0, 1:
			os.MkdirAll(filepath.Join(h.root(), filepath.Dir(path)), 0o755) // may be a file now
			h.save(path, fmt.Sprintf("the host's %d/%d %s", c.seed, step, path))
		case 2:
			h.delete(path)
		case 3:
			os.Symlink("d", filepath.Join(h.root(), "link")) // it may be there
		}
		l.act()
		limited, cancel := context.WithTimeout(ctx, wait)
		h.session.Flush(limited) // as far as it goes
		select {
		case err := <-ended:
			cancel()
			ended <- err
			return
		case <-limited.Done():
		}
		cancel()
	}
}

func (l *liar) hangUp() {
	l.mu.Lock()
	m := l.mux
	l.gone = true
	l.mu.Unlock()
	if m != nil {
		m.stop()
	}
}
