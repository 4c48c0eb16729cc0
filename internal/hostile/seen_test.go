//go:build linux

package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/protocol"
)

// facts is what helps to understand a failure that can't be had again: what the
// host told, and all that it holds.
func (c *chain) facts(s *site) string {
	var b strings.Builder
	fmt.Fprintf(&b, "the host told:\n  %s\nit holds:\n", c.told)
	err := walk(s.dir, func(path string, d fs.DirEntry, read func() ([]byte, error)) error {
		if d.IsDir() {
			return nil
		}
		content, err := read()
		fmt.Fprintf(&b, "  %q: %d bytes, %q %v\n", path, len(content), content[:min(len(content), 60)], err)
		return nil
	})
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	return b.String()
}

// diary holds the last events of a session and of those before it.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (t *diary) add(e run.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 200 {
		t.lines = slices.Delete(t.lines, 0, 100)
	}
	t.lines = append(t.lines, fmt.Sprintf("%s %s %q %q", e.Time.Format("05.000"), e.Kind, e.Path, e.Text))
}

func (t *diary) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n  ")
}

// spy looks for what must not be sent.
type spy struct {
	net.Conn
	leaked *atomic.Bool
}

func (s *spy) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if bytes.Contains(b[:n], []byte(theSecret)) {
		s.leaked.Store(true)
	}
	return n, err
}

// counter counts how sessions ended.
type counter struct {
	mu sync.Mutex
	m  map[string]int
}

func (c *counter) add(err error) {
	kind := "another error"
	halt := (*run.HaltError)(nil)
	switch {
	case err == nil:
		kind = "well"
	case err.Error() == "":
		kind = "without a word"
	case errors.Is(err, protocol.ErrViolation):
		kind = "violation"
	case errors.Is(err, protocol.ErrDisconnected):
		kind = "disconnected"
	case errors.As(err, &halt):
		kind = "halt"
	default:
		kind = err.Error()
		kind = kind[:min(len(kind), 60)]
	}
	c.count(kind)
}

func (c *counter) count(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string]int{}
	}
	c.m[kind]++
}

func (c *counter) String() string { return fmt.Sprint(c.m) }

// heapWatch samples the heap.
type heapWatch struct {
	max  uint64
	quit chan struct{}
	done chan struct{}
}

func watchHeap() *heapWatch {
	debug.FreeOSMemory()
	w := &heapWatch{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		t := time.NewTicker(20 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				metrics.Read(sample)
				w.max = max(w.max, sample[0].Value.Uint64())
			case <-w.quit:
				return
			}
		}
	}()
	return w
}

func (w *heapWatch) stop() uint64 {
	close(w.quit)
	<-w.done
	return w.max
}

// noneLeft waits until there are no more goroutines than there were.
func noneLeft(before int) error {
	late := time.Now().Add(patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(late) {
			return fmt.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks())
		}
		runtime.Gosched()
	}
	return nil
}

func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}
