package disk

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// look reads what a batch of hints points at, and reports what is new as one
// observation.
func (d *Disk) look(b watch.Batch) {
	end := d.beginScan()
	defer end()
	l := looker{d: d, moves: b.Moves, inline: &inline{}, cur: &cursor{top: d.root}}
	defer l.cur.close()
	if d.folds() {
		b.Looks = l.respelled(b.Looks)
		b.Sort()
	}
	for _, k := range b.Looks {
		if k.Path == "" {
			l.whole()
			continue
		}
		l.one(k)
	}
	l.commit()
}

// looker collects what one batch of looks found.
type looker struct {
	d      *Disk
	cur    *cursor
	moves  []watch.Move
	inline *inline
	spelt  spelling
	saw    sights
}

// sight is one look's result, not committed yet.
type sight struct {
	path string
	f    found
	deep bool // what is missing below is not believed yet
}

// sights are those of one batch of looks, by path.
type sights []sight

// holds says whether one of them found something at path.
func (saw sights) holds(path string) bool {
	return len(saw) > 0 && anyAbove(path, func(above string) bool {
		i, ok := slices.BinarySearchFunc(saw, above, func(s sight, p string) int { return strings.Compare(s.path, p) })
		return ok && tree.Get(saw[i].f.entry, below(path, above)) != nil
	})
}

// whole looks everywhere. That follows lost events, so a stat that is as young
// as its file proves nothing.
func (l *looker) whole() {
	l.d.checkRoot()
	s := &scanner{d: l.d, prior: l.d.strictPrior, inline: l.inline, wait: l.d.unfinished, torn: l.d.rereadLater}
	if f := s.dir("", l.d.root); f.stats != nil {
		l.saw = append(l.saw, sight{"", f, true})
	}
}

// one looks at one path.
func (l *looker) one(k watch.Look) {
	d := l.d
	if d.skip(k) {
		return
	}
	parent, name := tree.Split(k.Path)
	var st fsx.Stat
	dir, err := l.cur.at(parent)
	if err == nil {
		st, err = d.statAs(&l.spelt, parent, dir, name)
		k.TrustAbsent = k.TrustAbsent || err == errSpelled
	}
	switch {
	case isAbsent(err):
		l.absent(k)
	case d.outOfSight(parent, name, err == nil && st.Kind == fsx.Directory):
		l.ignored(k.Path, parent)
	case err != nil:
		d.tryAgain(k.Path, err)
		l.saw = append(l.saw, sight{path: k.Path, f: unknown(err)})
	default:
		l.present(k, dir, name, st)
	}
}

// isAbsent says whether an error of walking to a name witnesses that nothing is
// there: it is missing, or what is above it is no directory.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fsx.ErrNotDir) || errors.Is(err, fsx.ErrIsLink)
}

// outOfSight says whether the rules ignore a name or something above it.
func (d *Disk) outOfSight(parent, name string, isDir bool) bool {
	return d.ignored(parent, name, isDir) || parent != "" && d.rules.Ignored(parent, true)
}

// ruledOut is what is said of what the rules ignore.
var ruledOut = found{entry: tree.NewUnknown("ignored by the rules")}

// ignored notes that a directory holds something that the rules ignore. Nothing
// is known of it then, if anybody knew or asked: the rules may have come to ignore
// the path when it became a directory. What came from another name is still watched.
func (l *looker) ignored(path, parent string) {
	if path == privateName {
		return
	}
	d := l.d
	d.watch.Remove(path)
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.index.dir(parent); s != nil {
		s.hidden = true
	}
	if d.forced[path] || tree.Get(d.index.tree, path) != nil {
		l.saw = append(l.saw, sight{path: path, f: ruledOut})
	}
}

// skip says whether a batch is at work on path, and remembers to look later.
func (d *Disk) skip(k watch.Look) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.leasedAt(k.Path) {
		return false
	}
	d.lookAgain(k)
	return true
}

// absent takes note of a name that is not there; the first time, it gets a
// moment to come back.
func (l *looker) absent(k watch.Look) {
	if !k.TrustAbsent {
		l.d.deferLook(k, watch.Absent)
		return
	}
	l.saw = append(l.saw, sight{path: k.Path})
}

