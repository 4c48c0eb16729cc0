package ignore

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	gitSets = flag.Int("ignore.sets", 400, "rule sets to compare with git")
	gitSeed = flag.Uint64("ignore.seed", 0, "seed of the comparison with git; 0 takes one from the clock")
)

const (
	pathsPerSet = 100
	setsPerRun  = 100 // one git process for so many: each set in its own folder
)

// gitSays is one answer of git check-ignore.
type gitSays struct {
	line    int // 0: no pattern matched
	source  string
	pattern string
}

// askGit asks git about all paths in one process. Paths that exist as
// directories are directories, all others are files.
func askGit(t *testing.T, root string, paths []string) []gitSays {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := gitCommand(ctx, root, "check-ignore", "--no-index", "--stdin", "-z", "-v", "-n")
	// The dot keeps git from taking a colon at the start for its own syntax.
	cmd.Stdin = strings.NewReader("./" + strings.Join(paths, "\x00./") + "\x00")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 { // 1: nothing is ignored
		t.Fatalf("git check-ignore: %v: %s", err, stderr.Bytes())
	}
	fields := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(fields) != 4*len(paths) {
		t.Fatalf("git answered with %d fields for %d paths: %s", len(fields), len(paths), stderr.Bytes())
	}
	says := make([]gitSays, len(paths))
	for i := range says {
		f := fields[4*i : 4*i+4]
		if f[3] != "./"+paths[i] {
			t.Fatalf("git answered about %q where %q was asked", f[3], paths[i])
		}
		line, _ := strconv.Atoi(f[1])
		says[i] = gitSays{line: line, source: f[0], pattern: f[2]}
	}
	return says
}

// gitCommand keeps the machine's and the user's settings out.
func gitCommand(ctx context.Context, root string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{
		"-c", "core.excludesFile=" + filepath.Join(root, ".git", "first"),
		"-c", "core.ignoreCase=false", "-c", "core.precomposeUnicode=false",
	}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(root), "GIT_DIR="+filepath.Join(root, ".git"), "LC_ALL=C")
	return cmd
}

func gitRoot(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("TWOSYNC_REQUIRE_DOCKER") == "1" {
			t.Fatal(err)
		}
		t.Skip("git is not installed: nothing to compare with")
	}
	if os.PathSeparator != '/' {
		t.Skip("the names of this test cannot be made here")
	}
	root := memoryDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := gitCommand(ctx, root, "init", "-q", root).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	return root
}

// memoryDir prefers a file system in memory: thousands of directories are made
// here, which takes a disk ten times as long.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ignore")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func write(t *testing.T, text string, elem ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(elem...), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ruleSet is a set of rules with paths to ask about.
type ruleSet struct {
	text  string
	paths []string
	dirs  map[string]bool
}

// makeDirs makes the directories of the set below root, and drops the paths
// that the file system would not hold.
func (s *ruleSet) makeDirs(t *testing.T, root string) {
	t.Helper()
	for p := range s.dirs {
		if err := os.MkdirAll(filepath.Join(root, p), 0o700); err != nil {
			t.Fatal(err)
		}
		for ; p != "."; p = path.Dir(p) {
			s.dirs[p] = true
		}
	}
}

// compare checks our answers about one set against git's.
func (s *ruleSet) compare(t *testing.T, r *Rules, says []gitSays) (wrong int) {
	t.Helper()
	for i, p := range s.paths {
		want := says[i].line > 0 && !strings.HasPrefix(says[i].pattern, "!")
		if got := r.Ignored(p, s.dirs[p]); got != want {
			wrong++
			t.Errorf("Ignored(%q, %v) = %v, git says %v by line %d %q\nrules %q",
				p, s.dirs[p], got, want, says[i].line, says[i].pattern, s.text)
		}
		if rule, _ := r.Rule(p, s.dirs[p]); rule.Line != says[i].line {
			wrong++
			t.Errorf("Rule(%q, %v) is line %d %q, git says line %d %q\nrules %q",
				p, s.dirs[p], rule.Line, rule.Text, says[i].line, says[i].pattern, s.text)
		}
		checkWalk(t, r, p, s.dirs[p])
	}
	return wrong
}

