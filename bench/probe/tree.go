package probe

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ownFolder is twosync's, at the root: not part of what is kept the same.
const ownFolder = ".twosync"

// Tree returns a digest of everything below root that is kept the same, and the
// newest ctime of it.
func Tree(root string) (Reply, error) {
	var r Reply
	sum := sha256.New()
	err := walk(root, func(line string, size, changed int64) {
		io.WriteString(sum, line+"\n")
		r.Changed = max(r.Changed, changed)
		if size >= 0 {
			r.Files++
			r.Bytes += size
		}
	})
	r.Digest = hex.EncodeToString(sum.Sum(nil))
	return r, err
}

// List returns a line for everything below root, in order.
func List(root string) ([]string, error) {
	var lines []string
	err := walk(root, func(line string, _, _ int64) { lines = append(lines, line) })
	return lines, err
}

// eachBelow calls visit for the root and everything in it but our own folder, in
// order: with the name to open it by, and the path from the root.
func eachBelow(root string, visit func(name, rel string, d fs.DirEntry) error) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if rel == ownFolder {
			return fs.SkipDir
		}
		return visit(name, rel, d)
	})
}

// walk calls with a line for each entry, the size of a file or -1, and its ctime.
func walk(root string, each func(line string, size, changed int64)) error {
	hash, buffer := sha256.New(), make([]byte, 256<<10)
	return eachBelow(root, func(name, rel string, d fs.DirEntry) error {
		info, err := d.Info()
		if err != nil {
			return err
		}
		line, size := filepath.ToSlash(rel), int64(-1)
		switch info.Mode().Type() {
		case fs.ModeDir:
			line += "/"
		case fs.ModeSymlink:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			line += " -> " + to
		case 0:
			if err := digest(hash, name, buffer); err != nil {
				return err
			}
			size = info.Size()
			line += fmt.Sprintf(" %d %t %x", size, info.Mode()&0o100 != 0, hash.Sum(nil))
		default:
			line += " " + info.Mode().Type().String()
		}
		each(line, size, changeTime(info))
		return nil
	})
}

func digest(h hash.Hash, name string, buffer []byte) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h.Reset()
	_, err = io.CopyBuffer(onlyWriter{h}, onlyReader{f}, buffer)
	return err
}

// These hide methods by which io.Copy would go around the buffer.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

// regularFiles lists the files below root, in order.
func regularFiles(root string) ([]File, error) {
	var files []File
	err := eachBelow(root, func(name, rel string, d fs.DirEntry) error {
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err == nil {
			files = append(files, File{filepath.ToSlash(rel), info.Size()})
		}
		return err
	})
	return files, err
}

// expectAll says what a copy of root will hold, for arrive.
func expectAll(root string) ([]Expect, error) {
	var expect []Expect
	err := eachBelow(root, func(name, rel string, d fs.DirEntry) error {
		e := Expect{Path: filepath.ToSlash(rel), Size: Other}
		switch {
		case d.IsDir():
			e.Size = Folder
		case d.Type().IsRegular():
			info, err := d.Info()
			if err != nil {
				return err
			}
			e.Size = info.Size()
		}
		expect = append(expect, e)
		return nil
	})
	return expect, err
}

// lookAgain is how long arrive rests after a look that found too little.
const lookAgain = 2 * time.Millisecond

// arrive returns once everything has held. It looks at one path at a time and
// goes on from there, so it looks at each about once.
func arrive(root string, expect []Expect, limit time.Duration) error {
	end := time.Now().Add(limit)
	for _, e := range expect {
		for !e.holds(root) {
			if time.Now().After(end) {
				return fmt.Errorf("%s has not arrived within %v", e.Path, limit)
			}
			time.Sleep(lookAgain)
		}
	}
	return nil
}

func (e Expect) holds(root string) bool {
	name := filepath.Join(root, filepath.FromSlash(e.Path))
	info, err := os.Lstat(name)
	switch {
	case e.Size == Absent:
		return errors.Is(err, fs.ErrNotExist)
	case err != nil:
		return false
	case e.Size == Folder:
		return info.IsDir()
	case e.Size == Other:
		return true
	case info.Size() != e.Size || !info.Mode().IsRegular():
		return false
	}
	return e.Want == nil || holdsAt(name, e.Want, e.At)
}

func holdsAt(name string, want []byte, at int64) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	got := make([]byte, len(want))
	_, err = f.ReadAt(got, at)
	return (err == nil || errors.Is(err, io.EOF)) && string(got) == string(want)
}
