package disk

import (
	"slices"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// Bounds of what is remembered of hard links: so many inodes, and so many names
// of each. Beyond them a sweep finds what changed.
const (
	maxLinked = 1 << 14
	maxNames  = 16
)

// linked notes that a file has other names. The kernel reports a write under the
// name by which it was made, and under no other.
func (d *Disk) linked(path string, st fsx.Stat) {
	if st.Nlink < 2 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.links == nil {
		d.links = make(map[uint64][]string)
	}
	d.forgetLinks(path, st.Ino)
	names, ok := d.links[st.Ino]
	if !slices.Contains(names, path) && len(names) < maxNames && (ok || len(d.links) < maxLinked) {
		d.links[st.Ino] = append(names, path)
		if !ok && d.index.tree != nil {
			d.single = append(d.single, st.Ino)
		}
	}
}

// forgetLinks makes room for path where the names of its inode, or the inodes, are
// too many, by dropping those that are gone. Names that were met in this very look
// are not in the index yet, and are found again. Callers hold mu.
func (d *Disk) forgetLinks(path string, ino uint64) {
	dead := func(p string, ino uint64) bool {
		m, _, known := d.index.file(p)
		return !known || m.ino != ino
	}
	names, ok := d.links[ino]
	switch {
	case d.index.tree == nil, slices.Contains(names, path):
	case len(names) >= maxNames:
		live := slices.DeleteFunc(slices.Clone(names), func(p string) bool { return dead(p, ino) })
		if len(live) < len(names) {
			d.links[ino] = live
			d.single = append(d.single, ino)
		}
	case !ok && len(d.links) >= maxLinked:
		n := 0
		for other, names := range d.links { // any few of them: this is on the way of each look
			if !slices.ContainsFunc(names, func(p string) bool { return !dead(p, other) }) {
				delete(d.links, other)
			}
			if n++; n == maxNames {
				return
			}
		}
	}
}

// findNames looks for the names that files had before they got another, which
// the kernel tells nobody about. One walk finds those of a whole batch. Callers
// hold mu.
func (d *Disk) findNames() {
	if len(d.single) == 0 {
		return
	}
	wanted := make(map[uint64]bool, len(d.single))
	for _, ino := range d.single {
		wanted[ino] = true
	}
	d.single = nil
	d.index.stats.each("", func(dir string, s *stats) {
		for name, m := range s.files.all() {
			path, names := tree.Join(dir, name), d.links[m.ino]
			if wanted[m.ino] && !slices.Contains(names, path) && len(names) < maxNames {
				d.links[m.ino] = append(names, path)
				d.lookAgain(watch.Look{Path: path, Modified: true})
			}
		}
	})
}

// lookAtLinks looks at the other names of a file that was written, or got a name.
// Callers hold mu.
func (d *Disk) lookAtLinks(path string, ino uint64, written bool) {
	for _, p := range d.links[ino] {
		if p != path {
			d.lookAgain(watch.Look{Path: p, Modified: written})
		}
	}
}
