//go:build linux

package e2e

import "testing"

// I11r: the source comes from a layer of the image, where a directory cannot be
// renamed and a file that is changed becomes another inode.
func TestI11rSourceInALayer(t *testing.T) {
	t.Parallel()
	c := runContainer(t, baked)
	p := newPlace(t)
	u, v := onHost(t, p.dir), inside(t, c, "/app")
	u.write("main.go", "package main\n")
	u.write("lib/a.go", "package lib\n")
	u.write("lib/deep/b.go", "package deep\n")
	s := p.up(c + ":/app")
	s.inSync()
	steps := []func(){
		func() { u.write("main.go", "package main // edited\n") },
		func() { v.write("lib/a.go", "package lib // edited there\n") },
		func() { u.rename("lib", "pkg") },
		func() { v.write("pkg/deep/c.go", "package deep\n") },
		func() { u.remove("pkg/deep"); u.write("pkg/deep", "a file now\n") },
		func() { v.remove("pkg/deep"); v.write("pkg/deep/d.go", "a directory again\n") },
		func() { v.remove("pkg") },
	}
	for _, step := range steps {
		step()
		s.flush()
		same(t, "host, but container", u.tree(), v.tree())
	}
	s.stop()
}
