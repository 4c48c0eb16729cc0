package engine

import (
	"container/heap"
	"time"
)

// rests are paths that rest until a time.
type rests struct {
	places[rest]
	alarms alarms
}

type rest struct {
	until  time.Time
	reason string
}

func (r *rests) put(path string, x rest) {
	r.places.put(path, x)
	heap.Push(&r.alarms, alarm{x.until, path})
}

func (r *rests) clear() { *r = rests{} }

// due returns the paths that have rested long enough; they rest no more.
func (r *rests) due(now time.Time) (out []string) {
	for {
		next := r.next()
		if next.IsZero() || next.After(now) {
			return out
		}
		path := r.alarms[0].path
		r.drop(path)
		out = append(out, path)
	}
}

// next returns when the first path will have rested long enough; zero when
// none rests.
func (r *rests) next() time.Time {
	for len(r.alarms) > 0 {
		first := r.alarms[0]
		if x, ok := r.get(first.path); ok && x.until.Equal(first.at) {
			return first.at
		}
		heap.Pop(&r.alarms) // that one was dropped, or put again
	}
	return time.Time{}
}

type alarm struct {
	at   time.Time
	path string
}

// alarms is a heap.
type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)        { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}
