package internal

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The hard cases, A1 to K7, and which tests are about them.
//
// A test carries the ids of its cases in front: of its name (TestJ16Different),
// of its doc comment ("// A6, J1: what rests was verified."), of the name of one
// of its rows ("A2 emptied and open"), or, where it is a file below testdata, of
// the file's name or of its first comment ("# C6: a link"). An id anywhere else
// is prose.
//
// docs/cases.md is made of testdata/cases.txt and of what the tests carry:
//
//	go test ./internal -run TestCases -update
var update = flag.Bool("update", false, "write docs/cases.md anew")

// pending are cases without a test, with what they wait for. One that has a
// test must not be here.
var pending = map[string]string{}

// skips are the calls that may skip a test, as file, function and arguments, with
// where that happens.
var skips = map[string]string{
	"bench/bench_test.go:needsDocker: \"no Docker engine\"":                                                        "no Docker; a failure under TWOSYNC_REQUIRE_DOCKER",
	"bench/probe/probe_test.go:TestTreeSeesEveryDifference: err":                                                   "file systems without links",
	"bench/probe/toil_test.go:TestExpectAllHoldsThere: err":                                                        "file systems without links",
	"bench/standin/slowfs/slowfs_test.go:mounted: \"FUSE is not allowed here: %v\", err":                           "FUSE",
	"bench/standin/slowfs/slowfs_test.go:mounted: \"no FUSE here\"":                                                "FUSE",
	"host/root_test.go:TestRefuseRootOfStateToCome: err":                                                           "Windows without the right to make links",
	"host/target/docker_test.go:needDocker: err":                                                                   "no Docker; a failure under TWOSYNC_REQUIRE_DOCKER",
	"host/target/pipe_test.go:TestAbortDoesNotWaitForChildren: \"needs a shell\"":                                  "Windows",
	"internal/base/base_test.go:TestCompactionFails: \"writes some 200 MB\"":                                       "-short",
	"internal/disk/apply_test.go:TestApplyGroupAlone: \"needs root\"":                                              "not root",
	"internal/disk/apply_test.go:TestApplyHardLinked: err":                                                         "file systems without hard links",
	"internal/e2e/cluster_test.go:needCluster: err":                                                                "not root, or no cluster was built; a failure under TWOSYNC_REQUIRE_K8S",
	"internal/e2e/docker_test.go:needDocker: err":                                                                  "no Docker; a failure under TWOSYNC_REQUIRE_DOCKER",
	"internal/e2e/here_test.go:needTool: \"not installed: \", names":                                               "no editor, or the like; a failure under TWOSYNC_REQUIRE_DOCKER",
	"internal/e2e/odd_test.go:TestImmutable: \"only root may make a file immutable\"":                              "not root",
	"internal/e2e/room_test.go:mountSmall: \"only root may mount\"":                                                "not root",
	"internal/e2e/ways_test.go:long: \"-short\"":                                                                   "-short",
	"internal/failpoint/injected_test.go:TestInjected: \"starts some dozens of processes\"":                        "-short",
	"internal/failpoint/injected_test.go:TestInjected: err":                                                        "no strace, or nobody may be traced",
	"internal/failpoint/killed_test.go:TestKilled: \"starts some hundred processes\"":                              "-short",
	"internal/fsx/os_linux_test.go:TestCoarseStamps: \"mkfs: %v %s\", err, out":                                    "no e2fsprogs, or no loop devices",
	"internal/fsx/os_linux_test.go:TestCoarseStamps: \"mount: %v %s\", err, out":                                   "no e2fsprogs, or no loop devices",
	"internal/fsx/os_linux_test.go:TestExchangeOfImmutable: \"chattr: %s\", out":                                   "a file system without that flag, or not root",
	"internal/fsx/os_linux_test.go:mount: \"mount %s: %v\", fstype, err":                                           "not root, or no right to mount",
	"internal/fsx/os_linux_test.go:refuse: \"seccomp: %v\", errno":                                                 "kernels without seccomp",
	"internal/fsx/os_test.go:TestClosedDir: \"no descriptors here\"":                                               "Windows",
	"internal/hostile/bomb_test.go:TestBombs: \"the race detector takes the address space that is to be limited\"": "-race",
	"internal/hostile/print_test.go:terminal: \"no terminal: %v\", err":                                            "no pseudo-terminal to be had",
	"internal/ignore/git_test.go:gitRoot: \"git is not installed: nothing to compare with\"":                       "no git",
	"internal/ignore/git_test.go:gitRoot: \"the names of this test cannot be made here\"":                          "file systems that fold names",
	"internal/keep/keep_test.go:TestAdoptFromTmpfs: \"/dev/shm is no other file system\"":                          "other systems than Linux",
	"internal/keep/keep_test.go:TestAdoptFromTmpfs: \"no /dev/shm: \", err":                                        "other systems than Linux",
	"internal/reconcile/exhaustive_test.go:TestFull: \"without -full\"":                                            "two hours; with -full",
	"internal/reconcile/unison_test.go:TestUnison: err":                                                            "no Unison; a failure under TWOSYNC_REQUIRE_DOCKER",
	"internal/replicatest/send.go:testAdopt: \"the fixture opens no second replica on a root\"":                    "fixtures with one replica only",
	"internal/replicatest/suite_test.go:TestBroken: \"this is the broken one\"":                                    "it is run by another test, in another process",
	"internal/sim/simfs/differ_linux_test.go:TestDiffer: \"needs root, to be somebody else now and then\"":         "not root",
	"internal/sim/simfs/differ_linux_test.go:mount: \"mount:\", err":                                               "no right to mount; those seeds only",
	"internal/zoo/zoo_test.go:TestFound: \"takes a minute\"":                                                       "-short",
	"internal/soak/powercut_test.go:TestPowerCut: \"takes a minute\"":                                              "-short",
	"internal/soak/powercut_test.go:mountNew: \"no %s can be mounted here: %v %s\", kind, err, out":                "not root, or a kernel without that file system",
	"internal/soak/rig_test.go:needDocker: err":                                                                    "no Docker; a failure under TWOSYNC_REQUIRE_DOCKER",
	"internal/soak/soak_test.go:TestSoak: \"takes minutes\"":                                                       "-short",
	"internal/watch/random_linux_test.go:TestRandom: \"needs a tmpfs on /dev/shm:\", err":                          "no /dev/shm",
}

