//go:build !windows

package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// put makes path hold e on the disk, with contents from c.
func (c contents) put(t testing.TB, path string, e *tree.Entry) {
	t.Helper()
	var err error
	switch {
	case e == nil:
		return
	case e.IsDir():
		err = os.Mkdir(path, 0o777)
		for name, child := range e.Children() {
			c.put(t, filepath.Join(path, name), child)
		}
	case e.Kind == tree.Link:
		err = os.Symlink(e.Text, path)
	case e.Exec:
		err = os.WriteFile(path, []byte(c[e.Digest]), 0o777)
	default:
		err = os.WriteFile(path, []byte(c[e.Digest]), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func exec(e *tree.Entry) *tree.Entry { return tree.NewFile(e.Digest, e.Size, true) }

func dirOf(pairs ...any) *tree.Entry {
	var children []tree.Child
	for i := 0; i < len(pairs); i += 2 {
		children = append(children, tree.Child{Name: pairs[i].(string), Entry: pairs[i+1].(*tree.Entry)})
	}
	return tree.NewDir(children)
}

// noise is content that nothing compresses or matches.
func noise(n int, seed uint32) string {
	b := make([]byte, n)
	for i := range b {
		seed = seed*1664525 + 1013904223
		b[i] = byte(seed >> 24)
	}
	return string(b)
}

// quiet fails if anything is observed until a flush: what the disk wrote itself
// is no edit.
func (r *rig) quiet() {
	r.t.Helper()
	n := uint64(1<<40) + r.flushes
	r.flushes++
	if err := r.d.Flush(r.ctx, n); err != nil {
		r.t.Fatal(err)
	}
	r.until(func(rep replica.Report) bool {
		if o := rep.Observed; o != nil {
			for _, s := range o.Seen {
				r.t.Errorf("own write reported: %s %v", s.Path, s.Entry)
			}
		}
		return rep.Flushed != nil && rep.Flushed.N == n
	})
}

// shapes are what a path may hold, in every kind and in sizes on both sides of
// every limit.
func shapes(c contents) map[string]*tree.Entry {
	small, other := c.file("small"), c.file("other")
	big := noise(200_000, 1)
	return map[string]*tree.Entry{
		"absent":  nil,
		"file":    small,
		"file2":   other,
		"exec":    exec(small),
		"empty":   c.file(""),
		"big":     c.file(big),
		"bigger":  c.file(big[:100_000] + "nine new " + big[100_000:]),
		"huge":    c.file(noise(1<<20+5, 3)),
		"link":    tree.NewLink("x/y"),
		"link2":   tree.NewLink("../z"),
		"dir0":    dirOf(),
		"dir":     dirOf("a", small, "b", exec(other), "d", dirOf("e", c.file(big), "f", dirOf()), "l", tree.NewLink("a")),
		"dir2":    dirOf("a", other, "z", dirOf("e", small)),
		"onefile": dirOf("a", small),
	}
}

// C1, C2, C4, C5, C7, D6, D7: every kind becomes every other, alone and next to
// things that stay, with contents inline and from the source.
func TestApplyEveryChange(t *testing.T) {
	all := shapes(contents{})
	for from, old := range all {
		for to, fresh := range all {
			if from == to {
				continue
			}
			for _, how := range []string{"inline", "source"} {
				t.Run(from+" to "+to+" "+how, func(t *testing.T) {
					t.Parallel()
					applyOne(t, old, fresh, how)
				})
			}
		}
	}
}

func applyOne(t *testing.T, old, fresh *tree.Entry, how string) {
	c := contents{}
	shapes(c)
	dir := t.TempDir()
	c.put(t, filepath.Join(dir, "p"), dirOf("stays", c.file("stays")))
	c.put(t, filepath.Join(dir, "p", "x"), old)
	r := open(t, dir, Options{})
	b := &replica.Batch{Changes: []tree.Change{{Path: "p/x", Old: old, New: fresh}}}
	if how == "inline" {
		b.Contents = make(replica.Contents)
		for d, content := range c {
			b.Contents[d] = []byte(content)
		}
	}
	res := r.batch(c, b)["p/x"]
	if res.Status != replica.Applied || !tree.Same(res.Entry, fresh) {
		t.Errorf("result %+v", res)
	}
	r.quiet()
	r.check()
	if got := tree.Get(r.tree, "p/x"); !tree.Same(got, fresh) {
		t.Errorf("the path holds %v", got)
	}
	// A user's edit right behind it is seen.
	r.write("p/stays", "edited")
	if fresh.IsDir() {
		r.write("p/x/new/deep", "new")
		if fresh.Child("a") != nil {
			r.write("p/x/a", "edited in place")
		}
	}
	r.flush()
	r.check()
}

// E1 of the reader's side: a file that is replaced by a difference.
func TestApplyDelta(t *testing.T) {
	c := contents{}
	all := shapes(c)
	dir := t.TempDir()
	c.put(t, filepath.Join(dir, "x"), all["big"])
	r := open(t, dir, Options{})
	src := &deltaSource{contents: c}
	res := r.apply(src, tree.Change{Path: "x", Old: all["big"], New: all["bigger"]})
	if res["x"].Status != replica.Applied || src.literal == 0 || src.literal > 20_000 {
		t.Errorf("result %+v, %d bytes sent", res["x"], src.literal)
	}
	r.quiet()
	r.check()
}

// deltaSource sends what differs.
type deltaSource struct {
	contents
	literal int
}

func (s *deltaSource) Send(_ context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	for i, w := range wants {
		if w.Base == nil {
			return errors.New("no signature came")
		}
		err := delta.Diff(w.Base, strings.NewReader(s.contents[w.Digest]), func(op delta.Op) error {
			s.literal += len(op.Data)
			return sink(replica.Piece{Want: i, Data: op.Data, Block: op.Block, Count: op.Count})
		})
		if err != nil {
			return err
		}
		if err := sink(replica.Piece{Want: i, End: true}); err != nil {
			return err
		}
	}
	return nil
}

// noSource has nothing and must not be asked.
type noSource struct{ t *testing.T }

func (s noSource) Send(_ context.Context, wants []replica.Want, _ func(replica.Piece) error) error {
	s.t.Errorf("asked for %d contents", len(wants))
	return errors.New("asked")
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t).Ino
}

// B8: a directory, and a file, that moved are each one rename; contents that
// this side holds are not asked for.
func TestApplyMove(t *testing.T) {
	c := contents{}
	all := shapes(c)
	dir := t.TempDir()
	c.put(t, filepath.Join(dir, "d"), all["dir"])
	c.put(t, filepath.Join(dir, "f"), all["big"])
	c.put(t, filepath.Join(dir, "to"), dirOf())
	r := open(t, dir, Options{})
	d, f := inode(t, r.path("d")), inode(t, r.path("f"))
	r.applyAll(noSource{t},
		tree.Change{Path: "d", Old: all["dir"]}, tree.Change{Path: "to/d", New: all["dir"]},
		tree.Change{Path: "f", Old: all["big"]}, tree.Change{Path: "to/f", New: all["big"]},
		tree.Change{Path: "copy", New: dirOf("of", all["big"])})
	if inode(t, r.path("to/d")) != d || inode(t, r.path("to/f")) != f {
		t.Error("not moved but copied")
	}
	r.quiet()
	r.check()
	r.write("to/d/d/f/new", "watched as before")
	r.flush()
	r.check()
	r.applyAll(noSource{t}, tree.Change{Path: "to/f", Old: all["big"]}, tree.Change{Path: "f", New: all["big"]})
	if inode(t, r.path("f")) != f {
		t.Error("not moved back but copied")
	}
	r.quiet()
	r.check()
}

// A new directory is put in place by one rename: whoever sees it sees it whole.
func TestApplyNewDirAppearsWhole(t *testing.T) {
	c := contents{}
	var children []tree.Child
	for i := range 700 {
		children = append(children, tree.Child{Name: fmt.Sprint(i), Entry: c.file(fmt.Sprint("content ", i))})
	}
	fresh := dirOf("sub", tree.NewDir(children))
	dir := t.TempDir()
	shown := 0
	hooks := fsxtest.Hooks{Before: func(site fsx.Site, op, name string) error {
		if _, err := os.Lstat(filepath.Join(dir, "d")); err == nil && shown == 0 {
			items, _ := os.ReadDir(filepath.Join(dir, "d", "sub"))
			shown = len(items)
		}
		return nil
	}}
	r := open(t, dir, Options{FS: hooks.Wrap(fsx.OS()), Each: inOrder})
	r.applyAll(c, tree.Change{Path: "d", New: fresh})
	if items, _ := os.ReadDir(r.path("d/sub")); len(items) != 700 || shown != 0 && shown != 700 {
		t.Errorf("the directory holds %d files, and was seen with %d", len(items), shown)
	}
	r.quiet()
	r.check()
}

// inOrder is an each without goroutines.
func inOrder(n int, f func(int)) {
	for i := range n {
		f(i)
	}
}

// A large batch of everything at once.
func TestApplyThousands(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	var first, second []tree.Change
	for i := range 3000 {
		p := fmt.Sprintf("%d-%d", i%7, i)
		old, fresh := c.file(fmt.Sprint("old ", i)), c.file(fmt.Sprint("new ", i))
		first = append(first, tree.Change{Path: p, New: old})
		if i%5 == 0 {
			fresh = nil
		}
		second = append(second, tree.Change{Path: p, Old: old, New: fresh})
	}
	r := open(t, dir, Options{})
	r.applyAll(c, first...)
	r.applyAll(c, second...)
	r.quiet()
	r.check()
	if n := r.tree.Width(); n != 2400 {
		t.Errorf("%d files are left", n)
	}
}

// C12: a chain as deep as paths may be.
func TestApplyDeepChain(t *testing.T) {
	c := contents{}
	e := c.file("bottom")
	for range tree.MaxDepth - 1 {
		e = dirOf("d", e)
	}
	r := open(t, t.TempDir(), Options{})
	r.applyAll(c, tree.Change{Path: "d", New: e})
	r.quiet()
	r.check()
	r.applyAll(c, tree.Change{Path: "d", Old: e})
	r.quiet()
	r.check()
}

// Contents that are gone at the source: a file moves on, a directory comes with
// the rest and says so.
func TestApplyContentGone(t *testing.T) {
	c, have := contents{}, contents{}
	lost := c.file("lost")
	rest := have.file("rest")
	r := open(t, t.TempDir(), Options{})
	res := r.apply(have, tree.Change{Path: "f", New: lost}, tree.Change{Path: "d", New: dirOf("lost", lost, "rest", rest)})
	if res["f"].Status != replica.MovedOn || res["f"].Entry != nil || res["f"].Reason == "" {
		t.Errorf("file: %+v", res["f"])
	}
	if res["d"].Status != replica.MovedOn || !tree.Same(res["d"].Entry, dirOf("rest", rest)) || res["d"].Reason == "" {
		t.Errorf("directory: %+v", res["d"])
	}
	r.quiet()
	r.check()
}

// liar is a source that does not keep to the contract.
type liar func(sink func(replica.Piece) error) error

func (l liar) Send(_ context.Context, _ []replica.Want, sink func(replica.Piece) error) error {
	return l(sink)
}

// I8: a content that is not whole, or another one, is never put in place.
func TestApplyHostileSource(t *testing.T) {
	want := contents{}.file("wanted content")
	piece := func(s string) replica.Piece { return replica.Piece{Data: []byte(s)} }
	for name, pieces := range map[string][]replica.Piece{
		"nothing":       nil,
		"no end":        {piece("wanted content")},
		"short":         {piece("wanted"), {End: true}},
		"long":          {piece("wanted content and more"), {End: true}},
		"other":         {piece("wanted contents"[:14-1] + "x"), {End: true}},
		"blocks":        {{Block: 0, Count: 1}, {End: true}},
		"only end":      {{End: true}},
		"gone and more": {{Gone: "gone"}, piece("wanted content"), {End: true}},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, t.TempDir(), Options{})
			src := liar(func(sink func(replica.Piece) error) error {
				for _, p := range pieces {
					if err := sink(p); err != nil {
						return err
					}
				}
				return nil
			})
			res := r.apply(src, tree.Change{Path: "f", New: want}, tree.Change{Path: "d", New: dirOf("f", want)})
			if res["f"].Status == replica.Applied || res["d"].Status == replica.Applied {
				t.Errorf("results %+v", res)
			}
			for _, p := range []string{"f", "d/f"} {
				if _, err := os.Lstat(r.path(p)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is there: %q", p, r.read(p))
				}
			}
			r.flush()
			r.check()
		})
	}
}

