// Package ignore decides which paths do not cross.
//
// Rules are written as git's ignore files are, and mean what git means by them:
// for every pattern and every path the answer is that of `git check-ignore`
// with core.ignoreCase off, and the pattern that is named as the reason is the
// one that git names. The tests ask git itself.
//
// Some names never cross, whatever the rules say: twosync's own folder and the
// folders of version control. They are compared in a folded form, because a
// file system may take ".GIT" or "git~1" for ".git" (CASES F10).
//
// Paths are relative to the root, with slashes, without "." or ".." and without
// a slash at either end; the root itself is "". Patterns and paths are bytes:
// "?" is one byte, upper and lower case differ on every system, and nothing is
// normalised, so that both sides decide alike (CASES K7).
//
// The package reads no file: whoever calls it brings the text of the rules.
// There is one set of rules a root, not one a directory.
//
// # Why
//
// The matcher is our own. doublestar and every ignore library that was tried
// differ from git somewhere (LIBS §6.6); this one is small, never goes back
// more than one "*" and one "**", and so cannot be made slow by a long name.
//
// Git compares the part of a pattern before its first special character by
// itself and reads the rest as a pattern of its own. So "a**/x" means "a" and
// then "**/x", and ignores "abc/d/x". It looks like an accident, but exactness
// is the promise, and users test their rules with git.
//
// Patterns are found by the last name in them, a literal one in a map, one like
// "*.o" by its last byte and one like ".#*" by its first, because a scan asks
// for every name there is and nearly every pattern that people write is of
// these forms.
//
// The built-in temporaries hold what an editor would write and a person would
// not. Left out on purpose: "sed" with six letters, because "sedentary" is also
// that; "4913", which vim makes and removes at once, because it is also the
// name of one file in a folder of numbered ones; "*.swp" without a leading dot;
// "__pycache__" and other build results, which their users may want to cross.
// A temporary that crosses is noise for a moment; a file that silently stays
// behind is a lost hour.
package ignore
