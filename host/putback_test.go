//go:build unix

package host

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/tree"
)

// shelf is a directory, the keep store that is about it, and what puts things
// back from there.
type shelf struct {
	t        *testing.T
	root     string
	store    *keep.Store
	p        *putter
	versions string // a folder with contents
}

func newShelf(t *testing.T) *shelf {
	syscall.Umask(0o022)
	s := &shelf{t: t, root: t.TempDir(), versions: t.TempDir()}
	dir, err := fsx.OS().OpenRoot(t.TempDir())
	if err == nil {
		s.store, err = keep.Open(dir, keep.Limits{Total: 1 << 30})
	}
	if err == nil {
		s.p, err = newPutter(s.root, s.store.Adopt)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.p.close(); s.store.Close(); dir.Close() })
	return s
}

// version makes one of the host's.
func (s *shelf) version(path, text string, mode os.FileMode) past {
	p := pastOf(tree.NewFile(tree.DigestOf([]byte(text)), int64(len(text)), mode&0o111 != 0))
	p.Path, p.Why, p.Side, p.When = path, keep.Deleted, "host", time.Now()
	p.File = filepath.Join(s.versions, p.Digest)
	if err := os.WriteFile(p.File, []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
	os.Chmod(p.File, mode)
	return p
}

func (s *shelf) put(v past, path string, did bool) {
	s.t.Helper()
	if got, err := s.p.put(v, path); got != did || err != nil {
		s.t.Errorf("put at %s: %v, %v", path, got, err)
	}
}

func (s *shelf) holds(path, text string, mode os.FileMode) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.root, path))
	if err != nil || string(b) != text {
		s.t.Errorf("%s holds %q, %v", path, b, err)
	}
	if st, err := os.Lstat(filepath.Join(s.root, path)); err != nil || st.Mode() != mode {
		s.t.Errorf("%s: %v, %v", path, st, err)
	}
}

// kept lists what was in the way.
func (s *shelf) kept() string {
	var all []string
	for _, i := range s.store.List() {
		all = append(all, i.Path+" "+string(i.Why))
	}
	return strings.Join(all, ", ")
}

