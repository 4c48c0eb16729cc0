//go:build !windows

package disk

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// Nested calls end, however few helpers there are, and do everything once.
func TestEachNested(t *testing.T) {
	for n := 1; n <= 5; n++ {
		each := newEach(n)
		var count, at, most atomic.Int64
		each(20, func(int) {
			each(20, func(int) {
				each(20, func(int) {
					now := at.Add(1)
					for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
					}
					count.Add(1)
					at.Add(-1)
				})
			})
		})
		if count.Load() != 8000 || most.Load() > int64(n) {
			t.Errorf("%d workers: %d done, %d at a time", n, count.Load(), most.Load())
		}
	}
}

// slow is a source that gives nothing before it was asked twice.
type slow struct {
	contents
	asked atomic.Int64
	both  chan struct{}
}

func (s *slow) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	if s.asked.Add(1) == 2 {
		close(s.both)
	}
	select {
	case <-s.both:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.contents.Send(ctx, wants, sink)
}

// While one part of a large batch waits for its contents, others go on: also
// within one new directory.
func TestApplyOverlaps(t *testing.T) {
	for _, name := range []string{"files", "directory"} {
		t.Run(name, func(t *testing.T) {
			src := &slow{contents: contents{}, both: make(chan struct{})}
			var changes []tree.Change
			var children []tree.Child
			for i := range 2 * chunkFiles {
				e := src.file(fmt.Sprint("content ", i))
				changes = append(changes, tree.Change{Path: fmt.Sprint(i), New: e})
				children = append(children, tree.Child{Name: fmt.Sprint(i), Entry: e})
			}
			if name == "directory" {
				changes = []tree.Change{{Path: "d", New: tree.NewDir(children)}}
			}
			r := open(t, t.TempDir(), Options{})
			r.applyAll(src, changes...)
			r.quiet()
			r.check()
		})
	}
}