// F9: names that never cross are refused here too.
func TestApplyRefuses(t *testing.T) {
	c := contents{}
	f := c.file("x")
	r := open(t, t.TempDir(), Options{}, "ignored")
	bad := []tree.Change{
		{Path: ".twosync/replica", New: f}, {Path: ".twosync", New: dirOf("x", f)}, {Path: "ignored", New: f},
		{Path: "a/../b", New: f}, {Path: "/abs", New: f}, {Path: "", New: dirOf()}, {Path: "d", New: dirOf("ignored", f)},
		{Path: "o", New: tree.NewOpaque("x")}, {Path: "u", New: dirOf("u", tree.NewUnknown("x"))},
	}
	res := r.apply(c, bad...)
	for _, change := range bad {
		if got := res[change.Path]; got.Status != replica.Held || got.Reason == "" {
			t.Errorf("%q: %+v", change.Path, got)
		}
	}
	r.quiet()
	r.check()
}

// C9, C10: what is ignored, or special, stays, and so does its directory; the
// rest goes.
func TestDeleteDirKeepsWhatIsNotSynced(t *testing.T) {
	c := contents{}
	a := c.file("a")
	e := dirOf("sub", dirOf("x", a), "y", a, "z", dirOf("y", a))
	for name, extra := range map[string]func(dir string) error{
		"ignored": func(dir string) error { return os.WriteFile(dir+"/d/sub/ignored", []byte("mine"), 0o666) },
		"ignored dir": func(dir string) error {
			os.Mkdir(dir+"/d/sub/ignored", 0o777)
			return os.WriteFile(dir+"/d/sub/ignored/x", []byte("mine"), 0o666)
		},
		"fifo": func(dir string) error { return syscall.Mkfifo(dir+"/d/sub/ignored", 0o666) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.put(t, dir+"/d", e)
			if err := extra(dir); err != nil {
				t.Fatal(err)
			}
			r := open(t, dir, Options{}, "ignored")
			old := tree.Get(r.tree, "d")
			res := r.apply(c, tree.Change{Path: "d", Old: old})["d"]
			if res.Status != replica.Held || res.Reason == "" || res.Entry.Files() != 0 {
				t.Errorf("result %+v\n%s", res, show(res.Entry))
			}
			if _, err := os.Lstat(dir + "/d/sub/ignored"); err != nil {
				t.Error(err)
			}
			r.quiet()
			r.check()
		})
	}
}

