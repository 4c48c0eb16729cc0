//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// H4, H5: whoever is second is told by whom the place is taken.
func TestH4SecondSession(t *testing.T) {
	long(t)
	t.Parallel()
	c := runContainer(t, scratch)
	p := beginWith(t, c, "/app")

	// The same, another target, below: all of the same home.
	p.refuses(failed, []string{p.dir, "process"}, c+":/app")
	p.refuses(failed, []string{p.dir, "process"}, c+":/other")
	below := *p.place
	below.dir = filepath.Join(p.dir, "lib")
	below.refuses(failed, []string{p.dir, "process"}, c+":/other")

	// From another home and another directory, which only the lock can tell.
	q := newPlace(t)
	onHost(t, q.dir).write("mine", "mine\n")
	q.refuses(failed, []string{"/app"}, c+":/app")

	p.host.write("main.go", "package main // undisturbed\n")
	p.settled(t)
	p.inner.lacks("mine")
	p.stop()
}

// H1, H2, H8: the host's directory is gone under a running session. Nothing is
// deleted in the container.
func TestH1HostRootGone(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, p *pair){
		"moved": func(t *testing.T, p *pair) {
			must(t, os.Rename(p.dir, p.dir+".moved"))
		},
		"replaced_by_a_directory": func(t *testing.T, p *pair) {
			must(t, os.Rename(p.dir, p.dir+".moved"))
			must(t, os.Mkdir(p.dir, 0o755))
		},
		"replaced_by_a_file": func(t *testing.T, p *pair) {
			must(t, os.Rename(p.dir, p.dir+".moved"))
			must(t, os.WriteFile(p.dir, []byte("C11\n"), 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "moved" {
				long(t)
			}
			t.Parallel()
			p := beginWith(t, runContainer(t, scratch), "/app")
			before := p.inner.tree()
			spoil(t, p)
			p.halts()
			same(t, "container before, but after", before, p.inner.tree())
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// H1: emptied while nothing ran.
func TestH1HostRootEmptied(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch), "/app")
	p.stop()
	before := p.inner.tree()
	for name := range p.host.tree() {
		if !strings.Contains(name, "/") {
			p.host.remove(name)
		}
	}
	p.refuses(halted, []string{"empty", "--take container"}, p.target)
	same(t, "container before, but after", before, p.inner.tree())
	if code, _, stderr := p.run("up", p.dir, p.target, "--once", "--take", "container"); code != fine {
		t.Errorf("up ended with %d: %s", code, stderr)
	}
	same(t, "what was in the container, but on the host", before, p.host.tree())
}

// H1, H2: the container's directory is taken away under a running session, with
// twosync's own folder. That is what a container looks like that was replaced:
// the host keeps all, and the directory is filled again.
func TestH2ContainerRootGone(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	before := p.host.tree()
	root := inside(t, p.container, "/")
	root.rename("app", "moved")
	p.event("lost")
	p.back()
	p.flush()
	same(t, "host before, but after", before, p.host.tree())
	same(t, "host, but container", before, inside(t, p.container, "/app").tree())
	p.stop()
}

// C11: a file takes the place of the container's directory.
func TestC11ContainerRootBecomesAFile(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	before := p.host.tree()
	root := inside(t, p.container, "/")
	root.rename("app", "moved")
	root.write("app", "C11\n")
	e := p.next("that it is no directory", func(e told) bool {
		return e.Event == "lost" && strings.Contains(e.Text, "not a directory")
	})
	same(t, "host before, but after", before, p.host.tree())
	root.holds("app", "C11\n")
	root.remove("app")
	root.rename("moved", "app")
	p.back()
	p.flush()
	same(t, "host before, but after", before, p.host.tree())
	p.stop()
	if e.Text == "" {
		t.Error("up does not say why")
	}
}

// What is wrong before the first connection ends in an error that says what to
// do, and changes nothing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	c := runContainer(t, recipe{name: "a-file", files: map[string]string{"etc/a-file": "text\n"}})
	p := newPlace(t)
	u := onHost(t, p.dir)
	source(u)
	before := u.tree()
	for _, x := range []struct {
		name, target string
		words        []string
		env          string
	}{
		{"no_such_container", family + "nobody:/app", []string{family + "nobody"}, ""},
		{"path_is_a_file", c + ":/etc/a-file", []string{"/etc/a-file", "not a directory"}, ""},
		{"path_below_a_file", c + ":/etc/a-file/below", []string{"/etc/a-file"}, ""},
		{"no_such_user", "nobody-here@" + c + ":/app", []string{"nobody-here"}, ""},
		{"no_engine", c + ":/app", []string{"Docker"}, "DOCKER_HOST=unix:///nonexistent/docker.sock"},
		{"all_of_the_container", c + ":/", []string{"/"}, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			q := *p
			q.t, q.environment = t, []string{x.env}
			code, _, stderr := q.run("up", q.dir, x.target)
			if code != failed && code != usage {
				t.Errorf("up ended with %d: %s", code, stderr)
			}
			q.says(stderr, x.words...)
		})
	}
	docker(t, "stop", "-t", "0", c)
	p.refuses(failed, []string{c, "not running", "docker start"}, c+":/app")
	same(t, "host before, but after", before, u.tree())
}

// The container's directory is the host's, bind-mounted: there is nothing to do,
// and much to get wrong.
//
// where: Docker, image from scratch: a directory that is bind-mounted is refused
func TestBindMountIsRefused(t *testing.T) {
	long(t)
	t.Parallel()
	p := newPlace(t)
	u := onHost(t, p.dir)
	source(u)
	before := u.tree()
	c := runContainer(t, scratch, "-v", p.dir+":/app")
	p.refuses(failed, []string{"without -v"}, c+":/app")
	same(t, "host before, but after", before, u.tree())
	d := runContainer(t, scratch, "-v", filepath.Dir(p.dir)+":/top")
	p.refuses(failed, []string{"without -v"}, d+":/top/"+filepath.Base(p.dir))
	same(t, "host before, but after", before, u.tree())
}

// H3: the container has its own volume on node_modules. It is not crossed, and
// listed.
//
// where: Docker, any image: a volume inside of the directory is listed, and not crossed
func TestH3VolumeInside(t *testing.T) {
	t.Parallel()
	c := runContainer(t, busybox, "-v", newVolume(t)+":/app/node_modules")
	v := inside(t, c, "/app")
	v.write("node_modules/x/index.js", "of the container\n")
	p := newPlace(t)
	u := onHost(t, p.dir)
	source(u)
	s := p.up(c + ":/app")
	s.inSync()
	u.write("main.go", "package main // new\n")
	if list := s.flushHeld(); !strings.Contains(list, "node_modules") {
		t.Errorf("flush does not list the mount: %q", list)
	}
	v.holds("main.go", "package main // new\n")
	v.holds("node_modules/x/index.js", "of the container\n")
	u.lacks("node_modules/x")
	u.write("node_modules/host", "of the host\n")
	s.flushHeld()
	v.lacks("node_modules/host")
	if code, out, _ := s.run("status", p.dir); code != fine || !strings.Contains(out, "node_modules") {
		t.Errorf("status does not list the mount: %d %q", code, out)
	}
	s.stop()

	// With a word about it nothing is held.
	s = p.up(c+":/app", "--keep", "node_modules")
	s.inSync()
	s.flush()
	s.stop()
}
