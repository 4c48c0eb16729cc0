package ignore

// BuiltInSource is the source of the rules that BuiltIn returns.
const BuiltInSource = "built-in"

// Temporaries are the files that editors and tools make beside the file that is
// being saved. The doc comment says what was left out, and why.
var Temporaries = [...]Note{
	{".*.sw[g-px]", "vim's swap file: .swp, and before it in the alphabet as long as that is taken; .swf is a film."},
	{".*.swpx", "vim's check that a swap file can be made."},
	{".sw[g-p]", "vim's swap file for a text without a name."},
	{"*~", "The backup of vim, emacs, gedit and nano."},
	{`\#*#`, "emacs saves here by itself."},
	{".#*", "emacs's lock, a link that leads nowhere."},
	{"*___jb_tmp___", "JetBrains editors write here first."},
	{"*___jb_old___", "JetBrains editors move the old file here."},
	{".goutputstream-??????", "gedit and other GNOME programs write here first."},
	{".*.kate-swp", "Kate's swap file."},
	{"*-go-tmp-umask", "The go command asks for the umask with it."},
	{".DS_Store", "Finder's view of a folder."},
	{"._*", "macOS keeps attributes here on file systems that hold none."},
	{".nfs????????????????????????", "A deleted file that is still open on NFS."},
	{".fuse_hidden????????????????", "A deleted file that is still open on FUSE."},
	{"!*/", "A directory is nobody's temporary file."},
}

// BuiltIn returns the group that comes first: later groups may take back what
// it ignores with "!".
func BuiltIn() Group {
	g := make(Group, 0, len(Temporaries))
	for _, t := range Temporaries {
		g = append(g, Pattern{Text: t.Text, Source: BuiltInSource})
	}
	return g
}

// DependencyFolders are the folders that hold what a package manager fetched or
// built for one system. They are not ignored; first contact asks about them.
var DependencyFolders = [...]string{"node_modules", ".venv", "venv", "vendor", "target"}
