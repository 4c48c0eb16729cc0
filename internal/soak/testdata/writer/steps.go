//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

type writer struct {
	root, scratch, side string
	durable             bool
	out                 *json.Encoder
	rng                 *rand.Rand
	born                uint64 // makes ids of one start different from those of another
	n                   int
	temps               int      // names that temp gave out
	told                []string // what may be removed once the step was said
}

func (w *writer) say(l Line) {
	if w.out.Encode(l) != nil {
		os.Exit(1) // nobody listens
	}
}

// maxLines is how many writes a file holds before a save begins anew.
const maxLines = 12

// step does one thing that users do, and says so before and after it.
func (w *writer) step() {
	w.n++
	l := Line{Step: w.n}
	p := w.path()
	id := fmt.Sprintf("%s%016x-%d", w.side, w.born, w.n)
	do := func(what string, id string, f func() ([]string, bool, error), paths ...string) {
		l.Do, l.Path, l.ID = what, paths, id
		w.say(l)
		out, ok, err := f()
		l.Done, l.OK, l.Out = true, ok, out
		if err == nil && w.durable {
			err = w.sync(paths)
			l.OK = ok && err == nil
		}
		if err != nil {
			l.Err = err.Error()
		}
		w.say(l)
		w.drop()
	}
	switch k := w.rng.IntN(100); {
	case k < 40:
		do("save", id, func() ([]string, bool, error) { return w.save(p, id) }, p)
	case k < 60 && !w.durable:
		do("write", id, func() ([]string, bool, error) { return w.inPlace(p, id) }, p)
	case k < 75:
		do("append", id, func() ([]string, bool, error) { err := w.add(p, id); return nil, err == nil, err }, p)
	case k < 85:
		do("remove", "", func() ([]string, bool, error) { return w.remove(p) }, p)
	case k < 93:
		q := w.path()
		do("rename", "", func() ([]string, bool, error) { return nil, true, w.rename(p, q) }, p, q)
	case k < 97:
		a, b := w.dir(), w.dir()
		do("rename", "", func() ([]string, bool, error) { return nil, true, w.rename(a, b) }, a, b)
	case k < 98:
		d := w.dir()
		do("remove", "", func() ([]string, bool, error) { return w.remove(d) }, d)
	default:
		do("chmod", "", func() ([]string, bool, error) {
			return nil, true, os.Chmod(w.at(p), fs.FileMode(0o644+0o111*w.rng.IntN(2)))
		}, p)
	}
}

func (w *writer) dir() string { return fmt.Sprintf("d%d", w.rng.IntN(8)) }

func (w *writer) path() string {
	p := fmt.Sprintf("f%d.txt", w.rng.IntN(12))
	for range w.rng.IntN(3) {
		p = w.dir() + "/" + p
	}
	return p
}

func (w *writer) at(p string) string { return filepath.Join(w.root, p) }

// temp is a name in scratch that nobody else has. What is called "out" lies there
// from the moment it is taken from its path until that was said, so that whoever
// finds it knows what a writer that was killed had done.
func (w *writer) temp(what string) string {
	w.temps++
	return filepath.Join(w.scratch, fmt.Sprintf("%s-%x-%d", what, w.born, w.temps))
}

// drop removes what was told.
func (w *writer) drop() {
	for _, p := range w.told {
		_ = os.RemoveAll(p)
	}
	w.told = w.told[:0]
}

// save puts a new file in place with one rename: what is there and the new line,
// or only that. What came out, less what went in, was replaced.
func (w *writer) save(p, id string) (out []string, ok bool, err error) {
	old, err := os.ReadFile(w.at(p))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	text := string(old)
	if n := strings.Count(text, "\n"); n >= maxLines || w.rng.IntN(3) == 0 {
		text = ""
	}
	text += id + "\n"
	temp := w.temp("out") // which is what it holds after an exchange
	w.told = append(w.told, temp)
	if err := w.writeFile(temp, text); err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(filepath.Dir(w.at(p)), 0o755); err != nil {
		return nil, false, err
	}
	for range 100 {
		err = unix.Renameat2(unix.AT_FDCWD, w.at(p), unix.AT_FDCWD, temp, unix.RENAME_EXCHANGE)
		if err == nil {
			out, err := w.gone(temp)
			return without(out, text), true, err
		}
		if err != unix.ENOENT {
			break
		}
		err = unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, w.at(p), unix.RENAME_NOREPLACE)
		if err == nil {
			return nil, true, nil
		}
		if err != unix.EEXIST {
			break
		}
	}
	return nil, false, err
}

