//go:build linux

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// E7, E14: files whose size on disk is not their size: one of holes, one with room
// kept behind its end.
func TestHoles(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	for _, u := range []*user{p.host, p.inner} {
		holes, err := os.Create(filepath.Join(u.root(), "holes of the "+u.name))
		must(t, err)
		must(t, holes.Truncate(48<<20))
		_, err = holes.WriteAt([]byte("something"), 30<<20)
		must(t, err)
		must(t, holes.Close())
		room, err := os.Create(filepath.Join(u.root(), "room of the "+u.name))
		must(t, err)
		_, err = room.WriteString("short\n")
		must(t, err)
		must(t, unix.Fallocate(int(room.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20))
		must(t, room.Close())
	}
	p.settled(t)
	for _, u := range []*user{p.host, p.inner} {
		var st unix.Stat_t
		must(t, unix.Stat(filepath.Join(u.root(), "room of the "+u.name), &st))
		if st.Blocks*512 < 1<<20 {
			t.Errorf("the file has %d blocks, and nothing was tested", st.Blocks)
		}
		u.holds("room of the host", "short\n")
		u.holds("room of the container", "short\n")
	}
	p.stop()
}

// E3, E10: a large file becomes another one, and shorter, while it is on its way.
// The last one arrives, others are not held up, and of those that were given up
// nothing is left.
func TestChangedOnItsWay(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	for _, way := range [][2]*user{{p.host, p.inner}, {p.inner, p.host}} {
		from, to := way[0], way[1]
		large := []byte("large of the " + from.name)
		for i := range int64(8) {
			from.do(Request{Do: "big", Path: large, N: (40 - 4*i) << 20, At: i})
			from.write("small of the "+from.name, string('a'+rune(i)))
		}
		p.flush()
		to.holds("small of the "+from.name, "h")
		from.write(string(large), "in the end it is short\n")
		p.settled(t)
	}
	p.keptNothing()
	p.stop()
	for _, dir := range []string{filepath.Join(p.host.root(), ".twosync"), filepath.Join(p.inner.root(), ".twosync"), p.state()} {
		// What was displaced may rest for a minute, or be kept: whole files.
		for _, text := range filesBelow(t, dir, "/stage/") {
			if n := len(text); n > 1<<20 && n%(4<<20) != 0 {
				t.Errorf("a part of %d bytes is left in %s", n, dir)
			}
		}
	}
}

// filesBelow returns the contents of files whose path holds some text.
func filesBelow(t *testing.T, dir, in string) (all [][]byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !bytes.Contains([]byte(path), []byte(in)) {
			return err
		}
		text, err := os.ReadFile(path)
		all = append(all, text)
		return err
	})
	must(t, err)
	return all
}

// E13: an immutable file, and one that can only grow, on either side: what can't
// be applied is held, nothing else is, and it is applied when it can be.
func TestImmutable(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	for _, name := range []string{"still", "grows"} {
		p.host.write(name, "old\n")
	}
	p.settled(t)
	needTool(t, "chattr")
	if os.Geteuid() != 0 {
		t.Skip("only root may make a file immutable")
	}
	free := func() {
		for _, name := range []string{"still", "grows"} {
			if _, err := os.Lstat(filepath.Join(p.inner.root(), name)); err == nil {
				tool(t, p.inner.root(), "chattr", "-ia", name)
			}
		}
	}
	t.Cleanup(free)
	tool(t, p.inner.root(), "chattr", "+i", "still")
	tool(t, p.inner.root(), "chattr", "+a", "grows")
	p.host.save("still", "new\n")
	p.host.remove("grows")
	p.host.write("other", "other\n")
	list := p.flushHeld()
	for _, name := range []string{"still", "grows"} {
		if !bytes.Contains([]byte(list), []byte(name)) {
			t.Errorf("flush does not list %s: %q", name, list)
		}
		p.inner.holds(name, "old\n")
	}
	p.inner.holds("other", "other\n")
	free()
	p.host.save("still", "newer\n")
	p.host.write("grows", "newer\n")
	p.settled(t)
	p.inner.holds("still", "newer\n")
	p.inner.holds("grows", "newer\n")
	p.stop()
}

// G7: attributes do not cross.
func TestAttributes(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	for _, way := range [][2]*user{{p.host, p.inner}, {p.inner, p.host}} {
		from, to := way[0], way[1]
		name := "file of the " + from.name
		from.write(name, "1\n")
		from.mkdir("dir of the " + from.name)
		for _, at := range []string{name, "dir of the " + from.name} {
			must(t, unix.Setxattr(filepath.Join(from.root(), at), "user.twosync-e2e", []byte("mine"), 0))
		}
		p.settled(t)
		from.write(name, "2\n")
		p.settled(t)
		for _, at := range []string{name, "dir of the " + from.name} {
			if n, err := unix.Getxattr(filepath.Join(to.root(), at), "user.twosync-e2e", nil); err != unix.ENODATA {
				t.Errorf("%s has an attribute of %d bytes on the other side: %v", at, n, err)
			}
			if n, err := unix.Getxattr(filepath.Join(from.root(), at), "user.twosync-e2e", nil); n != 4 {
				t.Errorf("%s has lost its attribute: %v", at, err)
			}
		}
	}
	p.stop()
}

