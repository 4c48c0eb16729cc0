package replicatest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/twosync/twosync/internal/tree"
)

// private is the folder of twosync in a root, which belongs to no tree.
const private = ".twosync"

// Scan reads a directory that nobody writes to, in the simplest way there is.
func Scan(dir string) (*tree.Entry, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var children []tree.Child
	for _, item := range list {
		if item.Name() == private {
			continue
		}
		e, err := scanOne(filepath.Join(dir, item.Name()))
		if err != nil {
			return nil, err
		}
		children = append(children, tree.Child{Name: item.Name(), Entry: e})
	}
	return tree.NewDir(children), nil
}

func scanOne(path string) (*tree.Entry, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return Scan(path)
	case info.Mode()&os.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return tree.NewLink(target), err
	case !info.Mode().IsRegular():
		return tree.NewOpaque(info.Mode().Type().String()), nil
	}
	content, err := os.ReadFile(path)
	return fileOf(string(content), info.Mode()&0o111 != 0), err
}

func fileOf(content string, exec bool) *tree.Entry {
	return tree.NewFile(tree.DigestOf([]byte(content)), int64(len(content)), exec)
}

// Show prints a tree, one line a path.
func Show(e *tree.Entry) string {
	if e == nil {
		return "  nothing\n"
	}
	var b strings.Builder
	tree.Walk("", e, func(path string, e *tree.Entry) bool {
		fmt.Fprintf(&b, "  %q %v", path, e.Kind)
		if e.IsFile() {
			fmt.Fprintf(&b, " %v %d exec=%v", e.Digest, e.Size, e.Exec)
		}
		fmt.Fprintf(&b, " %q\n", e.Text)
		return true
	})
	return b.String()
}
