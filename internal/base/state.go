package base

import (
	"fmt"
	"slices"

	"github.com/twosync/twosync/internal/tree"
)

// The methods below return what a state becomes, and what they displaced: per
// path the old and new value, in order. They change nothing, so that a record
// can be written between the question and the act.

// begun is what an epoch begins with.
func (st state) begun(e Epoch, rules string, t *tree.Entry) (state, []tree.Change) {
	former := overlay(st.former, st.tree)
	next := state{epoch: e, rules: rules, tree: t, former: former}
	if t == nil {
		return next, nil
	}
	next.former = nil
	return next, []tree.Change{{Old: former, New: t}}
}

// overlay returns old with everything that newer has in its place.
func overlay(old, newer *tree.Entry) *tree.Entry {
	switch {
	case newer == nil:
		return old
	case !old.IsDir() || !newer.IsDir() || tree.Equal(old, newer):
		return newer
	}
	var children []tree.Child
	for name, pair := range tree.Pairs(old, newer) {
		children = append(children, tree.Child{Name: name, Entry: overlay(pair[0], pair[1])})
	}
	return tree.NewDir(children)
}

// intended adds an intent.
func (st state) intended(gen uint64, paths []string) (state, error) {
	if gen <= st.epoch.Gen {
		return st, errOldGen
	}
	for _, p := range paths {
		if err := tree.CheckPath(p); err != nil {
			return st, err
		}
	}
	st.pending = append(st.without(gen, paths), intent{gen, slices.Clone(paths)})
	return st, nil
}

// without returns the intents but those of earlier generations that these paths
// contain. A group that can't be made durable is attempted again and again, each
// time as a generation of its own: that must not add up.
func (st state) without(gen uint64, paths []string) []intent {
	var all map[string]bool
	return slices.DeleteFunc(slices.Clone(st.pending), func(in intent) bool {
		if in.gen >= gen || len(in.paths) > len(paths) {
			return false
		}
		if all == nil {
			all = make(map[string]bool, len(paths))
			for _, p := range paths {
				all[p] = true
			}
		}
		return !slices.ContainsFunc(in.paths, func(p string) bool { return !all[p] })
	})
}

// committed makes the updates.
func (st state) committed(e Epoch, updates []tree.Change) (state, []tree.Change, error) {
	if e.Host != st.epoch.Host || e.Container != st.epoch.Container {
		return st, nil, errOtherEpoch
	}
	if e.Gen <= st.epoch.Gen {
		return st, nil, errOldGen
	}
	var displaced []tree.Change
	for _, u := range updates {
		if err := tree.CheckPath(u.Path); err != nil {
			return st, nil, err
		}
		if u.New != nil {
			displaced = st.parents(u.Path, displaced)
		}
		old := overlay(tree.Get(st.former, u.Path), tree.Get(st.tree, u.Path))
		displaced = append(displaced, tree.Change{Path: u.Path, Old: old, New: u.New})
		var ok bool
		if st.tree, ok = tree.Put(st.tree, u.Path, u.New); !ok {
			return st, nil, fmt.Errorf("put %q: %w", u.Path, errNoDir)
		}
		st.former, _ = tree.Put(st.former, u.Path, nil) // below a file there is nothing to remove
	}
	st.epoch.Gen = e.Gen
	st.pending = slices.DeleteFunc(slices.Clone(st.pending), func(i intent) bool { return i.gen <= e.Gen })
	return st, displaced, nil
}

// parents lets former values go that a new directory above path displaces.
func (st *state) parents(path string, displaced []tree.Change) []tree.Change {
	if st.former == nil {
		return displaced
	}
	for i := range len(path) {
		if i > 0 && path[i] != '/' {
			continue
		}
		above := path[:i]
		if e := tree.Get(st.former, above); e != nil && !e.IsDir() {
			shell := tree.NewDir(nil)
			displaced = append(displaced, tree.Change{Path: above, Old: e, New: shell})
			st.former, _ = tree.Put(st.former, above, nil)
		}
	}
	return displaced
}

// loaded is the state as the caller of Open sees it.
func (st state) loaded() Loaded {
	l := Loaded{Epoch: st.epoch, Settled: st.settled, Rules: st.rules, Tree: st.tree}
	for _, in := range st.pending {
		l.Pending = append(l.Pending, in.paths...)
		l.PendingGen = max(l.PendingGen, in.gen)
	}
	slices.Sort(l.Pending)
	l.Pending = slices.Compact(l.Pending)
	return l
}
