package watch

import (
	"strings"

	"golang.org/x/sys/unix"
)

// table knows which directory each watch descriptor (wd) stands for. It makes no
// system call: what the kernel must do is left to the function forget.
//
// Every rule here may run on events that are older than what the scanner has seen
// already. Where table and Add disagree, the answer is a Create event for the
// directory in doubt: its reader opens, adds and lists it again.
type table struct {
	// config
	forget func(wd int32) // remove the watch from the kernel; it may be gone already

	// state
	root  *watched
	byWD  map[int32]*watched
	limbo []departure // renames of directories of which the end was not read yet
	out   []Event     // what Wait returns next

	// the last spelled path, as events come in runs of one directory
	lastNode *watched
	lastPath string
}

type watched = node[watchState]

type watchState struct {
	wd    int32 // noWatch if there is none
	marks marks
}

const noWatch = -1

type marks uint8

const (
	// told: the end of the directory was reported, so IN_IGNORED is no news.
	told marks = 1 << iota
	// arrived: a rename brought the directory here, and its IN_MOVE_SELF is due.
	arrived
	// covers: the directory came by rename over another watched one. It was either
	// replaced or exchanged, so the next departure under this name proves nothing.
	covers
	// robbed: its watch turned out to belong to another path, and that was reported.
	// Once is enough: one directory that is mounted at two paths would go on for ever.
	robbed
	// planted: the directory was watched under this path before it was renamed to it,
	// so the rename that brings it is not news of another directory.
	planted
)

func newTable(forget func(wd int32)) *table {
	return &table{forget: forget, byWD: map[int32]*watched{}, root: newWatched()}
}

func newWatched() *watched { return &watched{val: watchState{wd: noWatch}} }

// add records that wd watches dir. The directories above must be known.
func (t *table) add(dir string, wd int32) error {
	n, err := t.place(dir)
	owner := t.byWD[wd]
	switch {
	case err != nil && owner == nil:
		t.forget(wd) // nobody would know what its events mean
		return err
	case err != nil || owner == n:
		return err
	case owner != nil:
		t.rob(owner)
	}
	if n.val.wd != noWatch {
		// Another directory had this name. It is somewhere else or gone, with all
		// that was below it; the events that say so are still in the queue.
		t.dropBelow(n)
		t.again(n)
	}
	n.val = watchState{wd: wd, marks: n.val.marks & robbed}
	t.byWD[wd] = n
	return nil
}

// place finds or makes the node of dir.
func (t *table) place(dir string) (*watched, error) {
	if dir == "" {
		return t.root, nil
	}
	above, name := split(dir)
	parent := t.root.find(above)
	if parent == nil {
		return nil, ErrStale
	}
	n := parent.child(name)
	if n == nil {
		n = newWatched()
		parent.attach(n, strings.Clone(name)) // not a window into the whole path
	}
	return n, nil
}

// rob takes the watch from a node whose directory was found at another path.
func (t *table) rob(n *watched) {
	n.val.wd = noWatch // first, or left would take the watch back
	if i := t.leaving(n); i >= 0 {
		t.left(i) // it has arrived, and its arrival is still in the queue
		return
	}
	above := n.parent != nil && n.parent.val.marks&robbed != 0
	if n.val.marks&robbed == 0 && !above && n.top() == t.root {
		t.again(n)
	}
	n.val.marks |= robbed
}

// again asks for a look at a directory and everything in it.
func (t *table) again(n *watched) {
	if n == t.root {
		t.out = append(t.out, Event{Op: Overflow})
		return
	}
	t.emit(n.parent, Event{Op: Create, Name: n.name, IsDir: true})
}

// remove forgets dir and everything below it.
func (t *table) remove(dir string) {
	if n := t.root.find(dir); n != nil {
		t.drop(n)
	}
}

// drop takes a node out and ends its watches and those below. The root stays.
func (t *table) drop(n *watched) {
	n.detach()
	t.dropBelow(n)
}

func (t *table) dropBelow(n *watched) {
	n.each(func(c *watched) {
		if c.val.wd != noWatch {
			delete(t.byWD, c.val.wd)
			t.forget(c.val.wd)
			c.val.wd = noWatch
		}
	})
	n.clear()
	t.lastNode = nil
}

