package simfs

// The bits of inotify(7), which are the same everywhere.
const (
	inModify     = 0x2
	inAttrib     = 0x4
	inCloseWrite = 0x8
	inMovedFrom  = 0x40
	inMovedTo    = 0x80
	inCreate     = 0x100
	inDelete     = 0x200
	inDeleteSelf = 0x400
	inMoveSelf   = 0x800
	inUnmount    = 0x2000
	inOverflow   = 0x4000
	inIgnored    = 0x8000
	inIsDir      = 0x40000000
)

// mark is one watch: an inode and who wants to know.
type mark struct {
	node *inode
	q    *queue
	wd   int32
}

// record is one event as it is queued.
type record struct {
	wd     int32
	mask   uint32
	cookie uint32
	name   string
}

// queue is what the kernel keeps for one source.
type queue struct {
	limit    int // of records
	records  []record
	overflow bool // the record that says so is queued
	marks    map[int32]*mark
	lastWD   int32
	lose     func(mask uint32, name string) bool
	woken    bool
}

// tell queues an event at all who watch the inode.
func (n *inode) tell(mask, cookie uint32, name string) {
	for _, m := range n.marks {
		m.q.put(record{m.wd, mask, cookie, name})
	}
}

// attrib is an event of a file or a directory that its parent is told with the
// name, and its own watch without.
func (d *dentry) attrib(mask uint32) {
	if d.node.isDir() {
		mask |= inIsDir
	}
	if d.parent != nil {
		d.parent.node.tell(mask, 0, d.name)
	}
	d.node.tell(mask, 0, "")
}

// written is an event of an open file. Nobody is told of one that was removed
// (IN_EXCL_UNLINK).
func (d *dentry) written(mask uint32) {
	if !d.gone && d.parent != nil {
		d.parent.node.tell(mask, 0, d.name)
	}
}

// put queues a record, unless it is the same as the last one.
func (q *queue) put(r record) {
	if q.lose != nil && q.lose(r.mask, r.name) {
		return
	}
	if last := len(q.records) - 1; last >= 0 {
		l := q.records[last]
		if l.mask&inIgnored == 0 && l.mask == r.mask && l.wd == r.wd && l.name == r.name {
			return
		}
	}
	if len(q.records) >= q.limit {
		if !q.overflow {
			q.overflow = true
			q.records = append(q.records, record{wd: -1, mask: inOverflow})
		}
		return
	}
	q.records = append(q.records, r)
}

// add watches an inode; a second time it is the same watch.
func (q *queue) add(n *inode) int32 {
	for _, m := range n.marks {
		if m.q == q {
			return m.wd
		}
	}
	q.lastWD++
	m := &mark{n, q, q.lastWD}
	n.marks = append(n.marks, m)
	q.marks[m.wd] = m
	return m.wd
}

// remove ends a watch.
func (q *queue) remove(wd int32) {
	m := q.marks[wd]
	if m == nil {
		return
	}
	m.node.marks = without(m.node.marks, m)
	m.end()
}

func (m *mark) end() {
	delete(m.q.marks, m.wd)
	m.q.put(record{wd: m.wd, mask: inIgnored})
}

// forgetMarks ends every watch on an inode.
func (n *inode) forgetMarks() {
	marks := n.marks
	n.marks = nil
	for _, m := range marks {
		m.end()
	}
}

// close ends all watches of a source without a word.
func (q *queue) close() {
	for wd := int32(1); wd <= q.lastWD; wd++ {
		if m := q.marks[wd]; m != nil {
			m.node.marks = without(m.node.marks, m)
			delete(q.marks, wd)
		}
	}
	q.records = nil
}

// watches says whether the source has a watch on an inode.
func (q *queue) watches(n *inode) bool {
	for _, m := range n.marks {
		if m.q == q {
			return true
		}
	}
	return false
}
