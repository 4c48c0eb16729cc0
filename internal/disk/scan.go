package disk

import (
	"errors"
	"io/fs"
	"sort"
	"sync"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// Reasons that people see for what is there and does not cross.
const (
	reasonSpecial = "neither a file, a directory nor a link: not synced"
	reasonMount   = "a mount point: not crossed"
	reasonTorn    = "changes while it is read; read again when it rests"
	reasonDeep    = "deeper than 256 directories"
)

// scanner reads directories into what an index holds. It changes no index: a
// scan is committed when it is whole.
type scanner struct {
	d *Disk
	// gauge counts the files; nil: nobody waits for this scan.
	gauge *gauge
	// prior gives what was known of a file; it takes what lock it needs.
	prior func(path string, st fsx.Stat) (*tree.Entry, trust, bool)
	// inline takes contents of small files while there is room; nil: none.
	inline *inline
	// captured: the directory is in a slot; nothing is watched or left out.
	captured bool
	// shallow: directories that are known are taken as they are known; with mend,
	// those only in which all is.
	shallow, mend bool
	// wait says whether a file may be a moment inside a save, and asks for a
	// later look then; nil: what is there is taken as it is.
	wait func(path string, st fsx.Stat) bool
	// torn gets the paths that would not rest.
	torn func(path string)
}

// reread is the prior of a scan that trusts nothing.
func reread(string, fsx.Stat) (*tree.Entry, trust, bool) { return nil, stale, false }

// inline collects contents that may ride along with a report.
type inline struct {
	mu       sync.Mutex
	contents replica.Contents
	size     int
}

func (in *inline) fits(size int64) bool {
	if in == nil {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return int64(in.size)+size <= replica.MaxInline
}

func (in *inline) add(d tree.Digest, content []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if _, ok := in.contents[d]; ok || in.size+len(content) > replica.MaxInline {
		return
	}
	if in.contents == nil {
		in.contents = make(replica.Contents)
	}
	in.contents[d] = append([]byte(nil), content...)
	in.size += len(content)
}

// dir scans the directory at path, which is held open as dir. The watch is
// added first and the names are listed afterwards, so nothing falls between.
func (s *scanner) dir(path string, dir fsx.Dir) found {
	if !s.captured && s.d.life.Err() != nil {
		return unknown(fs.ErrClosed) // a scan may take long, and nobody wants this one
	}
	self, err := dir.Self()
	if err != nil {
		return s.unknown(path, err)
	}
	if path != "" && (self.Mount || self.Dev != s.d.rootDev) && !s.captured {
		return found{entry: tree.NewOpaque(reasonMount)}
	}
	st := newStats(self.Ino)
	if !s.captured {
		st.deaf = !s.d.watchDir(path, dir) || s.d.deaf
	}
	items, err := dir.List()
	if err != nil {
		return s.unknown(path, err)
	}
	items = s.pick(path, items, st)
	results := make([]found, len(items))
	s.d.opt.Each(len(items), func(i int) {
		results[i] = s.name(tree.Join(path, items[i].Name), dir, items[i].Name, items[i].Kind)
	})
	f := gather(items, results, st)
	s.gauge.add(int64(len(items)), 0)
	return f
}

// gather makes a directory of what was found under its names.
func gather(items []fsx.Item, results []found, st *stats) found {
	children := make([]tree.Child, 0, len(items))
	files, dirs := 0, 0
	for i, f := range results {
		switch {
		case f.entry == nil:
			continue // gone between listing and looking: whoever took it left a hint
		case f.entry.IsFile():
			files++
		case f.entry.IsDir():
			dirs++
		}
		children = append(children, tree.Child{Name: items[i].Name, Entry: f.entry})
	}
	st.files.expect(files)
	st.dirs.expect(dirs)
	for i, f := range results {
		if f.entry != nil {
			st.put(items[i].Name, f)
		}
	}
	return found{entry: tree.NewDir(children), stats: st}
}

// pick leaves out what the rules ignore, remembers in st that it was there,
// and puts the rest in the order of a tree.
func (s *scanner) pick(path string, items []fsx.Item, st *stats) []fsx.Item {
	kept := items[:0]
	for _, it := range items {
		if !s.captured && (!tree.ValidName(it.Name) || s.d.ignored(path, it.Name, it.Kind == fsx.Directory)) {
			st.hidden = st.hidden || !(path == "" && it.Name == privateName)
			continue
		}
		kept = append(kept, it)
	}
	sort.Sort(byName(kept))
	return kept
}

type byName []fsx.Item

func (n byName) Len() int           { return len(n) }
func (n byName) Less(i, j int) bool { return n[i].Name < n[j].Name }
func (n byName) Swap(i, j int)      { n[i], n[j] = n[j], n[i] }

// name looks at one name of dir and, when it is a directory, at all below it.
func (s *scanner) name(path string, dir fsx.Dir, name string, kind fsx.Kind) found {
	if kind == fsx.Directory {
		return s.subdir(path, dir, name)
	}
	st, err := dir.Stat(name)
	if err != nil {
		return s.unknown(path, err)
	}
	switch st.Kind {
	case fsx.Directory:
		return s.subdir(path, dir, name)
	case fsx.Regular:
		return s.file(path, dir, name, st)
	case fsx.Symlink:
		target, err := dir.Readlink(name)
		if err != nil {
			return s.unknown(path, err)
		}
		return found{entry: tree.NewLink(target)}
	}
	return found{entry: tree.NewOpaque(reasonSpecial)}
}

func (s *scanner) subdir(path string, dir fsx.Dir, name string) found {
	if depth(path) >= tree.MaxDepth {
		return found{entry: tree.NewOpaque(reasonDeep)}
	}
	if s.shallow {
		if f, ok := s.d.knownDir(path); ok && !(s.mend && f.entry.Murky()) {
			return f
		}
	}
	sub, err := dir.Open(name)
	if err != nil {
		return s.unknown(path, err)
	}
	defer sub.Close()
	return s.dir(path, sub)
}

// knownDir returns what is known of a directory that was looked at.
func (d *Disk) knownDir(path string) (found, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.index.get(path)
	return f, f.stats != nil && f.stats.ino != 0
}

func depth(path string) int {
	n := 1
	for i := range len(path) {
		if path[i] == '/' {
			n++
		}
	}
	return n
}

// watchDir watches one directory, and says so once when that is not possible.
// It reports whether the directory is watched.
func (d *Disk) watchDir(path string, dir fsx.Dir) bool {
	err := d.watch.Add(path, dir.Fd())
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.polled, path)
		return true
	}
	parent, _ := tree.Split(path)
	if _, polled := d.polled[parent]; errors.Is(err, watch.ErrStale) && !polled {
		d.lookAgain(watch.Look{Path: parent, Deep: true})
		return false
	}
	if errors.Is(err, watch.ErrClosed) {
		return false
	}
	d.polled[path] = struct{}{}
	if d.saidPolled {
		return false
	}
	d.saidPolled = true
	n := &replica.Notice{Level: replica.Warn, Text: "not every directory can be watched: " + err.Error() +
		"; the others are looked at every few seconds"}
	if limit := (*watch.LimitError)(nil); errors.As(err, &limit) {
		n.Remedy = limit.Remedy
	}
	d.report(replica.Report{Notice: n})
	return false
}
