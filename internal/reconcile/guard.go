package reconcile

import "github.com/twosync/twosync/internal/tree"

// guarded says whether a change of the host waits for its user, and then holds
// it. Of a directory that is new, only what is guarded in it waits.
func (m *merge) guarded(side tree.Side, path string, old, new *tree.Entry) bool {
	if m.Guard == nil || side != tree.Host {
		return false
	}
	at, reason := m.firstGuarded(path, old, new)
	switch {
	case reason == "", at != path && old == nil:
		return false
	case at != path:
		reason = "holds " + at + ": " + reason
	}
	m.holdGuarded(path, reason)
	return true
}

// isGuarded is guarded for who only wants to know.
func (m *merge) isGuarded(side tree.Side, path string, old *tree.Entry) bool {
	if m.Guard == nil || side != tree.Host {
		return false
	}
	_, reason := m.firstGuarded(path, old, nil)
	return reason != ""
}

// firstGuarded returns the first path, at or below this one, that is guarded and
// would change.
func (m *merge) firstGuarded(path string, old, new *tree.Entry) (at, reason string) {
	if tree.Same(old, new) {
		return "", ""
	}
	for _, e := range [...]*tree.Entry{new, old} {
		if e == nil {
			continue
		}
		if reason := m.Guard(path, e); reason != "" {
			return path, reason
		}
	}
	for name, pair := range tree.Pairs(old, new) {
		if at, reason := m.firstGuarded(tree.Join(path, name), pair[0], pair[1]); reason != "" {
			return at, reason
		}
	}
	return "", ""
}

// unguarded returns e without what is guarded below it, and holds that.
func (m *merge) unguarded(path string, e *tree.Entry) *tree.Entry {
	if m.Guard == nil || !e.IsDir() {
		return e
	}
	for name, child := range e.Children() {
		below := tree.Join(path, name)
		if reason := m.Guard(below, child); reason != "" {
			m.holdGuarded(below, reason)
			e = e.With(name, nil)
		} else if x := m.unguarded(below, child); x != child {
			e = e.With(name, x)
		}
	}
	return e
}

func (m *merge) holdGuarded(path, reason string) {
	m.plan.Held = append(m.plan.Held, Held{Side: tree.Container, Path: path, Reason: reason, Guarded: true})
}
