//go:build linux

package failpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scenario is a life of a session. Each part is done on a directory of the host's
// and one of the container's, and ends with a session that ends by itself.
type scenario struct {
	name  string
	first func(*place) // before the sides meet
	later func(*place) // after they agreed, while no session runs; nil: nothing
	live  func(*place) // while a session runs; nil: it ends as soon as it is in sync
	// broken is where somebody is killed before the steps that are looked at, and the
	// other one with him: what that leaves is mended in these.
	broken kill
}

var scenarios = []scenario{
	{name: "first", first: differ},
	{name: "fresh", first: func(p *place) { source(p); must(p.t, os.Remove(p.container)) }},
	{name: "restart", first: source, later: edits},
	{name: "live", first: source, live: liveEdits},
	{name: "mend", first: source, later: edits, broken: kill{"HOST", "put.exchange rename after"}},
	{name: "mend-capture", first: source, later: edits, broken: kill{"HOST", "put.capture rename after"}},
	{name: "mend-staged", first: source, later: edits, broken: kill{"HOST", "put.exchange rename before"}},
	{name: "mend-built", first: source, later: newDirectories, broken: kill{"HOST", "put.create rename before"}},
	{name: "mend-agent", first: source, later: edits, broken: kill{"AGENT", "put.exchange rename after"}},
	{name: "mend-agent-staged", first: source, later: edits, broken: kill{"AGENT", "put.exchange rename before"}},
	{name: "mend-agent-built", first: source, later: newDirectories, broken: kill{"AGENT", "put.create rename before"}},
}

// write writes a file below a directory, and the directories above it.
func write(t *testing.T, dir, path, text string) {
	t.Helper()
	p := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p+"~", []byte(text), 0o644); err != nil { // a name that does not cross
		t.Fatal(err)
	}
	if err := os.Rename(p+"~", p); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// differ is a first contact: some is the same, some is on one side only, some is
// different.
func differ(p *place) {
	for i := range 12 {
		write(p.t, p.host, fmt.Sprintf("same/%d.txt", i), "the same\n")
		write(p.t, p.container, fmt.Sprintf("same/%d.txt", i), "the same\n")
		write(p.t, p.host, fmt.Sprintf("host/%d.txt", i), fmt.Sprintf("host's %d\n", i))
	}
	write(p.t, p.container, "container/a.txt", "container's a\n")
	write(p.t, p.container, "container/b.txt", "container's b\n")
	write(p.t, p.host, "both.txt", "both: host's\n")
	write(p.t, p.container, "both.txt", "both: container's\n")
	write(p.t, p.host, "large.bin", strings.Repeat("0123456789abcdef", 20000)+"host\n")
	write(p.t, p.container, "large.bin", strings.Repeat("0123456789abcdef", 20000)+"container\n")
	must(p.t, os.Symlink("both.txt", filepath.Join(p.host, "link")), os.Symlink("large.bin", filepath.Join(p.container, "link")))
}

// source is what both sides agree on before something happens.
func source(p *place) {
	for i := range 40 {
		write(p.t, p.host, fmt.Sprintf("src/%d.txt", i), fmt.Sprintf("source %d\n", i))
	}
	for i := range 12 { // fewer than the brake would hold, when they go
		write(p.t, p.host, fmt.Sprintf("old/%d.txt", i), fmt.Sprintf("old %d\n", i))
	}
	for i := range 6 {
		write(p.t, p.host, fmt.Sprintf("moves/%d.txt", i), fmt.Sprintf("moves %d\n", i))
		write(p.t, p.host, fmt.Sprintf("swings/%d.txt", i), fmt.Sprintf("swings %d\n", i))
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "kind", "exec", "exec2", "both", "late"} {
		write(p.t, p.host, name, name+" as agreed\n")
	}
	write(p.t, p.host, "kinds/in", "in kinds\n")
	write(p.t, p.host, "large.bin", strings.Repeat("0123456789abcdef", 20000))
	write(p.t, p.host, "large2.bin", strings.Repeat("fedcba9876543210", 20000))
	for _, name := range []string{"twin1", "twin2"} {
		write(p.t, p.host, name, "the same in two files\n")
	}
	write(p.t, p.host, "ignores/in", "in a directory that has more\n")
	must(p.t, os.Symlink("a", filepath.Join(p.host, "link")), os.Symlink("b", filepath.Join(p.host, "link2")))
}

