package replicatest

import (
	"os"
	"strings"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

func dirOf(children ...tree.Child) *tree.Entry { return tree.NewDir(children) }

func named(name string, e *tree.Entry) tree.Child { return tree.Child{Name: name, Entry: e} }

func executable(e *tree.Entry) *tree.Entry { return tree.NewFile(e.Digest, e.Size, true) }

// apply gives the replica a batch and returns the results by path. inline says
// whether the source's contents ride along.
func (r *rig) apply(src *Contents, inline bool, changes ...tree.Change) map[string]replica.Result {
	r.Helper()
	r.n++
	b := &replica.Batch{ID: r.n, Changes: changes}
	if inline {
		b.Contents = src.Held
	}
	ctx, cancel := r.context()
	defer cancel()
	if err := r.Replica.Apply(ctx, b, src); err != nil {
		r.Fatalf("apply: %v", err)
	}
	results := map[string]replica.Result{}
	for {
		o := r.next("the batch's last outcome").Outcome
		if o == nil {
			continue
		}
		if o.Batch != b.ID {
			r.Fatalf("outcome of batch %d, not %d", o.Batch, b.ID)
		}
		for _, res := range o.Results {
			results[res.Path] = res
		}
		if o.Done {
			return results
		}
	}
}

// change is a change from what the directory holds now.
func (r *rig) change(path string, e *tree.Entry) tree.Change {
	r.Helper()
	return tree.Change{Path: path, Old: r.sees(path), New: e}
}

// expect checks that every change was made, and is there.
func (r *rig) expect(results map[string]replica.Result, changes ...tree.Change) {
	r.Helper()
	for _, c := range changes {
		if res := results[c.Path]; res.Status != replica.Applied || !tree.Equal(res.Entry, c.New) {
			r.Errorf("%q: status %d, %q, holds\n%s", c.Path, res.Status, res.Reason, Show(res.Entry))
		}
		if got := r.sees(c.Path); !tree.Equal(got, c.New) {
			r.Errorf("%q should hold\n%sbut holds\n%s", c.Path, Show(c.New), Show(got))
		}
	}
	r.flush()
}

// steps are batches for the tree of populate, one after the other.
var steps = []struct {
	name string
	make func(r *rig, src *Contents) []tree.Change
}{
	{"create", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("new", src.File("new content")), r.change("dir/new", src.File(""))}
	}},
	{"create executable", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("tool", executable(src.File("#!/bin/sh\n")))}
	}},
	{"replace", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("a", src.File("next a")), r.change("dir/b", src.File("next b"))}
	}},
	{"replace with empty", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("a", src.File(""))}
	}},
	{"exec bits", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("dir/b", executable(r.sees("dir/b"))), r.change("run", fileOf("#!/bin/sh\n", false))}
	}},
	{"links", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("link", tree.NewLink("run")), r.change("dir/l", tree.NewLink("../a"))}
	}},
	{"new directory", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("d1", dirOf(
			named("f", src.File("in d1")),
			named("x", executable(src.File("x in d1"))),
			named("l", tree.NewLink("f")),
			named("void", dirOf()),
			named("d2", dirOf(named("d3", dirOf(named("f", src.File("deep")), named("twin", src.File("deep")))))),
		))}
	}},
	{"within it", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("d1/d2/d3/g", src.File("g")), r.change("d1/f", nil), r.change("d1/void", nil)}
	}},
	{"delete", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("new", nil), r.change("dangling", nil), r.change("hollow", nil)}
	}},
	{"file to directory", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("a", dirOf(named("was", src.File("a file"))))}
	}},
	{"directory to file", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("a", src.File("a file again"))}
	}},
	{"file to link", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("a", tree.NewLink("dir"))}
	}},
	{"link to directory", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("a", dirOf(named("f", src.File("not through the link"))))}
	}},
	{"directory to link", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("a", tree.NewLink("dir"))}
	}},
	{"link to file", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("a", src.File("a"))}
	}},
	{"rename file", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("tool2", r.sees("tool")), r.change("tool", nil)}
	}},
	{"rename directory", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("e1", r.sees("d1")), r.change("d1", nil)}
	}},
	{"delete directory", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{r.change("e1", nil)}
	}},
	{"odd names", func(r *rig, src *Contents) []tree.Change {
		return []tree.Change{
			r.change("odd \n\t name", src.File("y")), r.change("-rf", nil),
			r.change("\x1b[31mred", src.File("red")), r.change("...", src.File("dots")),
			r.change(strings.Repeat("n", 200), src.File("long")),
		}
	}},
}

// testApply: batches of every sort, with contents that ride along and with
// contents to be asked for.
func testApply(r *rig) {
	for _, inline := range []bool{true, false} {
		name := map[bool]string{true: "Inline", false: "Asked"}[inline]
		r.fresh(name, func(r *rig) {
			r.populate()
			r.start()
			for _, s := range steps {
				src := &Contents{}
				src.File("x in d1") // a rename may be done without a look for what is there
				src.File("deep")
				src.File("g")
				src.File("#!/bin/sh\n")
				changes := s.make(r, src)
				results := r.apply(src, inline, changes...)
				r.expect(results, changes...)
				if r.Failed() {
					r.Fatalf("step %q", s.name)
				}
			}
		})
	}
}

// testApplyQuiet: what the replica wrote itself is no news. Reports about it
// may come, but they say nothing else than the outcome did.
func testApplyQuiet(r *rig) {
	r.populate()
	r.start()
	src := &Contents{}
	changes := []tree.Change{
		r.change("a", src.File("applied")),
		r.change("fresh", dirOf(named("f", src.File("applied too")))),
		r.change("dir/b", nil),
	}
	r.expect(r.apply(src, true, changes...), changes...)
	r.n++
	ctx, cancel := r.context()
	defer cancel()
	r.must(r.Replica.Flush(ctx, r.n))
	for {
		rep := r.next("flushed")
		if rep.Flushed != nil {
			return
		}
		if rep.Observed != nil {
			r.compare()
		}
	}
}

