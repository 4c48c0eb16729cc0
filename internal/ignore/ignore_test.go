package ignore

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestPatterns says what patterns mean, for people; TestGit says it better.
// A path that ends in a slash is a directory; "-" before a path: not ignored.
func TestPatterns(t *testing.T) {
	tests := []struct {
		name, rules, paths string // paths separated by "|"
	}{
		{"name at any depth", "foo", "foo|a/foo|a/foo/|foo/x|-foox|-xfoo"},
		{"anchored", "/foo", "foo|foo/x|-a/foo"},
		{"slash inside anchors", "a/b", "a/b|a/b/c|-x/a/b|-b"},
		{"directory only", "foo/", "foo/|a/foo/|foo/x|-foo|-a/foo"},
		{"extension", "*.o", "a.o|x/b.o|.o|a.o/x|-a.oo|-o"},
		{"one star stays in its directory", "a/*", "a/b|a/b/c|-a|-b/a/c"},
		{"one byte, not one letter", "a?c", "abc|-a\u00e9c|-ac|-a/c"},
		{"two bytes for one letter", "a??c", "a\u00e9c|abbc"},
		{"leading **", "**/foo", "foo|a/foo|a/b/foo|-xfoo"},
		{"leading ** and directory", "**/a/b", "a/b|x/a/b|x/y/a/b|-xa/b"},
		{"trailing **", "a/**", "a/b|a/b/c|-a|-a/|-b/a/c"},
		{"** inside", "a/**/b", "a/b|a/x/b|a/x/y/b|-ab|-a/xb|-x/a/b"},
		{"** twice", "a/**/b/**/c", "a/b/c|a/x/b/c|a/b/y/c|a/b/x/b/y/c|-a/c"},
		{"** alone", "**", "a|a/b|a/"},
		{"** beside letters is *", "x/a**b", "x/ab|x/axb|-x/a/b"},
		{"but not after a literal start", "a**/x", "ax|a/x|abc/d/x|-bax"},
		{"set", "[abc]x", "ax|cx|-dx|-x"},
		{"set inverted", "[!a-c]x|[^d]y", "dx|ay|-ax|-dy"},
		{"set with ] and -", "[]a-]x", "]x|ax|-x|-bx"},
		{"set with class", "[[:digit:]_]x", "1x|_x|-ax"},
		{"set matches no slash", "a[/]b|c[^x]d", "-a/b|-c/d|ced"},
		{"set not closed", "[abc", "-a|-[abc"},
		{"unknown class", "[[:nope:]]", "-n|-[|-:"},
		{"quoted", `\!a|\#b|\*c|d\?`, "!a|#b|*c|d?|-a|-b|-xc|-dx"},
		{"quoted, common", `\foo`, "foo"},
		{"backslash at the end", `a\`, `-a|-a\`},
		{"spaces at the end", "a  |b\\ |c\\  ", "a|b |c |-a |-b|-c"},
		{"tab at the end stays", "a\t", "a\t|-a"},
		{"comment, and not", "#a|b#|!#c", "b#|-#a|-#c"},
		{"only a negation mark", "!|!!|a", "a|-!"},
		{"only a slash", "/|//", "-a|-a/"},
		{"slashes in a row", "a//b|c//", "-a/b|-c/"},
		{"invalid UTF-8", "\xff*", "\xff|\xffa|-a"},
		{"long", strings.Repeat("a", 5000) + "*", strings.Repeat("a", 6000) + "|-a"},
		{"upper case differs (K6)", "Foo|*.O", "Foo|a.O|-foo|-a.o"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkPaths(t, mustNew(t, Parse("f", strings.ReplaceAll(tt.rules, "|", "\n"))), tt.paths)
		})
	}
}

func checkPaths(t *testing.T, r *Rules, paths string) {
	t.Helper()
	for p := range strings.SplitSeq(paths, "|") {
		p, not := strings.CutPrefix(p, "-")
		p, isDir := strings.CutSuffix(p, "/")
		if got := r.Ignored(p, isDir); got != !not {
			t.Errorf("Ignored(%.60q, %v) = %v", p, isDir, got)
		}
		checkWalk(t, r, p, isDir)
	}
}

// K6: children of an ignored directory that are taken back.
func TestLastMatchWins(t *testing.T) {
	tests := []struct{ name, rules, paths string }{
		{"taken back", "*.o|!keep.o", "a.o|-keep.o|-x/keep.o"},
		{"and ignored again", "*.o|!keep.o|/keep.o", "keep.o|-x/keep.o"},
		{"K6 not below an ignored directory", "build/|!build/keep", "build/|build/keep|-build"},
		{"K6 below build/* it can be", "build/*|!build/keep", "-build/|build/x|-build/keep|-build/keep/x"},
		{"K6 level by level", "/*|!/a|/a/*|!/a/b", "x|-a/|a/x|-a/b|-a/b/c"},
		{"K6 trailing slash takes back directories only", "x|!x/", "x|-x/|-x/y"},
		{"a literal start and ** reach below what is taken back", "/foo**|!/foobar/", "foo|-foobar/|foobar/x|foobar/x/foo"},
		{"all but one kind", "*|!*/|!*.go", "a.o|x/a.o|-a.go|-x/a.go|-x/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkPaths(t, mustNew(t, Parse("f", strings.ReplaceAll(tt.rules, "|", "\n"))), tt.paths)
		})
	}
}

func TestParse(t *testing.T) {
	text := "\ufeff# comment\r\na\r\n\r\n  \n\\#b  \n!c\x00d\n\ufeffe\n\rf\nlast\r"
	got := Parse("file", text)
	want := Group{
		{"a", "file", 2}, {`\#b`, "file", 5}, {"!c", "file", 6},
		{"\ufeffe", "file", 7}, {"\rf", "file", 8}, {"last", "file", 9},
	}
	if len(got) != len(want) {
		t.Fatalf("Parse = %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("pattern %d = %v, want %v", i, got[i], want[i])
		}
	}
}

func TestGroups(t *testing.T) {
	r := mustNew(t, BuiltIn(), Literal("--ignore", "node_modules", "#x", "y "), Parse(".twosyncignore", "*.o\n!z~\n"))
	checkPaths(t, r, "a~|-z~|node_modules/|a/node_modules/b|#x|y |-y|a.o|-a.go")
	if r := mustNew(t, Parse("f", "*.o"), Parse("f", "!a.o")); r.Ignored("a.o", false) {
		t.Error("an earlier group won")
	}
}

func TestWhy(t *testing.T) {
	r := mustNew(t, BuiltIn(), Literal("--keep", "node_modules"), Parse(".twosyncignore", "# c\n*.o\n!keep.o\n/.git\n"))
	tests := []struct {
		path         string
		isDir        bool
		rule, source string
	}{
		{"a~", false, "*~", "built-in"},
		{"x/node_modules/a/b", false, "node_modules", "--keep"},
		{"x/a.o", false, "*.o", ".twosyncignore:2"},
		{"keep.o", false, "", ""},
		{"a~", true, "", ""},
		{"main.go", false, "", ""},
		{"", true, "", ""},
		{"a/.git/config", false, ".git", "always"},
		{"a/.twosync", true, ".twosync", "always"},
	}
	for _, tt := range tests {
		rule, source, ok := r.Why(tt.path, tt.isDir)
		if rule != tt.rule || source != tt.source || ok != (tt.rule != "") {
			t.Errorf("Why(%q, %v) = %q, %q, %v", tt.path, tt.isDir, rule, source, ok)
		}
	}
	if p, ok := r.Rule("keep.o", false); !ok || p.Text != "!keep.o" || p.Where() != ".twosyncignore:3" {
		t.Errorf("Rule(keep.o) = %v, %v", p, ok)
	}
}

// A3, A4, A5, A11: helper files of editors, and beside them names that people
// give.
func TestTemporaries(t *testing.T) {
	ignored := ".main.go.swp .main.go.swo .main.go.swx .main.go.swpx .swp .swn main.go~ .bashrc~ " +
		"x.js___jb_tmp___ x.js___jb_old___ .goutputstream-1A2B3C .#main.go #main.go# .x.txt.kate-swp " +
		"prog-go-tmp-umask .DS_Store ._photo.jpg .nfs000000000012a4f500000001 .fuse_hidden0000a1b200000001"
	crosses := "main.go .env .swift a.swp .a.swf sedentary sedAb3De9 4913 5036 #include # a#b .nfsd .fuse_hidden goutputstream-123456 " +
		"tmp.txt __pycache__ .idea node_modules vendor Thumbs.db a.bak a.orig a~b"
	r := mustNew(t, BuiltIn())
	for name := range strings.FieldsSeq(ignored) {
		for _, p := range []string{name, "src/" + name} {
			if !r.Ignored(p, false) {
				t.Errorf("%q crosses", p)
			}
			if r.Ignored(p, true) || r.Ignored(p+"/x", false) {
				t.Errorf("the directory %q is ignored", p)
			}
		}
		if r := mustNew(t, BuiltIn(), Parse("f", `!\`+name)); r.Ignored(name, false) {
			t.Errorf("%q cannot be taken back", name)
		}
	}
	for name := range strings.FieldsSeq(crosses) {
		if rule, _, ok := r.Why(name, false); ok {
			t.Errorf("%q is ignored by %q", name, rule)
		}
	}
	for _, n := range append(Temporaries[:], Always[:]...) {
		if n.Because == "" || flaw(n.Text) != "" {
			t.Errorf("%q: because %q, flaw %q", n.Text, n.Because, flaw(n.Text))
		}
	}
}

// F10: names that some file system takes for a protected one.
func TestF10(t *testing.T) {
	protected := []string{
		".git", ".GIT", ".Git", ".g\u200cit", "\u200d.git", ".git\ufeff", ".gi\u202et", ".g\u206ait", ".gi\ufe0ft", ".g\u00adit",
		"GIT~1", "git~1", "gi\u200ct~1", "Git~4", ".git ", ".git.", ".git. .", ".git::$INDEX_ALLOCATION", ".git:x", `.git\config`, "git~1.", "git~1:x",
		".twosync", ".TwoSync", ".two\u200csync", "TWOSYN~1", ".twosync.",
		".hg", ".HG", "hg~1", ".svn", ".SvN", ".\u017fvn", "SVN~1", "\u017fvn~2",
	}
	free := []string{
		"git", ".gitignore", ".github", ".gitmodules", ".git-old", ".gi", ".g", ".", "GIT~", "GIT~0", "GIT~5", "git~11", "agit~1", "x.git", ".git x",
		".gitt", ".hgignore", "hg", ".svnx", ".g\u0131t", ".g\u00eft", ".git\xff", "\xff.git", ".twosyncignore", "twosync", "\u200c", "",
	}
	r := mustNew(t, Parse("f", "!*\n!.git\n!/.twosync/\n!.*"))
	for _, rules := range []*Rules{r, nil, {}} {
		for _, name := range protected {
			for _, p := range []string{name, name + "/x", "a/" + name, "a/" + name + "/x"} {
				if !rules.Ignored(p, false) || !rules.Ignored(p, true) {
					t.Errorf("%+q crosses", p)
				}
				checkWalk(t, rules, p, true)
			}
		}
		for _, name := range free {
			if rules.Ignored(name, true) || rules.Ignored("a/"+name, false) {
				t.Errorf("%+q is ignored", name)
			}
		}
	}
}

// H5: below the root it is the folder of a session of its own.
func TestOwnFolder(t *testing.T) {
	r := mustNew(t, Parse("f", "!.twosync"))
	checkPaths(t, r, ".twosync/|.twosync/lock|.TwoSync/|.two\u200csync/x|TWOSYN~1/|.twosync.|a/.twosync/|a/.twosync/x|-.twosyncignore|-a/.twosyncignore")
}

func TestFlaws(t *testing.T) {
	r := mustNew(t, Parse("f", "[ab\nx/[[:no:]]\nfoo\\\n./a\n../a\na/./b\na//b\n!\n/\na//\n.\n"))
	if flaws := r.Flaws(); len(flaws) != 11 {
		t.Errorf("%d flaws: %v", len(flaws), flaws)
	}
	r = mustNew(t, BuiltIn(), Parse("f", "[ab]\n/a/b/\n!x\n**\n**/a\na/**\n[./../x]y\n\\.x\n.a\n..a\n"))
	for _, f := range r.Flaws() {
		t.Errorf("%q has no flaw, said: %s", f.Text, f.Reason)
	}
}

// TestFlawsNeverMatch checks that Flaws accuses nobody who is innocent.
func TestFlawsNeverMatch(t *testing.T) {
	g := generator{Rand: rand.New(rand.NewPCG(3, 3))}
	accused := 0
	for range 20_000 {
		text := strings.TrimPrefix(g.wildPattern(), "!")
		r, err := New(Parse("f", text))
		if err != nil || len(r.Flaws()) == 0 {
			continue
		}
		accused++
		for range 5 {
			if p := g.instance(text); p != "" && r.Ignored(p, true) {
				t.Fatalf("%q matches %q, Flaws says it cannot: %s", text, p, r.Flaws()[0].Reason)
			}
		}
	}
	if accused < 1000 {
		t.Errorf("only %d patterns had flaws", accused)
	}
}

// TestLongNames checks that no pattern is slow: each of these would take longer
// than the test may run if wildcards were tried in every combination.
func TestLongNames(t *testing.T) {
	name := strings.Repeat("a", 255)
	deep := strings.Repeat("a/", 255) + "a"
	for _, rule := range []string{
		strings.Repeat("*a", 60) + "b", strings.Repeat("a*", 60) + "[b]",
		strings.Repeat("**/a/", 60) + "b", strings.Repeat("**/*a*/", 60) + "*b*",
		strings.Repeat("a*/**/", 60) + "?b",
	} {
		r := mustNew(t, Parse("f", rule))
		if r.Ignored(name, false) || r.Ignored(deep, false) {
			t.Errorf("%q matches", rule)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	r := mustNew(t, everydayRules()...)
	names := []string{"main.go", "x.o", "node_modules", ".git", "a~", "\u00e9t\u00e9.txt"}
	n := testing.AllocsPerRun(100, func() {
		for _, name := range names {
			r.Match("src/pkg/some/where", name, false)
			r.Ignored("src/pkg/some/where/"+"file.go", false)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// everydayRules are about 30 rules in three groups.
func everydayRules() []Group {
	file := "*.o\n*.log\n/build/\ndist\ncoverage/\n*.py[co]\n!keep.log\n/docs/_site\n**/generated/*.go\n/tmp/**\n.cache\n.env.local\n*.class\n"
	return []Group{BuiltIn(), Literal("--keep", "node_modules", ".venv"), Parse("f", file)}
}

func BenchmarkMatch(b *testing.B) {
	r := mustNew(b, everydayRules()...)
	names := []string{"main.go", "index.test.tsx", "README.md", "util.py", "style.css", ".eslintrc.json", "a.o", "package.json"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Match("src/components/widgets", names[i%len(names)], false)
	}
}

func BenchmarkIgnored(b *testing.B) {
	r := mustNew(b, everydayRules()...)
	b.ReportAllocs()
	for b.Loop() {
		r.Ignored("src/components/widgets/index.test.tsx", false)
	}
}
