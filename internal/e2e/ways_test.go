//go:build linux

package e2e

import (
	"fmt"
	"testing"
)

// pair is a session with a user on each side of it.
type pair struct {
	*session
	target    string
	container string
	host      *user
	inner     *user
	prepared  bool // what comes before each scenario is there
}

// begin starts a session between a new place and a directory of a container,
// and waits until it is in sync. Options are of docker exec, for the user.
func begin(t *testing.T, container, path string, options ...string) *pair {
	t.Helper()
	return newPlace(t).begin(container, path, options...)
}

func (p *place) begin(container, path string, options ...string) *pair {
	p.t.Helper()
	target := container + ":" + path
	b := &pair{session: p.up(target), target: target, container: container}
	b.inSync()
	b.host = onHost(p.t, p.dir)
	b.inner = inside(p.t, container, path, options...)
	return b
}

// settled waits until both sides have everything, and fails the test unless
// they hold the same. It returns what that is.
func (p *pair) settled(t *testing.T) tree {
	t.Helper()
	p.flush()
	host, container := p.host.in(t, "").tree(), p.inner.in(t, "").tree()
	same(t, "host, but container", host, container)
	return host
}

// play plays one scenario, with from doing and to seeing.
func play(t *testing.T, p *pair, x scenario, from, to *user) {
	dir := x.dir(from)
	from, to = from.in(t, dir), to.in(t, dir)
	if !p.prepared {
		x.prepare(from)
		p.flush()
	}
	before := from.tree()
	same(t, "before: there, but here", before, to.tree())
	x.do(from)
	after := from.tree()
	if (diff(before, after) == "") != x.stays {
		t.Fatalf("the scenario changes nothing, or something: %v", after)
	}
	p.flush()
	same(t, "what was done, but then where it was done", after, from.tree())
	same(t, "what was done, but on the other side", after, to.tree())
}

// dir is where a user plays a scenario.
func (x scenario) dir(u *user) string { return x.name + "_" + u.name }

// prepare does what comes before. u is in the scenario's directory, which is
// not there yet.
func (x scenario) prepare(u *user) {
	u.t.Helper()
	u.mkdir("")
	x.before(u)
}

// sub runs a part of the test: what fails then is that part.
func (p *pair) sub(name string, f func(t *testing.T)) {
	whole := p.t
	defer func() { p.place.t = whole }()
	whole.Run(name, func(t *testing.T) {
		p.place.t = t
		f(t)
	})
}

const longNames = "F5_the_longest_names"

// holdsLongest says whether the container's file system takes what all others
// do: fuse-overlayfs, an engine's choice where overlay2 is not to be had,
// marks deleted names with four bytes more.
func (p *pair) holdsLongest() bool {
	path := []byte(longest("p"))
	a, err := p.inner.try(Request{Do: "write", Path: path})
	if err != nil || a.Error != "" {
		return false
	}
	p.inner.remove(string(path))
	return true
}

// playAll plays every scenario in both directions, then compares the whole.
func playAll(t *testing.T, p *pair) {
	for _, x := range scenarios {
		if x.name == longNames && (p.prepared || !p.holdsLongest()) {
			continue
		}
		for _, way := range [][2]*user{{p.host, p.inner}, {p.inner, p.host}} {
			p.sub(fmt.Sprintf("%s/from_the_%s", x.name, way[0].name), func(t *testing.T) {
				play(t, p, x, way[0], way[1])
			})
		}
	}
	p.settled(t)
	if kept := p.said("warning"); len(kept) > 0 {
		t.Errorf("there were warnings: %+v", kept)
	}
	for _, what := range []string{"lost", "held"} {
		if x := p.said(what); len(x) > 0 {
			t.Errorf("there was something %s: %+v", what, x)
		}
	}
	p.stop()
}

// where: Docker, any image: every way to save, create, delete and rename, in both directions
func TestWaysBusybox(t *testing.T) {
	t.Parallel()
	playAll(t, begin(t, runContainer(t, busybox), "/app"))
}

// where: Docker, image from scratch: every way to save, create, delete and rename, in both directions
func TestWaysScratch(t *testing.T) {
	long(t)
	t.Parallel()
	playAll(t, begin(t, runContainer(t, scratch), "/app"))
}

// G8: a user that no file knows, who cannot write where an agent would like to.
//
// where: Docker, user who is a number: every way to save, create, delete and rename, in both directions
func TestWaysUnknownUser(t *testing.T) {
	t.Parallel()
	playAll(t, begin(t, runContainer(t, uid12345), "/app"))
}

// I11r: directories and files of an image layer.
//
// where: Docker, source in a layer of the image: every way to save, create, delete and rename, in both directions
func TestWaysImageLayer(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"host", "container"} {
		u := onHost(t, dir)
		u.name = name
		for _, x := range scenarios {
			if x.name != longNames {
				x.prepare(u.in(t, x.dir(u)))
			}
		}
	}
	p := begin(t, runContainer(t, recipe{name: "layered", app: dir}), "/app")
	p.prepared = true // into an empty directory on the host everything came
	same(t, "image, but host", onHost(t, dir).tree(), p.host.tree())
	playAll(t, p)
}

// where: Docker, directory on a volume: every way to save, create, delete and rename, in both directions
func TestWaysVolume(t *testing.T) {
	long(t)
	t.Parallel()
	playAll(t, begin(t, runContainer(t, busybox, "-v", newVolume(t)+":/app"), "/app"))
}

// long skips a test that -short leaves out.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short")
	}
}
