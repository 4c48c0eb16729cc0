package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

var names = []string{"a", "b", "c", "a-b"}

func (w *world) randomPath() string {
	path := names[w.r.IntN(len(names))]
	for range w.r.IntN(3) {
		path = tree.Join(path, names[w.r.IntN(len(names))])
	}
	return path
}

// existing returns a path that a side holds, but for the root and z.
func (w *world) existing(on tree.Side) string {
	path, e := "", w.side[on].real
	for e.IsDir() && (path == "" || w.r.IntN(3) > 0) {
		var all []string
		for name := range e.Children() {
			if path != "" || name != "z" {
				all = append(all, name)
			}
		}
		if len(all) == 0 {
			break
		}
		name := all[w.r.IntN(len(all))]
		path, e = tree.Join(path, name), e.Child(name)
	}
	return path
}

// newContent is a file that nobody ever wrote, or sometimes an old one.
func (w *world) newContent() *tree.Entry {
	n := w.last
	if w.r.IntN(8) > 0 || n == 0 {
		w.last++
		n = w.last
	} else {
		n = 1 + w.r.IntN(n)
	}
	return fileOf(fmt.Sprint(n))
}

// edit lets a side's user do something.
func (w *world) edit(on tree.Side) {
	f := w.side[on]
	path, is := w.randomPath(), w.existing(on)
	if is == "" {
		is = path
	}
	switch k := w.r.IntN(16); k {
	case 0, 1, 2:
		w.write(on, path, w.newContent())
	case 3, 4, 5, 6:
		if tree.Get(f.real, is).IsFile() {
			path = is
		}
		w.write(on, path, w.newContent())
	case 7, 8, 9:
		w.write(on, is, nil)
	case 10:
		w.write(on, path, tree.NewDir(nil))
	case 11, 12:
		if e := tree.Get(f.real, is); e != nil && !tree.Overlap(is, path) {
			w.write(on, is, nil)
			w.write(on, path, e)
		}
	case 13:
		w.write(on, path, tree.NewDir(nil).With("a", w.newContent()).With("b", w.newContent()))
	case 14:
		if e := tree.Get(f.real, is); e.IsFile() {
			w.write(on, is, w.stored(on, tree.NewFile(e.Digest, e.Size, !e.Exec)))
		}
	case 15:
		switch w.r.IntN(4) {
		case 0:
			w.write(on, path, tree.NewOpaque("a socket"))
		default:
			w.write(on, path, tree.NewLink(fmt.Sprint(w.r.IntN(4))))
		}
	}
}

// write is what a user does: what was there is given up, what is there now
// must not be lost.
func (w *world) write(on tree.Side, path string, e *tree.Entry) {
	f := w.side[on]
	if e == nil && !strings.Contains(path, "/") && f.real.With(path, nil).Width() == 0 {
		return // an emptied root is another story
	}
	if parent, _ := tree.Split(path); parent != "" && e != nil {
		for p := parent; p != ""; p, _ = tree.Split(p) {
			if x := tree.Get(f.real, p); x != nil && !x.IsDir() {
				return
			}
		}
	}
	w.logf("  user on %v: %s = %s", on, path, lazy{e})
	was := tree.Get(f.real, path)
	for at := range leavesAt(path, was) {
		delete(w.live, at)
	}
	for at := range leavesAt(path, e) {
		// What was there before may be what both sides agree on: then writing
		// it again changes nothing, and whoever deletes it has seen it.
		if !w.ever[at] {
			w.live[at], w.ever[at] = true, true
		}
	}
	w.put(on, path, e)
	for _, x := range w.flushes {
		x.edited = append(x.edited, path)
	}
	top := path // what the watch notices first may be a parent
	for parent, _ := tree.Split(top); parent != "" && !tree.Get(f.told, parent).IsDir(); parent, _ = tree.Split(top) {
		top = parent
	}
	if f.joined {
		f.hints = append(f.hints, top)
	}
}

// lose checks that nothing is lost when a side's old value at path becomes
// new. What a crash takes away is nobody's fault if it is nowhere else.
func (w *world) lose(on tree.Side, path string, old, new *tree.Entry, crash bool) {
	other := w.side[on.Other()]
	for at := range leavesAt(path, old) {
		rel := strings.TrimPrefix(strings.TrimPrefix(at.path, path), "/")
		if !w.live[at] || w.kept[at] || contentOf(tree.Get(new, rel)) == at.content ||
			contentOf(tree.Get(other.real, at.path)) == at.content {
			continue
		}
		if !crash {
			w.fail("the %v's %s at %q is lost", on, showEntry(tree.Get(old, rel)), at.path)
		}
		delete(w.live, at)
	}
}

