//go:build linux

package e2e

import "testing"

// storm is the number of files of a storm.
func storm(n int64) int64 {
	if testing.Short() {
		return n / 5
	}
	return n
}

// B1: a switch of branches on the host, and back, and what was started before
// it is not waited for.
func TestB1Checkout(t *testing.T) {
	long(t)
	t.Parallel()
	p := begin(t, runContainer(t, busybox), "/app")
	n := storm(2000)
	src := []byte("src")
	p.host.do(Request{Do: "populate", Path: src, N: n, At: 1})
	p.inner.do(Request{Do: "write", Path: []byte("built/out"), Data: []byte("B3\n")})
	p.host.do(Request{Do: "checkout", Path: src, N: n, At: 2})
	after := p.host.tree().without("built")
	all := p.settled(t)
	same(t, "what was checked out, but then", after, all.without("built"))
	p.inner.holds("built/out", "B3\n")

	p.host.rename("src", "moved")
	p.settled(t)
	p.inner.rename("moved", "again")
	p.settled(t)
	p.host.remove("again")
	p.settled(t)
	p.host.lacks("again")
	p.inner.lacks("again")
	p.keptNothing()
	p.stop()
}

// B5: packages are installed in the container, in hidden directories that are
// renamed into place. The directory is a volume's: writing so many files below
// fuse-overlayfs takes ten times as long, whoever does it.
func TestB5Install(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox, "-v", newVolume(t)+":/app"), "/app")
	n := storm(5000)
	modules := []byte("node_modules")
	p.inner.do(Request{Do: "install", Path: modules, N: n, At: 1})
	after := p.inner.tree()
	same(t, "what was installed, but then", after, p.settled(t))
	p.inner.remove("node_modules")
	p.inner.do(Request{Do: "install", Path: modules, N: n / 2, At: 2})
	after = p.inner.tree()
	same(t, "what was installed anew, but then", after, p.settled(t))
	p.keptNothing()
	p.stop()
}
