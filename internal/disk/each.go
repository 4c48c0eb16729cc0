package disk

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// minWorkers is how much is done side by side even on one core: most of the
// work waits, for contents or for a file system in user space.
const minWorkers = 4

func workers() int { return max(minWorkers, runtime.GOMAXPROCS(0)) }

// newEach returns an each that has about n goroutines at work at a time,
// however deeply calls are nested: a call runs its items itself, and gets help
// while there is some to be had. Nobody waits for help, so nobody waits for
// ever.
func newEach(n int) func(int, func(int)) {
	helpers := make(chan struct{}, n-1)
	return func(items int, f func(int)) {
		var next atomic.Int64
		work := func() {
			for i := next.Add(1) - 1; i < int64(items); i = next.Add(1) - 1 {
				f(int(i))
			}
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		for range items - 1 {
			select {
			case helpers <- struct{}{}:
				wg.Go(func() { defer func() { <-helpers }(); work() })
				continue
			default:
			}
			break
		}
		work()
	}
}
