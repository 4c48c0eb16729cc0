package disk

import (
	"sync"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of staging.
const (
	siteStageMkdir  fsx.Site = "stage.mkdir"
	siteStageCreate fsx.Site = "stage.create"
	siteStageLink   fsx.Site = "stage.link"
	siteStageMode   fsx.Site = "stage.mode"
	siteStageOwner  fsx.Site = "stage.owner"
	siteStageDrop   fsx.Site = "stage.drop"
)

// staging is a chunk's contents on their way into private files.
type staging struct {
	a    *applier
	made map[int]*staged
	all  []int // the keys of made, in order
	jobs []*job
	cur  *cursor // below the stage folder
	tops *cursor // below the root

	fetched bool // contents came from elsewhere, which may have taken long
}

// staged is what is ready to be put in place for one change.
type staged struct {
	path  string
	name  string // in the stage folder; empty when it is somewhere else by now
	entry *tree.Entry
	stats *stats   // of a directory
	st    fsx.Stat // of a file, once it is written
	doubt bool     // a rename failed in a way that does not tell what is under name

	mu    sync.Mutex
	err   error    // it could not be made
	gone  string   // its content could not be had any more
	lacks []string // of a directory: files below it that could not be had
}

// job is one file that is to be made.
type job struct {
	top   *staged
	dir   string // below the stage folder
	name  string
	path  string // in the tree, here and at the source
	entry *tree.Entry
	stats *stats // of the directory it is put into; nil at the top
	old   string // a file here whose blocks may serve
	like  like
	ended bool // something came of it
}

func newStaging(a *applier) *staging {
	return &staging{a: a, made: make(map[int]*staged), cur: &cursor{top: a.d.stage()}, tops: &cursor{top: a.d.root}}
}

// close takes away what was not put in place.
func (s *staging) close() {
	s.cur.close()
	s.tops.close()
	d := s.a.d
	for _, i := range s.all {
		m := s.made[i]
		if m.name == "" {
			continue
		}
		if m.doubt {
			if s, _ := d.holds(m.path, d.stage(), m.name, m.entry, metaOf(m.st, placed)); s == nil {
				d.stray(m.name, m.path, "left over from a failed change")
				continue
			}
		}
		d.dropStaged(m.name)
	}
}

// plan makes the directories and links of a change and lists its files.
func (s *staging) plan(i int) {
	c := s.a.changes[i]
	m := &staged{path: c.Path, entry: c.New}
	s.made[i] = m
	s.all = append(s.all, i)
	parent, name := tree.Split(c.Path)
	dir, err := s.tops.at(parent)
	if chmodOnly(c) && (err != nil || c.Old.Exec == c.New.Exec || !linked(dir, name)) {
		return
	}
	if err != nil {
		m.gone = "its directory is gone"
		return
	}
	m.name = s.a.d.slots.name(builtHere)
	like := likeAt(dir, name, c)
	switch c.New.Kind {
	case tree.File:
		j := &job{top: m, name: m.name, path: c.Path, entry: c.New, like: like}
		if c.Old.IsFile() && c.Old.Size >= deltaFrom && c.New.Size >= deltaFrom {
			j.old = c.Path
		}
		s.jobs = append(s.jobs, j)
	case tree.Link:
		m.err = s.link(s.a.d.stage(), m.name, c.New, like)
	case tree.Dir:
		m.stats, m.err = s.planDir(m, job{name: m.name, path: c.Path, entry: c.New, like: like})
	}
}

// linked says whether a file has other names, which may be outside of the root:
// nothing of it is changed in place.
func linked(dir fsx.Dir, name string) bool {
	st, err := dir.Stat(name)
	return err == nil && st.Kind == fsx.Regular && st.Nlink > 1
}

// chmodOnly says whether a change is of the exec bit alone.
func chmodOnly(c tree.Change) bool { return tree.SameContent(c.Old, c.New) }

// planDir makes a directory in the stage folder, with all directories and
// links below it, and lists its files.
func (s *staging) planDir(top *staged, j job) (*stats, error) {
	dir, err := s.cur.at(j.dir)
	if err != nil {
		return nil, err
	}
	if err := dir.Mkdir(siteStageMkdir, j.name, 0o777); err != nil {
		return nil, err
	}
	s.a.d.give(dir, j.name, j.like)
	st := newStats(0)
	here := tree.Join(j.dir, j.name)
	for name, e := range j.entry.Children() {
		sub := job{top: top, dir: here, name: name, path: tree.Join(j.path, name), entry: e, stats: st, like: j.like}
		switch e.Kind {
		case tree.File:
			s.jobs = append(s.jobs, &sub)
		case tree.Link:
			if dir, err = s.cur.at(here); err == nil {
				err = s.link(dir, name, e, j.like)
			}
		case tree.Dir:
			var below *stats
			below, err = s.planDir(top, sub)
			st.put(name, found{entry: e, stats: below})
		}
		if err != nil {
			return nil, err
		}
	}
	return st, nil
}

func (s *staging) link(dir fsx.Dir, name string, e *tree.Entry, l like) error {
	if err := dir.Symlink(siteStageLink, e.Text, name); err != nil {
		return err
	}
	s.a.d.give(dir, name, l)
	return nil
}

// end records what came of a job.
func (j *job) end(err error, gone string, st fsx.Stat) {
	j.ended = true
	j.top.mu.Lock()
	defer j.top.mu.Unlock()
	switch {
	case err != nil:
		j.top.err = err
	case gone != "" && j.stats == nil:
		j.top.gone = gone
	case gone != "":
		j.top.lacks = append(j.top.lacks, j.path)
	case j.stats == nil:
		j.top.st = st
	default:
		j.stats.put(j.name, found{entry: j.entry, meta: metaOf(st, stale)})
	}
}
