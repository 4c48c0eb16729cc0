//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/where.md anew")

// wherePage is made of what the tests say of themselves.
const wherePage = "../../docs/where.md"

// whereMark begins a line in the comment of a test that says what it shows, and
// where: "where: PLACE: WHAT".
const whereMark = "where: "

const whereHead = `# Where it works

What twosync does, by place, and the test that shows it. This page is made from
the comments of the tests (` + "`go test ./internal/e2e -run TestWhere -update`" + `), so that
nothing is here that no test shows. Tests in Docker run on Linux with Docker's
default seccomp rules, those on Kubernetes on a real cluster of one node
(1.34, containerd; .ci/k8s), through ` + "`kubectl exec`" + `.
`

// TestWhere compares docs/where.md with what the tests say.
func TestWhere(t *testing.T) {
	places := make(map[string]map[string][]string) // place, what, tests
	for _, dir := range []string{".", "../../host/target", "../../host"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		must(t, err)
		for _, file := range files {
			whereIn(t, file, places)
		}
	}
	var b strings.Builder
	b.WriteString(whereHead)
	for _, place := range slices.Sorted(maps.Keys(places)) {
		fmt.Fprintf(&b, "\n## %s\n\n| what works | shown by |\n|---|---|\n", place)
		for _, what := range slices.Sorted(maps.Keys(places[place])) {
			fmt.Fprintf(&b, "| %s | %s |\n", what, strings.Join(places[place][what], ", "))
		}
	}
	if *update {
		must(t, os.WriteFile(wherePage, []byte(b.String()), 0o644))
	}
	have, err := os.ReadFile(wherePage)
	must(t, err)
	if string(have) != b.String() {
		t.Error("docs/where.md is not what the tests say: go test ./internal/e2e -run TestWhere -update")
	}
}

// whereIn adds what the tests of a file say.
func whereIn(t *testing.T, file string, places map[string]map[string][]string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	must(t, err)
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Doc == nil {
			continue
		}
		for line := range strings.Lines(fn.Doc.Text()) {
			says, ok := strings.CutPrefix(strings.TrimSpace(line), whereMark)
			if !ok {
				continue
			}
			place, what, ok := strings.Cut(says, ": ")
			if !ok || !strings.HasPrefix(fn.Name.Name, "Test") {
				t.Errorf("%s: %s says %q, which is not PLACE: WHAT of a test", file, fn.Name.Name, says)
				continue
			}
			if places[place] == nil {
				places[place] = make(map[string][]string)
			}
			places[place][what] = append(places[place][what], fn.Name.Name)
		}
	}
}