// layers say which layer of the search a test belongs to, by the longest prefix
// of its path.
var layers = map[string]string{
	"internal/reconcile/": "L1", "internal/engine/": "L1", "internal/tree/": "L1", "internal/delta/": "L1",
	"internal/ignore/": "L1", "internal/names/": "L1",
	"internal/disk/": "L2", "internal/watch/": "L2", "internal/replicatest/": "L2",
	"internal/engine/history_test.go": "L3", "internal/sim/": "L3",
	"internal/disk/fault_test.go": "L4", "internal/disk/crashes_test.go": "L4", "internal/disk/recover_test.go": "L4", "internal/base/": "L4", "internal/keep/": "L4", "internal/record/": "L4",
	"internal/run/": "L5", "internal/fsx/": "L5", "internal/e2e/": "L5", "host/": "L5", "bench/": "L5", "agent/": "L5",
	"internal/e2e/storms_test.go": "L6", "internal/soak/": "L6",
	"internal/failpoint/": "L5",
	"protocol/":           "L7", "internal/hostile/": "L7",
	"internal/ignore/git_test.go": "L8", "internal/reconcile/unison_test.go": "L8", "internal/e2e/rsync_test.go": "L8",
}

const layerWords = `L1 decisions, pure · L2 one disk, with a user in every gap · L3 both sides simulated · L4 crashes and errors at each step ·
L5 real kernel and programs · L6 storms in containers · L7 a hostile other side · L8 compared with another program`

