//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const agentName = "twosync-agent"

// source is a small project.
func source(u *user) {
	u.t.Helper()
	u.write("main.go", "package main\n")
	u.write("README.md", "read me\n")
	u.write("lib/a.go", "package lib // a\n")
	u.write("lib/b.go", "package lib // b\n")
	u.write("lib/deep/c.go", "package deep\n")
	u.write("run.sh", "#!/bin/sh\n")
	u.chmod("run.sh", 0o755)
	u.symlink("lib/a.go", "link")
	u.mkdir("empty")
}

// beginWith is begin with a source on the host, on which both sides have agreed
// for good: a session ended before.
func beginWith(t *testing.T, container, path string, options ...string) *pair {
	t.Helper()
	p := newPlace(t)
	source(onHost(t, p.dir))
	if code, _, stderr := p.run("up", p.dir, container+":"+path, "--once"); code != fine {
		t.Fatalf("up --once ended with %d: %s", code, stderr)
	}
	return p.begin(container, path, options...)
}

// back waits until the session is in sync again after the container was lost.
func (p *pair) back() {
	p.t.Helper()
	p.event("connected")
	p.inSync()
}

// enter replaces the user inside, whose program ended with the container.
func (p *pair) enter(path string) {
	p.t.Helper()
	p.inner = inside(p.t, p.container, path)
}

// keptNothing fails the test if a version was displaced as the loser of a
// conflict: then two sides were thought to have been at work where one was.
func (p *pair) keptNothing() {
	p.t.Helper()
	if k := p.said("kept"); len(k) > 0 {
		p.t.Errorf("up says that it kept %+v", k)
	}
}

// copyOf returns a directory that holds what the host holds at the moment.
func (p *pair) copyOf() string {
	p.t.Helper()
	dir := filepath.Join(p.t.TempDir(), "app")
	if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
		p.t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".twosync")); err != nil {
		p.t.Fatal(err)
	}
	return dir
}

func TestJ4ContainerRestarted(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	p.inner.write("from inside", "before\n")
	p.flush()
	p.inner.write("main.go", "package main // edited inside, then the container ended\n")
	docker(t, "stop", "-t", "0", p.container)
	p.event("lost")
	p.host.write("lib/a.go", "package lib // edited while it was down\n")
	p.host.remove("lib/deep")
	docker(t, "start", p.container)
	p.back()
	p.enter("/app")
	p.settled(t)
	p.host.holds("main.go", "package main // edited inside, then the container ended\n")
	p.inner.holds("lib/a.go", "package lib // edited while it was down\n")
	p.inner.lacks("lib/deep")
	p.keptNothing()
	p.inner.write("after", "after\n")
	p.host.remove("from inside")
	p.settled(t)
	p.stop()
}

// J5: the new container has the name of the old one, and nothing in it.
func TestJ5RecreatedEmpty(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	p.inner.write("from inside", "here too\n")
	p.flush()
	before := p.host.tree()
	recreate(t, p.container, scratch)
	p.event("lost")
	p.back()
	p.enter("/app")
	same(t, "host before, but after", before, p.settled(t))
	p.keptNothing()
	p.inner.remove("lib/a.go")
	p.settled(t)
	p.host.lacks("lib/a.go")
	p.stop()
}

// recreate replaces a container by one of the same name.
func recreate(t *testing.T, name string, r recipe, options ...string) {
	t.Helper()
	img := image(t, r)
	removeContainer(t, name)
	startContainer(t, img, name, options...)
}

// J5: the image was built from what the host holds.
func TestJ5RecreatedWithTheSameSource(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	before := p.host.tree()
	recreate(t, p.container, recipe{name: newName(), app: p.copyOf()})
	p.event("lost")
	p.back()
	p.enter("/app")
	same(t, "host before, but after", before, p.settled(t))
	p.keptNothing()
	p.stop()
}

// The image was built by `COPY . /app` where a session had been: it holds a copy
// of the host's own folder, and is no mount of it.
func TestHostsFolderInTheImage(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	p.stop()
	recreate(t, p.container, recipe{name: newName(), app: p.dir})
	p.host.write("main.go", "package main // edited since\n")
	p = p.begin(p.container, "/app")
	p.settled(t)
	p.inner.holds("main.go", "package main // edited since\n")
	p.inner.write("lib/a.go", "package lib // inside\n")
	p.settled(t)
	p.host.holds("lib/a.go", "package lib // inside\n")
	p.keptNothing()
	p.stop()
}

