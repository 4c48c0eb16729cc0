package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// firstWorld is a world before a first contact: both sides hold something, and
// base's history knows some of what the container holds.
func firstWorld(seed uint64, c config, log *strings.Builder) *world {
	w := newWorld(c, log)
	w.draw(seed, 0)
	for range w.r.IntN(20) {
		w.edit(tree.Side(w.r.IntN(2)))
	}
	for on, f := range w.side {
		f.real = tree.Clear(f.real)
		f.reset()
		w.side[on].durable = f.real
	}
	if w.r.IntN(2) == 0 { // what both hold
		w.side[1].real = w.mix(w.side[1].real, w.side[0].real)
		w.side[1].reset()
	}
	tree.Walk("", w.side[1].real, func(path string, e *tree.Entry) bool {
		if w.r.IntN(3) == 0 {
			w.store.values[path] = append(w.store.values[path], value(e))
		}
		return true
	})
	return w
}

// checkFirst checks what a first contact made of the trees that there were.
func (w *world) checkFirst(host, container *tree.Entry, knew func(written) bool, gone []string) {
	deleted := func(p string) bool {
		return slices.ContainsFunc(gone, func(g string) bool { return tree.Overlap(g, p) })
	}
	after := w.side[0].real
	was, is := map[written]bool{}, map[written]bool{}
	for at := range leaves(host) {
		was[at] = true
	}
	for at := range leaves(after) {
		is[at] = true
		if !was[at] && (!holds(container, at) || knew(at) && w.opt.Winner == tree.Host && host.Width() > 0 && !deleted(at.path)) {
			w.fail("the host got %s at %q", showEntry(tree.Get(after, at.path)), at.path)
		}
	}
	for at := range was {
		switch {
		case deleted(at.path):
			if is[at] && !holds(container, at) {
				w.fail("%q is back, which the host had deleted", at.path)
			}
		case !is[at] && (w.opt.Winner == tree.Host || !w.kept[at]):
			w.fail("the host lost %q", at.path)
		}
	}
	for at := range leaves(container) {
		switch {
		case w.opt.Winner == tree.Container:
			if !is[at] && !deleted(at.path) {
				w.fail("the container's %q did not win", at.path)
			}
		case w.opt.Mirror:
			if is[at] && !was[at] || !is[at] && !w.kept[at] && !knew(at) && !deleted(at.path) {
				w.fail("the container's %q came to the host, or is lost", at.path)
			}
		case !is[at] && !w.kept[at] && !knew(at) && !deleted(at.path):
			w.fail("the container's %q is lost", at.path)
		}
	}
	if w.opt.Mirror && len(gone) == 0 && !tree.Same(host, after) {
		w.fail("the host is not what it was")
	}
}

func holds(root *tree.Entry, at written) bool {
	return contentOf(tree.Get(root, at.path)) == at.content
}

func playFirst(seed uint64, log *strings.Builder) (err error) {
	r := rand.New(rand.NewPCG(seed, 1))
	c := config{writers: [2]bool{true, true}, opt: []engine.Options{
		{}, {}, {}, {Mirror: true, Forced: true}, {Winner: tree.Container, Forced: true},
	}[r.IntN(5)]}
	w := firstWorld(seed, c, log)
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("%v", x)
		}
	}()
	if w.r.IntN(10) == 0 && !c.opt.Mirror {
		w.side[0].real = tree.NewDir(nil)
		w.side[0].reset()
	}
	host, container := w.side[0].real, w.side[1].real
	clear(w.live)
	before := store{values: maps.Clone(w.store.values)}
	w.start(c.opt)
	var gone []string
	for range w.r.IntN(3) { // it is lost in the middle, and begins anew
		for range w.r.IntN(30) {
			w.machine()
		}
		if w.store.settled {
			break
		}
		met := w.s.Summary().Whole == [2]bool{true, true}
		w.loseContainer()
		if path := w.existing(tree.Host); met && path != "" && w.r.IntN(2) == 0 {
			gone = append(gone, path)
			w.write(tree.Host, path, nil)
		}
		w.join(tree.Container)
	}
	w.settleDown()
	if w.halted != "" {
		w.fail("halted: %s", w.halted)
	}
	w.checkFirst(host, container, before.knew, gone)
	w.checkEnd()
	return nil
}