func (w *writer) writeFile(p, text string) error {
	f, err := os.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil && w.durable {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sync makes what is at paths durable, and the directories above, up to the root. One
// that is gone was renamed meanwhile, by whoever syncs that.
func (w *writer) sync(paths []string) error {
	for _, p := range paths {
		w.syncFiles(w.at(p))
		for dir := filepath.Dir(w.at(p)); len(dir) >= len(w.root); dir = filepath.Dir(dir) {
			f, err := os.Open(dir)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
				continue
			}
			if err == nil {
				err = errors.Join(f.Sync(), f.Close())
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// syncFiles syncs the files at and below a path: who moves a file that somebody else
// has just written has to, if its content shall survive under the new name.
func (w *writer) syncFiles(p string) {
	_ = filepath.WalkDir(p, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // what is gone is somebody else's
		}
		if f, err := os.Open(p); err == nil {
			_ = errors.Join(f.Sync(), f.Close())
		}
		return nil
	})
}

// inPlace empties a file and writes it anew. What it held then was replaced.
func (w *writer) inPlace(p, id string) (out []string, ok bool, err error) {
	f, err := os.OpenFile(w.at(p), os.O_RDWR, 0)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	old, err := io.ReadAll(f)
	if err != nil {
		return nil, false, err
	}
	temp := w.temp("out")
	w.told = append(w.told, temp)
	if err := os.WriteFile(temp, old, 0o644); err != nil {
		return nil, false, err
	}
	if err := f.Truncate(0); err != nil {
		return nil, false, err
	}
	out = lines(string(old))
	// With no room left the file stays empty: what it held is gone, as users know.
	if _, err := f.WriteAt([]byte(id+"\n"), 0); err != nil {
		return out, false, err
	}
	return out, true, nil
}

func (w *writer) add(p, id string) error {
	f, err := os.OpenFile(w.at(p), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > 4096 {
		return errors.Join(err, errors.New("is long enough"))
	}
	_, err = f.WriteString(id + "\n")
	if err == nil && w.durable {
		err = f.Sync()
	}
	return err
}

// remove takes a file or a directory away in one step, and then says what was in it.
func (w *writer) remove(p string) (out []string, ok bool, err error) {
	temp := w.temp("out")
	if err := unix.Renameat2(unix.AT_FDCWD, w.at(p), unix.AT_FDCWD, temp, unix.RENAME_NOREPLACE); err != nil {
		return nil, false, err
	}
	w.told = append(w.told, temp)
	out, err = w.gone(temp)
	return out, true, err
}

func (w *writer) rename(p, q string) error {
	if err := os.MkdirAll(filepath.Dir(w.at(q)), 0o755); err != nil {
		return err
	}
	return unix.Renameat2(unix.AT_FDCWD, w.at(p), unix.AT_FDCWD, w.at(q), unix.RENAME_NOREPLACE)
}

// gone returns what is in something that was taken away. A directory may get
// something new meanwhile, from whoever holds it open, so each file is taken out
// before it is read, and a directory that is not empty is looked at again.
func (w *writer) gone(temp string) (ids []string, err error) {
	info, err := os.Lstat(temp)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		text, err := os.ReadFile(temp)
		return lines(string(text)), err
	}
	for {
		names, err := os.ReadDir(temp)
		if err != nil {
			return ids, err
		}
		for _, d := range names {
			out := w.temp("out")
			if err := os.Rename(filepath.Join(temp, d.Name()), out); err != nil {
				continue
			}
			w.told = append(w.told, out)
			more, err := w.gone(out)
			if ids = append(ids, more...); err != nil {
				return ids, err
			}
		}
		if err := os.Remove(temp); !errors.Is(err, unix.ENOTEMPTY) {
			return ids, err
		}
	}
}

func lines(text string) []string { return strings.Fields(text) }

// without returns the ids that text does not hold.
func without(ids []string, text string) (rest []string) {
	held := make(map[string]bool)
	for _, id := range lines(text) {
		held[id] = true
	}
	for _, id := range ids {
		if !held[id] {
			rest = append(rest, id)
		}
	}
	return rest
}