// present looks at a name that is there.
func (l *looker) present(k watch.Look, dir fsx.Dir, name string, st fsx.Stat) {
	d := l.d
	was := d.known(k.Path)
	if st.Kind == fsx.Directory && !k.Deep && was.stats != nil && was.stats.ino == st.Ino {
		if was.entry.Murky() {
			l.glance(k.Path, true) // what could not be read below it may have become readable
			return
		}
		l.saw = append(l.saw, sight{path: k.Path, f: was})
		return
	}
	if st.Kind == fsx.Regular && !k.TrustEmpty && (begun(st, was) && !k.Modified || emptied(st, was)) {
		d.deferLook(k, whyEmpty(k))
		return
	}
	s := &scanner{d: d, prior: d.priorFor(k, l.moves), inline: l.inline, torn: d.rereadLater}
	if st.Kind == fsx.Directory {
		s.wait = d.unfinished
	}
	f := s.name(k.Path, dir, name, st.Kind)
	if f.entry == nil {
		l.absent(k) // gone since the stat
		return
	}
	if f.entry.Kind == tree.Unknown && f.entry.Text == reasonTorn {
		return // it is looked at again when it rests
	}
	if f.entry.IsFile() && f.entry.Size == 0 && st.Size > 0 && !k.TrustEmpty {
		d.deferLook(k, whyEmpty(k)) // emptied between the stat and the read
		return
	}
	l.saw = append(l.saw, sight{k.Path, f, true})
}

// whyEmpty says why an empty file is not believed.
func whyEmpty(k watch.Look) watch.Why {
	if k.Open {
		return watch.Unclosed
	}
	return watch.Empty
}

// begun says whether a file is another than was known at its path: if nobody has
// closed it, it may be half of a save.
func begun(st fsx.Stat, was found) bool { return !was.entry.IsFile() || was.meta.ino != st.Ino }

// emptied says whether a file is empty and was not.
func emptied(st fsx.Stat, was found) bool {
	return st.Size == 0 && !(was.entry.IsFile() && was.entry.Size == 0)
}

// unfinished says whether a file that was met in a scan may be a moment inside a
// save: nothing is known of its writer, so one that was begun has to be older
// than the pauses of a writer are, and one that was emptied gets its time.
func (d *Disk) unfinished(path string, st fsx.Stat) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, was := d.opt.Clock.Now(), d.index.get(path)
	age := now.UnixNano() - st.Mtime
	young := begun(st, was) && age >= 0 && age < int64(watch.QuietWait)
	if !young && !(was.entry.IsFile() && emptied(st, was)) {
		return false
	}
	d.settle.Defer(now, path, watch.Empty)
	return true
}

// deferLook gives what may be a moment inside a save its time. Settle may come
// to know better than to look again; but where a report was asked for, it comes.
func (d *Disk) deferLook(k watch.Look, why watch.Why) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.opt.Clock.Now()
	if !d.forced[k.Path] {
		d.settle.Defer(now, k.Path, why)
		return
	}
	k.TrustAbsent, k.TrustEmpty = why == watch.Absent, why == watch.Empty || why == watch.Unclosed
	d.again[k.Path] = asked{k, now.Add(watch.AbsenceWait)}
}

func (d *Disk) rereadLater(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle.Defer(d.opt.Clock.Now(), path, watch.Changed)
}

// indexPrior is a scanner's prior where events guard what a stat can't tell,
// and strictPrior where they don't.
func (d *Disk) indexPrior(path string, st fsx.Stat) (*tree.Entry, trust, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.index.prior(path, st, false)
}

func (d *Disk) strictPrior(path string, st fsx.Stat) (*tree.Entry, trust, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.index.prior(path, st, true)
}

// priorFor returns what stands for a file's content without reading it: an
// equal stat at the same path, or at the path from which it was moved with its
// directory. A file that was itself modified is always read.
func (d *Disk) priorFor(k watch.Look, moves []watch.Move) func(string, fsx.Stat) (*tree.Entry, trust, bool) {
	return func(path string, st fsx.Stat) (*tree.Entry, trust, bool) {
		if k.Modified && path == k.Path {
			return nil, stale, false
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if e, t, ok := d.index.prior(path, st, false); ok {
			return e, t, true
		}
		for _, m := range moves {
			if m.IsDir && tree.Within(path, m.To) && path != m.To {
				return d.index.prior(m.From+path[len(m.To):], st, false)
			}
		}
		return nil, stale, false
	}
}
