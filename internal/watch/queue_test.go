package watch

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func newIntQueue(size int) *queue[int] {
	return newQueue(size, func(i int) (Event, bool) { return Event{Op: Modify, Name: fmt.Sprint(i)}, i >= 0 })
}

func TestQueue(t *testing.T) {
	q := newIntQueue(16)
	for _, i := range []int{1, 1, -1, 2} {
		q.c <- i
	}
	events, err := q.wait(-1)
	if want := []Event{{Op: Modify, Name: "1"}, {Op: Modify, Name: "2"}}; err != nil || !slices.Equal(events, want) {
		t.Errorf("%v, %v", events, err)
	}
	if events, err := q.wait(0); events != nil || err != nil {
		t.Errorf("empty: %v, %v", events, err)
	}
	q.c <- -1
	if events, err := q.wait(time.Millisecond); events != nil || err != nil {
		t.Errorf("nothing to look at: %v, %v", events, err)
	}
	q.close()
	q.close()
	if _, err := q.wait(-1); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// A sender that drops what does not fit is noticed, whenever it drops.
func TestQueueFull(t *testing.T) {
	q := newIntQueue(8)
	for i := range cap(q.c) {
		q.c <- i
	}
	if events, _ := q.wait(0); len(events) != 1 || events[0].Op != Overflow {
		t.Errorf("full: %v", events)
	}
	// The channel fills up while it is read.
	q.translate = func(i int) (Event, bool) {
		for n := 0; i == 1 && n < cap(q.c); n++ {
			q.c <- 2
		}
		return Event{Op: Modify}, true
	}
	q.c <- 1
	if events, _ := q.wait(0); len(events) != 1 || events[0].Op != Overflow {
		t.Errorf("filled: %v", events)
	}
}

func TestPoll(t *testing.T) {
	src := NewPoll(time.Hour)
	p := src.(*poll)
	if events, err := src.Wait(0); events != nil || err != nil {
		t.Errorf("too early: %v, %v", events, err)
	}
	if events := p.tick(time.Now().Add(3 * time.Hour)); !slices.Equal(events, []Event{{Op: Overflow}}) {
		t.Errorf("tick: %v", events)
	}
	src.Close()
	if _, err := src.Wait(-1); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	soon := NewPoll(time.Millisecond)
	if events, err := soon.Wait(-1); !slices.Equal(events, []Event{{Op: Overflow}}) || err != nil {
		t.Errorf("tick: %v, %v", events, err)
	}
}
