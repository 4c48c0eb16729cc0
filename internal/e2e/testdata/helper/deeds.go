package main

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/twosync/twosync/internal/e2e"
)

// write makes a file or empties it, and writes it in place. Directories that
// it needs are made.
func (u *user) write(r e2e.Request, _ *e2e.Answer) error {
	f, err := os.OpenFile(u.at(r.Path), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(u.at(r.Path)), 0o777); err != nil {
			return err
		}
		f, err = os.OpenFile(u.at(r.Path), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(r.Data)
	return errors.Join(err, f.Close())
}

// save writes beside the file and renames.
func (u *user) save(r e2e.Request, _ *e2e.Answer) error {
	path := u.at(r.Path)
	next := filepath.Join(filepath.Dir(path), ".saving-"+time.Now().Format("150405.000000000"))
	if err := os.WriteFile(next, r.Data, 0o666); err != nil {
		return err
	}
	return os.Rename(next, path)
}

func (u *user) append(r e2e.Request, _ *e2e.Answer) error {
	f, err := os.OpenFile(u.at(r.Path), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(r.Data)
	return errors.Join(err, f.Close())
}

// patch writes over a part of a file.
func (u *user) patch(r e2e.Request, _ *e2e.Answer) error {
	f, err := os.OpenFile(u.at(r.Path), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(r.Data, r.At)
	return errors.Join(err, f.Close())
}

// big writes a file of N bytes that nothing compresses.
func (u *user) big(r e2e.Request, _ *e2e.Answer) error {
	f, err := os.Create(u.at(r.Path))
	if err != nil {
		return err
	}
	noise := rand.NewChaCha8([32]byte{byte(r.At)})
	buf := make([]byte, 1<<20)
	for left := r.N; left > 0 && err == nil; left -= int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), left)]
		noise.Read(buf)
		_, err = f.Write(buf)
	}
	return errors.Join(err, f.Close())
}

func (u *user) rename(r e2e.Request, _ *e2e.Answer) error {
	return move(u.at(r.Path), u.at(r.To))
}

// move does what mv does where a directory of an image layer cannot be renamed.
func move(from, to string) error {
	err := os.Rename(from, to)
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	if err := os.Mkdir(to, 0o777); err != nil {
		return err
	}
	items, err := os.ReadDir(from)
	for _, it := range items {
		err = errors.Join(err, move(filepath.Join(from, it.Name()), filepath.Join(to, it.Name())))
	}
	return errors.Join(err, os.Remove(from))
}

// swap exchanges two names.
func (u *user) swap(r e2e.Request, _ *e2e.Answer) error {
	return unix.Renameat2(unix.AT_FDCWD, u.at(r.Path), unix.AT_FDCWD, u.at(r.To), unix.RENAME_EXCHANGE)
}

// link makes a second name for a file.
func (u *user) link(r e2e.Request, _ *e2e.Answer) error {
	return os.Link(u.at(r.Path), u.at(r.To))
}

// remove removes a path and what is below it, which must be there.
func (u *user) remove(r e2e.Request, _ *e2e.Answer) error {
	path := u.at(r.Path)
	if _, err := os.Lstat(path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// clear removes everything in a directory.
func (u *user) clear(r e2e.Request, _ *e2e.Answer) error {
	path := u.at(r.Path)
	items, err := os.ReadDir(path)
	for _, it := range items {
		err = errors.Join(err, os.RemoveAll(filepath.Join(path, it.Name())))
	}
	return err
}

func (u *user) mkdir(r e2e.Request, _ *e2e.Answer) error {
	return os.MkdirAll(u.at(r.Path), 0o777)
}

func (u *user) symlink(r e2e.Request, _ *e2e.Answer) error {
	return os.Symlink(string(r.To), u.at(r.Path))
}

func (u *user) fifo(r e2e.Request, _ *e2e.Answer) error {
	return unix.Mkfifo(u.at(r.Path), 0o666)
}

// chmod sets all of the mode: os.Chmod has bits of its own for some.
func (u *user) chmod(r e2e.Request, _ *e2e.Answer) error {
	return unix.Chmod(u.at(r.Path), uint32(r.N))
}

func (u *user) chown(r e2e.Request, _ *e2e.Answer) error {
	return os.Lchown(u.at(r.Path), int(r.N), int(r.N))
}

// touch sets the time of change, which is nothing that syncs.
func (u *user) touch(r e2e.Request, _ *e2e.Answer) error {
	t := time.Unix(r.N, 0)
	return os.Chtimes(u.at(r.Path), t, t)
}

func (u *user) read(r e2e.Request, a *e2e.Answer) (err error) {
	a.Data, err = os.ReadFile(u.at(r.Path))
	return err
}

func (u *user) names(r e2e.Request, a *e2e.Answer) error {
	items, err := os.ReadDir(u.at(r.Path))
	for _, it := range items {
		a.Names = append(a.Names, it.Name())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// fill writes to a file until no room is left, and answers how much it wrote.
func (u *user) fill(r e2e.Request, a *e2e.Answer) error {
	f, err := os.Create(u.at(r.Path))
	if err != nil {
		return err
	}
	for buf := make([]byte, 64<<10); err == nil; {
		var n int
		n, err = f.Write(buf)
		a.N += int64(n)
	}
	if errors.Is(err, unix.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