// checkWalk checks that a walk from the root down comes to what Ignored says.
func checkWalk(t *testing.T, r *Rules, p string, isDir bool) {
	t.Helper()
	want := r.Ignored(p, isDir)
	got := false
	for i := 0; i <= len(p) && !got; i++ {
		if i < len(p) && p[i] != '/' {
			continue
		}
		parent, name := path.Split(p[:i])
		got = r.Match(strings.TrimSuffix(parent, "/"), name, isDir || i < len(p))
	}
	if got != want {
		t.Errorf("walking to %q (dir %v) with Match: %v, Ignored: %v\nrules %q", p, isDir, got, want, r.Text())
	}
}

// K6: compares random rules and paths with git, everyday ones and such as
// nobody would write.
func TestGit(t *testing.T) {
	seed := *gitSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("again with: go test -run TestGit -args -ignore.seed=%d -ignore.sets=%d", seed, *gitSets)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for done := 0; done < *gitSets && !t.Failed(); done += setsPerRun {
		compareSets(t, rnd, min(setsPerRun, *gitSets-done))
	}
}

func compareSets(t *testing.T, rnd *rand.Rand, n int) {
	t.Helper()
	root := gitRoot(t)
	defer os.RemoveAll(root) // long runs would fill the disk
	sets := make([]*ruleSet, n)
	var paths []string
	for i := range sets {
		s := randomSet(rnd, i%2 == 0)
		sets[i] = s
		folder := strconv.Itoa(i)
		s.makeDirs(t, filepath.Join(root, folder))
		write(t, s.text, root, folder, ".gitignore")
		for _, p := range s.paths {
			paths = append(paths, folder+"/"+p)
		}
	}
	says := askGit(t, root, paths)
	wrong := 0
	for i, s := range sets {
		r := mustNew(t, Parse("file", s.text))
		wrong += s.compare(t, r, says[i*pathsPerSet:(i+1)*pathsPerSet])
		if wrong > 5 {
			t.Fatal("and so on")
		}
	}
}

// TestGitGroups compares groups with git's three places for rules, at the root.
func TestGitGroups(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	for i := range 20 {
		root := gitRoot(t)
		sets := [3]*ruleSet{randomSet(rnd, i%2 == 0), randomSet(rnd, true), randomSet(rnd, true)}
		files := [3]string{".git/first", ".git/info/exclude", ".gitignore"}
		var groups []Group
		for k, s := range sets {
			write(t, s.text, root, files[k])
			groups = append(groups, Parse(files[k], s.text))
		}
		s := sets[0]
		s.makeDirs(t, root)
		r := mustNew(t, groups...)
		for k, say := range askGit(t, root, s.paths) {
			p := s.paths[k]
			rule, _ := r.Rule(p, s.dirs[p])
			if rule.Line != say.line || say.line > 0 && !strings.HasSuffix(say.source, rule.Source) {
				t.Fatalf("Rule(%q, %v) is %s %q, git says %s:%d %q", p, s.dirs[p], rule.Where(), rule.Text, say.source, say.line, say.pattern)
			}
		}
	}
}

// TestGitClasses compares every class with git, byte by byte.
func TestGitClasses(t *testing.T) {
	root := gitRoot(t)
	var paths []string
	names := []string{"alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit", "word", ""}
	for _, class := range names {
		if err := os.Mkdir(filepath.Join(root, "c"+class), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, classRules(class), root, "c"+class, ".gitignore")
		for b := 1; b < 256; b++ {
			if b != '/' && b != '.' {
				paths = append(paths, "c"+class+"/"+string([]byte{byte(b)}))
			}
		}
	}
	says := askGit(t, root, paths)
	for i, p := range paths {
		dir, name := path.Split(p)
		r := mustNew(t, Parse("file", classRules(dir[1:len(dir)-1])))
		if rule, _ := r.Rule(name, false); rule.Line != says[i].line {
			t.Errorf("%q in %q: line %d, git says %d", name, dir, rule.Line, says[i].line)
		}
	}
}