// read takes in what one read returned.
func (t *table) read(buf []byte) {
	for len(buf) > 0 {
		r, rest, ok := nextRecord(buf)
		if !ok {
			t.overflow()
			return
		}
		t.apply(r)
		buf = rest
	}
}

func (t *table) apply(r record) {
	if r.mask&unix.IN_Q_OVERFLOW != 0 {
		t.overflow()
		return
	}
	n := t.byWD[r.wd]
	if n == nil {
		return // queued before its watch was removed
	}
	switch {
	case r.mask&unix.IN_IGNORED != 0:
		t.ignored(n)
	case r.mask&(unix.IN_UNMOUNT|unix.IN_DELETE_SELF) != 0:
		t.gone(n)
	case r.mask&unix.IN_MOVE_SELF != 0:
		t.moved(n)
	default:
		t.named(n, r)
	}
}

// overflow: the halves of renames that were not joined yet may be among the lost.
func (t *table) overflow() {
	for _, d := range t.limbo {
		t.drop(d.node)
	}
	t.limbo = nil
	t.out = append(t.out, Event{Op: Overflow})
}

// gone reports the end of a watched directory. The watch ends with IN_IGNORED.
func (t *table) gone(n *watched) {
	if n.val.marks&told != 0 {
		return
	}
	n.val.marks |= told
	if n == t.root {
		t.out = append(t.out, Event{Op: RootGone, IsDir: true})
		return
	}
	t.emit(n, Event{Op: DirGone, IsDir: true})
}

// ignored: the kernel has removed the watch. If nobody said why, the number may have
// been given to another directory already; gone leads to a look, and that to Add.
func (t *table) ignored(n *watched) {
	if i := t.leaving(n); i >= 0 {
		t.left(i)
		return
	}
	t.gone(n)
	delete(t.byWD, n.val.wd)
	n.val = watchState{wd: noWatch}
	if n != t.root && n.leaf() {
		n.detach()
		t.lastNode = nil
	}
}

// named handles the events of a parent about one of its entries.
func (t *table) named(n *watched, r record) {
	e := Event{Name: string(r.name), IsDir: r.mask&unix.IN_ISDIR != 0}
	switch {
	case r.mask&unix.IN_CREATE != 0:
		e.Op = Create
	case r.mask&unix.IN_DELETE != 0:
		e.Op = Delete
	case r.mask&unix.IN_MOVED_FROM != 0:
		e.Op, e.Cookie = MovedFrom, r.cookie
	case r.mask&unix.IN_MOVED_TO != 0:
		e.Op, e.Cookie = MovedTo, r.cookie
	case r.mask&unix.IN_CLOSE_WRITE != 0:
		e.Op = CloseWrite
	case r.mask&unix.IN_MODIFY != 0:
		e.Op = Modify
	case r.mask&unix.IN_ATTRIB != 0:
		e.Op = Attrib
	default:
		return
	}
	switch {
	case e.Name == "" && e.Op != Attrib:
		t.overflow() // only its mode can be news of the directory itself
	case e.IsDir && e.Op == MovedFrom:
		t.depart(n, e)
	case e.IsDir && e.Op == MovedTo:
		t.arrive(n, e)
	default:
		if c := n.child(e.Name); e.IsDir && c != nil {
			t.renewed(c, e.Op)
		}
		t.emit(n, e)
	}
}

// renewed handles the creation and removal of a directory that has a node.
func (t *table) renewed(n *watched, op Op) {
	switch op {
	case Create:
		n.val.marks &^= robbed // news of its own: what was doubted once may be again
	case Delete:
		// Somebody holds it open, so its own end is not reported yet, and the name may
		// get another directory before that. If it has one already, and the watch is on
		// that, its creation comes next and brings it back.
		t.drop(n)
	}
}

// emit reports an event of a directory, under the path that the directory has now.
func (t *table) emit(dir *watched, e Event) {
	if top := dir.top(); top != t.root {
		t.hold(top, heldEvent{dir, e})
		return
	}
	e.Dir = t.path(dir)
	if e.Op == Modify && len(t.out) > 0 && t.out[len(t.out)-1] == e {
		return
	}
	t.out = append(t.out, e)
}

func (t *table) path(n *watched) string {
	if t.lastNode != n || n == t.root {
		t.lastNode, t.lastPath = n, n.path()
	}
	return t.lastPath
}
