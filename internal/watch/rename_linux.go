package watch

import "slices"

// This file joins the two halves of the rename of a watched directory.

// departure is a directory that left its place, with everything below it. Its next
// place is named by the IN_MOVED_TO of the same cookie; IN_MOVE_SELF before that
// means that it left the tree.
type departure struct {
	cookie uint32
	node   *watched
	from   Event
	held   []heldEvent // what happened inside before the new place was known
}

type heldEvent struct {
	dir   *watched
	event Event
}

// heldMax bounds what one departure holds. Between the two halves of a rename lie
// microseconds; more than this means that something else is wrong.
const heldMax = 1024

// depart handles the first half of the rename of a directory.
func (t *table) depart(parent *watched, e Event) {
	n := parent.child(e.Name)
	pairable := n != nil && n.val.wd != noWatch && n.val.marks&covers == 0 && parent.top() == t.root
	if pairable {
		e.Dir = t.path(parent)
		n.detach()
		n.val.marks &^= arrived // if its IN_MOVE_SELF is still due, it was lost
		t.lastNode = nil
		t.limbo = append(t.limbo, departure{cookie: e.Cookie, node: n, from: e})
		return
	}
	if n != nil {
		t.drop(n)
	}
	e.Cookie = 0
	t.emit(parent, e)
}

// arrive handles the second half.
func (t *table) arrive(parent *watched, e Event) {
	i := slices.IndexFunc(t.limbo, func(d departure) bool { return d.cookie == e.Cookie })
	old := parent.child(e.Name)
	if old != nil && old.val.marks&planted != 0 {
		old.val.marks ^= planted | arrived // its IN_MOVE_SELF is due
		e.Cookie = 0
		t.emit(parent, e)
		return
	}
	covered := old != nil && old.val.wd != noWatch
	if old != nil {
		t.drop(old)
	}
	if i < 0 || parent.top() != t.root {
		e.Cookie = 0
		t.emit(parent, e)
		return
	}
	d := t.limbo[i]
	t.limbo = slices.Delete(t.limbo, i, i+1)
	d.node.val.marks |= arrived
	d.node.val.marks &^= robbed
	if covered {
		d.node.val.marks |= covers
	}
	parent.attach(d.node, e.Name)
	t.out = append(t.out, d.from)
	t.emit(parent, e)
	for _, h := range d.held {
		t.emit(h.dir, h.event)
	}
}

// moved handles IN_MOVE_SELF, which comes after the halves that the parents report.
func (t *table) moved(n *watched) {
	if n.val.marks&arrived != 0 {
		n.val.marks &^= arrived
		return
	}
	if i := t.leaving(n); i >= 0 {
		t.left(i)
		return
	}
	t.gone(n) // its parent is not watched: where it went is unknown
	if n != t.root {
		t.drop(n)
	}
}

// leaving finds the departure of exactly this node.
func (t *table) leaving(n *watched) int {
	return slices.IndexFunc(t.limbo, func(d departure) bool { return d.node == n })
}

// left ends a departure without a new place: the directory has left the tree.
func (t *table) left(i int) {
	d := t.limbo[i]
	t.limbo = slices.Delete(t.limbo, i, i+1)
	t.drop(d.node)
	d.from.Cookie = 0
	t.out = append(t.out, d.from)
}

// hold keeps an event until its directory has a path again. If the directory leaves
// the tree, the event is nobody's business.
func (t *table) hold(top *watched, h heldEvent) {
	i := t.leaving(top)
	if i < 0 {
		return // dropped
	}
	d := &t.limbo[i]
	if len(d.held) == heldMax {
		t.overflow()
		return
	}
	d.held = append(d.held, h)
}
