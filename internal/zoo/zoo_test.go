package zoo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	all  = flag.Bool("all", false, "look for every defect, not for the few of each commit")
	only = flag.String("only", "", "look for the defects whose names match this `regexp`")
)

const (
	// perCommit is how many defects are looked for at each commit: it takes some
	// ten seconds to build the tests with one.
	perCommit = 4
	// patience bounds a search.
	patience = 10 * time.Minute
	// least is how many defects there are at least.
	least = 51
)

// defect is one thing that can be wrong.
type defect struct {
	name     string
	what     string
	searches [][]string // arguments of go test; one of them has to fail
	edits    []edit
}

// edit replaces a piece of a file, which is there once.
type edit struct{ file, old, new string }

// read reads a defect. Lines say "what: TEXT", "search: PACKAGE REGEXP" or, for
// histories of the simulator, "search: sim N", and "in: FILE", on which follow the
// old and the new text between lines of <, = and >.
func read(name string) (d defect, err error) {
	text, err := os.ReadFile(name)
	d.name = strings.TrimSuffix(filepath.Base(name), ".txt")
	for rest := string(text); rest != "" && err == nil; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "what":
			d.what = value
		case "search":
			d.searches = append(d.searches, search(value))
		case "in":
			e := edit{file: value}
			if e.old, e.new, rest, err = pair(rest); err == nil {
				d.edits = append(d.edits, e)
			}
		default:
			err = fmt.Errorf("%q says nothing", line)
		}
	}
	if err == nil && (d.what == "" || len(d.searches) == 0 || len(d.edits) == 0) {
		err = errors.New("something is missing")
	}
	return d, err
}

func search(value string) []string {
	where, what, _ := strings.Cut(value, " ")
	if where == "sim" {
		return []string{"./internal/sim", "-run", "^TestHistories$", "-args", "-histories=" + what, "-shrink=false", "-most=1"}
	}
	return []string{where, "-run", what, "-failfast"}
}

// pair takes the old and the new text off the front of s.
func pair(s string) (old, new, rest string, err error) {
	s, ok := strings.CutPrefix(s, "<<<<<<<\n")
	old, s, ok2 := strings.Cut("\n"+s, "\n=======\n")
	new, rest, ok3 := strings.Cut("\n"+s, "\n>>>>>>>\n")
	if !ok || !ok2 || !ok3 || old == "" {
		return "", "", "", errors.New("no old and new text")
	}
	return old[1:], strings.TrimPrefix(new, "\n"), rest, nil
}

func defects(t *testing.T) []defect {
	t.Helper()
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []defect
	for _, name := range names {
		d, err := read(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list = append(list, d)
	}
	if len(list) < least {
		t.Errorf("%d defects", len(list))
	}
	return list
}

// top is where the module is.
func top(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// L9: every defect can still be planted.
func TestPlanted(t *testing.T) {
	for _, d := range defects(t) {
		d.plant(t)
	}
}

// plant writes the files that have the defect, and one that tells the go command of
// them, whose name it returns.
func (d defect) plant(t *testing.T) string {
	t.Helper()
	files := make(map[string]string)
	for _, e := range d.edits {
		name := filepath.Join(top(t), e.file)
		text, ok := files[name]
		if !ok {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			t.Errorf("%s: what it replaces in %s is there %d times: bring the defect up to date", d.name, e.file, n)
		}
		files[name] = strings.Replace(text, e.old, e.new, 1)
	}
	dir, at := t.TempDir(), make(map[string]string)
	for name, text := range files {
		at[name] = filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(at[name], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": at})
	overlay := filepath.Join(dir, "overlay.json")
	if err = errors.Join(err, os.WriteFile(overlay, b, 0o644)); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// L9: the tests find every defect.
func TestFound(t *testing.T) {
	list := defects(t)
	switch {
	case *only != "":
		which := regexp.MustCompile(*only)
		list = slices.DeleteFunc(list, func(d defect) bool { return !which.MatchString(d.name) })
	case testing.Short():
		t.Skip("takes a minute")
	case !*all:
		list = some(list)
	}
	for _, d := range list {
		t.Run(d.name, func(t *testing.T) {
			overlay, began := d.plant(t), time.Now()
			for _, args := range d.searches {
				if said := finds(t, overlay, args); said != "" {
					t.Logf("found in %v: %s\n%s", time.Since(began).Round(time.Second), d.what, said)
					return
				}
			}
			t.Errorf("not found: %s", d.what)
		})
	}
}

// some picks the defects of today: in a fortnight it is the turn of each.
func some(list []defect) (few []defect) {
	day := int(time.Now().Unix() / (24 * 60 * 60))
	for i := range perCommit {
		few = append(few, list[(day*perCommit+i)%len(list)])
	}
	return few
}

// finds runs a search and returns what it says of a defect; "" when nothing.
func finds(t *testing.T, overlay string, args []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-vet=off", "-count=1", "-overlay", overlay}, args...)...)
	cmd.Dir, cmd.WaitDelay = top(t), time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		t.Fatalf("go %q does not end:\n%s", cmd.Args, tail(out))
	case err == nil:
		return ""
	case bytes.Contains(out, []byte("[build failed]")) || !bytes.Contains(out, []byte("FAIL")):
		t.Fatalf("go %q: %v:\n%s", cmd.Args, err, tail(out))
	}
	return tail(out)
}

// tail is the end of what a program said.
func tail(out []byte) string { return string(out[max(0, len(out)-1500):]) }
