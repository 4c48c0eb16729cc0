package disk

import (
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// observe finds out what the paths hold that had moved on, so that the results
// say it. What may be a moment inside a save gets its time, all paths together.
func (a *applier) observe(results []replica.Result) []replica.Result {
	var moved []int
	for i, r := range results {
		if r.Status == replica.MovedOn && a.changed(r) {
			moved = append(moved, i)
		}
	}
	if len(moved) == 0 {
		return results
	}
	if wait := a.lookAll(results, moved); len(wait) > 0 {
		if a.d.opt.Clock.Pause(a.ctx, watch.AbsenceWait) != nil {
			return results
		}
		a.lookAll(results, wait)
	}
	return results
}

// changed says whether a result is of a path that changed, and not of a content
// that was gone.
func (a *applier) changed(r replica.Result) bool {
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	_, ok := a.d.again[r.Path]
	return ok
}

// lookAll makes the results and the index hold what is there, and returns those
// that should be looked at once more.
func (a *applier) lookAll(results []replica.Result, which []int) (wait []int) {
	cur := &cursor{top: a.d.root}
	defer cur.close()
	for _, i := range which {
		r := &results[i]
		f := a.d.lookNow(cur, r.Path)
		if f.entry == nil || f.entry.IsFile() && (f.entry.Size == 0 || f.meta.trust == stale) || f.entry.Kind == tree.Unknown {
			wait = append(wait, i)
		}
		r.Entry = a.d.foundAt(r.Path, f)
	}
	return wait
}

// foundAt makes the index hold f, and returns what it holds then.
func (d *Disk) foundAt(path string, f found) *tree.Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	if tree.Get(d.index.tree, path).IsDir() && !f.entry.IsDir() {
		d.watch.Remove(path)
	}
	if !d.setByBatch(path, f) {
		return nil
	}
	return f.entry
}

// lookNow reads what is at path.
func (d *Disk) lookNow(cur *cursor, path string) found {
	parent, name := tree.Split(path)
	dir, err := cur.at(parent)
	if isAbsent(err) {
		return found{}
	}
	s := &scanner{d: d, prior: d.strictPrior, torn: d.rereadLater}
	if err != nil {
		return s.unknown(path, err)
	}
	st, err := d.statAs(&spelling{}, parent, dir, name)
	switch {
	case err == errSpelled:
		return found{}
	case err == nil && d.outOfSight(parent, name, st.Kind == fsx.Directory):
		return ruledOut
	}
	return s.name(path, dir, name, 0)
}
