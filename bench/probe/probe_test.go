package probe

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPlanIsTheSameEverywhere(t *testing.T) {
	a, b := Plan(7, 2000, 0), Plan(7, 2000, 0)
	if !reflect.DeepEqual(a, b) {
		t.Fatal("one seed, two plans")
	}
	if reflect.DeepEqual(a, Plan(8, 2000, 0)) {
		t.Error("two seeds, one plan")
	}
	// Figures of one machine's run are compared with another's only as long as
	// this stays.
	if want := (File{"part000/dir00/file00000.txt", a[0].Size}); a[0] != want || a[0].Size != 1214 {
		t.Errorf("the first file is %v", a[0])
	}
	seen := map[string]bool{}
	for _, f := range a {
		if seen[f.Path] || f.Size < 64 || f.Size > 256<<10 {
			t.Errorf("%v: there twice, or of a strange size", f)
		}
		seen[f.Path] = true
	}
}

func TestText(t *testing.T) {
	for _, size := range []int64{0, 1, 9, 10, 11, 1000} {
		a := Text(1, 2, size)
		if int64(len(a)) != size || string(a) != string(Text(1, 2, size)) {
			t.Errorf("%d bytes: not the same twice, or %d of them", size, len(a))
		}
		if size > 8 && string(a) == string(Text(1, 3, size)) {
			t.Errorf("%d bytes: the same for another number", size)
		}
	}
}

func TestMakeFollowsThePlan(t *testing.T) {
	dir := t.TempDir()
	if err := Make(dir, 5, 100, 0); err != nil {
		t.Fatal(err)
	}
	files, err := regularFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(files, Plan(5, 100, 0)) {
		t.Errorf("made %v", files)
	}
}

func TestSwitchIsWhatItExpects(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for _, dir := range []string{one, two} {
		if err := Make(dir, 5, 300, 0); err != nil {
			t.Fatal(err)
		}
	}
	c := Counts{Changed: 50, New: 20, Gone: 10}
	expect, err := Switch(one, 6, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(expect) != 80 {
		t.Errorf("%d paths, want 80", len(expect))
	}
	held := 0
	for _, e := range expect {
		if !e.holds(one) {
			t.Errorf("%v does not hold where it was done", e)
		}
		if e.holds(two) {
			held++
		}
	}
	if held > 0 {
		t.Errorf("%d paths look as if they had arrived, where nothing was done", held)
	}
	if _, err := Switch(two, 6, c); err != nil {
		t.Fatal(err)
	}
	a, errA := Tree(one)
	b, errB := Tree(two)
	if errA != nil || errB != nil || a.Digest != b.Digest || a.Files != 310 {
		t.Errorf("one switch, two trees: %v %v %v %v", a, b, errA, errB)
	}
}

func TestSwitchNeedsRoom(t *testing.T) {
	if _, err := PlanSwitch(Plan(1, 10, 0), 1, Counts{Changed: 8, Gone: 2}); err == nil {
		t.Error("a switch of all files was planned")
	}
}

func TestTreeSeesEveryDifference(t *testing.T) {
	base := func(dir string) {
		write(t, dir, "a/one", "1")
		write(t, dir, "two", "22")
		if err := os.Symlink("two", filepath.Join(dir, "link")); err != nil {
			t.Skip(err)
		}
	}
	digest := func(change func(dir string)) string {
		dir := t.TempDir()
		base(dir)
		change(dir)
		r, err := Tree(dir)
		if err != nil {
			t.Fatal(err)
		}
		return r.Digest
	}
	same := digest(func(string) {})
	if digest(func(dir string) { write(t, dir, ".twosync/lock", "") }) != same {
		t.Error("twosync's own folder counts")
	}
	for name, change := range map[string]func(dir string){
		"content":   func(dir string) { write(t, dir, "two", "23") },
		"name":      func(dir string) { os.Rename(filepath.Join(dir, "two"), filepath.Join(dir, "three")) },
		"absence":   func(dir string) { os.Remove(filepath.Join(dir, "a/one")) },
		"directory": func(dir string) { os.Mkdir(filepath.Join(dir, "empty"), 0o755) },
		"exec":      func(dir string) { os.Chmod(filepath.Join(dir, "two"), 0o755) },
		"link": func(dir string) {
			os.Remove(filepath.Join(dir, "link"))
			os.Symlink("a/one", filepath.Join(dir, "link"))
		},
	} {
		if digest(change) == same {
			t.Errorf("%s: not seen", name)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestExpect(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/file", "hello")
	for _, c := range []struct {
		e    Expect
		want bool
	}{
		{Expect{Path: "a/file", Size: 5}, true},
		{Expect{Path: "a/file", Size: 4}, false},
		{Expect{Path: "a/file", Size: 5, At: 1, Want: []byte("ello")}, true},
		{Expect{Path: "a/file", Size: 5, At: 1, Want: []byte("elli")}, false},
		{Expect{Path: "a/file", Size: 5, At: 3, Want: []byte("lo!")}, false},
		{Expect{Path: "a", Size: Folder}, true},
		{Expect{Path: "a/file", Size: Folder}, false},
		{Expect{Path: "b", Size: Absent}, true},
		{Expect{Path: "a", Size: Absent}, false},
		{Expect{Path: "b", Size: 0}, false},
	} {
		if got := c.e.holds(dir); got != c.want {
			t.Errorf("%+v holds: %v", c.e, got)
		}
	}
	if err := arrive(dir, []Expect{{Path: "b", Size: 1}}, time.Millisecond); err == nil || !strings.Contains(err.Error(), "b has not arrived") {
		t.Errorf("waiting for what never comes ended with %v", err)
	}
}

func TestEdits(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "large")
	if err := Large(name, 3, 3<<20); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(name)
	if err != nil || len(before) != 3<<20 {
		t.Fatalf("%d bytes, %v", len(before), err)
	}
	if err := edit(name, []byte("edited"), 1000); err != nil {
		t.Fatal(err)
	}
	if err := insert(name, []byte("front")); err != nil {
		t.Fatal(err)
	}
	copy(before[1000:], "edited")
	after, err := os.ReadFile(name)
	if err != nil || string(after) != "front"+string(before) {
		t.Errorf("%d bytes after the edits, %v", len(after), err)
	}
}
