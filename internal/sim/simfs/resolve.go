package simfs

import (
	"strings"
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// maxLinks is how many links Linux follows on one way.
const maxLinks = 40

// root is what a process sees as "/".
func (f *FS) root() ref { return ref{f.top, f.top.root}.cross() }

// walk goes an absolute path to its end. A link at the end is followed if last
// says so.
func (f *FS) walk(c *cred, path string, last bool) (ref, errno) {
	r, e := f.step(c, f.root(), path, last, 0)
	return r, e
}

// step goes on from a place.
func (f *FS) step(c *cred, at ref, path string, last bool, links int) (ref, errno) {
	if strings.HasPrefix(path, "/") {
		at = f.root()
	}
	for path = strings.TrimLeft(path, "/"); path != ""; {
		name, rest, _ := strings.Cut(path, "/")
		rest = strings.TrimLeft(rest, "/")
		to, e := f.next(c, at, name)
		if e != 0 {
			return ref{}, e
		}
		if n := to.node(); n.kind == fsx.Symlink && (rest != "" || last) {
			if links == maxLinks {
				return ref{}, syscall.ELOOP
			}
			links++
			if to, e = f.step(c, at, string(n.data), true, links); e != 0 {
				return ref{}, e
			}
		}
		at, path = to, rest
	}
	return at, 0
}

// next is one component.
func (f *FS) next(c *cred, at ref, name string) (ref, errno) {
	switch {
	case !at.node().isDir():
		return ref{}, syscall.ENOTDIR
	case name == ".":
		return at, 0
	case name == "..":
		return at.above(), 0
	}
	d, e := c.lookup(at.node(), name)
	switch {
	case e != 0:
		return ref{}, e
	case d == nil:
		return ref{}, syscall.ENOENT
	}
	return ref{at.mnt, d}.cross(), 0
}

// parent goes to the directory of a path, and returns the name in it.
func (f *FS) parent(c *cred, at ref, path string) (ref, string, errno) {
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	dir, name := path[:i+1], path[i+1:]
	if name == "" || name == "." || name == ".." {
		return ref{}, "", syscall.EBUSY
	}
	up, e := f.step(c, at, dir, true, 0)
	switch {
	case e != 0:
	case !up.node().isDir():
		e = syscall.ENOTDIR
	case !c.allows(up.node(), mayExec):
		e = syscall.EACCES
	}
	return up, name, e
}

// target finds where a link leads: the directory and the name there, which may
// not exist.
func (f *FS) target(c *cred, at ref, text string, links int) (ref, string, errno) {
	if links > maxLinks {
		return ref{}, "", syscall.ELOOP
	}
	up, name, e := f.parent(c, at, text)
	if e != 0 {
		return ref{}, "", e
	}
	if d, e := c.lookup(up.node(), name); e == 0 && d != nil && d.node.kind == fsx.Symlink {
		return f.target(c, up, string(d.node.data), links+1)
	}
	return up, name, 0
}

// find is a path as the test itself sees it, whatever the modes say.
func (f *FS) find(path string) (ref, error) {
	r, e := f.walk(&cred{}, path, true)
	if e != 0 {
		return ref{}, fail("find", path, e)
	}
	return r, nil
}
