package probe

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// The shape of what is made: source trees have about this many files a directory,
// most of them small, a few large.
const (
	filesADir   = 20
	dirsAParent = 16
	oneLargeIn  = 500
)

// File is one file of a generated tree.
type File struct {
	Path string // with slashes
	Size int64
}

// Plan says what a tree of n files from seed consists of, with perDir files a
// directory, or the usual number for 0. It is the same on every machine, so that
// the other side can be told what to wait for.
func Plan(seed uint64, n, perDir int) []File {
	if perDir == 0 {
		perDir = filesADir
	}
	r := rand.New(rand.NewPCG(seed, 1))
	files := make([]File, n)
	for i := range files {
		dir := i / perDir
		size := int64(64) << r.IntN(7)
		size += r.Int64N(size)
		if r.IntN(oneLargeIn) == 0 {
			size = 64<<10 + r.Int64N(192<<10)
		}
		files[i] = File{fmt.Sprintf("part%03d/dir%02d/file%05d.txt", dir/dirsAParent, dir%dirsAParent, i), size}
	}
	return files
}

// Make writes the tree of Plan below root.
func Make(root string, seed uint64, n, perDir int) error {
	last := ""
	for i, f := range Plan(seed, n, perDir) {
		path := filepath.Join(root, filepath.FromSlash(f.Path))
		if dir := filepath.Dir(path); dir != last {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			last = dir
		}
		if err := os.WriteFile(path, Text(seed, uint64(i), f.Size), 0o644); err != nil {
			return err
		}
	}
	return nil
}

const letters = "etaoinshrdlucmfwypvbgkjqxzETAOINSHRDLUCMFWYPVBGKJQXZ0123 .,;()\n\t"

// Text returns size bytes that depend on seed and n: letters, so that they
// compress no better and no worse than they must.
func Text(seed, n uint64, size int64) []byte {
	r := rand.NewPCG(seed, n^0x9e3779b97f4a7c15)
	text := make([]byte, size)
	for i := 0; i < len(text); {
		word := r.Uint64()
		for range min(10, len(text)-i) {
			text[i] = letters[word%64]
			word >>= 6
			i++
		}
	}
	return text
}

// Large writes a file of random bytes, which nothing compresses.
func Large(path string, seed uint64, size int64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	_, err = io.CopyBuffer(f, io.LimitReader(rand.NewChaCha8(key), size), make([]byte, 1<<20))
	return err
}

func edit(path string, data []byte, at int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, at)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// replace is a save of the careful kind: no reader sees half of it.
func replace(path string, data []byte) error {
	if err := os.WriteFile(path+"~", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+"~", path)
}

// insert is what a program does that saves a large document anew.
func insert(path string, data []byte) error {
	old, err := os.Open(path)
	if err != nil {
		return err
	}
	defer old.Close()
	tmp, err := os.Create(path + "~") // a name of a temporary, which no tool carries over
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err == nil {
		_, err = io.Copy(tmp, old)
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
