//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// tree is what a directory holds, by path.
type tree map[string]Entry

func newTree(entries []Entry) tree {
	all := make(tree, len(entries))
	for _, e := range entries {
		all[string(e.Path)] = e
	}
	return all
}

// without returns the tree less what is at or below the paths.
func (x tree) without(paths ...string) tree {
	rest := maps.Clone(x)
	maps.DeleteFunc(rest, func(path string, _ Entry) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
	})
	return rest
}

// below returns what is in one directory of the tree.
func (x tree) below(dir string) tree {
	part := maps.Clone(x)
	maps.DeleteFunc(part, func(path string, _ Entry) bool { return !strings.HasPrefix(path, dir+"/") })
	return part
}

func (e Entry) String() string {
	switch {
	case e.Kind == "":
		return "absent"
	case e.Kind == File:
		return fmt.Sprintf("file of %d bytes %x exec=%v %s", e.Size, e.Digest, e.Exec, e.Error)
	case e.Kind == Link:
		return fmt.Sprintf("link to %q", e.Text)
	}
	return e.Kind + " " + e.Error
}

// equal compares all that syncs.
func (e Entry) equal(f Entry) bool {
	return e.Kind == f.Kind && e.Exec == f.Exec && e.Size == f.Size && e.Error == f.Error &&
		bytes.Equal(e.Digest, f.Digest) && bytes.Equal(e.Text, f.Text)
}

// maxDiffs bounds what a failure prints.
const maxDiffs = 20

// diff lists how two trees differ; "" if they do not.
func diff(a, b tree) string {
	paths := make(map[string]bool)
	for p := range a {
		paths[p] = true
	}
	for p := range b {
		paths[p] = true
	}
	var out strings.Builder
	n := 0
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		if a[p].equal(b[p]) {
			continue
		}
		if n++; n <= maxDiffs {
			fmt.Fprintf(&out, "\t%.100q: %v, but %v\n", p, a[p], b[p])
		}
	}
	if n > maxDiffs {
		fmt.Fprintf(&out, "\tand %d more\n", n-maxDiffs)
	}
	return out.String()
}

// same fails the test unless two trees are the same.
func same(t *testing.T, what string, a, b tree) {
	t.Helper()
	if d := diff(a, b); d != "" {
		t.Errorf("%s:\n%s", what, d)
	}
}
