package ignore

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Note is a built-in rule and the reason for it, in a sentence for the user.
type Note struct{ Text, Because string }

// AlwaysSource is the source of the rules that cannot be taken back.
const AlwaysSource = "always"

// Always are the names that never cross, as file or directory.
var Always = [...]Note{
	{".twosync", "twosync keeps its lock and its unfinished work there; below the root it is that of another session."},
	{".git", "A repository that is half of one moment and half of the next is broken; this version leaves it to the host."},
	{".hg", "As .git, for Mercurial."},
	{".svn", "As .git, for Subversion."},
}

// guarded are the names of Always as they are compared: folded, and with the
// short name that Windows makes of them, less its number.
var guarded = [len(Always)]struct{ name, short string }{
	{".twosync", "twosyn~"},
	{".git", "git~"},
	{".hg", "hg~"},
	{".svn", "svn~"},
}

// guard returns the note on name if it never crosses. Any name that some file
// system would take for one of these counts as it (CVE-2014-9390).
func guard(name string) *Note {
	if !suspect(name) {
		return nil
	}
	for i := range guarded {
		if g := &guarded[i]; isName(name, g.name) || isShort(name, g.short) {
			return &Always[i]
		}
	}
	return nil
}

// suspect says whether a closer look is needed, which nearly no name needs.
func suspect(name string) bool {
	if strings.HasPrefix(name, ".") {
		return true
	}
	for i := 0; i < len(name); i++ {
		if name[i] == '~' || name[i] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

func isName(name, want string) bool {
	left, ok := cutFolded(name, want)
	return ok && isNothing(left)
}

// isShort compares with the short names 1 to 4; for later ones Windows makes
// a name from a hash.
func isShort(name, want string) bool {
	left, ok := cutFolded(name, want)
	return ok && left != "" && '1' <= left[0] && left[0] <= '4' && isNothing(left[1:])
}

// cutFolded cuts want from the front of name: in any case, and with code points
// between the letters that some file systems do not see.
func cutFolded(name, want string) (left string, ok bool) {
	for want != "" {
		r, n := utf8.DecodeRuneInString(name)
		if n == 0 {
			return "", false
		}
		name = name[n:]
		if isUnseen(r) {
			continue
		}
		if !sameFolded(r, rune(want[0])) {
			return "", false
		}
		want = want[1:]
	}
	return name, true
}

// isNothing says whether a file system may overlook left at the end of a name:
// Windows drops dots and spaces, and reads a colon or a backslash as the end.
func isNothing(left string) bool {
	for _, r := range left {
		switch {
		case r == ':' || r == '\\':
			return true
		case r != '.' && r != ' ' && !isUnseen(r):
			return false
		}
	}
	return true
}

// isUnseen covers the code points that HFS+ skips, and the few more that Linux
// skips in case-insensitive directories.
func isUnseen(r rune) bool {
	return r >= utf8.RuneSelf && r != utf8.RuneError &&
		unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func sameFolded(a, b rune) bool {
	if a == b {
		return true
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}
