//go:build linux

package sim

import (
	"fmt"
	"strings"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
	"github.com/twosync/twosync/internal/tree"
)

// hook is called around each call of a process. Whoever may act there does.
func (w *world) hook(p *process, c *simfs.Call) error {
	w.calls++
	w.hooks++
	w.s.trace.hash(p.name, c.Op, string(c.Site), c.Name, c.ToName)
	w.watchOver(p, c)
	if c.Changes {
		w.active = w.s.mono
	}
	if (c.Changes || c.Op == simfs.OpSync || c.Op == simfs.OpSyncFS) && c.Phase == simfs.After {
		side := sideOf(p)
		w.steps[side] = append(w.steps[side], w.hooks)
	}
	if w.s.trace.full != nil && c.Changes && c.Phase == simfs.After {
		w.s.line("%s: %v", c, c.Err)
	}
	w.s.pass(cost(c.Op) + int64(w.s.rng.IntN(2000)))
	w.act()
	if !p.dead && w.s.rng.IntN(w.h.Switch) == 0 && !p.locked() {
		w.s.wait(nil, never)
	}
	return nil
}

// sideOf is the side on which a process runs.
func sideOf(p *process) int {
	if p.name == "agent" {
		return 1
	}
	return 0
}

// cost is half of what a call takes, in nanoseconds.
func cost(op string) int64 {
	switch op {
	case simfs.OpSync, simfs.OpSyncFS:
		return 500_000
	case simfs.OpStat, simfs.OpClose, simfs.OpSeek:
		return 500
	}
	return 3000
}

// watchOver looks at what a process does: that it stays in its places, and that
// whoever reads sees whole files only.
func (w *world) watchOver(p *process, c *simfs.Call) {
	if !c.Changes {
		return
	}
	side := sideOf(p)
	for _, path := range []string{c.Path(), c.ToPath()} {
		if path != "" && !ours(side, path) && !(c.Op == simfs.OpMkdir && c.Phase == simfs.After) {
			panic(violation(fmt.Sprintf("%s touches what is not ours", c)))
		}
	}
	if c.Phase != simfs.After || c.Err != nil {
		return
	}
	switch c.Op {
	case simfs.OpRename:
		w.whole(side, c, c.ToPath())
		if c.How == fsx.Exchange {
			w.whole(side, c, c.Path())
		}
	case simfs.OpWrite, simfs.OpTruncate, simfs.OpCreate:
		if inRoot(side, c.Path()) {
			panic(violation(fmt.Sprintf("%s writes to a file that everybody sees", c)))
		}
	}
}

// ours says whether a process may change path.
func ours(side int, path string) bool {
	places := []string{roots[side], hostState}
	if side == 1 {
		places[1] = "/.twosync"
	}
	for _, place := range places {
		if path == place || strings.HasPrefix(path, place+"/") {
			return true
		}
	}
	return false
}

// inRoot says whether everybody sees path.
func inRoot(side int, path string) bool {
	rel, ok := strings.CutPrefix(path, roots[side]+"/")
	return ok && rel != ".twosync" && !strings.HasPrefix(rel, ".twosync/")
}

// whole looks whether every file at and below path is one that a user made.
func (w *world) whole(side int, c *simfs.Call, path string) {
	if !inRoot(side, path) {
		return
	}
	u := w.users[side]
	check := func(content string) {
		if _, ok := w.seen[tree.DigestOf([]byte(content))]; !ok {
			panic(violation(fmt.Sprintf("%s shows %.60q, which nobody wrote", c, content)))
		}
	}
	st, err := u.Stat(path)
	switch {
	case err != nil:
	case st.Kind == fsx.Regular:
		content, err := u.Read(path)
		if err == nil {
			check(content)
		}
	case st.Kind == fsx.Directory:
		u.Walk(path, func(f simfs.Found) bool {
			if f.Stat.Kind == fsx.Regular {
				check(f.Content)
			}
			return true
		})
	}
}
