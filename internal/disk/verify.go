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

// holds looks whether what is under name in dir is e to the byte, and returns
// it as a slot then, else nil. m is the stat that e's content was known by. path
// is where it was in the tree. An error says that nobody could look.
func (d *Disk) holds(path string, dir fsx.Dir, name string, e *tree.Entry, m meta) (_ *slot, err error) {
	s := &slot{name: name, path: path, entry: e}
	now := d.opt.Clock.Now().UnixNano()
	if s.st, err = dir.Stat(name); err != nil {
		return nil, err
	}
	s.tells = d.settledBefore(s.st.Mtime, now)
	ok := false
	switch {
	case e.IsDir():
		s.stats, ok = d.holdsDir(path, dir, name, e)
	case e.IsFile():
		ok, err = d.holdsFile(dir, name, s.st, e, m)
	case e.Kind == tree.Link && s.st.Kind == fsx.Symlink:
		var target string
		target, err = dir.Readlink(name)
		ok = err == nil && target == e.Text
	}
	if !ok {
		return nil, err
	}
	return s, nil
}

func (d *Disk) holdsFile(dir fsx.Dir, name string, st fsx.Stat, e *tree.Entry, m meta) (bool, error) {
	if st.Kind != fsx.Regular || st.Size != e.Size || d.execOf(st) != e.Exec {
		return false, nil
	}
	m.ctime = st.Ctime // a rename changes it
	if st.Size > verifyRead && (m.trust == proven || m.trust == placed) && m.matches(st) {
		return true, nil
	}
	f, err := dir.Read(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, sum, err := hash(f, st.Size)
	return err == nil && sum == e.Digest, err
}

// holdsDir scans a captured directory, everything in it included: one name
// that was not known, and it is not what was expected. A rename above a file
// does not change the file's ctime, so an equal stat of a proven file is proof.
func (d *Disk) holdsDir(path string, dir fsx.Dir, name string, e *tree.Entry) (*stats, bool) {
	sub, err := dir.Open(name)
	if err != nil {
		return nil, false
	}
	defer sub.Close()
	s := &scanner{d: d, prior: d.strictPrior, captured: true}
	f := s.dir(path, sub)
	return f.stats, tree.Equal(f.entry, e)
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