var (
	idWord    = `(?:[A-H][0-9]+|[JK][0-9]+|I[0-9]+r)`
	idsInName = regexp.MustCompile(`^(?:Test|Fuzz)((?:` + idWord + `)+)(?:[A-Z_]|$)`)
	idsInDoc  = regexp.MustCompile(`^(` + idWord + `(?:, ` + idWord + `)*): `)
	idsInRow  = regexp.MustCompile(`^(` + idWord + `(?:[ _]` + idWord + `)*)[ _][A-Za-z]`)
	idsInFile = regexp.MustCompile(`^(` + idWord + `(?:-` + idWord + `)*)-`)
	idAlone   = regexp.MustCompile(idWord)
)

// proof is a test, or a row of one, and the ids in front of it.
type proof struct {
	ids  []string
	file string
	name string
}

func (p proof) layer() string {
	layer, longest := "", 0
	for prefix, l := range layers {
		if strings.HasPrefix(p.file, prefix) && len(prefix) > longest {
			layer, longest = l, len(prefix)
		}
	}
	if strings.HasPrefix(p.name, "Fuzz") {
		return "L7"
	}
	return layer
}

func TestCases(t *testing.T) {
	order, doc := knownCases(t)
	by := make(map[string][]proof)
	for _, p := range proofs(t) {
		for _, id := range p.ids {
			if doc[id] == "" {
				t.Errorf("%s: %q: no case has the id %s", p.file, p.name, id)
			}
			by[id] = append(by[id], p)
		}
		if p.layer() == "" {
			t.Errorf("%s: %q is in no layer", p.file, p.name)
		}
	}
	for _, id := range order {
		switch why, waits := pending[id]; {
		case waits && len(by[id]) > 0:
			t.Errorf("%s waits for %q, but has a test: %s", id, why, by[id][0].name)
		case !waits && len(by[id]) == 0:
			t.Errorf("%s has no test: %s", id, doc[id])
		}
	}
	text := casesPage(t, by)
	const page = "../docs/cases.md"
	if *update {
		if err := os.WriteFile(page, text, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if is, err := os.ReadFile(page); err != nil || !bytes.Equal(is, text) {
		t.Errorf("docs/cases.md is not what the tests say (%v): go test ./internal -run TestCases -update", err)
	}
}

// numbers are how many cases each letter has.
var numbers = map[string]int{"A": 12, "B": 14, "C": 12, "D": 17, "E": 14, "F": 10, "G": 10, "H": 11, "I": 11, "J": 17, "K": 7}

// knownCases returns the ids in order, and what each is about.
func knownCases(t *testing.T) ([]string, map[string]string) {
	t.Helper()
	var order []string
	doc := make(map[string]string)
	for line := range strings.Lines(casesText(t)) {
		id, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if id == "" || id == "#" {
			continue
		}
		order, doc[id] = append(order, id), text
	}
	for letter, n := range numbers {
		for i := 1; i <= n; i++ {
			id := letter + strconv.Itoa(i)
			if letter == "I" {
				id += "r"
			}
			if doc[id] == "" {
				t.Errorf("testdata/cases.txt does not say what %s is", id)
			}
		}
	}
	if len(order) != 135 {
		t.Errorf("%d cases, want 135", len(order))
	}
	return order, doc
}

func casesText(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("testdata/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// casesPage is docs/cases.md.
func casesPage(t *testing.T, by map[string][]proof) []byte {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The hard cases, and the tests that are about them\n\nMade by `go test ./internal -run TestCases -update`; the test fails where this page is stale, a case has no\ntest, or a test may be skipped that is not on a list. How a test carries the id of a case is written in\n`internal/cases_test.go`.\n\nLayers: %s.\n", layerWords)
	for line := range strings.Lines(casesText(t)) {
		id, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case id == "#":
			fmt.Fprintf(&b, "\n## %s\n\n| id | case | tests |\n|---|---|---|\n", text)
		case id != "":
			fmt.Fprintf(&b, "| %s | %s | %s |\n", id, text, testsOf(id, by[id]))
		}
	}
	return b.Bytes()
}

func testsOf(id string, ps []proof) string {
	if why, waits := pending[id]; waits {
		return "none yet: " + why
	}
	seen := make(map[string]bool)
	for _, p := range ps {
		name := strings.ReplaceAll(p.name, "|", "")
		seen[fmt.Sprintf("%s `%s` %s", p.layer(), strings.TrimPrefix(path.Dir(p.file), "internal/"), name)] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), "<br>")
}

// proofs returns all that carries an id.
func proofs(t *testing.T) []proof {
	t.Helper()
	var all []proof
	for _, s := range sources(t) {
		if s.isTest() {
			all = append(all, inFile(s)...)
		}
	}
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".txt" || !strings.Contains(filepath.ToSlash(p), "/testdata/") {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, ".."+string(filepath.Separator)))
		ids := idsIn(idsInFile, d.Name())
		if after, ok := strings.CutPrefix(string(text), "# "); ok {
			ids = append(ids, idsIn(idsInDoc, after)...)
		}
		if len(ids) > 0 {
			all = append(all, proof{ids: ids, file: rel, name: d.Name()})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// inFile returns the tests of a file that carry ids, and the rows.
func inFile(s source) []proof {
	var all []proof
	for _, d := range s.file.Decls {
		within := ""
		if f, ok := d.(*ast.FuncDecl); ok {
			within = f.Name.Name
			if ids := idsIn(idsInName, within); len(ids) > 0 {
				all = append(all, proof{ids, s.path, within})
			}
			isTest := strings.HasPrefix(within, "Test") || strings.HasPrefix(within, "Fuzz")
			if ids := idsIn(idsInDoc, f.Doc.Text()); isTest && len(ids) > 0 {
				all = append(all, proof{ids, s.path, within})
			}
			if !isTest {
				within = ""
			}
		}
		ast.Inspect(d, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil || strings.Contains(text, "\n") {
				return true
			}
			if ids := idsIn(idsInRow, text); len(ids) > 0 {
				all = append(all, proof{ids, s.path, strings.TrimSpace(within + " “" + text + "”")})
			}
			return true
		})
	}
	return all
}

func idsIn(where *regexp.Regexp, text string) []string {
	m := where.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	return idAlone.FindAllString(m[1], -1)
}

// TestSkips: a test that may be skipped is on the list, and the list holds no
// other.
func TestSkips(t *testing.T) {
	var found []string
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) && (len(call.Args) > 0 || isTester(sel.X)) {
					found = append(found, s.path+":"+f.Name.Name+": "+printed(t, s.fset, call.Args))
				}
				return true
			})
		}
	}
	for _, f := range found {
		if skips[f] == "" {
			t.Errorf("a test may be skipped that is not on the list: %q", f)
		}
	}
	for f := range skips {
		if !slices.Contains(found, f) {
			t.Errorf("on the list of skips, but not there: %q", f)
		}
	}
}

// isTester says whether an expression is a test by its name: t, or a field t.
func isTester(x ast.Expr) bool {
	if sel, ok := x.(*ast.SelectorExpr); ok {
		x = sel.Sel
	}
	id, ok := x.(*ast.Ident)
	return ok && slices.Contains([]string{"t", "b", "f", "tb"}, id.Name)
}

func printed(t *testing.T, fset *token.FileSet, args []ast.Expr) string {
	t.Helper()
	var all []string
	for _, a := range args {
		var b bytes.Buffer
		if err := format.Node(&b, fset, a); err != nil {
			t.Fatal(err)
		}
		all = append(all, b.String())
	}
	return strings.Join(all, ", ")
}
