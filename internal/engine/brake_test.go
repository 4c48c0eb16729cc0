package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/tree"
)

// many returns a tree of so many files in two folders, and one beside them.
func many(n int) *tree.Entry {
	e := dirOf("z", "z")
	for i := range n {
		e, _ = tree.Put(e, fmt.Sprintf("%s/f%03d", []string{"d", "e"}[i%2], i), fileOf(fmt.Sprint("content ", i)))
	}
	return e
}

// removes lets a side lose files one by one, as rm does, 20 ms apart.
func (g *rig) removes(on tree.Side, paths ...string) {
	for _, path := range paths {
		g.saw(on, path, nil)
		g.now = g.now.Add(20 * time.Millisecond)
		if !g.alarm.IsZero() && !g.alarm.After(g.now) {
			g.step(engine.Tick{})
		}
		g.play1()
	}
}

// filesIn lists the files of a folder.
func filesIn(e *tree.Entry, folder string) (paths []string) {
	for name := range tree.Get(e, folder).Children() {
		paths = append(paths, tree.Join(folder, name))
	}
	return paths
}

// B6, H1: deletions in the container that are too many are held whole, however
// slowly they come, and everything else crosses.
func TestBrake(t *testing.T) {
	all := many(100)
	for _, back := range []bool{false, true} {
		g := synced(t, all)
		gone := append(filesIn(all, "d"), "d")
		g.removes(tree.Container, gone...)
		g.play()
		sum := g.s.Summary()
		if g.count("Brake") != 1 || g.real[tree.Host].Files() != 101 || sum.Braked != 50 || !sum.InSync {
			t.Fatalf("%v, %d files on the host, %d held", g.log, g.real[tree.Host].Files(), sum.Braked)
		}
		if got := g.s.Braked(10); !slices.Equal(got, []string{"d"}) || len(sum.Held) != 1 {
			t.Errorf("held: %v, %v", got, sum.Held)
		}
		g.saw(tree.Container, "e/f001", fileOf("new"))
		g.saw(tree.Host, "e/f003", nil)
		g.play()
		if !tree.Same(tree.Get(g.real[tree.Host], "e/f001"), fileOf("new")) || tree.Get(g.real[tree.Container], "e/f003") != nil {
			t.Error("other changes are held, too")
		}
		g.saw(tree.Container, "e/f005", nil) // while it is on, each waits
		g.play()
		if g.s.Summary().Braked != 51 {
			t.Errorf("%d held", g.s.Summary().Braked)
		}
		g.step(engine.Release{Back: back, Paths: []string{""}})
		g.play()
		want := int64(101 - 52)
		if back {
			want = 101 - 1
		}
		if !tree.Same(g.real[0], g.real[1]) || g.real[0].Files() != want || g.count("Brake") != 2 || g.s.Summary().Braked != 0 || !g.s.Durable() {
			t.Errorf("back %v: %d files on the host, %d in the container, %v", back, g.real[0].Files(), g.real[1].Files(), g.log)
		}
	}
}

// TestBrakeLets: what a person does every day is not held.
func TestBrakeLets(t *testing.T) {
	small, large := many(30), many(100)
	for _, x := range []struct {
		what string
		all  *tree.Entry
		do   func(g *rig)
	}{
		{"a few", small, func(g *rig) { g.removes(tree.Container, filesIn(small, "d")...) }},
		{"less than a third", large, func(g *rig) { g.removes(tree.Container, filesIn(large, "d")[:30]...) }},
		{"on the host", large, func(g *rig) { g.removes(tree.Host, filesIn(large, "d")...) }},
		{"a rename", large, func(g *rig) { g.saw(tree.Container, "d", nil, "n", tree.Get(large, "d")) }},
		{"a copy and a removal", large, func(g *rig) {
			g.saw(tree.Container, "n", tree.Get(large, "d"))
			g.play()
			g.removes(tree.Container, filesIn(large, "d")...)
		}},
		{"unpacked and renamed, again and again", large, func(g *rig) {
			for i := range 40 {
				temp, _ := tree.Put(tree.NewDir(nil), "a", fileOf(fmt.Sprint("package ", i)))
				temp, _ = tree.Put(temp, "l", tree.NewLink(fmt.Sprint(i)))
				g.saw(tree.Container, fmt.Sprint("d/.tmp", i), temp)
				g.play1()
				g.saw(tree.Container, fmt.Sprint("d/p", i), temp)
				g.removes(tree.Container, fmt.Sprint("d/.tmp", i))
			}
		}},
		{"made and removed all day", small, func(g *rig) {
			for i := range 200 {
				g.saw(tree.Container, fmt.Sprint("d/cache", i), fileOf(fmt.Sprint(i)))
				g.play1()
				g.removes(tree.Container, fmt.Sprint("d/cache", i))
				g.now = g.now.Add(time.Second)
				g.step(engine.Tick{})
				g.play1()
			}
		}},
		{"just after the tree was filled", dirOf("z", "z", "y", "y"), func(g *rig) {
			g.removes(tree.Container, "y") // a going begins
			for i := range 10 {
				g.saw(tree.Container, fmt.Sprint("n", i), many(20))
				g.play1()
			}
			for i := range 30 {
				g.removes(tree.Container, fmt.Sprintf("n1/%s/f%03d", []string{"d", "e"}[i%2], i))
			}
		}},
		{"gone for a moment, and back as others", large, func(g *rig) {
			g.removes(tree.Container, filesIn(large, "d")[:25]...)
			g.play()
			for _, p := range filesIn(large, "d")[:25] {
				g.saw(tree.Container, p, fileOf("new "+p))
			}
			g.play()
			g.removes(tree.Container, filesIn(large, "e")[:25]...)
		}},
		{"time after time", large, func(g *rig) {
			for i := range 5 {
				g.removes(tree.Container, filesIn(large, "d")[i*5:i*5+5]...)
				g.play()
				g.now = g.now.Add(11 * time.Second)
			}
		}},
		{"a change of every file", large, func(g *rig) {
			for _, p := range filesIn(large, "d") {
				g.saw(tree.Container, p, fileOf("new "+p))
			}
		}},
	} {
		g := synced(t, x.all)
		x.do(g)
		g.play()
		if g.count("Brake") > 0 || !tree.Same(g.real[0], g.real[1]) {
			t.Errorf("%s: %v, %d files on the host, %d in the container", x.what, g.log, g.real[0].Files(), g.real[1].Files())
		}
	}
}