// J5, J6, J7, J16: the host only gains, old copies do not come back, and what
// is lost in the middle goes on as if it had not been.
func TestFirstContact(t *testing.T) {
	t.Parallel()
	first := *oneSeed
	if first == 0 {
		first = rand.Uint64() >> 1
	}
	for n := range *histories {
		seed := first + uint64(n)
		if err := playFirst(seed, nil); err != nil {
			var log strings.Builder
			playFirst(seed, &log)
			t.Fatalf("-seed %d: %v\n%s", seed, err, log.String())
		}
	}
}

// files returns a directory of n files of some size.
func files(n int, size int64) *tree.Entry {
	d := tree.NewDir(nil)
	for i := range n {
		x := fileOf(fmt.Sprint("file", i))
		d = d.With(fmt.Sprintf("f%05d", i), tree.NewFile(x.Digest, size, false))
	}
	return d
}

// others returns a directory of the names of files, with other contents.
func others(n int) *tree.Entry {
	d := tree.NewDir(nil)
	for i := range n {
		d = d.With(fmt.Sprintf("f%05d", i), fileOf(fmt.Sprint("other", i)))
	}
	return d
}

// D17, J16: what a first contact may bring without being asked.
func TestFirstLimits(t *testing.T) {
	host := tree.NewDir(nil).With("own", fileOf("1"))
	differs := tree.NewDir(nil).With("own", fileOf("2"))
	modules := tree.NewDir(nil).With("x", files(1, 1))
	for name, x := range map[string]struct {
		host, container *tree.Entry
		opt             engine.Options
		halts           bool
	}{
		"as many as allowed": {host, files(engine.MaxFirstFiles, 1), engine.Options{}, false},
		"one more":           {host, files(engine.MaxFirstFiles+1, 1), engine.Options{}, true},
		"one is overwritten": {host, files(engine.MaxFirstFiles, 1).With("own", fileOf("2")), engine.Options{}, true},
		"everything differs": {files(engine.MaxFirstFiles+1, 1), others(engine.MaxFirstFiles + 1), engine.Options{}, true},
		"large":              {host, files(2, engine.MaxFirstBytes/2+1), engine.Options{}, true},
		"take host":          {host, files(300, 1), engine.Options{Forced: true, Mirror: true}, false},
		"take container":     {host, files(300, 1), engine.Options{Forced: true, Winner: tree.Container}, false},
		"empty host":         {tree.NewDir(nil), files(300, 1), engine.Options{}, false},
		"host has it all":    {files(300, 1), files(300, 1), engine.Options{}, false},
		"only on the host":   {files(300, 1), differs, engine.Options{}, false},
		"old copies": {host, files(300, 1), engine.Options{
			Known: func(string, *tree.Entry) bool { return true }}, false},
		"dependencies":                {host, host.With("node_modules", modules), engine.Options{}, true},
		"dependencies, deep":          {host.With("a", files(1, 1)), host.With("a", tree.NewDir(nil).With("node_modules", modules)), engine.Options{}, true},
		"dependencies of an old copy": {host, host.With("node_modules", modules), engine.Options{Known: func(string, *tree.Entry) bool { return true }}, false},
		"the same dependencies":       {host.With("node_modules", modules), differs.With("node_modules", modules), engine.Options{}, false},
		"dependencies of an empty":    {tree.NewDir(nil), host.With("node_modules", modules), engine.Options{}, false},
		"dependencies, only host":     {host.With("node_modules", modules), host, engine.Options{}, false},
		"no file in dependencies":     {host, host.With("node_modules", tree.NewDir(nil)), engine.Options{}, false},
	} {
		x.opt.Dependency = func(path string) bool { return path == "node_modules" || strings.HasSuffix(path, "/node_modules") }
		g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(nil, x.opt)}
		g.step(engine.Joined{Side: tree.Host})
		g.step(engine.Joined{Side: tree.Container, First: true})
		g.whole(tree.Container, x.container)
		effects := g.whole(tree.Host, x.host)
		if halts := len(effects) == 1 && kindOf(effects[0]) == "Halt"; halts != x.halts {
			t.Errorf("%s: halts is %v, want %v: %v", name, halts, x.halts, kinds(effects))
		}
		if x.halts && len(g.step(engine.Tick{})) > 0 {
			t.Errorf("%s: something happens after the halt", name)
		}
	}
}

