//go:build linux

package sim

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
	"unsafe"

	"github.com/zeebo/xxh3"
)

// sched runs the tasks of all processes, one at a time and each until it waits.
// Who is next is drawn from the seed; nothing else decides anything.
type sched struct {
	rng   *rand.Rand
	mono  int64 // nanoseconds since the beginning
	wall  int64 // what the clocks show, since 1970: they may be set
	tasks []*task
	spare []*coroutine
	dying []*process // that have tasks which are to unwind
	cur   *task
	trace trace
	idle  func(until int64) bool // lets act whoever would do it before; false when nobody does
	steps int
}

// task is one part of a process. It has a stack of its own, and nothing of it
// runs but between resume and the next wait.
type task struct {
	*coroutine
	proc  *process
	name  string
	ready func() bool // nil: at once
	until int64
}

// coroutine is a stack that tasks use one after the other: a new one would have
// to grow each time.
type coroutine struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	f     func() // of the task; nil when it has ended
}

func newCoroutine() *coroutine {
	c := &coroutine{}
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		for ok := true; ok; ok = yield(struct{}{}) {
			c.run()
		}
	})
	return c
}

// run does the task's work to its end, or until its process is killed.
func (c *coroutine) run() {
	defer func() {
		c.f = nil
		switch r := recover().(type) {
		case nil, killed:
		case *Violation:
			panic(r)
		default:
			panic(violation(fmt.Sprintf("panic: %v\n%s", r, debug.Stack())))
		}
	}()
	c.f()
}

// process is a program that runs on a machine. One that is dead takes no step
// any more: whatever it still calls fails.
type process struct {
	name   string
	dead   bool
	locked func() bool // whether one of its locks is held
}

// killed is what a task of a dead process panics with, so that it unwinds.
type killed struct{}

const never = math.MaxInt64

// spawn begins a task. It has its first turn when it is drawn.
func (s *sched) spawn(p *process, name string, f func()) {
	if p.dead {
		return
	}
	t := &task{proc: p, name: name, until: never}
	if n := len(s.spare); n > 0 {
		t.coroutine, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		t.coroutine = newCoroutine()
	}
	t.f = func() {
		if !p.dead {
			f()
		}
	}
	s.tasks = append(s.tasks, t)
}

// wait lets others run until ready says yes, or the time is until.
func (s *sched) wait(ready func() bool, until int64) {
	t := s.cur
	if t.proc.dead {
		panic(killed{})
	}
	t.ready, t.until = ready, until
	t.yield(struct{}{})
	if t.proc.dead {
		panic(killed{})
	}
}

// pause waits for a time.
func (s *sched) pause(d time.Duration) { s.wait(notYet, s.mono+int64(d)) }

func notYet() bool { return false }

// kill ends a process at once: from now on each of its calls fails. Its tasks
// unwind; where one of them runs that may hold a lock, when that has ended.
func (s *sched) kill(p *process) {
	p.dead = true
	if s.cur != nil && s.cur.proc == p {
		s.dying = append(s.dying, p)
		return
	}
	for _, t := range slices.Clone(s.tasks) {
		if t.proc == p && t != s.cur {
			s.resume(t)
		}
	}
}

// resume gives a task a turn.
func (s *sched) resume(t *task) {
	was := s.cur
	s.cur = t
	t.ready, t.until = nil, never
	t.next()
	s.cur = was
	if t.f == nil {
		i := slices.Index(s.tasks, t)
		s.tasks = slices.Delete(s.tasks, i, i+1)
		s.spare = append(s.spare, t.coroutine)
	}
}

// run gives turns until done says so, or the time is limit.
func (s *sched) run(done func() bool, limit int64) {
	var can []*task
	for !done() && s.mono < limit {
		for _, p := range s.dying {
			s.kill(p)
		}
		s.dying = nil
		can = can[:0]
		soon := int64(never)
		for _, t := range s.tasks {
			if t.ready == nil && t.until == never || t.until <= s.mono || t.ready != nil && t.ready() {
				t.ready, t.until = nil, never // what made it ready may have been a token
				can = append(can, t)
				continue
			}
			soon = min(soon, t.until)
		}
		if len(can) == 0 {
			if soon = min(soon, limit); !s.idle(soon) {
				s.pass(soon - s.mono)
			}
			continue
		}
		s.steps++
		s.resume(can[s.rng.IntN(len(can))])
	}
}

// pass lets time pass.
func (s *sched) pass(d int64) {
	s.mono += d
	s.wall += d
}

// deadCtx polls whatever would wait.
var deadCtx = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// runtimeTime is what a time.Time is made of, if it has a monotonic reading:
// see the comment at its declaration. There is no other way to a time of which
// the clock on the wall jumps and the monotonic one does not.
type runtimeTime struct {
	wall uint64
	ext  int64
	loc  *time.Location
}

var wallFrom = time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// now is the time with both readings.
func (s *sched) now() time.Time {
	var t time.Time
	r := (*runtimeTime)(unsafe.Pointer(&t))
	sec, nsec := s.wall/1e9, s.wall%1e9
	r.wall = 1<<63 | uint64(sec-wallFrom)<<30 | uint64(nsec)
	r.ext = s.mono + 1
	return t
}

// trace is a hash of all that happened.
type trace struct {
	sum  uint64
	full func(string) // gets a line for each thing; may be nil
}

// hash takes something in.
func (t *trace) hash(parts ...string) {
	for _, p := range parts {
		t.sum = (t.sum ^ xxh3.HashString(p)) * 1099511628211
	}
}

// line keeps a line for people, if anybody wants it.
func (s *sched) line(format string, args ...any) {
	if s.trace.full != nil {
		s.trace.full(fmt.Sprintf("%11.6f ", float64(s.mono)/1e9) + fmt.Sprintf(format, args...))
	}
}
