//go:build linux

package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// flushRounds is how often the barrier is asked. Each is a chance for a change
// to slip past it.
const flushRounds = 60

// What was written before a flush, on either side, is on the other after it,
// whatever it was and however little time it had.
func TestFlushIsABarrier(t *testing.T) {
	t.Parallel()
	p := begin(t, runContainer(t, busybox), "/app")
	rnd := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for i := range flushRounds {
		for _, u := range []*user{p.host, p.inner} {
			dabble(u, rnd, u.name, i)
		}
		host, inner := p.host.tree(), p.inner.tree()
		p.flush()
		after := p.host.tree()
		same(t, fmt.Sprintf("round %d: host, but container", i), after, p.inner.tree())
		same(t, fmt.Sprintf("round %d: the host's work, but then", i), host.below("host"), after.below("host"))
		same(t, fmt.Sprintf("round %d: the container's work, but then", i), inner.below("container"), after.below("container"))
		if t.Failed() {
			return
		}
	}
	p.stop()
}

// dabble does a few small things below a directory of one's own.
func dabble(u *user, rnd *rand.Rand, dir string, round int) {
	if round == 0 {
		u.mkdir(dir)
	}
	for n := range 1 + rnd.IntN(6) {
		name := func() string { return fmt.Sprintf("%s/d%d/f%d", dir, rnd.IntN(3), rnd.IntN(4)) }
		text := fmt.Sprintf("round %d, %d\n", round, n)
		switch rnd.IntN(8) {
		case 0, 1:
			u.write(name(), text)
		case 2:
			path := name()
			u.write(path, text)
			u.save(path, text+"saved\n")
		case 3:
			_, _ = u.try(Request{Do: "remove", Path: []byte(name())}) // if it is there
		case 4:
			_, _ = u.try(Request{Do: "rename", Path: []byte(name()), To: []byte(name())})
		case 5:
			_, _ = u.try(Request{Do: "remove", Path: fmt.Appendf(nil, "%s/d%d", dir, rnd.IntN(3))})
		case 6:
			_, _ = u.try(Request{Do: "rename", Path: fmt.Appendf(nil, "%s/d%d", dir, rnd.IntN(3)), To: fmt.Appendf(nil, "%s/e%d", dir, rnd.IntN(2))})
		case 7:
			u.mkdir(fmt.Sprintf("%s/d%d/sub%d", dir, rnd.IntN(3), n))
		}
	}
}
