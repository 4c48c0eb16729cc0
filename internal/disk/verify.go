package disk

import (
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// verifyRead is the size up to which a captured file is read again whatever its
// stat says; tests lower it. The stat can look right though somebody wrote to
// the file: with the stamp set back, or with the inode's number used again.
// Reading that much takes some milliseconds, after the new content is visible.
// Of a larger file, the stat is looked at right before the capture, ctime
// included: somebody would have to write it, and set the stamp back, within the
// microseconds between the two calls.
var verifyRead int64 = 64 << 20

// holds says whether what is under name in dir, a slot, is e to the byte. m is
// the stat that e's content was known by. path is where it was in the tree.
func (d *Disk) holds(path string, dir fsx.Dir, name string, e *tree.Entry, m meta) (found, fsx.Stat, bool) {
	st, err := dir.Stat(name)
	if err != nil {
		return found{}, st, false
	}
	switch {
	case e.IsDir():
		f, ok := d.holdsDir(path, dir, name, e)
		return f, st, ok
	case e.IsFile():
		return found{}, st, d.holdsFile(dir, name, st, e, m)
	case e.Kind == tree.Link && st.Kind == fsx.Symlink:
		target, err := dir.Readlink(name)
		return found{}, st, err == nil && target == e.Text
	}
	return found{}, st, false
}

func (d *Disk) holdsFile(dir fsx.Dir, name string, st fsx.Stat, e *tree.Entry, m meta) bool {
	if st.Kind != fsx.Regular || st.Size != e.Size || d.execOf(st) != e.Exec {
		return false
	}
	m.ctime = st.Ctime // a rename changes it
	if st.Size > verifyRead && (m.trust == proven || m.trust == placed) && m.matches(st) {
		return true
	}
	f, err := dir.Read(name)
	if err != nil {
		return false
	}
	defer f.Close()
	_, sum, err := hash(f, st.Size)
	return err == nil && sum == e.Digest
}

// holdsDir scans a captured directory, everything in it included: one name
// that was not known, and it is not what was expected. A rename above a file
// does not change the file's ctime, so an equal stat of a proven file is proof.
func (d *Disk) holdsDir(path string, dir fsx.Dir, name string, e *tree.Entry) (found, bool) {
	sub, err := dir.Open(name)
	if err != nil {
		return found{}, false
	}
	defer sub.Close()
	s := &scanner{d: d, prior: d.strictPrior, captured: true}
	f := s.dir(path, sub)
	return f, tree.Equal(f.entry, e)
}

// trustBefore looks at a large file before it is captured: its ctime, which
// nobody can set back, is gone after the rename.
func (p *putter) trustBefore(at place) trust {
	if !at.c.Old.IsFile() || at.c.Old.Size <= verifyRead || at.was.meta.trust != proven {
		return racy
	}
	if st, err := at.dir.Stat(at.name); err != nil || !at.was.meta.matches(st) {
		return racy
	}
	return proven
}
