package disk

import (
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

const (
	// sweepEvery is how long a lost event can go unnoticed.
	sweepEvery = 15 * time.Minute
	// sweepSlice is how many directories are looked at at once in a sweep:
	// about a millisecond, in which a save has to wait.
	sweepSlice = 32
	// pollEvery is how often directories without a watch are looked at.
	pollEvery = 2 * time.Second
	// farEvery is how long the change of another machine goes unnoticed, on a
	// file system that several share.
	farEvery = 10 * time.Second
	// sweepRest is how many times as long as a slice took nothing is swept.
	sweepRest = 30
)

// sweeps are the looks that nobody asked for, so that a lost event costs
// minutes and not correctness, and a directory without a watch seconds.
type sweeps struct {
	every time.Duration // between two rounds of all
	all   round         // of every directory
	poll  round         // of those without a watch
}

// round is a series of looks at many directories, a slice at a time.
type round struct {
	todo []string  // of the round that is under way
	at   time.Time // when the next slice is due
	end  time.Time // when the round should be over, and the next begins
}

// slice returns the directories that are due. The slices are spread over the
// time between the beginnings of two rounds.
func (r *round) slice(now time.Time, every time.Duration, begin func() []string) []string {
	if now.Before(r.at) {
		return nil
	}
	if len(r.todo) == 0 {
		r.todo, r.end = begin(), now.Add(every)
		sort.Sort(byText(r.todo))
	}
	n := min(sweepSlice, len(r.todo))
	dirs := r.todo[:n:n]
	r.todo = r.todo[n:]
	left := (len(r.todo) + sweepSlice - 1) / sweepSlice
	r.at = now.Add(r.end.Sub(now) / time.Duration(left+1))
	return dirs
}

// nextSweep returns when there is something to sweep. Callers hold mu.
func (d *Disk) nextSweep(now time.Time) time.Time {
	s := &d.sweeps
	if s.all.at.IsZero() {
		s.all.at = now.Add(s.every)
	}
	if len(d.polled) > 0 {
		return earlier(s.all.at, s.poll.at)
	}
	return s.all.at
}

// sweep looks at the next directories whose time has come, and leaves the disk
// alone after that for as long as it is worth.
func (d *Disk) sweep(now time.Time) {
	s := &d.sweeps
	d.mu.Lock()
	dirs := append(s.all.slice(now, s.every, d.everyDir), s.poll.slice(now, pollEvery, d.polledDirs)...)
	d.mu.Unlock()
	if len(dirs) == 0 {
		return
	}
	d.glance(dirs)
	end := d.opt.Clock.Now()
	rest := end.Add(sweepRest * end.Sub(now))
	s.all.at, s.poll.at = later(s.all.at, rest), later(s.poll.at, rest)
}

// everyDir returns what a sweep looks at. Callers hold mu.
func (d *Disk) everyDir() (dirs []string) {
	if !d.gone {
		d.index.stats.each("", func(path string, _ *stats) { dirs = append(dirs, path) })
	}
	return dirs
}

// polledDirs returns the directories without a watch. Callers hold mu.
func (d *Disk) polledDirs() []string { return slices.Collect(maps.Keys(d.polled)) }

// glance looks at each of the directories, and not at those below.
func (d *Disk) glance(dirs []string) {
	d.checkRoot()
	d.checkOwn() // what can't be mended now is tried again, or held a change up
	end := d.beginScan()
	defer end()
	sort.Sort(byText(dirs))
	l := looker{d: d, inline: &inline{}, cur: &cursor{top: d.root}}
	defer l.cur.close()
	for _, p := range dirs {
		if f, _ := d.knownDir(p); f.stats != nil {
			l.glance(p, false)
			continue
		}
		d.mu.Lock()
		delete(d.polled, p)
		d.mu.Unlock()
	}
	l.commit()
}

// glance looks at what a directory holds, but not below it: only, to mend what is
// unknown, where something is.
func (l *looker) glance(path string, mend bool) {
	dir, err := l.cur.at(path)
	if err != nil {
		l.d.tryAgain(path, err)
		return // its parent is looked at too
	}
	s := &scanner{d: l.d, prior: l.d.indexPrior, inline: l.inline, shallow: true, mend: mend, wait: l.d.unfinished, torn: l.d.rereadLater}
	if f := s.dir(path, dir); f.stats != nil || f.entry.Kind == tree.Opaque { // or mounted over
		l.saw = append(l.saw, sight{path, f, true})
	}
}

// glanceAtRoot is checkRoot in one call, for what is on somebody's way: it
// misses that a directory further up was replaced.
func (d *Disk) glanceAtRoot() {
	if d.above != nil {
		st, err := d.above.Stat(filepath.Base(d.path))
		if err == nil && st.Kind == fsx.Directory && st.Ino == d.rootIno && st.Dev == d.rootDev {
			return
		}
	}
	d.checkRoot()
}

// checkRoot halts when the path of the root no longer names what was opened.
func (d *Disk) checkRoot() {
	root, err := d.opt.FS.OpenRoot(d.path)
	if err == nil {
		defer root.Close()
		self, serr := root.Self()
		if err = serr; err == nil && self.Ino == d.rootIno && self.Dev == d.rootDev {
			return
		}
	}
	text := "the root " + d.path + " was replaced by another directory"
	if err != nil {
		text = "the root " + d.path + " is gone"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.halt(text, "put it back, or start again with the directory that is meant")
}

// halt ends every change on this side. Callers hold mu.
func (d *Disk) halt(text, remedy string) {
	if d.gone {
		return
	}
	d.gone = true
	d.report(replica.Report{Notice: &replica.Notice{Level: replica.Halt, Text: text, Remedy: remedy}})
}

// byText sorts names and paths. slices.Sort would be another 6 KB of the agent, which
// has the sort of package sort in it anyway.
type byText []string

func (n byText) Len() int           { return len(n) }
func (n byText) Less(i, j int) bool { return n[i] < n[j] }
func (n byText) Swap(i, j int)      { n[i], n[j] = n[j], n[i] }
