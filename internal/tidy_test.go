package internal

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/twosync/twosync/"

// mayImport says what of ours each package may import.
var mayImport = map[string][]string{
	"internal/tree":        {},
	"internal/delta":       {},
	"internal/ignore":      {},
	"internal/names":       {},
	"internal/fsx":         {"internal/tree"},
	"internal/fsx/fsxtest": {"internal/fsx"},
	"internal/record":      {"internal/tree", "internal/fsx"},
	"internal/reconcile":   {"internal/tree"},
	"internal/engine":      {"internal/tree", "internal/reconcile"},
	"internal/replica":     {"internal/tree", "internal/delta"},
	"internal/watch":       {},
	"internal/disk":        {"internal/tree", "internal/delta", "internal/ignore", "internal/fsx", "internal/record", "internal/replica", "internal/watch"},
	"internal/base":        {"internal/tree", "internal/fsx", "internal/record", "internal/replica"},
	"internal/keep":        {"internal/tree", "internal/fsx", "internal/record", "internal/replica"},
	"internal/replicatest": {"internal/tree", "internal/replica", "internal/ignore", "internal/delta"},
	"internal/run":         {"internal/tree", "internal/names", "internal/ignore", "internal/engine", "internal/reconcile", "internal/replica", "internal/base", "internal/keep"},
	"protocol":             {"internal/tree", "internal/delta", "internal/record", "internal/replica"},
	"agent":                {"internal/tree", "internal/disk", "protocol"},
	"agent/twosync-agent":  {"agent"},
	"host/target":          {"host/agents", "protocol"},
	"host/agents":          {"protocol"},
	"host":                 nil,                                              // anything
	"host/twosync":         {"host", "internal/fsx", "internal/fsx/fsxtest"}, // but for host, with the tag failpoints only
	"bench":                nil,
	"internal/e2e":         nil,
	"internal/busybox":     {},
	"internal/sim":         nil, // anything
	"internal/cluster":     {},
	"internal/sim/simfs":   {"internal/tree", "internal/fsx", "internal/watch"},
	"internal/soak":        {"internal/busybox"},
	"internal/failpoint":   {},
	"internal/zoo":         {},
	"internal/hostile":     {},
}

// pure packages decide. They read no file, no clock and start nothing.
var pure = []string{"internal/tree", "internal/delta", "internal/ignore", "internal/names", "internal/reconcile", "internal/engine"}

// impure is what they must not import, with what they would do with it.
var impure = []string{"os", "net", "sync", "log", "log/slog", "os/exec", "syscall", "context", "math/rand", "math/rand/v2", "crypto/rand"}

// mayStart are the packages with goroutines and channels; doc.go says which.
var mayStart = []string{"internal/run", "internal/sim", "internal/disk", "internal/watch", "protocol", "agent", "host", "host/target", "bench"}

// Limits of the house rules.
const (
	maxFunc = 70
	maxFile = 400
)

// source is one parsed file that is no test.
type source struct {
	path string // below the module's root
	dir  string
	text []byte
	file *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (strings.HasPrefix(name, ".") && name != ".." || name == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, ".."+string(filepath.Separator)))
		all = append(all, source{rel, path.Dir(rel), text, f, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func TestFormat(t *testing.T) {
	for _, s := range sources(t) {
		if want, err := format.Source(s.text); err != nil || !bytes.Equal(want, s.text) {
			t.Errorf("%s: not formatted by gofmt", s.path)
		}
	}
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		allowed, known := mayImport[s.dir]
		if !known && s.dir != "internal" && !strings.HasPrefix(s.dir, "examples") && !strings.HasPrefix(s.dir, "bench/") {
			t.Errorf("%s: package %s is not on the map in tidy_test.go", s.path, s.dir)
		}
		for _, imp := range s.file.Imports {
			name := strings.Trim(imp.Path.Value, `"`)
			if slices.Contains(pure, s.dir) && slices.Contains(impure, name) {
				t.Errorf("%s: a pure package imports %s", s.path, name)
			}
			ours, ok := strings.CutPrefix(name, module)
			if ok && allowed != nil && !slices.Contains(allowed, ours) {
				t.Errorf("%s: %s must not import %s", s.path, s.dir, ours)
			}
		}
	}
}

func TestGoroutines(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || slices.Contains(mayStart, s.dir) || strings.HasPrefix(s.dir, "bench") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a goroutine is started where none may be", s.fset.Position(n.Pos()))
			case *ast.ChanType:
				t.Errorf("%s: a channel where none may be", s.fset.Position(n.Pos()))
			}
			return true
		})
	}
}

func TestClocks(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || !slices.Contains(pure, s.dir) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if x, isIdent := selX(sel, ok); isIdent && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "NewTimer"}, sel.Sel.Name) {
				t.Errorf("%s: a pure package reads the clock", s.fset.Position(n.Pos()))
			}
			return true
		})
	}
}

func selX(sel *ast.SelectorExpr, ok bool) (*ast.Ident, bool) {
	if !ok {
		return nil, false
	}
	x, isIdent := sel.X.(*ast.Ident)
	return x, isIdent
}

func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		if n := bytes.Count(s.text, []byte("\n")); n > maxFile {
			t.Errorf("%s: %d lines, at most %d", s.path, n, maxFile)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; n > maxFunc {
				t.Errorf("%s: %s has %d lines, at most %d", s.path, f.Name.Name, n, maxFunc)
			}
		}
	}
}

func TestPackageDocs(t *testing.T) {
	documented := make(map[string]bool)
	for _, s := range sources(t) {
		documented[s.dir] = documented[s.dir] || s.file.Doc != nil && !s.isTest()
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", dir)
		}
	}
}

// TestPaths: outside of fsx the file system is reached through fsx only, on
// both sides of the seam.
func TestPaths(t *testing.T) {
	calls := []string{"Open", "OpenFile", "Create", "Remove", "RemoveAll", "Rename", "Mkdir", "MkdirAll", "WriteFile", "Symlink", "Link", "Chmod", "Chown", "Truncate", "ReadDir"}
	for _, s := range sources(t) {
		if s.isTest() || !slices.Contains([]string{"internal/disk", "internal/base", "internal/keep", "internal/record", "internal/run"}, s.dir) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if x, isIdent := selX(sel, ok); isIdent && x.Name == "os" && slices.Contains(calls, sel.Sel.Name) {
				t.Errorf("%s: os.%s beside the file-system seam", s.fset.Position(n.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}
