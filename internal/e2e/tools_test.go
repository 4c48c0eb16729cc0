//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// git runs git in a directory, whoever the machine's user is.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	must := []string{"-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null",
		"-c", "init.defaultBranch=main", "-c", "advice.detachedHead=false", "-c", "gc.auto=0", "-c", "core.fsmonitor=false", "-c", "core.autocrlf=false"}
	return tool(t, dir, "git", append(must, args...)...)
}

// hot is a file that each commit changes.
const hot = "src/hot.txt"

// repository makes a repository of some files: main with several commits, topic
// that left it half way, and far, in which everything is another.
func repository(t *testing.T, u *user, files int64) {
	t.Helper()
	dir := u.root()
	git(t, dir, "init", "-q", ".")
	u.write(".git/info/exclude", "built/\n") // what a build leaves is in no commit and in no stash
	n := 0
	commit := func(also string) {
		n++
		u.write(hot, strings.Repeat(fmt.Sprintf("commit %d\n", n), 800))
		if also != "" {
			u.write(also, fmt.Sprintf("of commit %d\n", n))
		}
		git(t, dir, "add", "-A")
		git(t, dir, "commit", "-q", "-m", fmt.Sprint("commit ", n))
	}
	u.do(Request{Do: "populate", Path: []byte("src"), N: files, At: 1})
	for i := range 6 {
		commit(fmt.Sprintf("main/%d", i))
	}
	git(t, dir, "checkout", "-q", "-b", "topic", "HEAD~3")
	for i := range 4 {
		u.write(fmt.Sprintf("topic/%d", i), fmt.Sprintf("topic %d\n", i))
		git(t, dir, "add", "-A")
		git(t, dir, "commit", "-q", "-m", fmt.Sprint("topic ", i))
	}
	git(t, dir, "checkout", "-q", "-b", "far", "main")
	u.do(Request{Do: "checkout", Path: []byte("src"), N: files, At: 2})
	commit("")
	git(t, dir, "checkout", "-q", "main")
}

// history returns what hot holds in any commit of any branch.
func history(t *testing.T, dir string) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for commit := range strings.FieldsSeq(git(t, dir, "rev-list", "--all")) {
		all[digestOf([]byte(git(t, dir, "show", commit+":"+hot)))] = true
	}
	return all
}

// gitStorms are what people do with a repository, one storm after the other.
var gitStorms = []struct {
	name string // with the cases that it stands for
	do   func(t *testing.T, u *user)
}{
	{"B1_checkout", func(t *testing.T, u *user) {
		for _, branch := range []string{"far", "main", "far"} {
			git(t, u.root(), "checkout", "-q", branch)
		}
	}},
	{"B2_rebase", func(t *testing.T, u *user) {
		git(t, u.root(), "checkout", "-q", "topic")
		git(t, u.root(), "rebase", "-q", "--no-ff", "main")
		git(t, u.root(), "rebase", "-q", "--exec", "true", "--onto", "main~2", "main", "topic")
	}},
	{"B2_stash", func(t *testing.T, u *user) {
		for i := range 3 {
			u.write("src/d00/e00/f0.txt", fmt.Sprintf("stashed %d\n", i))
			u.write("new", fmt.Sprintf("stashed %d\n", i))
			git(t, u.root(), "stash", "push", "-q", "-u")
			git(t, u.root(), "stash", "pop", "-q")
		}
		git(t, u.root(), "stash", "push", "-q", "-u")
		git(t, u.root(), "checkout", "-q", "main")
		git(t, u.root(), "stash", "pop", "-q")
		git(t, u.root(), "reset", "-q", "--hard")
	}},
	{"B2_bisect", func(t *testing.T, u *user) {
		git(t, u.root(), "checkout", "-q", "main")
		git(t, u.root(), "bisect", "start", "main", "main~5")
		git(t, u.root(), "bisect", "run", "sh", "-c", "! test -e main/3")
		git(t, u.root(), "bisect", "reset")
	}},
}

// B4: storms of a real git, on either side, while somebody builds on the other: the
// end is the same on both, a reader finds whole files only, nothing is in
// conflict, what was built is there, and nothing of .git crosses.
func TestGitStorms(t *testing.T) {
	t.Parallel()
	needTool(t, "git")
	for _, side := range []string{"host", "container"} {
		t.Run("B3_on_the_"+side, func(t *testing.T) {
			t.Parallel()
			p := beginHere(t)
			from, to := p.host, p.inner
			if side == "container" {
				from, to = to, from
			}
			repository(t, from, storm(500))
			p.flush()
			whole := history(t, from.root())
			for _, s := range gitStorms {
				p.sub(s.name, func(t *testing.T) { gitStorm(t, p, s.do, whole, from.in(t, ""), to.in(t, "")) })
			}
			p.keptNothing()
			p.stop()
		})
	}
}

func gitStorm(t *testing.T, p *pair, do func(*testing.T, *user), whole map[string]bool, from, to *user) {
	path := []byte(hot)
	from.do(Request{Do: "stare", Path: path})
	to.do(Request{Do: "stare", Path: path})
	var building sync.WaitGroup
	building.Go(func() {
		for i := range 30 {
			r := Request{Do: "write", Path: fmt.Appendf(nil, "built/%s/%d", filepath.Base(t.Name()), i), Data: []byte("built\n")}
			if a, err := to.try(r); err != nil || a.Error != "" {
				t.Errorf("build: %v %s", err, a.Error)
			}
		}
	})
	do(t, from)
	building.Wait()
	p.flush()
	here, there := from.do(Request{Do: "unstare", Path: path}), to.do(Request{Do: "unstare", Path: path})
	onlyWhole(t, whole, here, there.Seen)
	host, container := p.host.in(t, "").tree().without(".git"), p.inner.in(t, "").tree().without(".git")
	same(t, "host, but container", host, container)
	to.lacks(".git")
	if built := host.below("built/" + filepath.Base(t.Name())); len(built) != 30 {
		t.Errorf("%d of 30 files are there that were built meanwhile", len(built))
	}
	if s := git(t, from.root(), "status", "--porcelain", "--", "src", "main", "topic"); s != "" {
		t.Errorf("git says that something was changed:\n%s", s)
	}
}

// program is a module of a few packages whose program prints what it is told.
func program(u *user, says string) {
	u.t.Helper()
	u.write("go.mod", "module example.org/app\n\ngo 1.26\n")
	u.write("main.go", "package main\n\nimport (\n\t\"os\"\n\n\t\"example.org/app/words\"\n)\n\nfunc main() { os.Stdout.WriteString(words.Said) }\n")
	u.save("words/words.go", fmt.Sprintf("// Package words has them.\npackage words\n\nconst Said = %q\n", says))
}

// A12, D7: a real build of what was synced, on the other side: it sees what was
// saved before, and the program comes back and can be run.
func TestGoBuild(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginHere(t)
	p.host.mkdir("words")
	for i := range 3 {
		says := fmt.Sprintf("build %d\n", i)
		program(p.host, says)
		p.flush()
		cmd := []string{"build", "-buildvcs=false", "-o", "bin/app", "."}
		tool(t, p.inner.root(), "go", cmd...)
		p.settled(t)
		if got := tool(t, p.dir, filepath.Join(p.dir, "bin/app")); got != says {
			t.Errorf("the program says %q, want %q", got, says)
		}
	}
	if st, err := os.Stat(filepath.Join(p.dir, "bin/app")); err != nil || st.Mode()&0o111 == 0 {
		t.Errorf("%v %v", st, err)
	}
	p.keptNothing()
	p.stop()
}
