package disk

import (
	"fmt"
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// errSpelled is of a name that is found, and written in another way.
var errSpelled = fmt.Errorf("written in another way: %w", fs.ErrNotExist)

// reasonTwin is why a name can't be made that another stands for.
const reasonTwin = "the file system takes its name for another one that is there: rename one"

// folds says whether the file system takes some names for one. That it finds a
// name says nothing then about how it is written: only a listing does.
func (d *Disk) folds() bool { return d.facts.FoldsCase || d.facts.FoldsNFC }

// spelling is how the names of a directory are written.
type spelling struct {
	path  string
	names map[string]bool
}

func (s *spelling) read(path string, dir fsx.Dir) error {
	items, err := dir.List()
	if err != nil {
		return err
	}
	s.path, s.names = path, make(map[string]bool, len(items))
	for _, it := range items {
		s.names[it.Name] = true
	}
	return nil
}

// check returns nil for a name of the directory at path that is written just so.
// St is what it was found to be: if it still is, it is surely another name's.
func (s *spelling) check(path string, dir fsx.Dir, name string, st fsx.Stat) error {
	if s.path == path && s.names[name] {
		return nil
	}
	if err := s.read(path, dir); err != nil || s.names[name] {
		return err
	}
	again, err := dir.Stat(name)
	if err == nil && again.Ino == st.Ino {
		err = errSpelled
	} else if err == nil {
		err = fs.ErrNotExist
	}
	return err
}

// statAs is a Stat of a name that is written just so.
func (d *Disk) statAs(s *spelling, path string, dir fsx.Dir, name string) (fsx.Stat, error) {
	st, err := dir.Stat(name)
	if err == nil && d.folds() {
		err = s.check(path, dir, name, st)
	}
	return st, err
}

// respelled adds looks at names that are written in another way than was known, in
// the directories that are looked into, and at those that are new beside them: a
// hint may name only one of the two.
func (l *looker) respelled(looks []watch.Look) []watch.Look {
	due, read := make(map[string]bool, len(looks)), make(map[string]bool)
	for _, k := range looks {
		due[k.Path] = true
	}
	for _, k := range looks {
		parent, _ := tree.Split(k.Path)
		if k.Path == "" || read[parent] {
			continue
		}
		read[parent] = true
		for _, name := range l.strange(parent) {
			if p := tree.Join(parent, name); !due[p] {
				due[p], looks = true, append(looks, watch.Look{Path: p, Deep: true, Modified: true})
			}
		}
	}
	return looks
}

// strange returns the names of a directory that are known and written in another
// way by now, and, if there are any, those that are not known.
func (l *looker) strange(path string) (names []string) {
	known := l.d.known(path).entry
	dir, err := l.cur.at(path)
	if err != nil || !known.IsDir() || l.spelt.read(path, dir) != nil {
		return nil
	}
	for name := range known.Children() {
		if l.spelt.names[name] {
			continue
		}
		if _, err := dir.Stat(name); err == nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	for name := range l.spelt.names {
		if known.Child(name) == nil {
			names = append(names, name)
		}
	}
	return names
}
