//go:build linux

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// edited is the file that editors work on, and edits how often they save it.
const (
	edited = "page.txt"
	edits  = 5
)

// longGap is well below the 20 ms, in milliseconds, for which a file must be
// empty or absent to be believed so.
const longGap = 10

// version is what the file holds after save n: large enough that a program
// writes it in several pieces.
func version(n int) []byte {
	var b bytes.Buffer
	for i := range 600 {
		fmt.Fprintf(&b, "version %d, line %d of what a person writes\n", n, i)
	}
	return b.Bytes()
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return string(sum[:16])
}

// An editor saves versions 1 to edits of the file in a directory, over version
// 0. It calls saved after each.
type editor struct {
	name string // with the cases that it stands for
	tool []string
	save func(t *testing.T, tool, dir string, saved func())
}

// oneByOne is an editor that is started anew for each save.
func oneByOne(args func(n int) []string) func(t *testing.T, name, dir string, saved func()) {
	return func(t *testing.T, name, dir string, saved func()) {
		t.Helper()
		for n := 1; n <= edits; n++ {
			tool(t, dir, name, args(n)...)
			saved()
		}
	}
}

// vim writes with one of its ways to make a backup.
func vim(copy string) func(t *testing.T, name, dir string, saved func()) {
	return oneByOne(func(n int) []string {
		return []string{"-u", "NONE", "-i", "NONE", "-N", "-es", "-c", "set writebackup backupcopy=" + copy,
			"-c", fmt.Sprintf("%%s/^version [0-9]*/version %d/", n), "-c", "w", "-c", "q!", edited}
	})
}

var editors = []editor{
	{"A1_A11_vim_renames", []string{"vim", "vim.tiny"}, vim("no")},
	{"A2_A11_vim_writes_in_place", []string{"vim", "vim.tiny"}, vim("yes")},
	{"A1_A11_vim_as_it_likes", []string{"vim", "vim.tiny"}, vim("auto")},
	{"A4_sed_i", []string{"sed"}, oneByOne(func(n int) []string {
		return []string{"-i", fmt.Sprintf("s/^version [0-9]*/version %d/", n), edited}
	})},
	{"A5_emacs_batch", []string{"emacs"}, oneByOne(func(n int) []string {
		return []string{"-Q", "--batch", edited, "--eval", fmt.Sprintf(
			`(progn (while (re-search-forward "^version [0-9]+" nil t) (replace-match "version %d")) (save-buffer))`, n)}
	})},
	{"A5_emacs_at_a_terminal", []string{"emacs"}, emacs},
	{"A2_nano", []string{"nano"}, nano},
}

// nano is told with keys to replace all, and to save.
func nano(t *testing.T, name, dir string, saved func()) {
	x := openTTY(t, dir, name, "--ignorercfiles", edited)
	x.shows("version 0, line 0")
	for n := 1; n <= edits; n++ {
		x.types(fmt.Sprintf("\x1c"+"version %d,\rversion %d,\ra\x13", n-1, n)) // ^\ and ^S
		onDisk(t, dir, n)
		saved()
	}
	x.quits("\x18") // ^X
}

// emacs works on the file for some time before it saves: there is a lock beside
// it, and what it saves by itself.
func emacs(t *testing.T, name, dir string, saved func()) {
	x := openTTY(t, dir, name, "-Q", "-nw", "--eval", "(setq auto-save-interval 20)", edited)
	x.shows("version 0, line 0")
	for n := 1; n <= edits; n++ {
		x.types(fmt.Sprintf("\x1b<\x1bxreplace-string\rversion %d,\rversion %d,\r", n-1, n))
		if n == 2 {
			x.types(strings.Repeat("x", 40))
			there := func(name string) func() bool {
				return func() bool { _, err := os.Lstat(filepath.Join(dir, name)); return err == nil }
			}
			eventually(t, "emacs locks", there(".#"+edited))
			eventually(t, "emacs saves by itself", there("#"+edited+"#"))
			saved() // nothing, so far
			x.types(strings.Repeat("\x7f", 40))
		}
		x.types("\x18\x13") // C-x C-s
		onDisk(t, dir, n)
		saved()
	}
	x.quits("\x18\x03") // C-x C-c
}

// onDisk waits until an editor has written a version.
func onDisk(t *testing.T, dir string, n int) {
	t.Helper()
	want := version(n)
	eventually(t, fmt.Sprintf("the editor saves version %d", n), func() bool {
		text, err := os.ReadFile(filepath.Join(dir, edited))
		return err == nil && bytes.Equal(text, want)
	})
}

// Whatever an editor does to save a file, a reader on the other side finds
// whole versions there, one after the other; nothing of what it has beside the
// file crosses or stays behind, and nothing is held or in conflict.
func TestEditors(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	for _, e := range editors {
		for _, way := range [][2]*user{{p.host, p.inner}, {p.inner, p.host}} {
			name := e.name + "_on_the_" + way[0].name
			p.sub(name, func(t *testing.T) {
				edit(t, p, e, way[0].in(t, name), way[1].in(t, name))
			})
		}
	}
	p.settled(t)
	p.keptNothing()
	for _, what := range []string{"warning", "held"} {
		if x := p.said(what); len(x) > 0 {
			t.Errorf("there was something %s: %+v", what, x)
		}
	}
	p.stop()
}

func edit(t *testing.T, p *pair, e editor, from, to *user) {
	name := needTool(t, e.tool...)
	from.mkdir("")
	from.write(edited, string(version(0)))
	p.flush()
	path := []byte(edited)
	from.do(Request{Do: "stare", Path: path})
	to.do(Request{Do: "stare", Path: path})
	n := 0
	e.save(t, name, from.root(), func() {
		if n++; n%2 == 0 { // and some saves follow one another at once
			p.flush()
		}
	})
	p.flush()
	here, there := from.do(Request{Do: "unstare", Path: path}), to.do(Request{Do: "unstare", Path: path})
	whole := make(map[string]bool)
	for n := range edits + 1 {
		whole[digestOf(version(n))] = true
	}
	onlyWhole(t, whole, here, there.Seen)
	to.holds(edited, string(version(edits)))
	for _, u := range []*user{from, to} {
		if names := u.do(Request{Do: "names"}).Names; len(names) != 1 {
			t.Errorf("%s: beside the file there are %q", u.name, names)
		}
	}
}

// onlyWhole fails the test if a reader on the other side found anything but
// whole versions. A moment in which the file was absent, empty or half where it
// is written, and which was so long that everybody would believe it, excuses
// one; and so does a moment in which nobody looked there, on a busy machine.
func onlyWhole(t *testing.T, whole map[string]bool, here Answer, there []Sight) {
	t.Helper()
	bad := func(s Sight) bool { return s.Absent || s.Error != "" || !whole[string(s.Digest)] }
	excused, parts, versions := int(here.Blinks), 0, 0
	for i, s := range here.Seen {
		if bad(s) && (i+1 == len(here.Seen) || here.Seen[i+1].Since-s.Since > longGap) {
			excused++
		}
	}
	for _, s := range there {
		if bad(s) {
			parts++
		} else {
			versions++
		}
	}
	if parts > excused {
		t.Errorf("a reader found %d times something else than a version, of which %d are excused: %+v", parts, excused, there)
	}
	if versions == 0 {
		t.Errorf("a reader found no version: %+v", there)
	}
}