func classRules(class string) string { return "[^[:" + class + ":]]\n[[:" + class + ":]]\n" }

func mustNew(t testing.TB, groups ...Group) *Rules {
	t.Helper()
	r, err := New(groups...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// randomSet makes rules, and paths that have a chance to match them.
func randomSet(rnd *rand.Rand, everyday bool) *ruleSet {
	g := generator{Rand: rnd, everyday: everyday}
	s := &ruleSet{text: g.file(), dirs: make(map[string]bool)}
	patterns := Parse("", s.text)
	for len(s.paths) < pathsPerSet {
		p := g.path()
		if len(patterns) > 0 && g.IntN(2) == 0 {
			p = g.instance(patterns[g.IntN(len(patterns))].Text)
		}
		if p == "" || path.Base(p) == ".gitignore" && everyday {
			continue
		}
		s.paths = append(s.paths, p)
		if g.IntN(6) == 0 && path.Base(p) != ".gitignore" && !strings.Contains(p, ".gitignore/") {
			s.dirs[p] = true
		}
	}
	slices.Sort(s.paths) // git looks for less on disk where neighbours share folders
	return s
}

type generator struct {
	*rand.Rand
	everyday bool
}

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *generator) file() string {
	var b strings.Builder
	if g.IntN(8) == 0 {
		b.WriteString("\ufeff")
	}
	end := "\n"
	if g.IntN(6) == 0 {
		end = "\r\n"
	}
	for range 1 + g.IntN(12) {
		if g.everyday {
			b.WriteString(g.everydayPattern())
		} else {
			b.WriteString(g.wildPattern())
		}
		b.WriteString(end)
	}
	if g.IntN(4) == 0 {
		return strings.TrimSuffix(b.String(), end)
	}
	return b.String()
}

func (g *generator) word() string {
	return g.pick("a", "b", "ab", "build", "src", "node_modules", "x.o", "y.log", "main.go", ".env", "foo", "bar", "foo bar", "é", "a.b.c")
}

func (g *generator) everydayPattern() string {
	var p string
	switch g.IntN(14) {
	case 0, 1, 2:
		p = g.word()
	case 3:
		p = "*" + g.pick(".o", ".log", ".go", "~", "oo", ".b.c")
	case 4:
		p = "/" + g.word()
	case 5:
		p = g.word() + "/" + g.word()
	case 6:
		p = "**/" + g.word()
	case 7:
		p = g.word() + "/**"
	case 8:
		p = g.word() + "/**/" + g.word()
	case 9:
		p = g.word() + "/*"
	case 10:
		p = g.word() + "/*" + g.pick(".o", ".log", ".go")
	case 11:
		p = g.pick("*.[oa]", "?.o", "[a-f]*", "b?r", "*.*", "*", "[!a]", "/*", "/*/", "**", "fo*r")
	case 12:
		return g.pick("", "# a comment", "   ", `\#x`, `\!a`, `foo\ `, "foo ", "bar  ", "\tfoo", "/", "!")
	case 13:
		p = g.word() + "/" + g.pick("*", "**", g.word()) + "/" + g.word()
	}
	if g.IntN(4) == 0 {
		p += "/"
	}
	if g.IntN(4) == 0 {
		p = "!" + p
	}
	return p
}

func (g *generator) wildPattern() string {
	var b strings.Builder
	if g.IntN(5) == 0 {
		b.WriteByte('!')
	}
	if g.IntN(3) == 0 { // wildcards that must be tried again and again
		for range 3 + g.IntN(12) {
			b.WriteString(g.pick("a", "a", "b", "/", "*", "**", "**/", "/**/", "?", `\/`))
		}
		return b.String()
	}
	for range 1 + g.IntN(9) {
		b.WriteString(g.pick("a", "b", "c", "a", "b", "/", "/", "/", "*", "*", "**", "**/", "/**", "/**/", "***", "?", "?",
			`\`, `\a`, `\*`, `\/`, `\[`, "[", "]", "[ab]", "[!a]", "[^b]", "[a-c]", "[c-a]", "[]a]", "[!]a]", "[]-a]", "[a-]", "[-a]", `[\]]`, `[\\-a]`, `[a-\c]`,
			"[a/b]", "[^/]", "[[:alpha:]]", "[[:alpha:]-z]", "[a-[:digit:]]", "[^[:upper:][:digit:]]", "[[:bad:]]", "[[:alpha]", "[[:alpha:]", "[[a]", "[a-b-c]", "[[:]", "[[::]]", "[:a:]",
			"!", "#", " ", `\ `, "-", ".", "..", "\r", "\t", "\x00", "é", "\xff", "\x80", "^", "{a,b}", "~", ":"))
	}
	return b.String()
}

func (g *generator) path() string {
	names := make([]string, 1+g.IntN(4))
	plain := !g.everyday && g.IntN(3) == 0
	for i := range names {
		if plain {
			names[i] = g.pick("a", "b", "ab", "aa", "ba", "aab", "abab")
			continue
		}
		if g.everyday {
			names[i] = g.word()
			continue
		}
		for range 1 + g.IntN(4) {
			names[i] += g.pick("a", "b", "c", "a", "b", "*", "?", "[", "]", `\`, "-", "!", "#", " ", ".x", "z", "A", "1", "é", "\xff", "\x80", "^", ":", "\r", "\t", "~")
		}
	}
	return cleanPath(strings.Join(names, "/"))
}

// instance makes a path out of a pattern, so that the pattern has a chance.
func (g *generator) instance(text string) string {
	text = strings.TrimPrefix(text, "!")
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '*' && strings.HasPrefix(text[i:], "**/"):
			i += 2
			b.WriteString(g.pick("", "", "a/", "b/c/", "src/"))
		case c == '*':
			b.WriteString(g.pick("", "a", "b", "ab", "a/b", "foo"))
		case c == '?':
			b.WriteString(g.pick("a", "b", "c", "é"))
		case c == '[':
			if n := strings.IndexByte(text[i+1:], ']'); n >= 0 && g.IntN(4) > 0 {
				i += n + 1
			}
			b.WriteString(g.pick("a", "b", "c", "-", "]", "["))
		case c == '\\' && g.IntN(3) > 0:
		default:
			b.WriteByte(c)
		}
	}
	p := b.String()
	switch g.IntN(6) {
	case 0:
		p = g.pick("a/", "b/", "src/") + p
	case 1, 2:
		p += g.pick("/a", "/b", "/a/b", "a", "/foo")
	}
	return cleanPath(p)
}

// cleanPath makes p a path as the package wants it, "" if there is none left.
func cleanPath(p string) string {
	var names []string
	for name := range strings.SplitSeq(p, "/") {
		name = strings.Trim(name, "\x00")
		if name != "" && name != "." && name != ".." && guard(name) == nil {
			names = append(names, strings.ReplaceAll(name, "\x00", ""))
		}
	}
	return strings.Join(names, "/")
}

func TestGeneratorReachesEverything(t *testing.T) {
	g := generator{Rand: rand.New(rand.NewPCG(1, 1))}
	seen := make(map[string]bool)
	for range 20_000 {
		r := compile(g.wildPattern())
		for _, o := range r.ops {
			seen[fmt.Sprint("kind ", o.kind)] = true
		}
		_, form := r.tail()
		seen[fmt.Sprint("tail ", form)] = true
	}
	if want := int(never) + 1 + int(tailStart) + 1; len(seen) != want {
		t.Errorf("random patterns compiled to %d of %d forms: %v", len(seen), want, seen)
	}
}
