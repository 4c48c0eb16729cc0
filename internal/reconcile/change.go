package reconcile

import (
	"strings"

	"github.com/twosync/twosync/internal/tree"
)

// holdsUnsyncable is why a directory stays that the other side took away.
const holdsUnsyncable = "holds what can't be synced"

func (m *merge) busy(path string) bool {
	return m.Busy != nil && (m.Busy(tree.Host, path) || m.Busy(tree.Container, path))
}

// sealed says whether path can't be changed on side, and then holds it.
func (m *merge) sealed(side tree.Side, path string) bool {
	if m.Sealed == nil {
		return false
	}
	reason, ok := m.Sealed(side, path)
	if ok {
		m.plan.Held = append(m.plan.Held, Held{Side: side, Path: path, Reason: reason})
	}
	return ok
}

// isSealed is sealed for who only wants to know.
func (m *merge) isSealed(side tree.Side, path string) bool {
	if m.Sealed == nil {
		return false
	}
	_, ok := m.Sealed(side, path)
	return ok
}

// change plans a change that nobody loses by.
func (m *merge) change(side tree.Side, path string, old, new *tree.Entry) {
	if !m.sealed(side, path) && !m.guarded(side, path, old, new) {
		m.put(side, path, old, new)
	}
}

// put adds a change to the plan, without what in new the side can't hold, and
// the links that may not be made on the host.
func (m *merge) put(side tree.Side, path string, old, new *tree.Entry) {
	if new != nil {
		if side == tree.Host {
			new = m.confined(path, m.unguarded(path, new))
		}
		if new != nil {
			new = m.named(side, path, old == nil, new)
		}
		if new == nil {
			return
		}
	}
	list := m.plan.side(side)
	*list = append(*list, tree.Change{Path: path, Old: old, New: new})
}

// leaves is why a link of the container is not made on the host.
const leaves = "a link that leads out of the directory, or can by way of another one: not made on the host"

// confined returns e without the links whose targets are not within the root,
// whatever they go through, and holds those (CASES §4.3, safe default 2).
func (m *merge) confined(path string, e *tree.Entry) *tree.Entry {
	switch {
	case e == nil:
		return nil
	case e.Kind == tree.Link && !within(path, e.Text):
		m.plan.Held = append(m.plan.Held, Held{Side: tree.Container, Path: path, Reason: leaves})
		return nil
	}
	for name, child := range e.Children() {
		if child.Kind == tree.Link || child.IsDir() {
			e = e.With(name, m.confined(tree.Join(path, name), child))
		}
	}
	return e
}

// within says whether the target of a link at path stays below the root. The way
// back is counted from where the link is, which is no link itself; behind a name,
// which may be one, there must be none. Either slash separates names: the host may
// be a system where both do.
func within(path, target string) bool {
	target = strings.ReplaceAll(target, `\`, "/")
	if strings.HasPrefix(target, "/") || len(target) > 1 && target[1] == ':' { // on Windows C: is a drive
		return false
	}
	back, named := strings.Count(path, "/"), false
	for name := range strings.SplitSeq(target, "/") {
		switch name {
		case "", ".":
		case "..":
			if back--; back < 0 || named {
				return false
			}
		default:
			named = true
		}
	}
	return true
}

// replace plans a change once everything that is lost by it is kept.
func (m *merge) replace(side tree.Side, path string, base, old, new *tree.Entry) {
	if m.sealed(side, path) || m.guarded(side, path, old, new) {
		return
	}
	safe := true
	losers(path, base, old, func(at string, e *tree.Entry) {
		if m.Kept == nil || !m.Kept(at, e) {
			m.plan.Keep = append(m.plan.Keep, Keep{side, at, e, path})
			safe = false
		}
	})
	if safe {
		m.put(side, path, old, new)
	}
}

// losers calls visit for the files and links in e whose content or target base
// does not hold at that path. What base holds was given up by the user of the
// other side, who changed it.
func losers(path string, base, e *tree.Entry, visit func(string, *tree.Entry)) {
	switch {
	case tree.Equal(base, e), tree.SameContent(base, e), e == nil:
	case e.IsDir():
		for name, child := range e.Children() {
			losers(tree.Join(path, name), base.Child(name), child, visit)
		}
	default:
		visit(path, e)
	}
}

// remove plans that side loses, of e, all but what stays.
func (m *merge) remove(side tree.Side, path string, base, e, stays *tree.Entry) {
	switch {
	case stays == nil:
		m.replace(side, path, base, e, nil)
	case !tree.Same(e, stays):
		for name, pair := range tree.Pairs(e, stays) {
			m.remove(side, tree.Join(path, name), base.Child(name), pair[0], pair[1])
		}
	}
}

// hold adds to Held whatever is murky at or below path on side.
func (m *merge) hold(path string, e *tree.Entry, side tree.Side) {
	tree.Walk(path, e, func(path string, e *tree.Entry) bool {
		if isMurky(e) {
			m.plan.Held = append(m.plan.Held, Held{Side: side, Path: path, Reason: e.Text})
		}
		return e.Murky()
	})
}

// holdDir adds to Held a directory that stays for what is murky in it.
func (m *merge) holdDir(path string, side tree.Side) {
	m.plan.Held = append(m.plan.Held, Held{Side: side, Path: path, Reason: holdsUnsyncable})
}

// holdEach is R0.
func (m *merge) holdEach(path string, v both) {
	for side, e := range v {
		if isMurky(e) {
			m.hold(path, e, tree.Side(side))
		}
	}
}

// clear returns what of a side's value can cross, and holds the rest.
func (m *merge) clear(path string, v both, side tree.Side) *tree.Entry {
	m.hold(path, v[side], side)
	return tree.Clear(v[side])
}
