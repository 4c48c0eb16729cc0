package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/e2e"
)

// perDir is the files that the storms put into one directory, as source trees
// do, and sizes about those of source files.
const (
	perDir  = 20
	minSize = 100
	maxSize = 6000
)

// text is some content that follows from the seeds alone.
func text(seed, i int64) []byte {
	rnd := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
	b := fmt.Appendf(nil, "version %d of file %d\n", seed, i)
	for n := minSize + rnd.IntN(maxSize-minSize); len(b) < n; {
		b = fmt.Appendf(b, "%x\n", rnd.Uint64())
	}
	return b
}

// place is the name of file i of a tree.
func place(i int64) string {
	d := i / perDir
	return fmt.Sprintf("d%02d/e%02d/f%d.txt", d%10, d/10, i)
}

// populate writes a tree of N files of version At.
func (u *user) populate(r e2e.Request, _ *e2e.Answer) error {
	for i := range r.N {
		if err := put(filepath.Join(u.at(r.Path), place(i)), text(r.At, i)); err != nil {
			return err
		}
	}
	return nil
}

func put(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}

// checkout makes of a populated tree of N files what git does on a switch of
// branches: a file is unlinked and made anew. Of five files one stays as it is,
// one is deleted, one comes beside it, two change. Directories that became
// empty go.
func (u *user) checkout(r e2e.Request, _ *e2e.Answer) error {
	top := u.at(r.Path)
	for i := range r.N {
		path := filepath.Join(top, place(i))
		var err error
		switch i % 5 {
		case 0:
		case 1:
			if err = os.Remove(path); err == nil {
				_ = os.Remove(filepath.Dir(path)) // git tries too
			}
		case 2:
			err = put(path+".new", text(r.At, i))
		default:
			if err = os.Remove(path); err == nil {
				err = put(path, text(r.At, i))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// install makes a folder of N files as npm does: each package grows in a hidden
// directory and is renamed into place, and programs get links.
func (u *user) install(r e2e.Request, _ *e2e.Answer) error {
	top := u.at(r.Path)
	bin := filepath.Join(top, ".bin")
	if err := os.MkdirAll(bin, 0o777); err != nil {
		return err
	}
	const perPackage = 25
	for p := range r.N / perPackage {
		name := fmt.Sprintf("package-%d", p)
		temp := filepath.Join(top, fmt.Sprintf(".%s-Xy%04d", name, p))
		for i := range int64(perPackage) {
			if err := put(filepath.Join(temp, fmt.Sprintf("lib%d", i%3), fmt.Sprintf("f%d.js", i)), text(r.At+p, i)); err != nil {
				return err
			}
		}
		program := filepath.Join(temp, "lib0", "f0.js")
		err := errors.Join(os.Chmod(program, 0o755), os.Rename(temp, filepath.Join(top, name)),
			os.Symlink("../"+name+"/lib0/f0.js", filepath.Join(bin, name)))
		if err != nil {
			return err
		}
	}
	return nil
}

// slowSave is less than the 20 ms that an empty file must rest to be believed.
const slowSave = 15 * time.Millisecond

// saves writes a file in place N times, each time emptied first and then in
// halves, every some milliseconds. All versions have the length of Data, whose
// start is overwritten by a number. It answers how many of them took so long,
// on a machine that is busy, that anybody may take what was there for all.
func (u *user) saves(r e2e.Request, a *e2e.Answer) error {
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for i := range r.N {
		data := append([]byte(nil), r.Data...)
		copy(data, fmt.Sprintf("%08d", i))
		began := time.Now()
		f, err := os.OpenFile(u.at(r.Path), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
		if err != nil {
			return err
		}
		_, err = f.Write(data[:len(data)/2])
		if err == nil {
			_, err = f.Write(data[len(data)/2:])
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		if time.Since(began) > slowSave {
			a.N++
		}
		<-every.C
	}
	return nil
}

// writing is a program that writes to a log for as long as it is left to.
type writing struct {
	stop chan struct{}
	done sync.WaitGroup
	err  error
}

// keepUp appends Data to a file, never closed, every N milliseconds until enough.
func (u *user) keepUp(r e2e.Request, _ *e2e.Answer) error {
	f, err := os.OpenFile(u.at(r.Path), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	w := &writing{stop: make(chan struct{})}
	u.writings[string(r.Path)] = w
	w.done.Go(func() {
		defer f.Close()
		every := time.NewTicker(time.Duration(r.N) * time.Millisecond)
		defer every.Stop()
		for w.err == nil {
			select {
			case <-every.C:
				_, w.err = f.Write(r.Data)
			case <-w.stop:
				return
			}
		}
	})
	return nil
}

func (u *user) enough(r e2e.Request, _ *e2e.Answer) error {
	w := u.writings[string(r.Path)]
	if w == nil {
		return errors.New("nobody writes there")
	}
	delete(u.writings, string(r.Path))
	close(w.stop)
	w.done.Wait()
	return w.err
}