// chance is what happens now and then.
func (w *world) chance() {
	if (w.store.braked || w.guard) && w.r.IntN(3) == 0 {
		w.release()
		return
	}
	switch k := w.r.IntN(10); {
	case k < 2:
		w.startFlush()
	case k < 5 && w.losses:
		if w.side[1].joined {
			w.loseContainer()
		} else {
			w.join(tree.Container)
		}
	case k == 5 && w.faults:
		w.restart()
	case k == 6 && w.faults:
		w.side[w.r.IntN(2)].refuse = w.randomPath()
	case k == 7 && w.faults:
		w.side[0].refuse, w.side[1].refuse = "", ""
	case k == 8 && w.faults && w.side[1].joined:
		w.loseContainer()
		w.crash(tree.Container)
	case k == 9 && w.faults && w.r.IntN(3) == 0:
		if w.side[1].joined {
			w.loseContainer()
		}
		w.recreate()
	default:
		w.now = w.now.Add(time.Duration(w.r.IntN(300)) * time.Millisecond)
	}
}

// release says what is meant by the deletions that the brake holds.
func (w *world) release() {
	back := w.r.IntN(2) == 0
	w.upset = w.upset || back // the host's user wants what the container's does not
	if !back {
		for _, path := range w.braked() {
			w.meant[path] = true
		}
	}
	for _, x := range w.flushes {
		x.edited = append(x.edited, w.braked()...)
		for _, h := range w.s.Summary().Held {
			x.edited = append(x.edited, h.Path)
		}
	}
	w.logf("  release, back %v", back)
	for _, h := range w.s.Summary().Held {
		if h.Guarded && !back {
			w.allowed[h.Path] = true
		}
	}
	w.step(engine.Release{Back: back, Guarded: true, Paths: []string{""}})
}

func (w *world) startFlush() {
	w.lastN++
	w.flushes[w.lastN] = &flush{was: [2]*tree.Entry{w.side[0].real, w.side[1].real}}
	w.step(engine.Flush{N: w.lastN})
}

// sever ends what is in flight on a side. Some of it happens all the same, and
// nobody hears of it.
func (w *world) sever(on tree.Side) {
	for _, t := range w.tasks {
		if a, ok := t.(*applying); ok && a.Side == on && w.r.IntN(2) == 0 {
			for a.mute = true; len(a.Changes) > 0 && w.r.IntN(5) > 0; {
				a.run(w)
			}
		}
	}
	w.tasks = slices.DeleteFunc(w.tasks, func(t task) bool {
		switch t := t.(type) {
		case *committing: // happens all the same
			return w.r.IntN(2) == 0 && t.run(w)
		case *once:
			return t.side == on && t.dies
		}
		return t.on() == on
	})
	f := w.side[on]
	f.joined, f.queue, f.hints = false, nil, nil
	for _, x := range w.flushes {
		x.excused = true
	}
}

// commits lets base get to what it was given: before anything else.
func (w *world) commits() {
	w.tasks = slices.DeleteFunc(w.tasks, func(t task) bool {
		c, ok := t.(*committing)
		return ok && c.run(w)
	})
}

func (w *world) loseContainer() {
	w.sever(tree.Container)
	w.intact = true
	w.step(engine.Lost{Side: tree.Container})
}

// crash takes from a side what is not durable, or some of it.
func (w *world) crash(on tree.Side) {
	w.commits()
	f := w.side[on]
	now := w.mix(f.durable, f.real)
	w.upset, w.intact = true, false
	w.logf("  %v crashed: %s", on, lazy{now})
	w.lose(on, "", f.real, now, true)
	f.real, f.durable = now, now
	f.reset()
}

func (w *world) mix(a, b *tree.Entry) *tree.Entry {
	switch {
	case tree.Same(a, b):
		return b
	case !a.IsDir() || !b.IsDir():
		return [2]*tree.Entry{a, b}[w.r.IntN(2)]
	}
	d := tree.NewDir(nil)
	for name, pair := range tree.Pairs(a, b) {
		if x := w.mix(pair[0], pair[1]); x != nil {
			d = d.With(name, x)
		}
	}
	return d
}

// recreate replaces the container: by an empty one, or one that its image
// fills with what it held once, and with something new.
func (w *world) recreate() {
	w.commits()
	f := w.side[tree.Container]
	w.upset, w.intact = true, false
	now := tree.NewDir(nil)
	if w.r.IntN(3) > 0 {
		now = w.mix(w.mix(f.birth, f.durable), f.real)
		for range w.r.IntN(3) {
			now = force(now, w.randomPath(), w.newContent())
		}
		now = tree.Clear(now)
	}
	w.logf("  container recreated: %s", lazy{now})
	w.lose(tree.Container, "", f.real, now, true)
	f.real, f.durable = now, now
	f.reset()
	f.refuse, w.fresh = "", true
}

// restart ends the host's process, or its machine, and begins again.
func (w *world) restart() {
	w.upset, w.intact = true, false
	w.sever(tree.Host)
	w.sever(tree.Container)
	for _, t := range w.tasks { // base and the keep store may have got to it
		if w.r.IntN(2) == 0 {
			t.run(w)
		}
	}
	w.tasks, w.misc = nil, nil
	clear(w.flushes)
	w.logf("host restarts; base %s", lazy{w.store.tree})
	if w.r.IntN(3) == 0 {
		w.crash(tree.Host)
	}
	w.start(engine.Options{})
}