func TestPutBack(t *testing.T) {
	s := newShelf(t)
	secret, program := s.version("", "secret", 0o600), s.version("", "program", 0o755)
	s.put(secret, "a/b/secret", true)
	s.holds("a/b/secret", "secret", 0o600)
	s.put(program, "program", true)
	s.holds("program", "program", 0o755)
	s.put(program, "program", false) // it is there
	if s.kept() != "" {
		t.Errorf("kept %s", s.kept())
	}
	s.put(secret, "program", true)
	s.put(past{Link: "a/b", Side: "host"}, "program", true)
	s.put(program, "program", true)
	if got := s.kept(); got != "program replaced, program replaced, program replaced" {
		t.Errorf("kept %s", got)
	}
	if l := s.store.List()[2].Entry; l.Kind != tree.Link || l.Text != "a/b" {
		t.Errorf("the link was kept as %v", l)
	}
	theirs := s.version("", "theirs", 0o700) // the container's modes are not ours
	theirs.Side, theirs.Exec = "container", false
	s.put(theirs, "theirs", true)
	s.holds("theirs", "theirs", 0o644)
	if left, _ := os.ReadDir(filepath.Join(s.root, ".twosync/stage")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// What can't be put back leaves everything as it was.
func TestCantPutBack(t *testing.T) {
	s := newShelf(t)
	outside := t.TempDir()
	os.Symlink(outside, filepath.Join(s.root, "link"))
	os.WriteFile(filepath.Join(s.root, "file"), []byte("f"), 0o644)
	os.Mkdir(filepath.Join(s.root, "dir"), 0o755)
	v := s.version("", "text", 0o644)
	gone := v
	gone.File += "-gone"
	for path, want := range map[string]string{
		"link/x": "link is no directory any more", "file/x": "file is no directory any more",
		"dir": "it is a directory", "": "nothing can be put there", ".twosync/lock": "nothing can be put there", "../x": "nothing can be put there",
	} {
		if did, err := s.p.put(v, path); did || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", path, did, err)
		}
	}
	if did, err := s.p.put(gone, "file"); did || err == nil || err.Error() != "its content is not kept any more" {
		t.Errorf("gone: %v, %v", did, err)
	}
	s.holds("file", "f", 0o644)
	left, _ := os.ReadDir(filepath.Join(s.root, ".twosync/stage"))
	if there, _ := os.ReadDir(outside); len(left)+len(there) > 0 || s.kept() != "" {
		t.Errorf("left over: %v, outside %v, kept %s", left, there, s.kept())
	}
}

// A save that comes in the very moment is what is kept, not what was looked at.
func TestPutBackRace(t *testing.T) {
	s := newShelf(t)
	path := filepath.Join(s.root, "f")
	os.WriteFile(path, []byte("before"), 0o644)
	adopt := s.p.adopt
	s.p.adopt = func(from fsx.Dir, name string, i keep.Item) error {
		if want := tree.DigestOf([]byte("saved")); i.Entry.Digest != want {
			t.Errorf("kept %v", i.Entry)
		}
		return adopt(from, name, i)
	}
	v := s.version("f", "old", 0o644)
	slot := "s0"
	if err := s.p.build(v, slot, s.p.stage); err != nil {
		t.Fatal(err)
	}
	dir, err := s.p.parent("")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	os.WriteFile(path, []byte("saved"), 0o644)
	if err := s.p.swap(v, slot, dir, "f", "f"); err != nil {
		t.Fatal(err)
	}
	s.holds("f", "old", 0o644)
	// And a directory that comes goes back.
	os.Remove(path)
	os.Mkdir(path, 0o755)
	if err := s.p.build(v, slot, s.p.stage); err != nil {
		t.Fatal(err)
	}
	if err := s.p.swap(v, slot, dir, "f", "f"); err == nil {
		t.Error("a file took the place of a directory")
	}
	if st, err := os.Stat(path); err != nil || !st.IsDir() {
		t.Errorf("the directory: %v, %v", st, err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.root, ".twosync/stage")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestTakeaways(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(1e9, 0).Add(time.Duration(s * float64(time.Second))) }
	var all []past
	for _, x := range []struct {
		path string
		when float64
		why  keep.Why
	}{
		{"a", 0, keep.Deleted}, {"b/x", 1, keep.Replaced}, {"c", 1.5, keep.Conflict}, {"", 2, keep.LeftOver},
		{"a", 3, keep.Replaced}, {"b/y", 4, keep.Deleted}, {"b/z", 10, keep.Deleted},
	} {
		all = append(all, past{Path: x.path, When: at(x.when), Why: x.why, Digest: "d"})
	}
	goes := takeaways(all)
	var got []string
	for _, g := range goes {
		text := ""
		for _, p := range g.Items {
			text += p.Path + " "
		}
		got = append(got, text)
	}
	if strings.Join(got, "|") != "b/z |a b/y |a b/x  " {
		t.Fatalf("%q", got)
	}
	for _, c := range []struct {
		paths []string
		id    string
		want  string // path and second
	}{
		{[]string{"a"}, "", "a 3"}, {[]string{"b"}, "", "b/z 10"}, {[]string{""}, "", "b/z 10"},
		{nil, goes[2].ID, "a 0, b/x 1"}, {[]string{"b"}, goes[1].ID, "b/y 4"}, {[]string{"a", "a", "b/x"}, "", "a 3, b/x 1"},
		{[]string{"c"}, "", ""}, {[]string{"b/z"}, goes[1].ID, ""}, {nil, "nope", ""},
	} {
		chosen, err := choose(all, c.paths, c.id)
		var got []string
		for _, p := range chosen {
			got = append(got, p.Path+" "+p.When.Sub(at(0)).String())
		}
		if s := strings.ReplaceAll(strings.Join(got, ", "), "s", ""); s != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q of %q: %q, %v; want %q", c.paths, c.id, s, err, c.want)
		}
	}
}

// D11, D12, D13: the version that comes beside a path has a name that no tool
// takes for a source file, overwrites nothing, and is not too long.
func TestBeside(t *testing.T) {
	s := newShelf(t)
	v := s.version("d/main.go", "text", 0o644)
	beside := func(v past) string {
		t.Helper()
		at, err := s.p.beside(v)
		if err != nil {
			t.Fatal(err)
		}
		s.holds(at, "text", 0o644)
		return at
	}
	want := "d/main.go.twosync-" + v.Digest[:8]
	if got := beside(v); got != want {
		t.Errorf("at %s, want %s", got, want)
	}
	if got := beside(v); got != want {
		t.Errorf("again at %s", got)
	}
	os.WriteFile(filepath.Join(s.root, want), []byte("other"), 0o644)
	if got := beside(v); got != "d/main.go.twosync-"+v.Digest[:16] {
		t.Errorf("the name is taken: at %s", got)
	}
	s.holds(want, "other", 0o644)
	v.Path = "d/" + strings.Repeat("ü", 127) // 254 bytes
	if _, name := tree.Split(beside(v)); len(name) > tree.MaxName || !strings.HasSuffix(name, "ü.twosync-"+v.Digest[:8]) {
		t.Errorf("named %q", name)
	}
	if s.kept() != "" {
		t.Errorf("kept %s", s.kept())
	}
}
