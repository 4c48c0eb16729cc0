package probe

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// toil is what programs do all day in a directory: it is compared where the
// directory is a share, a synced one, or the container's own.
func toil(q *Request, path string) (Reply, error) {
	switch q.Op {
	case "stat": // every entry below Path, as linters and watchers do when they start
		n, err := statAll(path)
		return Reply{Files: n}, err
	case "read": // every file below Path, as grep does
		n, size, err := readAll(path)
		return Reply{Files: n, Bytes: size}, err
	case "build": // at most Files files below Path, into To
		n, err := build(path, filepath.Join(q.Root, filepath.FromSlash(q.To)), q.Files)
		return Reply{Files: n}, err
	case "micro": // Files times each of the operations that all work consists of
		ops, err := micro(path, q.Files)
		return Reply{Ops: ops}, err
	}
	ops, err := sequential(path, q.Seed, q.Size) // a file of Size bytes
	return Reply{Ops: ops}, err
}

func statAll(root string) (n int, err error) {
	err = eachBelow(root, func(_, _ string, d fs.DirEntry) error {
		n++
		_, err := d.Info()
		return err
	})
	return n, err
}

func readAll(root string) (n int, size int64, err error) {
	buffer := make([]byte, 256<<10)
	err = eachBelow(root, func(name, _ string, d fs.DirEntry) error {
		if !d.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		got, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{f}, buffer)
		n, size = n+1, size+got
		return err
	})
	return n, size, err
}

// build does to the file system what a compiler with an empty cache does: looks
// for an object that is not there, reads the source, writes the object, and in
// the end reads all objects into one file. It computes little, so it shows the
// directory and not the processor.
func build(src, dst string, most int) (n int, err error) {
	files, err := regularFiles(src)
	if err != nil {
		return 0, err
	}
	files = files[:min(len(files), most)]
	app := sha256.New()
	for i, f := range files {
		object := filepath.Join(dst, fmt.Sprintf("%02x", i%256), fmt.Sprintf("%05d.o", i))
		if _, err := os.Stat(object); err == nil {
			return i, fmt.Errorf("build: %s is there already", object)
		}
		if i < 256 {
			if err := os.MkdirAll(filepath.Dir(object), 0o755); err != nil {
				return i, err
			}
		}
		source, err := os.ReadFile(filepath.Join(src, filepath.FromSlash(f.Path)))
		if err != nil {
			return i, err
		}
		sum := sha256.Sum256(source)
		if err := replace(object, append(sum[:], source...)); err != nil {
			return i, err
		}
	}
	for i := range files {
		object, err := os.ReadFile(filepath.Join(dst, fmt.Sprintf("%02x", i%256), fmt.Sprintf("%05d.o", i)))
		if err != nil {
			return i, err
		}
		app.Write(object)
	}
	return len(files), os.WriteFile(filepath.Join(dst, "app"), app.Sum(nil), 0o755)
}

// microBytes is the size of the files of micro.
const microBytes = 2 << 10

// Micro lists the operations of micro, in the order in which they are shown.
var Micro = []string{"create", "stat", "stat missing", "read", "replace", "append 1 KiB", "remove"}

// micro does each operation n times, and returns what one took.
func micro(dir string, n int) (map[string]time.Duration, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	text, ops := Text(1, 1, microBytes), make(map[string]time.Duration)
	name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("micro-%05d", i)) }
	for _, op := range []struct {
		name string
		do   func(i int) error
	}{
		{"create", func(i int) error { return os.WriteFile(name(i), text, 0o644) }},
		{"stat", func(i int) error { _, err := os.Lstat(name(i)); return err }},
		{"stat missing", func(i int) error {
			if _, err := os.Lstat(name(i) + ".map"); err == nil {
				return fmt.Errorf("%s.map is there", name(i))
			}
			return nil
		}},
		{"read", func(i int) error { _, err := os.ReadFile(name(i)); return err }},
		{"replace", func(i int) error { return replace(name(i), text) }},
		{"append 1 KiB", appender(filepath.Join(dir, "micro-log"), n)},
		{"remove", func(i int) error { return os.Remove(name(i)) }},
	} {
		start := time.Now()
		for i := range n {
			if err := op.do(i); err != nil {
				return nil, fmt.Errorf("%s: %w", op.name, err)
			}
		}
		ops[op.name] = time.Since(start) / time.Duration(n)
	}
	return ops, os.Remove(filepath.Join(dir, "micro-log"))
}

// appender writes small pieces to one file that is held open, as a log is.
func appender(name string, n int) func(i int) error {
	var f *os.File
	piece := Text(1, 2, 1<<10)
	return func(i int) (err error) {
		if i == 0 {
			if f, err = os.Create(name); err != nil {
				return err
			}
		}
		if _, err := f.Write(piece); err != nil {
			return err
		}
		if i == n-1 {
			return f.Close()
		}
		return nil
	}
}

// sequential writes one file and reads it again: where shares are fine.
func sequential(path string, seed uint64, size int64) (map[string]time.Duration, error) {
	ops, start := make(map[string]time.Duration), time.Now()
	if err := Large(path, seed, size); err != nil {
		return nil, err
	}
	ops["write"] = time.Since(start)
	start = time.Now()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{f}, make([]byte, 1<<20)); err != nil {
		return nil, err
	}
	ops["read"] = time.Since(start)
	return ops, os.Remove(path)
}