// TestTakeOnce: that the container was to win is forgotten with the first
// contact. A container that is recreated later does not win.
func TestTakeOnce(t *testing.T) {
	g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(nil, engine.Options{Winner: tree.Container, Forced: true})}
	host, container := dirOf("a", "1"), dirOf("a", "2")
	g.join(host, container, true)
	g.play()
	if showEntry(g.real[0]) != "{a=2}" {
		t.Fatalf("host %s, want the container's", showEntry(g.real[0]))
	}
	g.step(engine.Lost{Side: tree.Container})
	g.rejoin(dirOf("a", "3"), true)
	g.play()
	if showEntry(g.real[0]) != "{a=2}" || showEntry(g.real[1]) != "{a=2}" {
		t.Fatalf("host %s, container %s, want the host's", showEntry(g.real[0]), showEntry(g.real[1]))
	}
}

// TestFirstDone: a first contact is over when what it agreed on is durable,
// and not before.
func TestFirstDone(t *testing.T) {
	g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(nil, engine.Options{})}
	g.join(dirOf("a", "1"), dirOf("a", "1"), true)
	g.until("Commit")
	if g.count("FirstDone") > 0 || g.count("InSync") != 1 {
		t.Fatal("over before the commit, or not in sync")
	}
	g.play()
	if g.count("FirstDone") != 1 || g.count("InSync") != 1 {
		t.Fatalf("%d times over, %d times in sync", g.count("FirstDone"), g.count("InSync"))
	}
}

// H1: a root that is empty at once, and stays so, ends everything.
func TestEmptied(t *testing.T) {
	for _, on := range []tree.Side{tree.Host, tree.Container} {
		g := synced(t, dirOf("a", "1", "b", "2"))
		if on == tree.Host {
			g.saw(on, "a", nil, "b", nil)
		} else {
			g.step(engine.Lost{Side: on})
			g.rejoin(tree.NewDir(nil), false)
		}
		g.play()
		if g.count("Apply") > 0 || g.count("Halt")+g.count("Brake") != 1 || (g.count("Halt") == 1) != (on == tree.Host) {
			t.Errorf("%v emptied: %v", on, g.log)
		}
	}
	g := synced(t, dirOf("a", "1", "b", "2"))
	g.saw(tree.Host, "a", nil, "b", nil)
	g.saw(tree.Host, "c", fileOf("1"))
	g.play()
	if g.count("Halt") > 0 || showEntry(g.real[1]) != "{c=1}" {
		t.Errorf("renamed: %v", g.log)
	}
	g = synced(t, dirOf("a", "1"))
	g.saw(tree.Host, "a", nil)
	g.play()
	if g.count("Halt") > 0 || showEntry(g.real[1]) != "{}" {
		t.Errorf("the only file: %v", g.log)
	}
	g = synced(t, dirOf("a", "1"))
	g.saw(tree.Host, "", tree.NewUnknown("unreadable"))
	if g.count("Halt") != 1 {
		t.Errorf("the root is unreadable: %v", g.log)
	}
}

// H1: it does not matter in which order the names go, as long as they go.
func TestEmptiedOneByOne(t *testing.T) {
	for _, on := range []tree.Side{tree.Host, tree.Container} {
		all, _ := tree.Put(dirOf("a", "1", "b/c", "2", "d", "3", "f", "5"), "e", tree.NewDir(nil))
		g := synced(t, all)
		for _, name := range []string{"a", "b", "d", "e", "f"} {
			g.saw(on, name, nil)
			g.now = g.now.Add(200 * time.Millisecond)
			g.step(engine.Tick{})
		}
		g.play()
		if g.count("Apply") > 0 || g.count("Halt")+g.count("Brake") != 1 || (g.count("Halt") == 1) != (on == tree.Host) {
			t.Errorf("%v emptied name by name: %v", on, g.log)
		}
	}
}

// A name that the root lost waits for others; whatever it became in between is
// carried over at once, and so is what moved.
func TestNamesThatLeaveTheRoot(t *testing.T) {
	g := synced(t, dirOf("a", "1", "b", "2", "d/x", "3"))
	if f := g.saw(tree.Host, "a", nil); slices.Contains(kinds(f), "Apply") {
		t.Errorf("deleted at once: %v", kinds(f))
	}
	if f := g.saw(tree.Host, "a", fileOf("1+")); !slices.Contains(kinds(f), "Apply") {
		t.Errorf("written again, and not carried over at once: %v", kinds(f))
	}
	g.play()
	for _, x := range []struct {
		what  string
		edits []any
	}{
		{"renamed", []any{"b", nil, "c", fileOf("2")}},
		{"moved into a directory", []any{"c", nil, "d/c", fileOf("2")}},
		{"deleted in a directory", []any{"d/x", nil}},
	} {
		if f := g.saw(tree.Host, x.edits...); !slices.Contains(kinds(f), "Apply") {
			t.Errorf("%s, and not carried over at once: %v", x.what, kinds(f))
		}
		g.play()
	}
	g.saw(tree.Host, "a", nil)
	g.play()
	if got := showEntry(g.real[tree.Container]); got != "{d={c=2}}" || !g.s.InSync() {
		t.Errorf("the container holds %s", got)
	}
}

