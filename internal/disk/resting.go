package disk

import (
	"path/filepath"

	"github.com/twosync/twosync/internal/tree"
)

// Resting is a file or link that rests in its slot: somebody else's change took
// its path, and it is not handed over yet.
type Resting struct {
	Past
	File string // where it is, as the system names it
}

// Resting lists up to limit of them, those first that were captured first. Any
// of them may be handed over while the list is read.
func (d *Disk) Resting(limit int) []Resting {
	folder := d.stageFolder()
	var all []Resting
	for _, x := range d.slots.resting() {
		tree.Walk("", x.entry, func(below string, e *tree.Entry) bool {
			if len(all) < limit && (e.IsFile() || e.Kind == tree.Link) {
				all = append(all, Resting{
					Past{joined(x.path, below), e, x.why, x.at},
					filepath.Join(folder, x.name, filepath.FromSlash(below)),
				})
			}
			return len(all) < limit
		})
	}
	return all
}

// joined appends a path, which may be empty, to another.
func joined(path, below string) string {
	if below == "" {
		return path
	}
	return tree.Join(path, below)
}

// stageFolder is the path of the stage folder.
func (d *Disk) stageFolder() string {
	if d.own.Load().isInner() {
		return filepath.Join(d.path, privateName, stageName)
	}
	return d.opt.Stage
}

// resting returns copies of the slots that are to be handed over.
func (s *slots) resting() (all []slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.list {
		if x.why == "replaced" || x.why == "deleted" {
			all = append(all, *x)
		}
	}
	return all
}