// TestBrakeInGoes: several goes, one shortly after the other, are one.
func TestBrakeInGoes(t *testing.T) {
	all := many(100)
	g := synced(t, all)
	for i := range 10 {
		g.removes(tree.Container, filesIn(all, "d")[i*5:i*5+5]...)
		g.play()
		g.now = g.now.Add(time.Second)
	}
	if g.count("Brake") != 1 || g.real[tree.Host].Files() != 101-30 {
		t.Errorf("%v, %d files on the host", g.log, g.real[tree.Host].Files())
	}
}

// TestBrakeOutlives: the brake stays on over a lost connection and the end of a
// session, with however little left to do; a new container takes it off.
func TestBrakeOutlives(t *testing.T) {
	all := many(100)
	g := synced(t, all)
	g.removes(tree.Container, filesIn(all, "d")...)
	g.play()
	for _, path := range filesIn(all, "d")[2:] {
		g.saw(tree.Host, path, nil) // what is left is no longer much
	}
	g.play()
	held := func(when string) {
		t.Helper()
		g.play()
		if g.s.Summary().Braked != 2 || tree.Get(g.real[tree.Host], "d").Files() != 2 {
			t.Fatalf("%s: %d held, %d files on the host", when, g.s.Summary().Braked, tree.Get(g.real[tree.Host], "d").Files())
		}
	}
	held("at first")
	g.step(engine.Lost{Side: tree.Container})
	g.rejoin(g.real[tree.Container], false)
	held("after a lost connection")
	base := g.real[tree.Host] // which both sides are agreed on but for d
	real := g.real
	next := &rig{t: t, now: g.now, s: engine.New(base, engine.Options{Braked: true})}
	g = next
	g.join(real[0], real[1], false)
	held("after a start")
	g.step(engine.Release{Back: true, Paths: []string{""}})
	g.take("Apply") // it never arrives
	g.step(engine.Lost{Side: tree.Container})
	g.rejoin(real[1], false)
	g.play()
	if !tree.Same(g.real[0], g.real[1]) || tree.Get(g.real[0], "d").Files() != 2 || g.count("Brake") != 1 {
		t.Errorf("what was on its way back: %v, host %s", g.log, showEntry(tree.Get(g.real[0], "d")))
	}
	g = &rig{t: t, now: g.now, s: engine.New(base, engine.Options{Braked: true})}
	g.join(real[0], tree.NewDir(nil), true)
	g.play()
	if !tree.Same(g.real[0], g.real[1]) || g.real[0].Files() != real[0].Files() || g.count("Brake") != 1 {
		t.Errorf("a new container: %v, %d files in it", g.log, g.real[1].Files())
	}
}

