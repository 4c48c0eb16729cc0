package disk

import (
	"sync"
	"time"

	"github.com/twosync/twosync/internal/replica"
)

// gaugeTime is how often somebody who watches a bar wants it to move.
const gaugeTime = 200 * time.Millisecond

// gauge counts what a scan or a batch has done, and says so now and then.
type gauge struct {
	d     *Disk
	batch uint64 // 0: a scan

	mu    sync.Mutex
	files int64     // guarded by mu
	bytes int64     // guarded by mu
	last  time.Time // guarded by mu
}

func newGauge(d *Disk, batch uint64) *gauge {
	return &gauge{d: d, batch: batch, last: d.opt.Clock.Now()}
}

// add counts. A nil gauge counts nothing.
func (g *gauge) add(files, bytes int64) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.files, g.bytes = g.files+files, g.bytes+bytes
	if now := g.d.opt.Clock.Now(); now.Sub(g.last) >= gaugeTime {
		g.last = now
		g.d.report(replica.Report{Progress: &replica.Progress{Batch: g.batch, Files: g.files, Bytes: g.bytes}})
	}
}
