// Package names knows which names a file system takes for one, and which it can't
// hold at all.
//
// It is for the host alone: the agent says what its file system does, and does not
// carry the tables of Unicode.
//
// # Why
//
// Each file system compares names by tables of its own, of some version. To take two
// names for one that the file system tells apart only costs a rename; the other way
// round, the disk refuses the second name and says so. So simple case folding and
// NFC, which are nearly what all of them do, are enough.
package names

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold returns a function that is equal for names that a file system takes for one:
// which differ in case, in the normal form, or in both. It returns nil where the
// file system does neither.
func Fold(foldsCase, foldsNFC bool) func(name string) string {
	switch {
	case foldsCase && foldsNFC:
		return func(name string) string { return norm.NFC.String(foldCase(norm.NFD.String(name))) }
	case foldsCase:
		return foldCase
	case foldsNFC:
		return norm.NFC.String
	}
	return nil
}

// foldCase maps each rune to the least of those that differ from it in case only.
// What is no rune stays as it is.
func foldCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r == utf8.RuneError {
			_, n := utf8.DecodeRuneInString(name[i:])
			b.WriteString(name[i : i+n])
			continue
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		b.WriteRune(least)
	}
	return b.String()
}

// Bad returns a function that says why a system, named as in GOOS, can't hold a
// name, and what helps; "" where it can. It returns nil where any name will do.
func Bad(system string) func(name string) (reason string) {
	switch system {
	case "windows":
		return badOnWindows
	case "darwin":
		return badOnMac
	}
	return nil
}

func badOnMac(name string) string {
	if !utf8.ValidString(name) {
		return "its name is not valid UTF-8, and macOS holds no other: rename it"
	}
	return ""
}

func badOnWindows(name string) string {
	switch {
	case !utf8.ValidString(name):
		return "its name is not valid UTF-8, and Windows holds no other: rename it"
	case strings.ContainsAny(name, `\:*?"<>|`), strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
		return `Windows holds no name with \ : * ? " < > | or a control character in it: rename it`
	case strings.HasSuffix(name, "."), strings.HasSuffix(name, " "):
		return "Windows holds no name that ends in a dot or a space: rename it"
	case isDevice(name):
		return "Windows takes its name for a device: rename it"
	}
	return ""
}

// isDevice says whether Windows takes a name for a device, whatever follows its
// first dot.
func isDevice(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	name = strings.ToUpper(strings.TrimRight(name, " "))
	switch name {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(name, "COM")
	if !ok {
		port, ok = strings.CutPrefix(name, "LPT")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "123456789¹²³")
}
