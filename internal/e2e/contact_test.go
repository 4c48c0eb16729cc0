//go:build linux

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A project whose dependencies are in the image, as most are.
var withModules = recipe{name: "modules", files: map[string]string{
	"app/main.js": "main\n", "app/lib/a.js": "a\n",
	"app/node_modules/left/index.js": "for the container\n", "app/node_modules/left/bin/run": "#!/bin/sh\n",
}}

// J16: the first contact meets a folder of dependencies that differs.
// It changes nothing and names the way on; and that is one.
func TestJ16BakedModules(t *testing.T) {
	t.Parallel()
	c := runContainer(t, withModules)
	p := newPlace(t)
	u, v := onHost(t, p.dir), inside(t, c, "/app")
	u.write("main.js", "main, edited\n")
	u.write("lib/a.js", "a\n")
	u.write("node_modules/left/index.js", "for the host\n")
	host, container := u.tree(), v.tree()
	p.refuses(halted, []string{"node_modules", "--keep node_modules", "--take host", "--take container"}, c+":/app")
	same(t, "host before, but after", host, u.tree())
	same(t, "container before, but after", container, v.tree())

	s := p.up(c+":/app", "--keep", "node_modules")
	s.inSync()
	v.write("lib/b.js", "b\n")
	v.write("node_modules/right/index.js", "installed later\n")
	u.write("node_modules/host.js", "and here\n")
	s.flush()
	v.holds("main.js", "main, edited\n")
	u.holds("lib/b.js", "b\n")
	v.holds("node_modules/left/index.js", "for the container\n")
	u.holds("node_modules/left/index.js", "for the host\n")
	u.lacks("node_modules/right")
	v.lacks("node_modules/host.js")
	same(t, "host, but container", u.tree().without("node_modules"), v.tree().without("node_modules"))
	p.keeps("main\n") // the image's, which nobody here has ever seen
	s.stop()
}

// C9: a directory that is deleted on one side and holds what does not cross on
// the other stays there, with just that.
func TestC9IgnoredStaysWhenItsDirectoryGoes(t *testing.T) {
	t.Parallel()
	c := runContainer(t, scratch)
	p := newPlace(t)
	u := onHost(t, p.dir)
	source(u)
	u.write("web/app.js", "app\n")
	s := p.up(c+":/app", "--keep", "node_modules")
	s.inSync()
	v := inside(t, c, "/app")
	v.write("web/node_modules/x.js", "x\n")
	u.remove("web")
	s.flushOpen()
	v.lacks("web/app.js")
	v.holds("web/node_modules/x.js", "x\n")
	s.stop()
}

// A first contact that would bring much from the container asks first.
func TestJ16MuchInTheContainer(t *testing.T) {
	long(t)
	t.Parallel()
	c := runContainer(t, scratch)
	p := newPlace(t)
	u := onHost(t, p.dir)
	source(u)
	v := inside(t, c, "/")
	v.mkdir("app")
	v = inside(t, c, "/app")
	v.do(Request{Do: "populate", Path: []byte("data"), N: 201, At: 1})
	host, container := u.tree(), v.tree()
	p.refuses(halted, []string{"201", "--take host", "--take container"}, c+":/app")
	same(t, "host before, but after", host, u.tree())
	same(t, "container before, but after", container, v.tree())

	code, _, stderr := p.run("up", p.dir, c+":/app", "--once", "--take", "container")
	if code != fine {
		t.Fatalf("up ended with %d: %s", code, stderr)
	}
	same(t, "host, but container", u.tree(), v.tree())
	same(t, "what was in the container, but now", container.below("data"), v.tree().below("data"))
	same(t, "what was here, but now", host, u.tree().without("data"))
}

func TestTakeHost(t *testing.T) {
	long(t)
	t.Parallel()
	c, p, u, v := different(t)
	before := u.tree()
	code, _, stderr := p.run("up", p.dir, c+":/app", "--once", "--take", "host")
	if code != fine {
		t.Errorf("up ended with %d: %s", code, stderr)
	}
	same(t, "host before, but after", before, u.tree())
	same(t, "host, but container", before, v.tree())
	p.keeps("of the container\n")
	p.keeps("only in the container\n")
}

func TestTakeContainer(t *testing.T) {
	long(t)
	t.Parallel()
	c, p, u, v := different(t)
	code, _, stderr := p.run("up", p.dir, c+":/app", "--once", "--take", "container")
	if code != fine {
		t.Errorf("up ended with %d: %s", code, stderr)
	}
	same(t, "host, but container", u.tree(), v.tree())
	u.holds("both", "of the container\n")
	u.holds("theirs", "only in the container\n")
	v.holds("main.go", "package main\n")
	p.keeps("of the host\n")
}

