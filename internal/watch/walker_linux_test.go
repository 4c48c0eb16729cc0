package watch

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// walker is the smallest reader of a Source and a Settle that keeps the contract of
// the package: what internal/disk does, without speed. It is as gullible as allowed.
// Content of a file that it knows is read again only if a Look says so, and a Move of
// a directory is believed without looking inside.
type walker struct {
	t      *testing.T
	root   string
	src    Source
	settle *Settle
	index  map[string]seen
	note   func(format string, args ...any) // for the story of a failure
}

type seen struct {
	ino     uint64
	dir     bool
	content string // of a file; the target of a link
}

func newWalker(t *testing.T, root string) *walker {
	t.Helper()
	src, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	w := &walker{t: t, root: root, src: src, index: map[string]seen{}, note: func(string, ...any) {}}
	w.settle = &Settle{Precise: src.Precise(), Known: func(p string) bool { _, ok := w.index[p]; return ok }}
	w.look(0, Look{Deep: true})
	return w
}

func (w *walker) drain(ms int) {
	w.t.Helper()
	events, err := w.src.Wait(0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		w.note("%d: event %v", ms, e)
	}
	w.settle.Add(at(ms), events)
}

func (w *walker) scan(ms int) {
	for _, b := range w.settle.Due(at(ms)) {
		moved := map[string]bool{}
		for _, m := range b.Moves {
			moved[m.To] = w.move(m)
			w.note("%d: move %s to %s: %v", ms, m.From, m.To, moved[m.To])
		}
		for _, l := range b.Looks {
			l.Deep = l.Deep && !moved[l.Path]
			w.look(ms, l)
		}
	}
}

// move believes a rename if the inode at the target is the one known at the origin.
func (w *walker) move(m Move) bool {
	known, ok := w.index[m.From]
	now, err := w.stat(m.To)
	if _, gone := w.stat(m.From); !ok || err != nil || gone == nil || known.ino != now.ino || known.dir != now.dir {
		return false
	}
	w.forget(m.To)
	for p, s := range maps.Clone(w.index) {
		if rest, below := strings.CutPrefix(p, m.From); below && (rest == "" || rest[0] == '/') {
			delete(w.index, p)
			w.index[m.To+rest] = s
		}
	}
	return true
}

func (w *walker) look(ms int, l Look) {
	known, ok := w.index[l.Path]
	now, err := w.stat(l.Path)
	w.note("%d: look %+v: known %v, there %v", ms, l, ok, err == nil)
	switch {
	case err != nil && !l.TrustAbsent:
		w.settle.Defer(at(ms), l.Path, Absent)
	case err != nil:
		w.forget(l.Path)
		w.src.Remove(l.Path)
	case now.dir:
		fresh := !ok || !known.dir || known.ino != now.ino
		if ok && !known.dir {
			w.forget(l.Path)
		}
		w.directory(ms, l.Path, now, l.Deep || fresh)
	default:
		if ok && known.dir {
			w.forget(l.Path)
			w.src.Remove(l.Path)
		}
		if ok && !known.dir && known.ino == now.ino && !l.Modified {
			return
		}
		w.file(ms, l, now)
	}
}

func (w *walker) file(ms int, l Look, now seen) {
	content, err := read(filepath.Join(w.root, l.Path))
	if err != nil {
		w.t.Fatal(err)
	}
	if content == "" && !l.TrustEmpty {
		w.settle.Defer(at(ms), l.Path, Empty)
		return
	}
	now.content = content
	w.index[l.Path] = now
}

func (w *walker) directory(ms int, path string, now seen, deep bool) {
	f, err := os.Open(filepath.Join(w.root, path))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if err := w.src.Add(path, int(f.Fd())); err != nil && !errors.Is(err, ErrStale) {
		w.t.Fatal(err)
	}
	w.index[path] = now
	if !deep {
		return
	}
	entries, err := f.ReadDir(-1)
	if err != nil {
		w.t.Fatal(err)
	}
	there := map[string]bool{}
	for _, e := range entries {
		p := strings.TrimPrefix(path+"/"+e.Name(), "/")
		there[p] = true
		w.look(ms, Look{Path: p, Deep: true})
	}
	for p := range w.index {
		if dir, _ := split(p); p != "" && dir == path && !there[p] {
			w.settle.Defer(at(ms), p, Absent)
		}
	}
}

func (w *walker) forget(path string) {
	for p := range w.index {
		if rest, below := strings.CutPrefix(p, path); below && (rest == "" || rest[0] == '/') {
			delete(w.index, p)
		}
	}
}

func (w *walker) stat(path string) (seen, error) {
	var st unix.Stat_t
	err := unix.Lstat(filepath.Join(w.root, path), &st)
	return seen{ino: st.Ino, dir: st.Mode&unix.S_IFMT == unix.S_IFDIR}, err
}

func read(path string) (string, error) {
	if target, err := os.Readlink(path); err == nil {
		return "-> " + target, nil
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// rest lets the time pass until nothing waits, and returns the time it is then.
func (w *walker) rest(ms int) int {
	for range 10_000 {
		w.drain(ms)
		next, ok := w.settle.Next()
		if !ok {
			return ms
		}
		ms = max(ms, int(next.Sub(epoch).Milliseconds()))
		w.scan(ms)
	}
	w.t.Fatal("never at rest")
	return ms
}

// check compares what the walker knows with what is there.
func (w *walker) check() {
	w.t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(w.root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p, _ := filepath.Rel(w.root, path)
		p = strings.TrimPrefix(p, ".")
		found[p] = true
		known, ok := w.index[p]
		if !ok || known.dir != d.IsDir() {
			w.t.Errorf("%q is there, but not seen", p)
			return nil
		}
		if !d.IsDir() {
			if content, _ := read(path); content != known.content {
				w.t.Errorf("%q holds %q, seen was %q", p, content, known.content)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for p := range w.index {
		if !found[p] {
			w.t.Errorf("%q is gone, and that was not seen", p)
		}
	}
}

// checkWatches: every directory has exactly one watch, and the table knows its path.
func (w *walker) checkWatches() {
	w.t.Helper()
	s := w.src.(*inotify)
	dirs := 0
	for p, e := range w.index {
		if !e.dir {
			continue
		}
		dirs++
		if n := s.table.root.find(p); n == nil || n.val.wd == noWatch || s.table.byWD[n.val.wd] != n {
			w.t.Errorf("%q is not watched", p)
		}
	}
	if s.Count() != dirs {
		w.t.Errorf("%d watches for %d directories", s.Count(), dirs)
	}
	if len(s.table.limbo) != 0 {
		w.t.Errorf("%d departures never ended", len(s.table.limbo))
	}
}