// newDirectories are made on both sides, and nothing else.
func newDirectories(p *place) {
	for i := range 5 {
		write(p.t, p.host, fmt.Sprintf("made/by/host/%d", i), fmt.Sprintf("made on the host %d\n", i))
		write(p.t, p.container, fmt.Sprintf("made2/by/container/%d", i), fmt.Sprintf("made in the container %d\n", i))
	}
}

// edits are all sorts of changes, on both sides.
func edits(p *place) {
	at := func(dir, name string) string { return filepath.Join(dir, name) }
	for side, dir := range map[string]string{"host": p.host, "container": p.container} {
		mine, other := "a", "b"
		if side == "container" {
			mine, other = "c", "d"
		}
		write(p.t, dir, mine, mine+" edited on the "+side+"\n")
		must(p.t, os.Remove(at(dir, other)))
		for i := range 5 {
			write(p.t, dir, fmt.Sprintf("new-%s/deep/%d.txt", side, i), fmt.Sprintf("new on the %s %d\n", side, i))
			write(p.t, dir, fmt.Sprintf("new-%s-%d.txt", side, i), fmt.Sprintf("single on the %s %d\n", side, i))
		}
		must(p.t, os.Symlink(side, at(dir, "made-by-"+side)))
		write(p.t, dir, "both", "both edited on the "+side+"\n")
	}
	must(p.t,
		os.Rename(at(p.host, "moves"), at(p.host, "moved")),
		os.Rename(at(p.container, "swings"), at(p.container, "swung")),
		os.RemoveAll(at(p.container, "old")),
		os.RemoveAll(at(p.host, "src/1.txt")), os.RemoveAll(at(p.container, "src/2.txt")),
		os.Chmod(at(p.host, "exec"), 0o755), os.Chmod(at(p.container, "exec2"), 0o755),
		os.Remove(at(p.host, "kind")), os.RemoveAll(at(p.container, "kinds")),
		os.Remove(at(p.host, "link")), os.Symlink("e", at(p.host, "link")),
		os.Remove(at(p.container, "link2")), os.Symlink("f", at(p.container, "link2")))
	write(p.t, p.host, "kind/now/a/directory", "was a file\n")
	write(p.t, p.container, "kinds", "was a directory\n")
	for i := range 20 {
		write(p.t, p.host, fmt.Sprintf("src/%d.txt", 10+i), fmt.Sprintf("rewritten %d\n", i))
	}
	write(p.t, p.container, "ignores/.x.swp", "of an editor\n") // so the directory has to stay there
	must(p.t, os.RemoveAll(at(p.host, "ignores")), os.Remove(at(p.container, "twin1")), os.Remove(at(p.container, "twin2")))
	// What is replaced keeps its mode and owner.
	must(p.t, os.Chmod(at(p.container, "e"), 0o666), os.Chmod(at(p.host, "f"), 0o666))
	write(p.t, p.host, "e", "e edited on the host\n")
	write(p.t, p.container, "f", "f edited in the container\n")
	if os.Geteuid() == 0 {
		must(p.t, os.Lchown(at(p.container, "e"), 12345, 12345), os.Lchown(at(p.host, "f"), 12345, 12345))
	}
	large := strings.Repeat("0123456789abcdef", 20000)
	write(p.t, p.host, "large.bin", large[:100000]+"an edit on the host"+large[100000:])
	large = strings.Repeat("fedcba9876543210", 20000)
	write(p.t, p.container, "large2.bin", large[:50000]+"an edit in the container"+large[50000:])
}

// liveEdits come in waves while a session runs, and after each both sides are the
// same, if nobody was killed.
func liveEdits(p *place) {
	write(p.t, p.host, "a", "a edited live on the host\n")
	p.barrier()
	p.durable()
	write(p.t, p.container, "a", "a edited live in the container\n")
	write(p.t, p.container, "new-live", "new in the container\n")
	p.barrier()
	must(p.t, os.Remove(filepath.Join(p.container, "b")), os.Remove(filepath.Join(p.host, "c")),
		os.RemoveAll(filepath.Join(p.host, "old")), os.Rename(filepath.Join(p.host, "moves"), filepath.Join(p.host, "moved")))
	p.barrier()
	must(p.t, os.RemoveAll(filepath.Join(p.container, "kinds")))
	write(p.t, p.container, "kinds", "was a directory\n")
	for i := range 40 {
		write(p.t, p.host, fmt.Sprintf("burst/%d.txt", i), fmt.Sprintf("burst %d\n", i))
	}
	p.barrier()
}
