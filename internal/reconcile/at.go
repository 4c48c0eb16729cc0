package reconcile

import "github.com/twosync/twosync/internal/tree"

// At adds to plan what has to happen at path and below, where base, host and
// container hold what is given. Its cost goes with what differs. Path is one that
// Reach returns: that matters where a side folds names.
func At(path string, base, host, container *tree.Entry, p Policy, plan *Plan) {
	m := &merge{Policy: p, plan: plan}
	m.at(path, base, both{host, container})
}

// both is what the sides hold, by tree.Side.
type both [2]*tree.Entry

// merge is one call of At.
type merge struct {
	Policy
	plan  *Plan
	shell bool   // below a directory that is in Agreed: what is equal there is in it
	shelf *shelf // the directory that is being gone through, where a side folds names
}

func (m *merge) at(path string, base *tree.Entry, v both) {
	host, container := v[tree.Host], v[tree.Container]
	switch {
	case tree.Equal(host, container):
		m.agree(path, base, host)
	case host.IsDir() && container.IsDir():
		m.children(path, base, v)
	case m.busy(path):
		m.plan.Busy = append(m.plan.Busy, path)
	case isMurky(host) || isMurky(container):
		m.holdEach(path, v)
	case m.OneWay != nil && m.OneWay(path):
		m.oneWay(path, base, v)
	case m.Mirror:
		m.mirror(path, base, v)
	case tree.Equal(base, container):
		m.follow(path, v, tree.Container)
	case tree.Equal(base, host):
		m.follow(path, v, tree.Host)
	case base.IsDir() && container.IsDir():
		m.taken(path, base, v, tree.Container)
	case base.IsDir() && host.IsDir():
		m.taken(path, base, v, tree.Host)
	case host == nil:
		m.follow(path, v, tree.Host)
	case container == nil:
		m.follow(path, v, tree.Container)
	case host.IsFile() && container.IsFile():
		m.files(path, base, v)
	default:
		m.conflict(path, base, v)
	}
}

// isMurky says whether e is murky at its top.
func isMurky(e *tree.Entry) bool { return e.Murky() && !e.IsDir() }

// agree is R1: base follows.
func (m *merge) agree(path string, base, agreed *tree.Entry) {
	tree.Diff(path, base, agreed, func(path string, old, new *tree.Entry) bool {
		if m.busy(path) {
			m.plan.Busy = append(m.plan.Busy, path)
		} else {
			m.plan.Agreed = append(m.plan.Agreed, tree.Change{Path: path, Old: old, New: new})
		}
		return true
	})
}

// children goes on below a directory that both sides hold.
func (m *merge) children(path string, base *tree.Entry, v both) {
	host, container := v[tree.Host], v[tree.Container]
	if !base.IsDir() && !m.shell {
		m.agree(path, base, common(host, container))
		m.shell = true
		defer func() { m.shell = false }()
	}
	if m.folds() {
		outer := m.shelf
		m.shelf = &shelf{base: base, v: v}
		defer func() { m.shelf = outer }()
	}
	for name, t := range tree.Triples(base, host, container) {
		if !m.settled(t) {
			m.at(tree.Join(path, name), t[0], both{t[1], t[2]})
		}
	}
}

// settled says whether there is nothing to do at a child. Wide directories
// make it worth to know before there is a path.
func (m *merge) settled(t [3]*tree.Entry) bool {
	return tree.Equal(t[1], t[2]) && (m.shell || tree.Equal(t[0], t[1]))
}

// follow is R2, R3 and the plain half of R4: side takes what the other holds.
func (m *merge) follow(path string, v both, side tree.Side) {
	m.change(side, path, v[side], m.clear(path, v, side.Other()))
}

// taken is R4, R7 and CASES C3: side holds a directory in which something may
// have changed, the other side took the directory away, and may hold a file or
// a link in its place.
func (m *merge) taken(path string, base *tree.Entry, v both, side tree.Side) {
	stays, crosses := survivors(base, v[side])
	m.goneFromBoth(path, base, v[side])
	if stays == nil {
		m.change(side, path, v[side], v[side.Other()])
		return
	}
	if crosses == nil {
		m.holdDir(path, side)
	} else {
		m.replace(side.Other(), path, base, v[side.Other()], crosses)
	}
	m.hold(path, stays, side)
	m.remove(side, path, base, v[side], stays)
}

// goneFromBoth adds to Agreed what is gone from a directory e that base holds
// and the other side took away.
func (m *merge) goneFromBoth(path string, base, e *tree.Entry) {
	for name, pair := range tree.Pairs(base, e) {
		switch below := tree.Join(path, name); {
		case pair[1] == nil:
			m.agree(below, pair[0], nil)
		case pair[0].IsDir() && pair[1].IsDir() && !tree.Equal(pair[0], pair[1]):
			m.goneFromBoth(below, pair[0], pair[1])
		}
	}
}

// files is R5, and R6 where the contents changed apart.
func (m *merge) files(path string, base *tree.Entry, v both) {
	merged := m.mergeFiles(base, v)
	switch {
	case merged == nil && v[tree.Host].Size == 0:
		m.follow(path, v, tree.Host)
		return
	case merged == nil && v[tree.Container].Size == 0:
		m.follow(path, v, tree.Container)
		return
	case merged == nil:
		m.conflict(path, base, v)
		return
	}
	for side, e := range v {
		if !tree.Equal(e, merged) {
			m.change(tree.Side(side), path, e, merged)
		}
	}
}

// mergeFiles merges contents and exec bits apart from each other. It returns
// nil when both sides changed the content.
func (m *merge) mergeFiles(base *tree.Entry, v both) *tree.Entry {
	host, container := v[tree.Host], v[tree.Container]
	content := host
	switch {
	case tree.SameContent(host, container):
	case tree.SameContent(base, host):
		content = container
	case !tree.SameContent(base, container):
		return nil
	}
	exec := host.Exec
	switch {
	case host.Exec == container.Exec:
	case base.IsFile():
		exec = !base.Exec // one side changed it
	default:
		exec = v[m.Winner].Exec
	}
	return tree.NewFile(content.Digest, content.Size, exec)
}

// conflict is R6: the winner takes the path once the loser is kept.
func (m *merge) conflict(path string, base *tree.Entry, v both) {
	loser := m.Winner.Other()
	if v[loser].Murky() {
		m.holdDir(path, loser)
		m.hold(path, v[loser], loser)
		return
	}
	m.replace(loser, path, base, v[loser], m.clear(path, v, m.Winner))
}

// oneWay makes the container hold what the host does, or once did. What only
// the container ever held is its own business.
func (m *merge) oneWay(path string, base *tree.Entry, v both) {
	if v[tree.Host] != nil || base != nil {
		m.replace(tree.Container, path, base, v[tree.Container], m.clear(path, v, tree.Host))
	}
}

// mirror gives the path to the winner, whatever base says.
func (m *merge) mirror(path string, base *tree.Entry, v both) {
	loser := m.Winner.Other()
	switch {
	case tree.SameContent(v[m.Winner], v[loser]):
		m.follow(path, v, loser)
	case v[m.Winner] != nil || !v[loser].Murky():
		m.conflict(path, base, v)
	default:
		m.holdDir(path, loser)
		m.hold(path, v[loser], loser)
		m.remove(loser, path, base, v[loser], murkyPart(v[loser]))
	}
}
