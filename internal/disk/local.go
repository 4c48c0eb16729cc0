package disk

import (
	"time"

	"github.com/twosync/twosync/internal/tree"
)

// What it costs to look for contents on this side, and to have them sent.
// Measured on one core; a slower wire only makes the search worth more.
const (
	costWalk = 50 * time.Nanosecond // an entry of the index
	costFile = 20 * time.Microsecond
	costByte = 2 * time.Nanosecond
)

// findLocal finds out which of the needed contents this side holds already:
// among what the batch itself takes away, and, where that is worth a walk over
// everything, anywhere. A single save in a large tree must not pay for the tree.
func (a *applier) findLocal() {
	need := make(map[tree.Digest]bool)
	var bytes int64
	for i, c := range a.changes {
		if a.done[i] || c.New == nil || chmodOnly(c) {
			continue
		}
		tree.Walk("", c.New, func(_ string, e *tree.Entry) bool {
			if e.IsFile() && e.Size > 0 && a.batch.Contents[e.Digest] == nil && !need[e.Digest] {
				need[e.Digest] = true
				bytes += e.Size
			}
			return true
		})
	}
	if len(need) == 0 {
		return
	}
	a.local = make(map[tree.Digest]string)
	for _, c := range a.changes {
		a.note(need, c.Path, c.Old)
	}
	a.d.mu.Lock()
	root := a.d.index.tree
	a.d.mu.Unlock()
	saved := time.Duration(len(need))*costFile + time.Duration(bytes)*costByte
	if time.Duration(root.Count())*costWalk <= saved {
		a.note(need, "", root)
	}
}

// note remembers which needed contents are at or below path.
func (a *applier) note(need map[tree.Digest]bool, path string, e *tree.Entry) {
	tree.Walk(path, e, func(p string, e *tree.Entry) bool {
		if e.IsFile() && need[e.Digest] {
			a.local[e.Digest] = p
		}
		return true
	})
}
