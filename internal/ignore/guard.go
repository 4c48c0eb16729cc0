package ignore

import "strings"

// Guarded are the names that something on the host runs, or trusts, without
// being asked: what the container makes of them waits until the user has looked
// at it. Every name is one at any depth; one with a slash is a file in a folder.
// A "*" at an end stands for anything.
var Guarded = [...]Note{
	{".git", "hooks, filters and monitors in it run with the next git command"},
	{".hg", "hooks in it run with the next hg command"},
	{".svn", "it is a repository"},
	{".vscode/tasks.json", "VS Code may run it when the folder is opened"},
	{".vscode/settings.json", "it names programs that VS Code runs"},
	{".vscode/launch.json", "it names programs that a debugger runs"},
	{".idea", "JetBrains editors run what is configured there"},
	{".devcontainer", "it says with which mounts and rights a container is started"},
	{".envrc", "direnv runs it in a shell that enters the folder"},
	{".husky", "git runs what is in it, as hooks"},
	{".npmrc", "it names registries and scripts for npm, and holds tokens"},
	{".cargo/config*", "it names linkers and runners for cargo"},
	{"*.code-workspace", "VS Code reads settings and tasks from it"},
	{".ssh", "it holds keys, and commands that ssh runs"},
	{".aws", "it holds keys, and commands that give out keys"},
}

// Guard returns the note on a path that is guarded: it, or a folder that it is
// in, or a link in the place of a folder with guarded files. Names are compared as Always compares them: whatever some file system
// would take for one of these counts as it (CVE-2014-9390).
func Guard(path string, isLink bool) *Note {
	for path != "" {
		name, rest, _ := strings.Cut(path, "/")
		if suspect(name) || strings.IndexByte(name, '-') >= 0 { // nearly no name is
			next, _, _ := strings.Cut(rest, "/")
			for i := range Guarded {
				if g := &Guarded[i]; g.guards(name, next, isLink) {
					return g
				}
			}
		}
		path = rest
	}
	return nil
}

// guards says whether a pattern is about a name, with the next one in it.
func (n *Note) guards(name, next string, isLink bool) bool {
	first, second, two := strings.Cut(n.Text, "/")
	switch {
	case !isLike(name, first):
		return false
	case !two:
		return true
	case next == "":
		return isLink
	}
	return isLike(next, second)
}

// isLike says whether some file system may take name for the one of a pattern.
func isLike(name, pattern string) bool {
	if end, ok := strings.CutPrefix(pattern, "*"); ok {
		return endsLike(name, end)
	}
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		_, like := cutFolded(name, begin)
		return like
	}
	if isName(name, pattern) {
		return true
	}
	return isShortOf(name, pattern)
}

// endsLike says whether name ends like end, at any of its bytes.
func endsLike(name, end string) bool {
	for i := range name {
		if isName(name[i:], end) {
			return true
		}
	}
	return false
}

// isShortOf says whether name may be the short one that Windows makes of a
// longer one: up to six letters without the dot in front, "~", and a number,
// with up to three letters of its extension. Names that fit into 8 and 3 letters
// and begin with no dot have none.
func isShortOf(name, long string) bool {
	stem := strings.TrimPrefix(long, ".")
	stem, ext, _ := strings.Cut(stem, ".")
	left, ok := cutFolded(name, stem[:min(len(stem), 6)]+"~")
	if !ok || left == "" || left[0] < '1' || left[0] > '9' {
		return false
	}
	left, ok = cutFolded(left[1:], "")
	if ext != "" && ok {
		left, ok = cutFolded(left, "."+ext[:min(len(ext), 3)])
	}
	return ok && isNothing(left)
}
