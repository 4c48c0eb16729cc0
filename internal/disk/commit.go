package disk

import (
	"time"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// maxMissing is the number of names up to which a scan that misses them gives
// each a moment to come back. More than that is no editor's save.
const maxMissing = 4096

// beginScan makes the disk remember what batches set until end is called.
func (d *Disk) beginScan() (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.touched = make(map[string]struct{})
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.touched = nil
	}
}

// commit makes the index hold what was seen and reports the differences, in
// one observation. Where a batch was at work since the looks began, what it
// left is what counts, and the path is looked at again: a report must not be
// older than the index.
func (l *looker) commit() {
	d := l.d
	for _, s := range l.saw {
		if s.f.entry == nil || s.f.entry.IsDir() {
			d.checkRoot() // an absence means nothing when it is the root that went
			break
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone || d.life.Err() != nil {
		return
	}
	d.drain(l.saw)
	var seen []replica.Seen
	for _, s := range l.saw {
		var ok bool
		if s.f, ok = d.current(s.path, s.f); !ok {
			continue
		}
		if d.busyAt(s.path) {
			d.lookAgain(watch.Look{Path: s.path, Deep: s.f.entry.IsDir(), Modified: true})
			continue
		}
		if s.f.entry.IsDir() {
			s.f = d.graft(s.path, s.f)
		}
		if s.deep {
			s.f = d.keepMissing(s.path, s.f)
		}
		seen = append(seen, d.hold(s.path, s.f)...)
	}
	d.findNames()
	if len(seen) > 0 {
		d.report(replica.Report{Observed: &replica.Observed{Seen: seen, Contents: l.inline.contents}})
	}
}

// drain takes what the kernel holds by now, and has it understood by who knows
// what is about to be committed. Callers hold mu, and are the watch loop: nobody
// else may come between the events and their order.
func (d *Disk) drain(saw sights) {
	d.saw = saw
	defer func() { d.saw = nil }()
	if events, err := d.watch.Wait(0); err == nil && len(events) > 0 {
		now := d.opt.Clock.Now()
		d.settle.Add(now, events)
		d.lastEvent = now
	}
}

// current takes out of what was seen at path what was written since it was read,
// or went away: it may be half of a save, though it did not change during the
// read, or be a temporary file. The index's word stands there, and the path has
// another look before it. Nothing is left of f where f is such a file; ok is false
// then. Callers hold mu.
func (d *Disk) current(path string, f found) (_ found, ok bool) {
	x := index{tree: f.entry, stats: f.stats}
	written, gone := d.settle.Overtaken(path)
	for i, p := range append(written, gone...) {
		now, was := tree.Get(f.entry, below(p, path)), d.index.get(p)
		if d.index.tree == nil {
			was.entry = tree.NewUnknown(reasonTorn) // the first scan: nothing is known
		}
		if i < len(written) && now.IsFile() && !tree.Same(now, was.entry) {
			d.settle.Defer(d.opt.Clock.Now(), p, watch.Changed)
		}
		if p == path && (now.IsFile() || now == nil && i < len(written)) {
			return f, false
		}
		if now.IsFile() {
			x.set(below(p, path), was)
		}
	}
	return found{entry: x.tree, meta: f.meta, stats: x.stats}, true
}

// graft puts into a scan of path what the index holds wherever a batch was at
// work while the scan ran: the scan may have seen a step of it. It may also have
// seen an edit that followed, so those paths are looked at again. Callers hold mu.
func (d *Disk) graft(path string, f found) found {
	x := index{tree: f.entry, stats: f.stats}
	take := func(p string) {
		if p != path && tree.Within(p, path) && x.set(below(p, path), d.index.get(p)) {
			d.lookAgain(watch.Look{Path: p, Deep: true})
		}
	}
	for p := range d.touched {
		take(p)
	}
	for p := range d.leased {
		take(p)
	}
	return found{entry: x.tree, stats: x.stats}
}

// keepMissing puts back into a scan of path what the index holds and the scan
// did not find: the name may be a moment inside a save. It is looked at again.
// Callers hold mu.
func (d *Disk) keepMissing(path string, f found) found {
	old := tree.Get(d.index.tree, path)
	if !old.IsDir() || !f.entry.IsDir() {
		return f
	}
	var missing []string
	tree.Diff(path, old, f.entry, func(p string, _, now *tree.Entry) bool {
		if now == nil {
			missing = append(missing, p)
		}
		return len(missing) <= maxMissing
	})
	if len(missing) > maxMissing {
		return f
	}
	x := index{tree: f.entry, stats: f.stats}
	for _, p := range missing {
		x.set(below(p, path), d.index.get(p))
		d.settle.Defer(d.opt.Clock.Now(), p, watch.Absent)
	}
	return found{entry: x.tree, stats: x.stats}
}

// below returns p, which is path or below it, relative to it.
func below(p, path string) string {
	if path == "" || p == path {
		return p[len(path):]
	}
	return p[len(path)+1:]
}

// hold makes the index hold f at path and returns what is news. Callers hold mu.
func (d *Disk) hold(path string, f found) []replica.Seen {
	was := d.index.get(path)
	old := was.entry
	forced := d.forced[path]
	delete(d.forced, path)
	ruled := f.entry == ruledOut.entry
	if f.entry != nil {
		f.entry = tree.Share(f.entry, old)
	}
	if !d.set(path, f) && !(forced && ruled) { // below what is ignored: an answer, and nothing to be remembered
		return nil
	}
	if f.entry.IsFile() && !tree.Same(f.entry, old) {
		d.lookAtLinks(path, f.meta.ino, old != nil)
	}
	if old.IsFile() && was.meta.ino != f.meta.ino {
		d.lookAtLinks(path, was.meta.ino, true) // it may have been written to before it lost this name
	}
	var seen []replica.Seen
	tree.Diff(path, old, f.entry, func(p string, was, now *tree.Entry) bool {
		if was.IsDir() && (now == nil || now.Kind != tree.Unknown) { // it may be there as it was
			d.watch.Remove(p)
		}
		seen = append(seen, replica.Seen{Path: p, Entry: now})
		return true
	})
	if forced {
		return []replica.Seen{{Path: path, Entry: f.entry}}
	}
	return seen
}

// set changes the index. Callers hold mu.
func (d *Disk) set(path string, f found) bool {
	d.restless, d.unsaved = true, true
	return d.index.set(path, f)
}

// setByBatch is set for a batch: a scan that is under way must know. Callers
// hold mu.
func (d *Disk) setByBatch(path string, f found) bool {
	if d.touched != nil {
		d.touched[path] = struct{}{}
	}
	return d.set(path, f)
}

// asked is a look that was asked for.
type asked struct {
	watch.Look
	at time.Time // when it may be made
}

// lookAgain asks for a look, whatever the watch says. It believes nothing at
// first sight that may be a moment inside a save. Callers hold mu.
func (d *Disk) lookAgain(k watch.Look) {
	was := d.again[k.Path]
	d.again[k.Path] = asked{Look: watch.Look{
		Path: k.Path, Deep: k.Deep || was.Deep, Modified: k.Modified || was.Modified,
	}}
}

// leasedAt says whether a batch is at work at or above path. Callers hold mu.
func (d *Disk) leasedAt(path string) bool {
	return len(d.leased) > 0 && anyAbove(path, func(p string) bool { return d.leased[p] > 0 })
}

// busyAt says whether a batch is at work at or above path, or was since the
// scan began. Callers hold mu.
func (d *Disk) busyAt(path string) bool {
	return d.leasedAt(path) || len(d.touched) > 0 && anyAbove(path, func(p string) bool {
		_, ok := d.touched[p]
		return ok
	})
}

// anyAbove says whether one of path and the directories above it is such.
func anyAbove(path string, such func(string) bool) bool {
	for !such(path) {
		if path == "" {
			return false
		}
		path, _ = tree.Split(path)
	}
	return true
}
