package replicatest

import (
	"fmt"
	"strings"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// populate makes a small tree with one of everything.
func (r *rig) populate() {
	r.Helper()
	r.write("a", "content of a")
	r.write("empty", "")
	r.write("dir/b", "content of b")
	r.write("dir/sub/c", "content of c")
	r.mkdir("hollow")
	r.write("run", "#!/bin/sh\n")
	r.chmod("run", 0o755)
	r.link("dir/b", "link")
	r.link("nowhere/at all", "dangling")
	r.write("odd \n\t name", "x")
	r.write("-rf", "x")
	r.write("über", "x")
}

// testStart: the first observation says what was there before.
func testStart(r *rig) {
	r.populate()
	id := r.start()
	if id.Root == "" {
		r.Error("the identity has no root")
	}
	r.compare()
}

func testStartEmpty(r *rig) {
	r.start()
	r.compare()
	if r.holds.Width() != 0 {
		r.Errorf("an empty root holds\n%s", Show(r.holds))
	}
}

// testIgnored: what the rules ignore is in no report.
func testIgnored(r *rig) {
	r.write("keep", "x")
	r.write("drop", "x")
	r.write("dir/drop", "x")
	r.write("modules/m", "x")
	r.start("drop", "modules/")
	r.write("modules/n", "y")
	r.write("drop", "y")
	r.write("dir/keep", "y")
	r.n++
	ctx, cancel := r.context()
	defer cancel()
	r.must(r.Replica.Flush(ctx, r.n))
	for r.next("flushed").Flushed == nil {
	}
	want := tree.NewDir([]tree.Child{
		{Name: "keep", Entry: fileOf("x", false)},
		{Name: "dir", Entry: tree.NewDir([]tree.Child{{Name: "keep", Entry: fileOf("y", false)}})},
	})
	if !tree.Equal(r.holds, want) {
		r.Errorf("the reports say\n%sand should say\n%s", Show(r.holds), Show(want))
	}
}

// edits are what a user does to the tree of populate, one after the other.
var edits = []struct {
	name string
	do   func(*rig)
}{
	{"create", func(r *rig) { r.write("new", "1") }},
	{"create empty", func(r *rig) { r.write("new empty", "") }},
	{"write in place", func(r *rig) { r.write("a", "other content of a") }},
	{"same size", func(r *rig) { r.write("a", "OTHER CONTENT OF A") }},
	{"save by rename", func(r *rig) { r.save("a", "saved") }},
	{"truncate", func(r *rig) { r.write("a", "") }},
	{"exec bit on", func(r *rig) { r.chmod("a", 0o755) }},
	{"exec bit off", func(r *rig) { r.chmod("run", 0o644) }},
	{"new nested", func(r *rig) { r.write("n1/n2/n3/f", "deep") }},
	{"more in new", func(r *rig) { r.write("n1/n2/n3/g", "deeper"); r.write("n1/h", "h") }},
	{"delete", func(r *rig) { r.remove("empty") }},
	{"delete tree", func(r *rig) { r.remove("n1") }},
	{"rename file", func(r *rig) { r.rename("a", "dir/a2") }},
	{"rename over", func(r *rig) { r.rename("dir/a2", "dir/b") }},
	{"rename tree", func(r *rig) { r.rename("dir", "moved") }},
	{"write in renamed", func(r *rig) { r.write("moved/sub/c", "after the move") }},
	{"swap", func(r *rig) { r.rename("moved", "m.old"); r.write("moved/sub/c", "in the new one") }},
	{"write in both", func(r *rig) { r.write("moved/x", "x"); r.write("m.old/x", "y") }},
	{"empty directory", func(r *rig) { r.mkdir("void/void") }},
	{"remove empty", func(r *rig) { r.remove("hollow") }},
	{"new link", func(r *rig) { r.link("run", "link2") }},
	{"other target", func(r *rig) { r.remove("link"); r.link("elsewhere", "link") }},
	{"file to directory", func(r *rig) { r.remove("run"); r.write("run/x", "x") }},
	{"directory to file", func(r *rig) { r.remove("moved"); r.write("moved", "a file now") }},
	{"directory to link", func(r *rig) { r.remove("m.old"); r.link("run", "m.old") }},
	{"link to file", func(r *rig) { r.remove("link"); r.write("link", "a file now") }},
	{"remove and make again", func(r *rig) { r.remove("run"); r.write("run/y/z", "z") }},
	{"many", func(r *rig) {
		for i := range 300 {
			r.write(fmt.Sprintf("many/%d/%d", i%7, i), fmt.Sprint(i))
		}
	}},
	{"many at once again", func(r *rig) {
		for i := range 300 {
			r.write(fmt.Sprintf("many/%d/%d", i%7, i), fmt.Sprint("again ", i))
		}
		r.remove("many/3")
	}},
	{"everything", func(r *rig) { r.remove("many"); r.remove("void"); r.remove("link2") }},
}

// testObserve: what a user does is reported without being asked for. No part
// begins from a clean state: the edits are one story.
func testObserve(r *rig) {
	r.populate()
	r.start()
	for _, e := range edits {
		e.do(r)
		r.await(e.name)
	}
	r.flush()
}

// testInline: contents that ride along are few enough, and of what was seen.
// How much rides along is the replica's choice.
func testInline(r *rig) {
	r.start()
	for i := range 20 {
		r.write(fmt.Sprint("f", i), strings.Repeat(fmt.Sprint(i), 20<<10))
	}
	want := r.sees("")
	for !tree.Equal(r.holds, want) {
		o := r.next("the new files").Observed
		if o == nil {
			continue
		}
		total := 0
		for _, content := range o.Contents {
			total += len(content)
		}
		if total > replica.MaxInline {
			r.Errorf("%d bytes ride along", total)
		}
	}
}

// testFlush: flushed comes behind everything that was written before, every
// time, and in the order of the calls.
func testFlush(r *rig) {
	r.start()
	for round := range 15 {
		for i := range 10 {
			r.write(fmt.Sprintf("d%d/f%d", i%3, i), fmt.Sprint(round, i))
		}
		r.remove("d1")
		r.flush()
	}
	ctx, cancel := r.context()
	defer cancel()
	for i := range uint64(3) {
		r.must(r.Replica.Flush(ctx, 1000+i))
	}
	for want := uint64(1000); want < 1003; {
		if f := r.next("flushed").Flushed; f != nil {
			if f.N != want {
				r.Fatalf("flushed %d came instead of %d", f.N, want)
			}
			want++
		}
	}
}

// testLook: every path that was asked for is answered, changed or not, there
// or not.
func testLook(r *rig) {
	r.populate()
	r.start()
	r.flush()
	paths := []string{"a", "dir/sub/c", "hollow", "link", "not there", "dir/nor/this"}
	missing := map[string]bool{}
	for _, p := range paths {
		missing[p] = true
	}
	ctx, cancel := r.context()
	defer cancel()
	r.must(r.Replica.Look(ctx, paths))
	for len(missing) > 0 {
		o := r.next(fmt.Sprintf("a look at %v", missing)).Observed
		if o == nil {
			continue
		}
		for _, s := range o.Seen {
			for p := range missing {
				if tree.Within(p, s.Path) {
					delete(missing, p)
				}
			}
		}
	}
	r.compare()
}