// G5, G10: a session whose files get few permissions, or all: the exec bit crosses,
// nothing else of the mode does, and nothing goes to and fro.
func TestUmask(t *testing.T) {
	t.Parallel()
	for mask, want := range map[string][2]os.FileMode{"077": {0o600, 0o700}, "000": {0o666, 0o777}, "022": {0o644, 0o755}} {
		t.Run(mask, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.umask = mask
			b := p.beginHere()
			b.host.write("host's", "#!/bin/sh\n")
			b.inner.write("container's", "#!/bin/sh\n")
			b.host.write("program", "#!/bin/sh\n")
			b.host.chmod("program", 0o755)
			b.inner.write("private", "x\n")
			b.inner.chmod("private", 0o600)
			b.settled(t)
			applied := len(b.said("applied"))
			b.flush()
			b.flush()
			if n := len(b.said("applied")) - applied; n != 0 {
				t.Errorf("%d changes more, though nobody did anything", n)
			}
			for name, exec := range map[string]int{"there/host's": 0, "dir/container's": 0, "there/program": 1, "dir/private": 0} {
				st, err := os.Stat(filepath.Join(filepath.Dir(p.dir), name))
				must(t, err)
				if st.Mode().Perm() != want[exec] && st.Mode().Perm() != want[exec]&0o755 {
					t.Errorf("%s has mode %o, want %o", name, st.Mode().Perm(), want[exec])
				}
			}
			b.stop()
		})
	}
}

// H3: a mount comes and goes on a directory that is in sync. What it hides was not
// deleted, what it shows does not cross, and nothing is written into it.
func TestMountComesAndGoes(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	for _, way := range [][2]*user{{p.host, p.inner}, {p.inner, p.host}} {
		u, v := way[0], way[1]
		at := "data of the " + u.name
		u.write(at+"/sub/a", "a\n")
		u.write(at+"/b", "b\n")
		u.write(at+"/gone/e", "e\n")
		p.settled(t)
		t.Run("on_the_"+u.name, func(t *testing.T) {
			small(t, filepath.Join(u.root(), at))
			u.write(at+"/mounted", "only here\n")
			v.save(at+"/b", "edited on the other side\n")
			v.write(at+"/c", "new on the other side\n")
			v.write(at+"/new/directory/d", "new on the other side\n")
			v.remove(at + "/gone")
			mountIsListed(t, p, u, at)
			p.stop() // and again with a whole scan
			p.session = p.up(p.target)
			p.inSync()
			mountIsListed(t, p, u, at)
			v.lacks(at + "/mounted")
			v.holds(at+"/sub/a", "a\n")
			v.holds(at+"/b", "edited on the other side\n")
		})
		p.stop() // no event tells that a mount went; the next sweep or start does
		p.session = p.up(p.target)
		p.inSync()
		p.settled(t)
		u.holds(at+"/sub/a", "a\n")
		u.holds(at+"/b", "edited on the other side\n")
		u.holds(at+"/c", "new on the other side\n")
		u.holds(at+"/new/directory/d", "new on the other side\n")
		if _, is := u.tree()[at+"/gone"]; is {
			t.Errorf("%s: what was deleted on the other side meanwhile is back", u.name)
		}
		u.lacks(at + "/mounted")
	}
	p.stop()
}

func mountIsListed(t *testing.T, p *pair, u *user, at string) {
	t.Helper()
	if list := p.flushHeld(); !bytes.Contains([]byte(list), []byte(at)) {
		t.Errorf("the mount is not listed: %q", list)
	}
	names := u.do(Request{Do: "names", Path: []byte(at)}).Names
	if len(names) != 1 || names[0] != "mounted" {
		t.Errorf("in the mount are %q", names)
	}
}

// H1: the root is a mount of its own, which goes away while a session runs, or while
// none does. What is left is an empty directory, and no witness of a deletion.
func TestRootUnmounted(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"host", "container"} {
		for _, when := range []string{"running", "down"} {
			t.Run(side+"_"+when, func(t *testing.T) {
				t.Parallel()
				rootUnmounted(t, side == "host", when == "running")
			})
		}
	}
}

func rootUnmounted(t *testing.T, hosts, running bool) {
	p := newPlace(t)
	there := filepath.Join(filepath.Dir(p.dir), "there")
	must(t, os.Mkdir(there, 0o755))
	at, other := p.dir, there
	if !hosts {
		at, other = there, p.dir
	}
	mountSmall(t, at)
	b := p.beginHere()
	b.host.write("a", "a\n")
	b.host.write("d/b", "b\n")
	b.settled(t)
	if !running {
		b.stop()
	}
	must(t, unix.Unmount(at, unix.MNT_DETACH))
	must(t, os.WriteFile(filepath.Join(other, "since"), []byte("since\n"), 0o644))
	switch {
	case running && hosts:
		b.halts()
	case running:
		b.event("lost")
		b.back()
		b.flush()
		b.stop()
	default:
		p.onceMore(fine, b.target)
	}
	if text, err := os.ReadFile(filepath.Join(at, "since")); running && hosts && err == nil {
		t.Errorf("%q was put into what is left", text)
	} else if !running || !hosts {
		must(t, err)
	}
	for name, want := range map[string]string{"a": "a\n", "d/b": "b\n", "since": "since\n"} {
		if text, err := os.ReadFile(filepath.Join(other, name)); string(text) != want {
			t.Errorf("%s holds %q: %v", name, text, err)
		}
	}
}
