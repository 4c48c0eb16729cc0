package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/run"
)

// ignoreFile is at the root, and written like git's.
const ignoreFile = ".twosyncignore"

// readRules puts together what does not cross: what is built in, then the file
// at the root, then the command line, which so has the last word. A pattern that
// can't match is a mistake: on the command line it ends us, in the file it is
// warned of.
func readRules(root string, flagged, kept []string, tell func(run.Event)) (*ignore.Rules, error) {
	text, err := readIgnoreFile(root)
	if err != nil {
		return nil, err
	}
	fromFile := ignore.Parse(ignoreFile, text)
	rules, err := ignore.New(ignore.BuiltIn(), fromFile, ignore.Literal("--ignore", flagged...), ignore.Literal("--keep", keeps(root, kept)...))
	if err != nil {
		return nil, &UsageError{err.Error(), "shorten " + ignoreFile + " or the patterns on the command line"}
	}
	for _, flaw := range rules.Flaws() {
		if flaw.Source != ignoreFile {
			return nil, &UsageError{fmt.Sprintf("%s %q can never match: %s", flaw.Source, flaw.Text, flaw.Reason),
				"write it as in a .gitignore, from the root of the directory"}
		}
		tell(run.Event{Kind: run.Warning, Text: fmt.Sprintf("%s: %q can never match: %s", flaw.Where(), flaw.Text, flaw.Reason)})
	}
	return rules, nil
}

// keeps takes names as a shell completes them: ./web/node_modules/ is the one
// there, and node_modules is any. What is there by that very name is meant, whatever
// it looks like as a pattern: pages/[id] is a directory of some frameworks.
func keeps(root string, names []string) []string {
	patterns := make([]string, 0, len(names))
	for _, name := range names {
		name = filepath.ToSlash(name)
		_, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name)))
		rest, anchored := strings.CutPrefix(name, "./")
		if err == nil {
			rest = literal(rest)
		}
		if anchored {
			rest = "/" + rest
		}
		patterns = append(patterns, rest)
	}
	return patterns
}

// literal is a pattern for nothing but name.
func literal(name string) string {
	var b strings.Builder
	for i, c := range []byte(name) {
		if strings.IndexByte(`\*?[`, c) >= 0 || i == 0 && (c == '!' || c == '#') {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// readIgnoreFile returns what the file says; nothing when there is none. One
// that can't be read ends us: what it would keep back is not ours to send.
func readIgnoreFile(root string) (string, error) {
	path := filepath.Join(root, ignoreFile)
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", &Error{"read " + path + ": " + err.Error(), "make it readable, or remove it", err}
	case !st.Mode().IsRegular():
		return "", &Error{path + " is not a file", "that one name is for the rules of what does not cross: rename it", nil}
	case st.Size() > ignore.MaxTextBytes:
		return "", &Error{fmt.Sprintf("%s is larger than %s", path, size(ignore.MaxTextBytes)), "shorten it", nil}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", &Error{"read " + path + ": " + err.Error(), "make it readable, or remove it", err}
	}
	return string(text), nil
}

// guard says why what the container makes of a path waits; nil when nothing does.
func (u *up) guard() func(path string, isLink bool) string {
	if u.unguarded {
		return nil
	}
	return func(path string, isLink bool) string {
		if n := ignore.Guard(path, isLink); n != nil {
			return n.Because + ": held until twosync accept"
		}
		return ""
	}
}

// tellRepository says once that version control stays behind.
func tellRepository(root string, tell func(run.Event)) {
	var found []string
	for _, name := range [...]string{".git", ".hg", ".svn"} {
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
			found = append(found, name)
		}
	}
	if len(found) > 0 {
		tell(run.Event{Kind: run.Note, Text: strings.Join(found, ", ") + " stays here: this version leaves repositories to the host"})
	}
}
