package disk

import (
	"sort"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

const (
	// restAfter is how long nothing has to happen before the disk puts its own
	// things in order.
	restAfter = 2 * time.Second
	// restSlice is how many directories it sees to before it listens again.
	restSlice = 64
	// saveEvery is how often the stat cache is saved while things change: a
	// process that is killed reads at most so much again.
	saveEvery = 5 * time.Minute
)

// nextRest returns when there may be something to put in order. Callers hold mu.
func (d *Disk) nextRest() (time.Time, bool) {
	quiet := d.lastEvent.Add(max(restAfter, time.Duration(3*d.granule)))
	switch {
	case d.gone || d.index.stats == nil:
		return quiet, false
	case d.restless && d.unsaved:
		return earlier(quiet, d.saveBy()), true
	case d.restless:
		return quiet, true
	case d.unsaved && quiet.Before(d.savedAt.Add(saveEvery)):
		return d.savedAt.Add(saveEvery), true
	}
	return quiet, d.unsaved
}

// saveBy is when the stat cache is saved though things change: they may for ever,
// and then what rests is worth it. Callers hold mu.
func (d *Disk) saveBy() time.Time { return later(d.savedAt, d.begunAt).Add(saveEvery) }

// rest proves, while nothing happens, what events guarded so far: a file whose
// stat is still that of when it was read or put there, now that its stamp is
// old, and with no event about it in the kernel's queue, holds what it held.
// Then the stats are worth saving.
func (d *Disk) rest(now time.Time) {
	d.mu.Lock()
	at, ok := d.nextRest()
	if ok && d.restless && d.unsaved && !now.Before(d.saveBy()) {
		d.savedAt, d.saveDue = now, true
	}
	if !ok || now.Before(at) || len(d.leased) > 0 || !d.settle.Idle() || len(d.again) > 0 {
		if ok && !now.Before(at) {
			d.lastEvent = now // busy: not now
		}
		d.mu.Unlock()
		return
	}
	if !d.restless {
		d.unsaved, d.savedAt, d.saveDue = false, now, true
		d.mu.Unlock()
		return
	}
	if d.young == nil {
		d.index.stats.each("", func(path string, s *stats) {
			if s.young && !s.deaf {
				d.young = append(d.young, path)
			}
		})
		sort.Sort(byText(d.young))
	}
	n := min(restSlice, len(d.young))
	dirs := d.young[:n]
	if d.young = d.young[n:]; len(d.young) == 0 {
		d.young, d.restless = nil, false
	}
	d.mu.Unlock()
	d.prove(dirs)
}

// prove stats the files of directories that are not proven, and then asks the
// kernel whether anything happened.
func (d *Disk) prove(dirs []string) {
	cur := &cursor{top: d.root}
	defer cur.close()
	old := make(map[string]fsx.Stat)
	for _, path := range dirs {
		dir, err := cur.at(path)
		if err != nil {
			continue
		}
		for _, name := range d.unproven(path) {
			if st, err := dir.Stat(name); err == nil && d.trust(st) == proven {
				old[tree.Join(path, name)] = st
			}
		}
	}
	events, err := d.watch.Wait(0)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle.Add(d.opt.Clock.Now(), events)
	if err != nil || len(events) > 0 || len(d.leased) > 0 || len(d.again) > 0 {
		d.young, d.restless, d.lastEvent = nil, true, d.opt.Clock.Now()
		return
	}
	for path, st := range old {
		m, in, ok := d.index.file(path)
		if !ok || in.deaf || !m.matches(st) || tree.Get(d.index.tree, path).Size != st.Size {
			continue
		}
		_, name := tree.Split(path)
		in.files.set(name, metaOf(st, proven))
	}
	for _, path := range dirs {
		if s := d.index.dir(path); s != nil {
			s.young = false
		}
	}
}

// unproven lists the files of a directory that are not proven.
func (d *Disk) unproven(path string) (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.index.dir(path)
	if s == nil {
		return nil
	}
	for name, m := range s.files.all() {
		if m.trust == racy || m.trust == placed {
			names = append(names, name)
		}
	}
	return names
}