// G5, G8: a replaced file keeps its mode and its owner, a new one belongs to
// the owner of its directory.
func TestApplyOwnerAndMode(t *testing.T) {
	c := contents{}
	dir := t.TempDir()
	old := c.file("old")
	c.put(t, dir+"/f", old)
	os.Chmod(dir+"/f", 0o640)
	root := os.Geteuid() == 0
	if root {
		os.Chown(dir+"/f", 1234, 2345)
		os.Chown(dir, 3456, 4567)
	}
	r := open(t, dir, Options{})
	r.applyAll(c, tree.Change{Path: "f", Old: old, New: exec(c.file("new"))},
		tree.Change{Path: "d", New: dirOf("f", c.file("in")), Old: nil})
	st, _ := os.Lstat(r.path("f"))
	if st.Mode().Perm() != 0o750 {
		t.Errorf("mode %v", st.Mode())
	}
	if root {
		in, _ := os.Lstat(r.path("d/f"))
		if u := st.Sys().(*syscall.Stat_t); u.Uid != 1234 || u.Gid != 2345 {
			t.Errorf("replaced file belongs to %d:%d", u.Uid, u.Gid)
		}
		if u := in.Sys().(*syscall.Stat_t); u.Uid != 3456 || u.Gid != 4567 {
			t.Errorf("new file belongs to %d:%d", u.Uid, u.Gid)
		}
	}
	r.quiet()
	r.check()
}

