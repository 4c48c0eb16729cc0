package host

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/tree"
	"github.com/zeebo/xxh3"
)

// The steps of putting a version back.
const (
	sitePutFolder fsx.Site = "putback.mkdir"
	sitePutStage  fsx.Site = "putback.stage"
	sitePutSwap   fsx.Site = "putback.swap"
	sitePutBack   fsx.Site = "putback.back"
	sitePutDrop   fsx.Site = "putback.drop"
	sitePutSync   fsx.Site = "putback.sync"
)

// putter puts versions back, as their user would save them: a session that runs
// sees saves and carries them over. What is in the way goes to the keep store.
type putter struct {
	root  string
	stage fsx.Dir // what is in it with our letter in front is found after a crash
	adopt func(from fsx.Dir, name string, i keep.Item) error
}

// newPutter returns one for a directory. Its folder of strays is the disk's: what
// a crash leaves there the next session brings to the keep store.
func newPutter(root string, adopt func(fsx.Dir, string, keep.Item) error) (*putter, error) {
	dir, err := fsx.OS().OpenRoot(root)
	if err != nil {
		return nil, explainRoot(root, err)
	}
	defer dir.Close()
	p := &putter{root: root, adopt: adopt}
	private, err := enter(dir, ".twosync", 0o700)
	if err == nil {
		p.stage, err = enter(private, "stage", 0o700)
		_ = private.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("open twosync's folder in %s: %w", root, err)
	}
	return p, nil
}

func (p *putter) close() { _ = p.stage.Close() }

// enter opens a directory, and makes it when it is missing.
func enter(dir fsx.Dir, name string, perm fs.FileMode) (fsx.Dir, error) {
	if err := dir.Mkdir(sitePutFolder, name, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return dir.Open(name)
}

// put makes path hold a version. It says false when it does already.
func (p *putter) put(v past, path string) (bool, error) {
	if first, _ := tree.Cut(path); path == "" || tree.CheckPath(path) != nil || first == ".twosync" {
		return false, errors.New("nothing can be put there")
	}
	parent, name := tree.Split(path)
	dir, err := p.parent(parent)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	now, err := read(dir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, fmt.Errorf("%s is in the way: %w", path, err)
	case now.Digest == v.Digest && now.Link == v.Link && now.Exec == v.Exec:
		return false, nil
	}
	slot := "s" + strings.ToLower(rand.Text())
	if err := p.build(v, slot, dir); err != nil {
		_ = p.stage.Unlink(sitePutDrop, slot)
		return false, err
	}
	err = p.swap(v, slot, dir, name, path)
	if err == nil {
		err = dir.Sync(sitePutSync)
	}
	return err == nil, err
}

// parent opens a directory below the root, and makes what is missing of it.
func (p *putter) parent(path string) (fsx.Dir, error) {
	dir, err := fsx.OS().OpenRoot(p.root)
	if err != nil {
		return nil, err
	}
	for at := ""; path != ""; {
		var name string
		name, path = tree.Cut(path)
		at = tree.Join(at, name)
		next, err := enter(dir, name, 0o777)
		_ = dir.Close()
		if errors.Is(err, fsx.ErrNotDir) || errors.Is(err, fsx.ErrIsLink) {
			return nil, fmt.Errorf("%s is no directory any more: move it away first", at)
		}
		if err != nil {
			return nil, err
		}
		dir = next
	}
	return dir, nil
}

// build makes a copy of a version, for a directory.
func (p *putter) build(v past, slot string, in fsx.Dir) error {
	if v.isLink() {
		return p.stage.Symlink(sitePutStage, v.Link, slot)
	}
	from, mode, err := v.open()
	if err != nil {
		return err
	}
	defer from.Close()
	perm := fs.FileMode(0o666)
	if v.Exec {
		perm = 0o777
	}
	f, err := p.stage.Create(sitePutStage, slot, perm)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(struct{ io.Writer }{f}, from); err != nil {
		return err
	}
	if v.Side == tree.Host.String() {
		_ = f.Chmod(sitePutStage, mode) // no mode is worth a content
	}
	if st, err := in.Self(); err == nil && os.Geteuid() == 0 {
		_ = f.Chown(sitePutStage, st.UID, st.GID) // as for whatever sync makes there
	}
	return f.Sync(sitePutSync)
}

// open opens a version's content, which no link leads to.
func (p past) open() (f fsx.File, mode fs.FileMode, err error) {
	if p.File == "" {
		return nil, 0, errors.New("its content is not kept any more")
	}
	dir, err := fsx.OS().OpenRoot(filepath.Dir(p.File))
	if err == nil {
		f, err = dir.Read(filepath.Base(p.File))
		_ = dir.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, errors.New("its content is not kept any more")
	}
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
	}
	return f, st.Mode, err
}

// swap puts what is in a slot in place, and what was there into the keep store:
// no step looks before it, so whatever was saved meanwhile is what is kept.
func (p *putter) swap(v past, slot string, dir fsx.Dir, name, path string) error {
	err := p.stage.Rename(sitePutSwap, slot, dir, name, fsx.NoReplace)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return p.drop(slot, err)
	}
	was := slot
	if err = p.stage.Rename(sitePutSwap, slot, dir, name, fsx.Exchange); errors.Is(err, fsx.ErrUnsupported) {
		was = "s" + strings.ToLower(rand.Text())
		// The user's name is the one that moves: it must go in one step.
		if err = dir.Rename(sitePutSwap, name, p.stage, was, fsx.Replace); err == nil {
			err = p.stage.Rename(sitePutSwap, slot, dir, name, fsx.NoReplace)
		}
	}
	if err != nil {
		return err
	}
	out, err := read(p.stage, was)
	if err != nil { // no file: somebody made a directory of it
		err = fmt.Errorf("%s is in the way: %w", path, err)
		if back := p.stage.Rename(sitePutBack, was, dir, name, fsx.Exchange); back != nil {
			return errors.Join(err, back)
		}
		if mine, mineErr := read(p.stage, was); mineErr != nil || mine.Digest != v.Digest || mine.Link != v.Link {
			return err // somebody saved meanwhile: the next start finds it here
		}
		return p.drop(slot, err)
	}
	e := tree.NewLink(out.Link)
	if !out.isLink() {
		d, _ := tree.ParseDigest(out.Digest)
		e = tree.NewFile(d, out.Size, out.Exec)
	}
	return p.adopt(p.stage, was, keep.Item{
		Path: path, Entry: e, Side: tree.Host, Why: keep.Replaced, When: time.Now(), Note: "an older version was put back",
	})
}

// drop gives up what was built, because of an error.
func (p *putter) drop(slot string, because error) error {
	_ = p.stage.Unlink(sitePutDrop, slot)
	return because
}

// read says what a name holds that is a file or a link.
func read(dir fsx.Dir, name string) (past, error) {
	st, err := dir.Stat(name)
	switch {
	case err != nil:
		return past{}, err
	case st.Kind == fsx.Symlink:
		target, err := dir.Readlink(name)
		return past{Link: target}, err
	case st.Kind == fsx.Directory:
		return past{}, errors.New("it is a directory")
	case st.Kind != fsx.Regular:
		return past{}, errors.New("it is neither a file nor a link")
	}
	f, err := dir.Read(name)
	if err != nil {
		return past{}, err
	}
	defer f.Close()
	h := xxh3.New128()
	n, err := io.Copy(h, struct{ io.Reader }{f})
	digest := tree.Digest(h.Sum128().Bytes())
	return past{Size: n, Digest: digest.String(), Exec: st.Mode&0o111 != 0}, err
}
