package disk

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
)

const (
	// sweepEvery is how long a lost event can go unnoticed.
	sweepEvery = 15 * time.Minute
	// sweepSlice is how many directories are looked at at once in a sweep:
	// about a millisecond, in which a save has to wait.
	sweepSlice = 32
	// pollEvery is how often directories without a watch are looked at; where
	// that takes long, they are left alone pollRest times as long.
	pollEvery = 2 * time.Second
	pollRest  = 30
)

// sweeps are the looks that nobody asked for, so that a lost event costs
// minutes and not correctness, and a directory without a watch seconds.
type sweeps struct {
	todo    []string // directories of the sweep that is under way
	at      time.Time
	pollAt  time.Time
	polling bool
}

// next returns when there is something to sweep.
func (s *sweeps) next(now time.Time, every time.Duration) time.Time {
	if s.at.IsZero() {
		s.at = now.Add(every)
	}
	if s.polling {
		return earlier(s.at, s.pollAt)
	}
	return s.at
}

// sweep looks at the next directories whose time has come.
func (d *Disk) sweep(now time.Time) {
	d.mu.Lock()
	s := &d.sweeps
	s.polling = len(d.polled) > 0
	poll := s.polling && !now.Before(s.pollAt)
	dirs := d.sweepDirs(now)
	if poll {
		for p := range d.polled {
			dirs = append(dirs, p)
		}
	}
	d.mu.Unlock()
	if len(dirs) == 0 {
		return
	}
	d.glance(dirs)
	if poll {
		end := d.opt.Clock.Now()
		s.pollAt = end.Add(max(pollEvery, pollRest*end.Sub(now)))
	}
}

// sweepDirs returns the directories of the sweep that are due, and begins a
// sweep or ends it. The slices are spread over the time between two sweeps.
// Callers hold mu.
func (d *Disk) sweepDirs(now time.Time) []string {
	s := &d.sweeps
	if now.Before(s.at) {
		return nil
	}
	if len(s.todo) == 0 && !d.gone {
		d.index.stats.each("", func(path string, _ *stats) { s.todo = append(s.todo, path) })
		slices.Sort(s.todo)
	}
	n := min(sweepSlice, len(s.todo))
	dirs := s.todo[:n:n]
	if s.todo = s.todo[n:]; len(s.todo) == 0 {
		s.todo = nil
		s.at = now.Add(d.opt.Sweep)
		return dirs
	}
	left := (len(s.todo) + sweepSlice - 1) / sweepSlice
	s.at = now.Add(d.opt.Sweep / time.Duration(left+1) / 2)
	return dirs
}

// glance looks at each of the directories, and not at those below.
func (d *Disk) glance(dirs []string) {
	d.checkRoot()
	d.checkOwn() // what can't be mended now is tried again, or held a change up
	end := d.beginScan()
	defer end()
	slices.Sort(dirs)
	l := looker{d: d, inline: &inline{}, cur: &cursor{top: d.root}}
	defer l.cur.close()
	for _, p := range dirs {
		if f, _ := d.knownDir(p); f.stats != nil {
			l.glance(p)
			continue
		}
		d.mu.Lock()
		delete(d.polled, p)
		d.mu.Unlock()
	}
	l.commit()
}

func (l *looker) glance(path string) {
	dir, err := l.cur.at(path)
	if err != nil {
		return // its parent is looked at too
	}
	s := &scanner{d: l.d, prior: l.d.indexPrior, inline: l.inline, shallow: true, wait: l.d.unfinished, torn: l.d.rereadLater}
	if f := s.dir(path, dir); f.stats != nil {
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
