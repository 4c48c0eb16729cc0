package disk

import (
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

const siteMove fsx.Site = "move.rename"

// move makes a removal and a creation of the same thing one rename. It loses
// nothing whatever it meets: what is in a directory, known or not, goes along.
// Both names are the user's, so it takes a file system that needs no steps for
// it, which is one that can exchange, or one that takes the two names for one.
func (a *applier) move() {
	if a.d.facts.Apply != "exchange" && !a.d.folds() {
		return
	}
	gone := make(map[tree.Digest][]int)
	for i, c := range a.changes {
		if !a.done[i] && c.New == nil && movable(c.Old) {
			gone[c.Old.Digest] = append(gone[c.Old.Digest], i)
		}
	}
	if len(gone) == 0 {
		return
	}
	m := mover{d: a.d, from: &cursor{top: a.d.root}, to: &cursor{top: a.d.root}}
	defer m.from.close()
	defer m.to.close()
	var results []replica.Result
	for i, c := range a.changes {
		if a.done[i] || c.Old != nil || !movable(c.New) {
			continue
		}
		from := gone[c.New.Digest]
		if len(from) == 0 || !tree.Equal(a.changes[from[0]].Old, c.New) {
			continue
		}
		j := from[0]
		gone[c.New.Digest] = from[1:]
		if old, fresh, ok := m.move(a.changes[j], c); ok {
			a.done[i], a.done[j] = true, true
			results = append(results, a.result(j, old), a.result(i, fresh))
		}
	}
	a.report(results)
}

// movable says whether e is worth a rename: it has content.
func movable(e *tree.Entry) bool {
	return e.IsFile() && e.Size > 0 || e.IsDir() && e.Files() > 0 && !e.Murky()
}

// mover renames below the root.
type mover struct {
	d        *Disk
	from, to *cursor
}

// move renames what one change removes to where the other wants it. ok is
// false, and nothing was done, where that is not possible.
func (m *mover) move(old, fresh tree.Change) (_, _ replica.Result, ok bool) {
	d := m.d
	d.mu.Lock()
	was := d.index.get(old.Path)
	can := !d.gone && tree.Get(d.index.tree, fresh.Path) == nil && tree.Equal(was.entry, old.Old)
	hides := was.entry.IsDir() && was.stats.hides()
	d.mu.Unlock()
	if !can {
		return replica.Result{}, replica.Result{}, false
	}
	fromParent, fromName := tree.Split(old.Path)
	toParent, toName := tree.Split(fresh.Path)
	src, err := m.from.at(fromParent)
	if err != nil {
		return replica.Result{}, replica.Result{}, false
	}
	dst, err := m.to.at(toParent)
	if err != nil {
		return replica.Result{}, replica.Result{}, false
	}
	st, err := src.Stat(fromName)
	if err != nil || was.entry.IsFile() && !(was.meta.matches(st) && st.Size == was.entry.Size) {
		return replica.Result{}, replica.Result{}, false
	}
	how := fsx.NoReplace
	if fromParent == toParent && d.isOne(dst, toName, st) {
		how = fsx.Replace // nothing but itself: what else is in it keeps its place
	} else if hides || d.facts.Apply != "exchange" {
		return replica.Result{}, replica.Result{}, false
	}
	if src.Rename(siteMove, fromName, dst, toName, how) != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.lookAt(old.Path, fresh.Path)
		return replica.Result{}, replica.Result{}, false
	}
	if was.entry.IsFile() {
		was.meta.trust = min(was.meta.trust, placed)
	}
	return m.moved(old, fresh, was, dst, toName)
}

// isOne says whether the file system takes a name for another whose stat st is.
func (d *Disk) isOne(dir fsx.Dir, name string, st fsx.Stat) bool {
	if !d.folds() || st.Kind != fsx.Directory && st.Nlink > 1 {
		return false
	}
	other, err := dir.Stat(name)
	return err == nil && other.Ino == st.Ino
}

// moved looks at a file that was moved: it may have been written to at the last
// moment. Then it is where it is, and both paths are looked at.
func (m *mover) moved(old, fresh tree.Change, was found, dst fsx.Dir, name string) (_, _ replica.Result, ok bool) {
	d := m.d
	same := true
	if was.entry.IsFile() {
		s, _ := d.holds(fresh.Path, dst, name, was.entry, was.meta)
		if same = s != nil; same {
			was.meta = metaOf(s.st, racy)
		} else {
			was.meta.trust = stale
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setByBatch(old.Path, found{})
	there := replica.Result{Path: fresh.Path, Status: replica.Applied}
	if !d.setByBatch(fresh.Path, was) {
		there = replica.Result{Path: fresh.Path, Status: replica.MovedOn, Reason: "its directory is gone"}
	}
	if !same {
		d.lookAt(old.Path, fresh.Path)
	}
	return replica.Result{Path: old.Path, Status: replica.Applied}, there, true
}

// lookAt asks for looks after which everything about the paths is known.
// Callers hold mu.
func (d *Disk) lookAt(paths ...string) {
	for _, p := range paths {
		d.lookAgain(watch.Look{Path: p, Deep: true, Modified: true})
	}
}