// J6, J7: the image was built last week, from a source that the host has worked on
// since. Nothing of that work is undone, and what only the image has comes.
func TestJ6RecreatedWithLastWeeksSource(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	p.host.write("lib/many/1", "1\n")
	p.host.write("lib/many/2", "2\n")
	p.flush()
	old := p.copyOf()
	for name, text := range map[string]string{"of the image": "new\n", "README.md": "as nobody ever wrote it here\n"} {
		if err := os.WriteFile(filepath.Join(old, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.host.write("main.go", "package main // this week\n")
	p.host.remove("lib/b.go")
	p.host.rename("lib/a.go", "lib/renamed.go")
	p.host.rename("lib/many", "lib/more")
	p.host.remove("lib/deep")
	p.host.chmod("run.sh", 0o644)
	p.host.remove("empty")
	before := p.settled(t)

	recreate(t, p.container, recipe{name: newName(), app: old})
	p.event("lost")
	p.back()
	p.enter("/app")
	after := p.settled(t)
	p.host.holds("of the image", "new\n")
	same(t, "host before, but after", before, after.without("of the image"))
	p.keeps("as nobody ever wrote it here\n")
	if n := len(p.said("kept")); n != 1 {
		t.Errorf("up says %d times that it kept something, want once: %+v", n, p.said("kept"))
	}
	p.stop()
}

// J6 where nothing ran while the container was recreated.
func TestJ6RecreatedWhileDown(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	old := p.copyOf()
	p.host.write("main.go", "package main // this week\n")
	p.host.remove("lib/b.go")
	p.flush()
	p.stop()
	p.host.rename("lib/a.go", "lib/renamed.go")
	before := p.host.tree()
	recreate(t, p.container, recipe{name: newName(), app: old})
	q := p.place.begin(p.container, "/app")
	same(t, "host before, but after", before, q.settled(t))
	q.keptNothing()
	q.stop()
}

// H1: a volume that lost everything, twosync's own folder with it, is a new
// one. One that lost everything else is an accident.
func TestH1EmptiedVolume(t *testing.T) {
	long(t)
	t.Parallel()
	c := runContainer(t, busybox, "-v", newVolume(t)+":/app")
	p := beginWith(t, c, "/app")
	before := p.host.tree()
	p.stop()
	p.inner.do(Request{Do: "clear"})
	q := p.place.begin(c, "/app")
	same(t, "host before, but after", before, q.settled(t))
	q.keptNothing()
	q.stop()

	for name := range before {
		if !strings.Contains(name, "/") {
			q.inner.remove(name)
		}
	}
	p.refuses(open, []string{"that the container deleted", "twosync restore"}, c+":/app", "--once")
	same(t, "host before, but after", before, p.host.tree())

	// So does --take host.
	if code, _, stderr := p.run("up", p.dir, c+":/app", "--once", "--take", "host"); code != fine {
		t.Errorf("up ended with %d: %s", code, stderr)
	}
	same(t, "host before, but after", before, p.host.tree())
	same(t, "host before, but container", before, q.inner.tree())
}

// H1 under a running session: it must not matter in which order the names go,
// one by one. They go whole: what is deleted inside of a directory, while the
// directory is there, is a deletion.
func TestH1EmptiedUnderUp(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	before := p.host.tree()
	for name := range before {
		if !strings.Contains(name, "/") {
			p.inner.rename(name, "../gone "+name)
		}
	}
	if held := p.flushHeld(); !strings.Contains(held, "twosync restore") {
		t.Errorf("flush says %s", held)
	}
	same(t, "host before, but after", before, p.host.tree())
	p.stop()
	q := p.place.up(p.container + ":/app")
	q.flushHeld() // it has not forgotten
	if code, out, stderr := p.run("restore", p.dir); code != fine {
		t.Fatalf("restore ended with %d: %s%s", code, out, stderr)
	}
	q.flush()
	same(t, "host before, but after", before, p.host.tree())
	same(t, "host before, but container", before, p.inner.tree())
	q.stop()
}

// F8: our own folder is taken away under a running session.
func TestF8OwnFolderRemoved(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	p.inner.remove(".twosync")
	p.host.write("after", "after\n")
	p.settled(t)
	p.stop()
	q := p.place.begin(p.container, "/app")
	q.settled(t)
	if w := p.said("warning"); len(w) > 0 {
		t.Errorf("up warns: %+v", w)
	}
	q.stop()
}

// J1: the host's program is killed, both sides work on, it starts again.
func TestJ1HostKilled(t *testing.T) {
	t.Parallel()
	rounds := []string{"one", "two", "three"}
	before := newPlace(t)
	u := onHost(t, before.dir)
	source(u)
	for _, r := range rounds {
		u.write(r+"/host", "before\n")
		u.write(r+"/container", "before\n")
		u.write(r+"/gone on the host", "before\n")
		u.write(r+"/gone in the container", "before\n")
		u.write(r+"/moved", r)
	}
	c := runContainer(t, busybox)
	if code, _, stderr := before.run("up", before.dir, c+":/app", "--once"); code != fine {
		t.Fatalf("up --once ended with %d: %s", code, stderr)
	}
	p := before.begin(c, "/app")
	for _, r := range rounds {
		p.host.write(r+"/just before", "host\n")
		p.inner.write(r+"/just before, inside", "container\n")
		p.kill()
		p.inner.do(Request{Do: "ended", Data: []byte(agentName), N: patience.Milliseconds()})
		p.host.write(r+"/host", "after\n")
		p.inner.write(r+"/container", "after\n")
		p.host.write(r+"/new/host", "new\n")
		p.inner.write(r+"/new/container", "new\n")
		p.host.remove(r + "/gone on the host")
		p.inner.remove(r + "/gone in the container")
		p.inner.rename(r+"/moved", r+"/here")
		p.session = p.up(p.target)
		p.inSync()
		p.settled(t)
		p.inner.holds(r+"/host", "after\n")
		p.host.holds(r+"/container", "after\n")
		p.inner.holds(r+"/new/host", "new\n")
		p.host.holds(r+"/new/container", "new\n")
		p.inner.holds(r+"/just before", "host\n")
		p.host.holds(r+"/just before, inside", "container\n")
		p.inner.lacks(r + "/gone on the host")
		p.host.lacks(r + "/gone in the container")
		p.host.lacks(r + "/moved")
		p.keptNothing()
	}
	p.stop()
}

// J1: killed before anything of the first contact is durable. What was edited
// since may be in conflict, and is not lost.
func TestJ1HostKilledAtOnce(t *testing.T) {
	long(t)
	t.Parallel()
	p := newPlace(t).begin(runContainer(t, scratch), "/app")
	source(p.host)
	p.inner.write("inside", "1\n")
	p.flush()
	p.kill()
	p.inner.do(Request{Do: "ended", Data: []byte(agentName), N: patience.Milliseconds()})
	p.host.write("main.go", "package main // host\n")
	p.inner.write("lib/a.go", "package lib // container\n")
	p.inner.write("main.go", "package main // container\n")
	p.host.write("inside", "2\n")
	p.session = p.up(p.target)
	p.inSync()
	p.flushOpen()
	same(t, "host, but container", p.host.tree(), p.inner.tree())
	p.inner.holds("main.go", "package main // host\n")
	p.inner.holds("inside", "2\n")
	p.keeps("package main // container\n")
	if text := "package lib // container\n"; p.host.read("lib/a.go") != text {
		p.keeps(text)
	}
	p.stop()
}

func TestJ1AgentKilled(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	p.inner.write("main.go", "package main // just before\n")
	for _, a := range p.agents() {
		p.inner.do(Request{Do: "kill", At: a.PID, N: 9})
	}
	p.host.write("README.md", "while it was gone\n")
	p.inner.write("lib/a.go", "package lib // while it was gone\n")
	p.event("lost")
	p.back()
	p.settled(t)
	p.inner.holds("README.md", "while it was gone\n")
	p.host.holds("lib/a.go", "package lib // while it was gone\n")
	p.host.holds("main.go", "package main // just before\n")
	p.keptNothing()
	p.stop()
}

// agents lists the agents that run in the container; there must be one.
func (p *pair) agents() []Proc {
	p.t.Helper()
	a := p.inner.do(Request{Do: "procs", Data: []byte(agentName)}).Procs
	if len(a) == 0 {
		p.t.Fatal("no agent runs")
	}
	return a
}

func TestJ12Paused(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	docker(t, "pause", p.container)
	p.host.write("main.go", "package main // while it was paused\n")
	p.host.remove("lib/b.go")
	docker(t, "unpause", p.container)
	p.settled(t)
	p.inner.holds("main.go", "package main // while it was paused\n")
	p.inner.lacks("lib/b.go")
	p.keptNothing()
	p.stop()
}

// H11, J12: silent for so long that the session gives the agent up; which then
// wakes beside the one that takes its place.
func TestJ12PausedForLong(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	p.host.write("big", strings.Repeat("x", 1<<20))
	docker(t, "pause", p.container)
	p.host.write("main.go", "package main // while it was paused\n")
	p.event("lost")
	docker(t, "unpause", p.container)
	p.back()
	p.settled(t)
	p.inner.holds("main.go", "package main // while it was paused\n")
	if n := len(p.agents()); n != 1 {
		t.Errorf("%d agents run, want 1", n)
	}
	p.keptNothing()
	p.stop()
}

// Ctrl-C: up returns when its agent has ended.
func TestNoAgentIsLeftBehind(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	p.agents()
	p.host.do(Request{Do: "populate", Path: []byte("much"), N: 300, At: 1}) // which is under way
	p.stop()
	if left := p.inner.do(Request{Do: "procs", Data: []byte(agentName)}).Procs; len(left) > 0 {
		t.Errorf("up has ended, and there still run %v", left)
	}
	if names := p.inner.do(Request{Do: "names", Path: []byte(".twosync/slots")}).Names; len(names) > 0 {
		t.Errorf("there are left %q", names)
	}
	code, _, stderr := p.run("up", p.dir, p.target, "--once")
	if code != fine {
		t.Errorf("up --once ended with %d: %s", code, stderr)
	}
	same(t, "host, but container", p.host.tree(), p.inner.tree())
}
