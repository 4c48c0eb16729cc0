package fsxtest

import (
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
)

// Fold returns inner as a file system that takes names for one for which fold
// returns the same, and keeps each as it was first written. A rename in case only
// is refused as one onto a name that is there, unless it may replace.
func Fold(inner fsx.FS, fold func(name string) string) fsx.FS { return &foldFS{inner, fold} }

type foldFS struct {
	inner fsx.FS
	fold  func(string) string
}

func (f *foldFS) OpenRoot(path string) (fsx.Dir, error) {
	d, err := f.inner.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &foldDir{d, f.fold}, nil
}

func (f *foldFS) SyncFS(site fsx.Site, d fsx.Dir) error {
	return f.inner.SyncFS(site, d.(*foldDir).Dir)
}

func (f *foldFS) Granularity(d fsx.Dir) int64 { return f.inner.Granularity(d.(*foldDir).Dir) }

func (f *foldFS) Magic(d fsx.Dir) string { return f.inner.Magic(d.(*foldDir).Dir) }

// foldDir takes what names nothing from the directory that it wraps.
type foldDir struct {
	fsx.Dir
	fold func(string) string
}

// real is how the name is written, or would be.
func (d *foldDir) real(name string) string {
	items, err := d.Dir.List()
	if err != nil {
		return name
	}
	found := name
	for _, it := range items {
		if it.Name == name {
			return name
		}
		if d.fold(it.Name) == d.fold(name) {
			found = it.Name
		}
	}
	return found
}

func (d *foldDir) Open(name string) (fsx.Dir, error) {
	sub, err := d.Dir.Open(d.real(name))
	if err != nil {
		return nil, err
	}
	return &foldDir{sub, d.fold}, nil
}

func (d *foldDir) Stat(name string) (fsx.Stat, error) { return d.Dir.Stat(d.real(name)) }

func (d *foldDir) Read(name string) (fsx.File, error) { return d.Dir.Read(d.real(name)) }

func (d *foldDir) Readlink(name string) (string, error) { return d.Dir.Readlink(d.real(name)) }

func (d *foldDir) Create(site fsx.Site, name string, perm fs.FileMode) (fsx.File, error) {
	return d.Dir.Create(site, d.real(name), perm)
}

func (d *foldDir) Update(site fsx.Site, name string, perm fs.FileMode) (fsx.File, error) {
	return d.Dir.Update(site, d.real(name), perm)
}

func (d *foldDir) Mkdir(site fsx.Site, name string, perm fs.FileMode) error {
	return d.Dir.Mkdir(site, d.real(name), perm)
}

func (d *foldDir) Symlink(site fsx.Site, target, name string) error {
	return d.Dir.Symlink(site, target, d.real(name))
}

func (d *foldDir) Rename(site fsx.Site, name string, to fsx.Dir, toName string, how fsx.How) error {
	into := to.(*foldDir)
	from, target := d.real(name), into.real(toName)
	if from == target && from != toName && d.isSame(into) {
		if how == fsx.NoReplace {
			return &fs.PathError{Op: "rename", Path: toName, Err: fs.ErrExist}
		}
		target = toName
	}
	return d.Dir.Rename(site, from, into.Dir, target, how)
}

func (d *foldDir) isSame(to *foldDir) bool {
	a, err := d.Self()
	b, berr := to.Self()
	return err == nil && berr == nil && a.Ino == b.Ino
}

func (d *foldDir) Unlink(site fsx.Site, name string) error { return d.Dir.Unlink(site, d.real(name)) }

func (d *foldDir) Rmdir(site fsx.Site, name string) error { return d.Dir.Rmdir(site, d.real(name)) }

func (d *foldDir) Chmod(site fsx.Site, name string, perm fs.FileMode) error {
	return d.Dir.Chmod(site, d.real(name), perm)
}

func (d *foldDir) Chown(site fsx.Site, name string, uid, gid uint32) error {
	return d.Dir.Chown(site, d.real(name), uid, gid)
}

func (d *foldDir) Lock(site fsx.Site, name string) (unlock func() error, err error) {
	return d.Dir.Lock(site, d.real(name))
}