// E8: a file with several names is replaced, whatever changes of it: the other
// name may be outside of the root. That is said once.
func TestApplyHardLinked(t *testing.T) {
	c := contents{}
	dir, outside := t.TempDir(), t.TempDir()
	old := c.file("old")
	for _, name := range []string{"bit", "content"} {
		c.put(t, filepath.Join(outside, name), old)
		if err := os.Link(filepath.Join(outside, name), filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		os.Chmod(filepath.Join(outside, name), 0o644)
	}
	r := open(t, dir, Options{})
	said := 0
	r.each = func(rep replica.Report) {
		if rep.Notice != nil {
			said++
		}
	}
	r.applyAll(c, tree.Change{Path: "bit", Old: old, New: exec(old)}, tree.Change{Path: "content", Old: old, New: exec(c.file("new"))})
	r.flush()
	r.check()
	for _, name := range []string{"bit", "content"} {
		st, _ := os.Lstat(filepath.Join(outside, name))
		if b, err := os.ReadFile(filepath.Join(outside, name)); string(b) != "old" || st.Mode().Perm() != 0o644 {
			t.Errorf("outside of the root %s holds %q, mode %v: %v", name, b, st.Mode(), err)
		}
	}
	if said != 1 {
		t.Errorf("%d notices", said)
	}
}

// G8: who may not give a file to its owner may still give it to its group.
func TestApplyGroupAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	c := contents{}
	dir := t.TempDir()
	old := c.file("old")
	for _, name := range []string{"f", "g"} {
		c.put(t, filepath.Join(dir, name), old)
		os.Chmod(filepath.Join(dir, name), 0o640)
		os.Chown(filepath.Join(dir, name), 1234, 2345)
	}
	var calls atomic.Int32
	fs := fsxtest.Wrap(fsx.OS(), func(_ fsx.Site, op, _ string) error {
		if op == "chown" && calls.Add(1) == 1 {
			return os.ErrPermission
		}
		return nil
	})
	r := open(t, dir, Options{FS: fs, Each: inOrder})
	fresh := c.file("new")
	r.applyAll(c, tree.Change{Path: "f", Old: old, New: fresh}, tree.Change{Path: "g", Old: old, New: fresh})
	for _, name := range []string{"f", "g"} {
		st, _ := os.Lstat(r.path(name))
		if u := st.Sys().(*syscall.Stat_t); u.Uid != 0 || u.Gid != 2345 || st.Mode().Perm() != 0o640 {
			t.Errorf("%s belongs to %d:%d, mode %v", name, u.Uid, u.Gid, st.Mode())
		}
	}
}

// A directory that the user moves out of the root in the middle of a batch is
// not filled there.
func TestApplyDirMovedOut(t *testing.T) {
	c := contents{}
	dir, outside := t.TempDir(), t.TempDir()
	os.Mkdir(filepath.Join(dir, "p"), 0o777)
	var made atomic.Int32
	fs := fsxtest.Wrap(fsx.OS(), func(site fsx.Site, _, _ string) error {
		if site == siteCreate && made.Add(1) == 5 {
			os.Rename(filepath.Join(dir, "p"), filepath.Join(outside, "p"))
		}
		return nil
	})
	r := open(t, dir, Options{FS: fs, Each: inOrder})
	var changes []tree.Change
	for i := range 10 * reopenEvery {
		changes = append(changes, tree.Change{Path: fmt.Sprintf("p/%03d", i), New: c.file("x")})
	}
	r.apply(c, changes...)
	if items, _ := os.ReadDir(filepath.Join(outside, "p")); len(items) > reopenEvery {
		t.Errorf("%d files were put outside of the root", len(items))
	}
	r.flush()
	r.check()
}