// testApplyLarge: files that cannot ride along; then an edit of one, for which
// the replica may ask with a signature.
func testApplyLarge(r *rig) {
	r.start()
	var b strings.Builder
	for i := 0; b.Len() < 3<<20; i++ {
		b.WriteString(strings.Repeat(string(rune('a'+i%26)), i%1000))
	}
	first := b.String()
	second := first[:1<<20] + "an insert" + first[1<<20:]
	for _, content := range []string{first, second} {
		src := &Contents{}
		changes := []tree.Change{r.change("large", src.File(content))}
		r.expect(r.apply(src, false, changes...), changes...)
		if len(src.Asked) == 0 {
			r.Error("the content was asked of nobody")
		}
	}
}

// testMovedOn: a path that does not hold what the batch thinks is left alone,
// and the report says what it holds. The rest of the batch is done.
func testMovedOn(r *rig) {
	r.populate()
	r.start()
	src := &Contents{}
	changes := []tree.Change{
		r.change("a", src.File("from the batch")),
		r.change("run", nil),
		r.change("empty", src.File("from the batch")),
		r.change("appears", src.File("from the batch")),
		r.change("link", tree.NewLink("batch")),
		r.change("dir", nil),
		r.change("fine", src.File("from the batch")),
	}
	r.write("a", "from the user")
	r.write("run", "from the user")
	r.remove("empty")
	r.write("appears", "from the user")
	r.remove("link")
	r.link("user", "link")
	r.write("dir/sub/from user", "from the user")
	results := r.apply(src, true, changes...)
	for path, want := range map[string]*tree.Entry{
		"a": fileOf("from the user", false), "run": fileOf("from the user", true), "empty": nil,
		"appears": fileOf("from the user", false), "link": tree.NewLink("user"),
	} {
		if res := results[path]; res.Status != replica.MovedOn || !tree.Equal(res.Entry, want) {
			r.Errorf("%q: status %d, %q, holds\n%s", path, res.Status, res.Reason, Show(res.Entry))
		}
		if got := r.sees(path); !tree.Equal(got, want) {
			r.Errorf("%q: the user's state is gone:\n%s", path, Show(got))
		}
	}
	if got, _ := os.ReadFile(r.path("dir/sub/from user")); string(got) != "from the user" {
		r.Errorf("a user's file in a directory that was to be deleted holds %q", got)
	}
	for path, res := range results {
		if tree.Within(path, "dir") && res.Status == replica.Applied && res.Path == "dir" {
			r.Error("a directory with a user's new file was deleted")
		}
	}
	if results["fine"].Status != replica.Applied || r.sees("fine") == nil {
		r.Errorf("the rest of the batch: %+v", results["fine"])
	}
	r.flush()
}

// testContentGone: a content that can't be had leaves its path as it was.
func testContentGone(r *rig) {
	r.populate()
	r.start()
	was := r.sees("a")
	changes := []tree.Change{
		r.change("a", fileOf("nobody has this", false)),
		r.change("b", fileOf("nor this", false)),
	}
	results := r.apply(&Contents{}, false, changes...)
	for _, c := range changes {
		res := results[c.Path]
		if res.Status != replica.MovedOn && res.Status != replica.Held || !tree.Equal(res.Entry, c.Old) {
			r.Errorf("%q: status %d, holds\n%s", c.Path, res.Status, Show(res.Entry))
		}
	}
	if !tree.Equal(r.sees("a"), was) || r.sees("b") != nil {
		r.Error("a path changed without a content")
	}
	r.flush()
}

// testContentWrong: a content that is not what it was said to be never
// appears.
func testContentWrong(r *rig) {
	r.populate()
	r.start()
	for _, lie := range []string{"wrong content", "short", ""} {
		want := fileOf("right content", false)
		src := &Contents{Held: replica.Contents{want.Digest: []byte(lie)}}
		changes := []tree.Change{r.change("a", want), r.change("b", want)}
		results := r.apply(src, false, changes...)
		for _, c := range changes {
			if res := results[c.Path]; res.Status == replica.Applied || !tree.Equal(res.Entry, c.Old) {
				r.Errorf("%q: status %d, holds\n%s", c.Path, res.Status, Show(res.Entry))
			}
			if got := r.sees(c.Path); !tree.Equal(got, c.Old) {
				r.Errorf("%q holds\n%s", c.Path, Show(got))
			}
		}
		r.flush()
	}
}

// testSettle: every settle is answered, those of deleted paths too.
func testSettle(r *rig) {
	r.populate()
	id := r.start()
	ctx, cancel := r.context()
	defer cancel()
	r.must(r.Replica.Adopt(ctx, replica.ID{1}, id.Gen+1))
	src := &Contents{}
	changes := []tree.Change{r.change("a", src.File("durable")), r.change("dir", nil)}
	r.expect(r.apply(src, true, changes...), changes...)
	for i := range uint64(3) {
		gen := id.Gen + 2 + i
		r.must(r.Replica.Settle(ctx, replica.Settle{Gen: gen, Paths: []string{"a", "dir", "dir/b", "hollow"}}))
		for {
			if d := r.next("durable").Durable; d != nil {
				if d.Gen != gen || d.Err != "" {
					r.Errorf("generation %d was answered with %+v", gen, d)
				}
				break
			}
		}
	}
}
