package disk

import (
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
	var seen []replica.Seen
	for _, s := range l.saw {
		if d.busyAt(s.path) {
			d.lookAgain(watch.Look{Path: s.path, Deep: s.f.entry.IsDir(), Modified: true, TrustAbsent: true})
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
	if len(seen) > 0 {
		d.report(replica.Report{Observed: &replica.Observed{Seen: seen, Contents: l.inline.contents}})
	}
}

// graft puts into a scan of path what the index holds wherever a batch was at
// work while the scan ran: the scan may have seen a step of it. Callers hold mu.
func (d *Disk) graft(path string, f found) found {
	x := index{tree: f.entry, stats: f.stats}
	take := func(p string) bool {
		if p == path || !tree.Within(p, path) {
			return false
		}
		return x.set(below(p, path), d.index.get(p))
	}
	for p := range d.touched {
		take(p)
	}
	for p := range d.leased {
		if take(p) {
			d.lookAgain(watch.Look{Path: p, Deep: true})
		}
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

// below returns p, which is below path, relative to it.
func below(p, path string) string {
	if path == "" {
		return p
	}
	return p[len(path)+1:]
}

// hold makes the index hold f at path and returns what is news. Callers hold mu.
func (d *Disk) hold(path string, f found) []replica.Seen {
	old := tree.Get(d.index.tree, path)
	forced := d.forced[path]
	delete(d.forced, path)
	if forced && d.rules.Ignored(path, false) {
		return []replica.Seen{{Path: path, Entry: f.entry}}
	}
	if f.entry != nil {
		f.entry = tree.Share(f.entry, old)
	}
	if !d.set(path, f) {
		return nil
	}
	var seen []replica.Seen
	tree.Diff(path, old, f.entry, func(p string, was, now *tree.Entry) bool {
		if was.IsDir() {
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

// lookAgain asks for a look, whatever the watch says. Callers hold mu.
func (d *Disk) lookAgain(k watch.Look) {
	was := d.again[k.Path]
	k.Deep = k.Deep || was.Deep
	k.Modified = k.Modified || was.Modified
	k.TrustAbsent = k.TrustAbsent || was.TrustAbsent
	k.TrustEmpty = k.TrustEmpty || was.TrustEmpty
	d.again[k.Path] = k
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