// TestBrakeWeighs: what is gone only in the middle of a storm is nothing to ask
// about, and a flush waits for the end of it.
func TestBrakeWeighs(t *testing.T) {
	all := many(100)
	g := synced(t, all)
	g.saw(tree.Host, "slow", fileOf("1"))
	slow := g.take("Apply")
	g.removes(tree.Container, filesIn(all, "d")...)
	g.step(engine.Flush{N: 1})
	for _, on := range [...]tree.Side{tree.Host, tree.Container} {
		g.step(engine.Flushed{Side: on, N: 1})
	}
	for g.count("Brake") == 0 {
		g.tick()
	}
	g.do(slow)
	if g.count("FlushDone") != 1 || g.s.Summary().Braked != 50 {
		t.Fatalf("%v, %d held", g.log, g.s.Summary().Braked)
	}

	g = synced(t, all)
	g.saw(tree.Host, "slow", fileOf("1"))
	slow = g.take("Apply")
	g.removes(tree.Container, filesIn(all, "d")...)
	for g.count("Brake") == 0 {
		g.tick()
	}
	g.step(engine.Flush{N: 1})
	for _, on := range [...]tree.Side{tree.Host, tree.Container} {
		g.step(engine.Flushed{Side: on, N: 1})
	}
	for _, path := range filesIn(all, "d")[10:] {
		g.saw(tree.Container, path, tree.Get(all, path)) // it is back
	}
	if g.count("FlushDone") > 0 {
		t.Error("a flush is over in the middle")
	}
	g.do(slow)
	g.play()
	if sum := g.s.Summary(); sum.Braked > 0 || g.count("Brake") != 2 || g.count("FlushDone") != 1 || !tree.Same(g.real[0], g.real[1]) || g.real[0].Files() != 92 {
		t.Errorf("%d held, %v, %d files on the host", sum.Braked, g.log, g.real[0].Files())
	}
}

// TestBrakeIsOver: once nothing is held any more, a few deletions are what they
// were before.
func TestBrakeIsOver(t *testing.T) {
	all := many(100)
	g := synced(t, all)
	g.removes(tree.Container, filesIn(all, "d")...)
	g.play()
	g.step(engine.Release{Back: true, Paths: []string{""}})
	for !g.s.InSync() {
		g.do(g.take("Apply"))
	}
	g.removes(tree.Container, filesIn(all, "e")[:3]...) // before all of it is durable
	if g.s.Durable() {
		t.Fatal("it is durable already")
	}
	g.play()
	if !tree.Same(g.real[0], g.real[1]) || g.real[0].Files() != 98 || g.count("Brake") != 2 {
		t.Errorf("%v, %d files on the host, %d in the container", g.log, g.real[0].Files(), g.real[1].Files())
	}
}

// TestBrakeEmptied: a container's root that is emptied is held, and comes back
// or follows.
func TestBrakeEmptied(t *testing.T) {
	for _, back := range []bool{false, true} {
		all := dirOf("a", "1", "b", "2")
		g := synced(t, all)
		g.saw(tree.Container, "a", nil, "b", nil)
		g.play()
		if g.count("Brake") != 1 || !tree.Same(g.real[tree.Host], all) {
			t.Fatalf("%v, host %s", g.log, showEntry(g.real[0]))
		}
		g.step(engine.Release{Back: back, Paths: []string{""}})
		g.play()
		if want := map[bool]string{true: "{a=1 b=2}", false: "{}"}[back]; showEntry(g.real[0]) != want || showEntry(g.real[1]) != want {
			t.Errorf("back %v: host %s, container %s", back, showEntry(g.real[0]), showEntry(g.real[1]))
		}
	}
}

// TestBrakeReinstall: most of a tree is removed, and half of it comes anew at once.
func TestBrakeReinstall(t *testing.T) {
	all := many(400)
	for _, step := range []int{1, 7, 50, 1000} {
		g := synced(t, all)
		gone := append(append(filesIn(all, "d"), "d"), append(filesIn(all, "e"), "e")...)
		for i := 0; i < len(gone); i += step {
			var seen []any
			for _, path := range gone[i:min(i+step, len(gone))] {
				seen = append(seen, path, nil)
			}
			g.saw(tree.Container, seen...)
			g.now = g.now.Add(5 * time.Millisecond)
			if !g.alarm.IsZero() && !g.alarm.After(g.now) {
				g.step(engine.Tick{})
			}
			g.play1()
		}
		for i := range 100 {
			temp := fmt.Sprint("d/.tmp", i)
			g.saw(tree.Container, temp, fileOf(fmt.Sprint("again ", i)))
			g.now = g.now.Add(5 * time.Millisecond)
			if !g.alarm.IsZero() && !g.alarm.After(g.now) {
				g.step(engine.Tick{})
			}
			g.play1()
			g.saw(tree.Container, temp, nil, fmt.Sprintf("d/f%03d", 2*i), fileOf(fmt.Sprint("again ", i)))
			g.play1()
		}
		g.play()
		if g.s.Summary().Braked < 290 {
			t.Errorf("%d at once: %d held, %d files on the host", step, g.s.Summary().Braked, g.real[0].Files())
		}
	}
}
