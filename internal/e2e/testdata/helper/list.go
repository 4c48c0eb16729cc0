package main

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/twosync/twosync/internal/e2e"
)

// list lists what is at and below a path, links not followed, without what is
// on another file system and without twosync's own folder.
func (u *user) list(r e2e.Request, a *e2e.Answer) error {
	top := strings.TrimSuffix(u.at(r.Path), "/")
	var st syscall.Stat_t
	if err := syscall.Stat(top, &st); err != nil {
		return err
	}
	return listDir(top, "", st.Dev, a)
}

func listDir(top, below string, dev uint64, a *e2e.Answer) error {
	f, err := os.Open(filepath.Join(top, below))
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		return err
	}
	for _, name := range names {
		if below == "" && name == ".twosync" {
			continue
		}
		rel := name
		if below != "" {
			rel = below + "/" + name
		}
		e, on := entry(top, rel)
		a.Tree = append(a.Tree, e)
		if e.Kind != e2e.Dir || on != dev {
			continue
		}
		if err := listDir(top, rel, dev, a); err != nil {
			a.Tree[len(a.Tree)-1].Error = err.Error()
		}
	}
	return nil
}

func entry(top, rel string) (e e2e.Entry, dev uint64) {
	e.Path = []byte(rel)
	path := top + "/" + rel
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		e.Error = err.Error()
		return e, 0
	}
	e.Mode, e.UID, e.Ino = st.Mode&0o7777, st.Uid, st.Ino
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		e.Kind = e2e.Dir
	case syscall.S_IFLNK:
		e.Kind = e2e.Link
		text, err := os.Readlink(path)
		e.Text = []byte(text)
		note(&e, err)
	case syscall.S_IFREG:
		e.Kind = e2e.File
		e.Exec = st.Mode&0o100 != 0
		s := look(path)
		e.Size, e.Digest, e.Error = s.Size, s.Digest, s.Error
	default:
		e.Kind = e2e.Special
	}
	return e, st.Dev
}

func note(e *e2e.Entry, err error) {
	if err != nil {
		e.Error = err.Error()
	}
}

// look reads a file as any program would.
func look(path string) (s e2e.Sight) {
	f, err := os.Open(path)
	if err != nil {
		s.Absent, s.Error = os.IsNotExist(err), err.Error()
		return s
	}
	defer f.Close()
	h := sha256.New()
	if s.Size, err = io.Copy(h, f); err != nil {
		s.Error = err.Error()
	}
	s.Digest = h.Sum(nil)[:16]
	return s
}
