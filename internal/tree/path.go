package tree

import (
	"fmt"
	"strings"
)

// Limits of names and paths. Names: what every file system of the three
// systems holds. Depth and length: CASES §4.3, safe default 1.
const (
	MaxName  = 255
	MaxDepth = 256
	MaxPath  = 64 << 10
)

// ValidName says whether name can be one component of a path.
func ValidName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > MaxName {
		return false
	}
	return !strings.ContainsAny(name, "/\x00")
}

// CheckPath returns an error unless path is made of valid names, joined by
// slashes, within the limits. The empty path is the root.
func CheckPath(path string) error {
	if path == "" {
		return nil
	}
	if len(path) > MaxPath {
		return fmt.Errorf("path of %d bytes is longer than %d", len(path), MaxPath)
	}
	depth := 0
	for name := range strings.SplitSeq(path, "/") {
		if !ValidName(name) {
			return fmt.Errorf("path %q has a bad name", path)
		}
		if depth++; depth > MaxDepth {
			return fmt.Errorf("path is deeper than %d", MaxDepth)
		}
	}
	return nil
}

// Join appends name to path.
func Join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// Split returns path's parent and last name; ("", "") for the root.
func Split(path string) (parent, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// Cut returns path's first name and the rest.
func Cut(path string) (first, rest string) {
	first, rest, _ = strings.Cut(path, "/")
	return first, rest
}

// Within says whether path is dir or below it.
func Within(path, dir string) bool {
	return dir == "" || path == dir ||
		len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

// Overlap says whether one of two paths is the other or below it.
func Overlap(a, b string) bool { return Within(a, b) || Within(b, a) }
