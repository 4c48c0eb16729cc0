package run

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// hurried does not wait for time to pass.
type hurried struct{ system }

func (h hurried) Wait(ctx context.Context, c <-chan struct{}, d time.Duration) error {
	if c == nil {
		return ctx.Err()
	}
	return h.system.Wait(ctx, c, d)
}

// holder is a side with one content.
type holder struct {
	replica.Replica
	content  string
	gone     string
	broken   error
	released chan []string
}

func (h *holder) Send(_ context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	if h.broken != nil {
		return h.broken
	}
	if h.gone != "" {
		return sink(replica.Piece{Gone: h.gone})
	}
	if err := sink(replica.Piece{Data: []byte(h.content)}); err != nil {
		return err
	}
	return sink(replica.Piece{End: true})
}

func (h *holder) Release(_ context.Context, names []string) error {
	h.released <- names
	return nil
}

// A stray that can't be kept, because a disk is full perhaps, is tried again and told
// of once; one that its side does not have any more is not.
func TestRescueIsTriedAgain(t *testing.T) {
	state, err := fsx.OS().OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	full := 3
	fs := fsxtest.Wrap(fsx.OS(), func(site fsx.Site, _, _ string) error {
		if site == "keep.create" && full > 0 {
			full--
			return fsx.ErrNoSpace
		}
		return nil
	})
	dir, err := fs.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	store, err := keep.Open(dir, keep.Limits{Total: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	known, was, err := base.Open(state, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer known.Close()
	var told []Event
	s := New(Config{Machine: hurried{}, Base: known, Was: was, Keep: store, Tell: func(e Event) { told = append(told, e) }})
	s.crew = newCrew(t.Context(), hurried{})
	s.ctx = s.crew.ctx
	s.crew.do(s.keeps.run)
	s.crew.do(func(ctx context.Context) error {
		for {
			for _, e := range s.events.take() {
				if err := e(s); err != nil {
					return err
				}
			}
			if err := s.machine.Wait(ctx, s.events.ready, forever); err != nil {
				return err
			}
		}
	})
	late := time.Now().Add(deadline)
	from := &holder{content: "late", released: make(chan []string, 1)}
	stray := replica.Stray{Slot: "s1", Path: "f", Entry: tree.NewFile(tree.DigestOf([]byte("late")), 4, false), Why: "written late"}
	s.send(s.ctx, func(s *Session) error {
		s.remote = from
		<-s.strays[replica.Container]
		s.rescue(replica.Container, from, stray, 0)
		return nil
	})
	select {
	case names := <-from.released:
		if !slices.Equal(names, []string{"s1"}) {
			t.Errorf("released %q", names)
		}
	case <-time.After(deadline):
		t.Fatal("it is not tried again")
	}
	if items := store.List(); full != 0 || len(items) != 1 || items[0].Why != keep.LeftOver {
		t.Errorf("kept %+v after all but %d failures", items, full)
	}
	gone := &holder{gone: "it changed", released: make(chan []string, 1)}
	s.send(s.ctx, func(s *Session) error {
		s.remote = gone
		<-s.strays[replica.Container]
		s.rescue(replica.Container, gone, stray, 0)
		return nil
	})
	allFree := func() {
		t.Helper()
		asked := make(chan int)
		for free := 0; free < maxStrays; free = <-asked {
			if time.Now().After(late) {
				t.Fatal("it keeps its place for ever")
			}
			s.send(s.ctx, func(s *Session) error { asked <- len(s.strays[replica.Container]); return nil })
		}
	}
	allFree()
	// One whose connection is gone, which nobody has noticed yet, keeps no place.
	dead := &holder{broken: errors.New("the connection ended"), released: make(chan []string, 1)}
	s.send(s.ctx, func(s *Session) error {
		s.remote = dead
		<-s.strays[replica.Container]
		s.rescue(replica.Container, dead, stray, 0)
		return nil
	})
	allFree()
	s.crew.cancel(nil)
	s.crew.wait()
	warnings := slices.DeleteFunc(told, func(e Event) bool { return e.Kind != Warning })
	if len(warnings) != 3 {
		t.Errorf("warnings: %+v", warnings)
	}
}