// Who keeps deleting names at the root is not put off for ever.
func TestNamesKeepLeaving(t *testing.T) {
	all := dirOf("stays", "1")
	for i := range 50 {
		all, _ = tree.Put(all, fmt.Sprintf("n%02d", i), fileOf("1"))
	}
	g := synced(t, all)
	for i := range 50 {
		g.saw(tree.Host, fmt.Sprintf("n%02d", i), nil)
		g.now = g.now.Add(100 * time.Millisecond)
		g.step(engine.Tick{})
	}
	if g.count("Apply") < 3 {
		t.Errorf("in 5 s: %v", g.log)
	}
}

// An old copy that could not be replaced during the first contact stays one: it
// does not come back to the host, and nobody is told of a conflict.
func TestOldCopyThatWasHeld(t *testing.T) {
	for _, host := range []*tree.Entry{dirOf("b", "1"), dirOf("a", "2", "b", "1")} {
		known := func(path string, e *tree.Entry) bool { return path == "a" && tree.Equal(e, fileOf("1")) }
		g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(nil, engine.Options{Known: known})}
		g.status = func(on tree.Side, c tree.Change) engine.Status {
			if c.Path == "a" {
				return engine.Refused
			}
			return 0
		}
		g.join(host, dirOf("a", "1", "b", "1"), true)
		g.until("FirstDone")
		g.status = nil
		g.play()
		if got := showEntry(g.real[tree.Container]); got != showEntry(host) || showEntry(g.real[tree.Host]) != got || g.count("Keep") > 0 {
			t.Errorf("host %s, container %s, %v", showEntry(g.real[tree.Host]), got, g.log)
		}
	}
}

// An empty host that takes all may be interrupted, on either side of a restart:
// what it did not get yet is nothing that it gave up.
func TestFillingIsTakenUpAgain(t *testing.T) {
	all := dirOf("a", "1", "b", "2", "c", "3", "d", "4")
	known := func(string, *tree.Entry) bool { return true }
	for _, restart := range []bool{false, true} {
		g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(nil, engine.Options{Known: known})}
		g.step(engine.Joined{Side: tree.Host})
		g.whole(tree.Host, tree.NewDir(nil))
		g.rejoin(all, true)
		g.until("Apply")
		if g.count("Filling") != 1 {
			t.Fatalf("not filling: %v", g.log)
		}
		c := g.todo[0].(engine.Apply).Changes[0]
		g.step(engine.Outcome{Side: tree.Host, Batch: 1, Results: []engine.Result{g.change(tree.Host, c)}, Done: true})
		g.todo = nil
		if restart {
			g.s = engine.New(nil, engine.Options{Known: known})
			g.step(engine.Joined{Side: tree.Host})
			g.whole(tree.Host, g.real[tree.Host])
		} else {
			g.step(engine.Lost{Side: tree.Container})
		}
		g.todo = nil
		g.step(engine.Joined{Side: tree.Container, First: true, Filling: true})
		g.whole(tree.Container, all)
		g.play()
		if got := showEntry(g.real[tree.Host]); got != showEntry(all) || showEntry(g.real[tree.Container]) != got {
			t.Errorf("host %s, container %s, %v", got, showEntry(g.real[tree.Container]), g.log)
		}
	}
}

// Two replicas that are both new: there is no old copy, only what one lacks.
func TestFirstContactOfANewHost(t *testing.T) {
	known := func(string, *tree.Entry) bool { return true }
	g := &rig{t: t, now: time.Unix(1e9, 0), s: engine.New(nil, engine.Options{Known: known})}
	g.step(engine.Joined{Side: tree.Host})
	g.whole(tree.Host, dirOf("a", "1", "b", "2"))
	g.step(engine.Joined{Side: tree.Container, First: true, HostNew: true})
	g.whole(tree.Container, dirOf("a", "1", "b", "2+", "c", "3"))
	g.play()
	if got := showEntry(g.real[tree.Host]); got != "{a=1 b=2 c=3}" || showEntry(g.real[tree.Container]) != got || g.count("Keep") != 1 {
		t.Errorf("host %s, container %s, %v", got, showEntry(g.real[tree.Container]), g.log)
	}
}
