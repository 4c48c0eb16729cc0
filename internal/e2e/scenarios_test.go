//go:build linux

package e2e

import (
	"fmt"
	"strings"
)

// A scenario is something that a user does. It is played on either side, in a
// directory of its own: what before makes is on both sides when do begins.
type scenario struct {
	name   string // with the cases that it stands for
	before func(u *user)
	do     func(u *user)
	// stays is true where the tree is the same before and after.
	stays bool
}

// odd are names that somebody's code will not expect.
var odd = []string{
	"new\nline", "esc\x1b[31mred", "bell\a", "c1\u009b1m", "invalid\xff\xfeutf8", "tab\there", " space ", "-rf",
	"--", "*", "quote'\"`", `back\slash`, "colon:", "é", "e\u0301", "CON", "dot.", "$HOME", "…", "\u202egpj.exe",
	strings.Repeat("n", 250), "C:", "~x", "#not#quite", "%s%n",
}

// longest is a name of as many bytes as a name may have.
func longest(with string) string { return with + strings.Repeat("n", 254) }

// No scenario replaces a file and then deletes it: fuse-overlayfs 1.10, which
// engines use where overlay2 is not to be had, then shows the file's version of
// the image again, whichever program did it.
var scenarios = []scenario{
	{
		name: "edits",
		before: func(u *user) {
			for i := range 5 {
				u.write(fmt.Sprintf("f%d", i), "old\n")
			}
		},
		do: func(u *user) {
			u.write("f0", "new, in place\n")
			u.save("f1", "new, by rename (A4)\n")
			u.append("f2", "more\n")
			u.write("f3", "NEW\n") // of the same size
			u.do(Request{Do: "patch", Path: []byte("f4"), Data: []byte("X"), At: 1})
		},
	},
	{
		name: "A1_vim_moves_the_file_away",
		before: func(u *user) {
			u.write("x", "old\n")
		},
		do: func(u *user) {
			u.write("4913", "")
			u.remove("4913")
			u.rename("x", "x~")
			u.write("x", "new\n")
			u.remove("x~")
		},
	},
	{
		name:   "A3_JetBrains_safe_write",
		before: func(u *user) { u.write("x", "old\n") },
		do: func(u *user) {
			u.write("x___jb_tmp___", "new\n")
			u.rename("x", "x___jb_old___")
			u.rename("x___jb_tmp___", "x")
			u.remove("x___jb_old___")
		},
	},
	{
		name:   "A9_A10_nothing_new",
		before: func(u *user) { u.write("x", "same\n") },
		do: func(u *user) {
			u.do(Request{Do: "touch", Path: []byte("x"), N: 1e9})
			u.save("x", "same\n")
			u.write("x", "same\n")
		},
		stays: true,
	},
	{
		name: "D9_J13_times_that_tell_nothing",
		before: func(u *user) {
			for _, f := range []string{"alike", "past", "before 1970", "future", "far future"} {
				u.write(f, "old\n")
				u.do(Request{Do: "touch", Path: []byte(f), N: 1e9})
			}
		},
		do: func(u *user) {
			for f, at := range map[string]int64{"alike": 1e9, "past": 0, "before 1970": -1e9, "future": 4e9, "far future": 1 << 33} {
				u.write(f, "new\n") // of the same size
				u.do(Request{Do: "touch", Path: []byte(f), N: at})
			}
		},
	},
	{
		name:   "B7_made_and_removed",
		before: func(u *user) { u.write("x", "x\n") },
		do: func(u *user) {
			u.write("short", "lived\n")
			u.remove("short")
			u.mkdir("also/this")
			u.remove("also")
		},
		stays: true,
	},
	{
		name: "creates_and_deletes",
		before: func(u *user) {
			u.write("gone", "gone\n")
			u.write("dir/gone", "gone\n")
			u.write("dir/stays", "stays\n")
		},
		do: func(u *user) {
			u.remove("gone")
			u.remove("dir/gone")
			u.write("new", "new\n")
			u.write("dir/new", "new\n")
			u.write("new dir/and/below/it", "new\n")
		},
	},
	{
		name: "renames_of_files",
		before: func(u *user) {
			u.write("a", "a\n")
			u.write("b", "b\n")
			u.write("c", "c\n")
			u.write("d", "d\n")
			u.mkdir("dir/deep")
		},
		do: func(u *user) {
			u.rename("a", "a2")
			u.rename("b", "dir/deep/b")
			u.rename("c", "d") // over another
		},
	},
	{
		name: "B8_renames_of_directories",
		before: func(u *user) {
			for i := range 30 {
				u.write(fmt.Sprintf("from/sub%d/deep/f%d", i%3, i), fmt.Sprint(i))
			}
			u.write("a/b/c/d/e", "deep\n")
			u.mkdir("other")
		},
		do: func(u *user) {
			u.rename("from", "to")
			u.rename("a/b/c", "other/c")
			u.write("to/sub0/deep/f0", "edited at its new place\n")
		},
	},
	{
		name: "B11_swaps",
		before: func(u *user) {
			u.write("a", "a\n")
			u.write("b", "b\n")
			u.write("p/in", "p\n")
			u.write("q/in", "q\n")
		},
		do: func(u *user) {
			u.rename("a", "c")
			u.rename("b", "a")
			u.rename("c", "b")
			u.rename("p", "r")
			u.rename("q", "p")
			u.rename("r", "q")
		},
	},
	{
		name: "C1_C2_file_and_directory",
		before: func(u *user) {
			u.write("file", "a file\n")
			u.write("dir/in", "a directory\n")
			u.write("dir/sub/in", "a directory\n")
		},
		do: func(u *user) {
			u.remove("file")
			u.write("file/now/a", "directory\n")
			u.remove("dir")
			u.write("dir", "now a file\n")
		},
	},
	{
		name: "C4_C5_links_and_what_they_are_not",
		before: func(u *user) {
			u.write("real/file", "real\n")
			u.write("file", "file\n")
			u.symlink("real/file", "link")
			u.write("vendor/x", "x\n")
			u.symlink("real", "linked")
		},
		do: func(u *user) {
			u.remove("file")
			u.symlink("real/file", "file")
			u.remove("link")
			u.write("link", "a file now\n")
			u.remove("vendor")
			u.symlink("real", "vendor")
			u.remove("linked")
			u.write("linked/own", "a directory now\n")
		},
	},
	{
		name: "C6_symlinks",
		before: func(u *user) {
			u.write("a", "a\n")
			u.symlink("a", "retargeted")
		},
		do: func(u *user) {
			u.mkdir("sub")
			u.symlink("../a", "sub/up")
			u.symlink("nowhere/at all", "dangling")
			u.symlink(".", "self")
			u.symlink("odd\nname\xff", "odd")
			u.remove("retargeted")
			u.symlink("sub/up", "retargeted")
		},
	},
	{
		name:   "C7_empty_directories",
		before: func(u *user) { u.mkdir("goes"); u.mkdir("nested/a/b"); u.write("full/x", "x\n") },
		do: func(u *user) {
			u.remove("goes")
			u.remove("nested/a")
			u.mkdir("comes/and/below")
			u.remove("full/x")
		},
	},
	{
		name:   "C12_a_deep_chain",
		before: func(u *user) { u.write(strings.Repeat("x/", 60)+"f", "deep\n") },
		do: func(u *user) {
			u.write(strings.Repeat("d/", 120)+"f", "deep\n")
			u.remove(strings.Repeat("x/", 10) + "x")
		},
	},
	{
		name: "D7_exec_bits",
		before: func(u *user) {
			u.write("on", "#!/bin/sh\n")
			u.write("off", "#!/bin/sh\n")
			u.chmod("off", 0o755)
			u.write("edited", "old\n")
			u.chmod("edited", 0o755)
		},
		do: func(u *user) {
			u.chmod("on", 0o755)
			u.chmod("off", 0o644)
			u.save("edited", "new, and no program any more\n")
			u.write("born", "#!/bin/sh\n")
			u.chmod("born", 0o755)
		},
	},
	{
		name:   "E8_a_second_name_for_a_file",
		before: func(u *user) { u.write("a", "a\n") },
		do: func(u *user) {
			u.do(Request{Do: "link", Path: []byte("a"), To: []byte("b")})
			u.do(Request{Do: "link", Path: []byte("a"), To: []byte("c")})
			u.save("c", "its own now\n")
		},
	},
	{
		name:   "E11_sizes",
		before: func(u *user) { u.write("becomes empty", "x\n"); u.write("empty", "") },
		do: func(u *user) {
			u.write("becomes empty", "")
			u.write("empty", "no more\n")
			u.write("born empty", "")
			for i, n := range []int{1, 4095, 4096, 4097, 64<<10 - 1, 64 << 10, 64<<10 + 1, 256<<10 + 1, 1 << 20} {
				u.do(Request{Do: "big", Path: fmt.Appendf(nil, "s%d", n), N: int64(n), At: int64(i)})
			}
			u.write("zeros", strings.Repeat("\x00", 300<<10))
		},
	},
	{
		name: "F1_F2_F5_odd_names",
		before: func(u *user) {
			for _, name := range odd[:len(odd)/2] {
				u.write(name, "old\n")
			}
		},
		do: func(u *user) {
			u.remove(odd[0]) // not edited before: see the comment on scenarios
			for _, name := range odd[1:] {
				u.write(name, "file\n")
				u.write("below/"+name+"/"+name, "in a directory\n")
			}
			u.rename("below/-rf", "below/tab\there/-rf")
		},
	},
	{
		name:   "F5_the_longest_names",
		before: func(u *user) { u.write(longest("a"), "old\n") },
		do: func(u *user) {
			u.save(longest("a"), "new\n")
			u.write(longest("d")+"/"+longest("f"), "new\n")
			u.rename(longest("a"), longest("b"))
		},
	},
	{
		name:   "G6_modes_that_do_not_cross",
		before: func(u *user) { u.write("x", "x\n"); u.mkdir("dir") },
		do: func(u *user) {
			u.write("x", "y\n")
			u.chmod("x", 0o6755)
			u.chmod("dir", 0o1777)
		},
	},
}
