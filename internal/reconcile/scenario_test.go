package reconcile_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

var update = flag.Bool("update", false, "rewrite the plans in testdata")

// TestScenarios runs testdata/*.txt. A file holds three trees, one entry a
// line, and the plan that comes of them; a section "policy" is optional.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { scenario(t, file) })
	}
}

func scenario(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, want, ok := strings.Cut(string(data), "-- plan --\n")
	section := sections(head)
	if !ok || section["base"] == nil || section["host"] == nil || section["container"] == nil {
		t.Fatal("want the sections base, host, container, and plan as the last")
	}
	s := &script{t: t, texts: map[tree.Digest]string{}}
	got := s.run(s.tree(section["base"]), s.tree(section["host"]), s.tree(section["container"]), s.policy(section["policy"]))
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("plan is\n%swant\n%s", got, want)
	}
	if err := os.WriteFile(file, []byte(head+"-- plan --\n"+got), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sections returns the lines under each "-- name --".
func sections(text string) map[string][]string {
	found, name := map[string][]string{}, "comment"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --") {
			name = strings.Trim(line, "- ")
			found[name] = []string{}
		} else if line != "" {
			found[name] = append(found[name], line)
		}
	}
	return found
}

// script reads and writes the notation of the scenario files.
type script struct {
	t     *testing.T
	texts map[tree.Digest]string // what to call a content
}

// tree reads lines such as "file a/b v1 +x", "link l target", "dir d",
// "opaque s a socket", "unknown u reason".
func (s *script) tree(lines []string) *tree.Entry {
	root := tree.NewDir(nil)
	for _, line := range lines {
		f := strings.SplitN(line, " ", 3)
		if len(f) < 3 {
			f = append(f, "", "")
		}
		var ok bool
		if root, ok = tree.Put(root, f[1], s.entry(f[0], f[2])); !ok {
			s.t.Fatalf("can't put %q", line)
		}
	}
	return root
}

func (s *script) entry(kind, text string) *tree.Entry {
	switch kind {
	case "file":
		text, exec := strings.CutSuffix(text, " +x")
		d := tree.DigestOf([]byte(text))
		s.texts[d] = text
		return tree.NewFile(d, int64(len(text)), exec)
	case "link":
		return tree.NewLink(text)
	case "dir":
		return tree.NewDir(nil)
	case "opaque":
		return tree.NewOpaque(text)
	case "unknown":
		return tree.NewUnknown(text)
	}
	s.t.Fatalf("kind %q", kind)
	return nil
}

// policy reads lines such as "winner container", "mirror", "sealed container
// a/b reason", "busy host a/b", "kept a/b", "folds host", "bad host name reason".
func (s *script) policy(lines []string) (p reconcile.Policy) {
	side := map[string]tree.Side{"host": tree.Host, "container": tree.Container}
	for _, line := range lines {
		f := append(strings.SplitN(line, " ", 4), "", "", "")
		switch f[0] {
		case "winner":
			p.Winner = side[f[1]]
		case "mirror":
			p.Mirror = true
		case "kept":
			p.Kept = func(path string, _ *tree.Entry) bool { return path == f[1] }
		case "sealed":
			p.Sealed = func(at tree.Side, path string) (string, bool) {
				return f[3], at == side[f[1]] && path == f[2]
			}
		case "busy":
			p.Busy = func(at tree.Side, path string) bool {
				return at == side[f[1]] && tree.Overlap(path, f[2])
			}
		case "folds":
			p.Names[side[f[1]]].Fold = strings.ToLower
		case "bad":
			p.Names[side[f[1]]].Bad = func(name string) string {
				if name == f[2] {
					return f[3]
				}
				return ""
			}
		default:
			s.t.Fatalf("policy %q", line)
		}
	}
	return p
}

// run returns the plan, and what is added to it once everything is kept.
func (s *script) run(base, host, container *tree.Entry, p reconcile.Policy) string {
	var first, second reconcile.Plan
	reconcile.At("", base, host, container, p, &first)
	var b strings.Builder
	for _, k := range first.Keep {
		fmt.Fprintf(&b, "keep %v %s: %s\n", k.Side, k.Path, s.show(k.Entry))
	}
	s.changes(&b, "", first)
	s.list(&b, "agreed", first.Agreed)
	for _, h := range first.Held {
		fmt.Fprintf(&b, "held %v %s: %s\n", h.Side, h.Path, h.Reason)
	}
	for _, path := range first.Busy {
		fmt.Fprintf(&b, "busy %s\n", path)
	}
	p.Kept = func(string, *tree.Entry) bool { return true }
	reconcile.At("", base, host, container, p, &second)
	s.changes(&b, "once kept: ", without(second, first))
	return b.String()
}

// without returns the changes of p that are not in q.
func without(p, q reconcile.Plan) (left reconcile.Plan) {
	left.Host = subtract(p.Host, q.Host)
	left.Container = subtract(p.Container, q.Container)
	return left
}

func subtract(a, b []tree.Change) (left []tree.Change) {
	known := map[string]bool{}
	for _, c := range b {
		known[c.Path] = true
	}
	for _, c := range a {
		if !known[c.Path] {
			left = append(left, c)
		}
	}
	return left
}

func (s *script) changes(b *strings.Builder, prefix string, p reconcile.Plan) {
	s.list(b, prefix+"host", p.Host)
	s.list(b, prefix+"container", p.Container)
}

func (s *script) list(b *strings.Builder, what string, changes []tree.Change) {
	for _, c := range changes {
		fmt.Fprintf(b, "%s %s: %s -> %s\n", what, c.Path, s.show(c.Old), s.show(c.New))
	}
}

func (s *script) show(e *tree.Entry) string {
	switch {
	case e == nil:
		return "absent"
	case e.IsDir():
		var in []string
		for name, child := range e.Children() {
			in = append(in, name+" "+s.show(child))
		}
		return "dir {" + strings.Join(in, ", ") + "}"
	case e.IsFile() && e.Exec:
		return "file " + s.texts[e.Digest] + " +x"
	case e.IsFile():
		return "file " + s.texts[e.Digest]
	}
	return e.Kind.String() + " " + e.Text
}