// Without a word about it the host wins, and what the container had is kept.
func TestJ16Different(t *testing.T) {
	long(t)
	t.Parallel()
	c, p, u, v := different(t)
	before := u.tree()
	code, _, stderr := p.run("up", p.dir, c+":/app", "--once")
	if code != fine && code != open {
		t.Errorf("up ended with %d: %s", code, stderr)
	}
	same(t, "host, but container", u.tree(), v.tree())
	same(t, "host before, but after", before, u.tree().without("theirs"))
	u.holds("theirs", "only in the container\n")
	p.keeps("of the container\n")
	if !strings.Contains(stderr, "kept") {
		t.Errorf("up does not say that it kept a version: %s", stderr)
	}
}

// different are two sides that never met.
func different(t *testing.T) (container string, p *place, host, inner *user) {
	t.Helper()
	container = runContainer(t, scratch)
	p = newPlace(t)
	host = onHost(t, p.dir)
	source(host)
	host.write("both", "of the host\n")
	inside(t, container, "/").mkdir("app")
	inner = inside(t, container, "/app")
	inner.write("both", "of the container\n")
	inner.write("theirs", "only in the container\n")
	inner.write("README.md", "read me\n")
	return container, p, host, inner
}

// C10, D3: up --once: both ways in one go, an exit code that says how it ended, and
// nothing left running.
func TestOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c := runContainer(t, scratch)
	u := onHost(t, p.dir)
	source(u)
	once := func(want int) (stderr string) {
		t.Helper()
		code, _, stderr := p.run("up", p.dir, c+":/made/on/the/way", "--once")
		if code != want {
			t.Errorf("up --once ended with %d, want %d: %s", code, want, stderr)
		}
		return stderr
	}
	once(fine)
	v := inside(t, c, "/made/on/the/way")
	same(t, "host, but container", u.tree(), v.tree())
	u.write("main.go", "package main // on the host\n")
	v.write("lib/a.go", "package lib // in the container\n")
	v.remove("lib/b.go")
	once(fine)
	same(t, "host, but container", u.tree(), v.tree())
	u.holds("lib/a.go", "package lib // in the container\n")
	u.lacks("lib/b.go")

	// D3: both edited. The host keeps the path, the other version is kept.
	u.write("main.go", "package main // host\n")
	v.write("main.go", "package main // container\n")
	text := once(open)
	v.holds("main.go", "package main // host\n")
	p.keeps("package main // container\n")
	if !strings.Contains(text, "main.go") {
		t.Errorf("up does not say that main.go was in conflict: %s", text)
	}
	once(open) // until somebody decides
	if code, _, stderr := p.run("conflicts", "resolve", filepath.Join(p.dir, "main.go"), "--host"); code != fine {
		t.Errorf("conflicts resolve ended with %d: %s", code, stderr)
	}
	once(fine)

	// C10: something that cannot cross is held.
	v.do(Request{Do: "fifo", Path: []byte("pipe")})
	if text := once(open); !strings.Contains(text, "pipe") {
		t.Errorf("up does not say that the pipe is held: %s", text)
	}
	v.remove("pipe")
	once(fine)
	if left := v.do(Request{Do: "procs", Data: []byte(agentName)}).Procs; len(left) > 0 {
		t.Errorf("there still run %v", left)
	}
}

// A7, D3: both sides save the same file in the same moment. One version has the
// path, on both sides; the other is kept unless its own user replaced it.
func TestA7BothSave(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	const rounds = 20
	for i := range rounds {
		host, inner := fmt.Sprintf("host %d\n", i), fmt.Sprintf("container %d\n", i)
		p.host.save("main.go", host)
		p.inner.save("main.go", inner)
		p.flushOpen()
		got := p.host.read("main.go")
		p.inner.holds("main.go", got)
		all := append(p.stored(""), got)
		for _, text := range []string{host, inner} {
			if !slices.Contains(all, text) {
				t.Errorf("round %d: %q is nowhere any more", i, text)
			}
		}
	}
	p.stop()
}

// An agent that is in the image already is used as it is.
//
// where: Docker, image from scratch: the agent is in the image
func TestAgentInTheImage(t *testing.T) {
	long(t)
	t.Parallel()
	c := runContainer(t, recipe{name: "with-agent", agent: true})
	p := beginWith(t, c, "/app")
	p.agents()
	if names := p.inner.do(Request{Do: "names", Path: []byte("/.twosync")}).Names; slices.Contains(names, "agent") {
		t.Errorf("an agent was copied beside the one of the image: %q", names)
	}
	p.settled(t)
	p.stop()
}

// What a fresh clone does: the agent is built by the program itself.
func TestAgentFoundByItself(t *testing.T) {
	long(t)
	t.Parallel()
	c := runContainer(t, scratch)
	p := newPlace(t)
	p.environment = append(p.environment, "TWOSYNC_AGENT=")
	source(onHost(t, p.dir))
	code, _, stderr := p.run("up", p.dir, c+":/app", "--once")
	if code != fine {
		t.Fatalf("up ended with %d: %s", code, stderr)
	}
	same(t, "host, but container", onHost(t, p.dir).tree(), inside(t, c, "/app").tree())
}
