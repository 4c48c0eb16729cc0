package simfs_test

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/twosync/twosync/internal/fsx"
)

// dice draws the calls of a run.
type dice struct {
	r     *rand.Rand
	root  string
	n     int
	alone bool // nobody but root is there
}

func (d *dice) pick(s ...string) string { return s[d.r.IntN(len(s))] }

func (d *dice) name() string { return d.pick("a", "b", "c") }

func (d *dice) rel() string {
	p := ""
	for range d.r.IntN(3) * d.r.IntN(2) {
		p += d.name() + "/"
	}
	return p + d.name()
}

func (d *dice) path() string { return d.root + "/" + d.rel() }

func (d *dice) text() string { d.n++; return fmt.Sprintf("%d-text", d.n)[:1+d.r.IntN(6)] }

func (d *dice) mode() fs.FileMode {
	if d.alone {
		return []fs.FileMode{0o755, 0o644}[d.r.IntN(2)]
	}
	return []fs.FileMode{0o755, 0o700, 0o777, 0o644, 0o600, 0o500, 0o300, 0o070, 0o007, 0}[d.r.IntN(10)]
}

func (d *dice) call() call {
	if d.r.IntN(2) == 0 {
		return d.userCall()
	}
	switch d.r.IntN(3) {
	case 0:
		return d.holding()
	case 1:
		return d.looking()
	}
	return d.changing()
}

// userCall is one of a user.
func (d *dice) userCall() call {
	p, q, text := d.path(), d.path(), d.text()
	target := d.pick("a", "b/c", "../a", d.root+"/"+d.rel(), "d/../c", "./b")
	mode, id, off := d.mode(), []uint32{0, stranger, ^uint32(0)}[d.r.IntN(3)], int64(d.r.IntN(12))
	slot, way := d.r.IntN(3), d.r.IntN(3)
	calls := []call{
		{"write " + p, func(w *twin) string { return number(w.user.Write(p, text)) }},
		{"write " + p, func(w *twin) string { return number(w.user.Write(p, text)) }},
		{"append " + p, func(w *twin) string { return number(w.user.Append(p, text)) }},
		{"writeat " + p, func(w *twin) string { return number(w.user.WriteAt(p, text, off)) }},
		{"mkdir " + p, func(w *twin) string { return number(w.user.Mkdir(p)) }},
		{"mkdir " + p, func(w *twin) string { return number(w.user.Mkdir(p)) }},
		{"mkdir " + p, func(w *twin) string { return number(w.user.Mkdir(p)) }},
		{"mv " + p + " " + q, func(w *twin) string { return number(w.user.Rename(p, q)) }},
		{"mv " + p + " " + q, func(w *twin) string { return number(w.user.Rename(p, q)) }},
		{"exchange " + p + " " + q, func(w *twin) string { return number(w.user.Exchange(p, q)) }},
		{"ln " + p + " " + q, func(w *twin) string { return number(w.user.Link(p, q)) }},
		{"ln -s " + target + " " + p, func(w *twin) string { return number(w.user.Symlink(target, p)) }},
		{"mkfifo " + p, func(w *twin) string { return number(w.user.Mkfifo(p)) }},
		{"rm " + p, func(w *twin) string { return number(w.user.Unlink(p)) }},
		{"rmdir " + p, func(w *twin) string { return number(w.user.Rmdir(p)) }},
		{"chmod " + p, func(w *twin) string { return number(w.user.Chmod(p, mode)) }},
		{"chown " + p, func(w *twin) string { return number(w.user.Chown(p, id, id)) }},
		{"utimes " + p, func(w *twin) string { return number(w.user.Utimes(p, 1_600_000_000_000_000_000+off)) }},
		{"read " + p, func(w *twin) string { s, err := w.user.Read(p); return s + number(err) }},
		{fmt.Sprint("pen ", slot, way, " ", p), func(w *twin) string { return w.pen(slot, way, p, text) }},
		{fmt.Sprint("pen ", slot, way, " ", p), func(w *twin) string { return w.pen(slot, way, p, text) }},
	}
	if d.r.IntN(8) == 0 {
		return call{"rm -rf " + p, func(w *twin) string { return number(w.user.RemoveAll(p)) }}
	}
	return calls[d.r.IntN(len(calls))]
}

// pen opens a file and leaves it open, or goes on with one.
func (w *twin) pen(slot, way int, path, text string) string {
	if w.pens[slot] == nil {
		p, err := w.openPen(path, way > 0)
		if err == nil {
			w.pens[slot] = p
		}
		return "open " + number(err)
	}
	p := w.pens[slot]
	switch way {
	case 0:
		p.Close()
		w.pens[slot] = nil
		return "closed"
	case 1:
		return "truncate " + number(p.Truncate(3))
	}
	return "write " + number(p.Write([]byte(text)))
}

// dirAt opens a directory component by component.
func (w *twin) dirAt(root, rel string) (fsx.Dir, error) {
	d, err := w.fs.OpenRoot(root)
	for rel != "" && err == nil {
		var name string
		name, rel, _ = strings.Cut(rel, "/")
		var sub fsx.Dir
		sub, err = d.Open(name)
		d.Close()
		d = sub
	}
	return d, err
}

// holding opens, watches and closes directories and files.
func (d *dice) holding() call {
	rel, slot, name := d.rel(), d.r.IntN(4), d.name()
	if d.r.IntN(4) == 0 {
		rel = ""
	}
	root := d.root
	switch d.r.IntN(8) {
	case 0, 1:
		return call{fmt.Sprint("hold ", slot, " ", rel), func(w *twin) string {
			dir, err := w.dirAt(root, rel)
			if err == nil {
				if w.dirs[slot] != nil {
					w.dirs[slot].Close()
				}
				w.dirs[slot] = dir
			}
			return class(err)
		}}
	case 2:
		return call{fmt.Sprint("let go ", slot), func(w *twin) string {
			if w.dirs[slot] == nil {
				return ""
			}
			return class(w.dirs[slot].Close())
		}}
	case 3, 4, 5:
		return call{"watch " + rel, func(w *twin) string {
			dir, err := w.dirAt(root, rel)
			if err != nil {
				return class(err)
			}
			defer dir.Close()
			return fmt.Sprint(class(w.src.Add(rel, dir.Fd())), w.src.Count())
		}}
	case 6:
		if d.r.IntN(3) > 0 {
			return call{"watch on", func(*twin) string { return "" }}
		}
		return call{"unwatch " + rel, func(w *twin) string { w.src.Remove(rel); return fmt.Sprint(w.src.Count()) }}
	}
	return call{"root " + rel + name, func(w *twin) string {
		dir, err := w.fs.OpenRoot(root + "/" + rel)
		if err == nil {
			defer dir.Close()
		}
		return class(err)
	}}
}

// looking reads by a held directory.
func (d *dice) looking() call {
	slot, name, f := d.r.IntN(4), d.name(), d.r.IntN(4)
	in := func(what string, do func(w *twin, dir fsx.Dir) string) call {
		return call{fmt.Sprint(what, " ", slot, " ", name, " file ", f), func(w *twin) string {
			if w.dirs[slot] == nil {
				return "none"
			}
			return do(w, w.dirs[slot])
		}}
	}
	switch d.r.IntN(7) {
	case 0:
		return in("list", func(w *twin, dir fsx.Dir) string {
			items, err := dir.List()
			slices.SortFunc(items, func(a, b fsx.Item) int { return strings.Compare(a.Name, b.Name) })
			return fmt.Sprint(items, class(err))
		})
	case 1:
		return in("stat", func(w *twin, dir fsx.Dir) string {
			st, err := dir.Stat(name)
			return w.line(st) + class(err)
		})
	case 2:
		return in("self", func(w *twin, dir fsx.Dir) string {
			st, err := dir.Self()
			return fmt.Sprint(w.line(st), st.Mount, class(err))
		})
	case 3:
		return in("readlink", func(w *twin, dir fsx.Dir) string { s, err := dir.Readlink(name); return s + class(err) })
	case 4:
		return in("open", func(w *twin, dir fsx.Dir) string {
			sub, err := dir.Open(name)
			if err == nil {
				sub.Close()
			}
			return class(err)
		})
	}
	return in("read", func(w *twin, dir fsx.Dir) string {
		file, err := dir.Read(name)
		if err != nil {
			return class(err)
		}
		w.keep(f, file)
		b, err := io.ReadAll(file)
		return string(b) + class(err)
	})
}

// keep holds a file open instead of another.
func (w *twin) keep(slot int, f fsx.File) {
	if w.files[slot] != nil {
		w.files[slot].Close()
	}
	w.files[slot] = f
}

// changing changes something by a held directory or an open file.
func (d *dice) changing() call {
	slot, to, name, toName, f := d.r.IntN(4), d.r.IntN(4), d.name(), d.name(), d.r.IntN(4)
	how := fsx.How(d.r.IntN(3))
	mode, id := d.mode(), []uint32{0, stranger, ^uint32(0)}[d.r.IntN(3)]
	in := func(what string, do func(w *twin, dir fsx.Dir) string) call {
		return call{fmt.Sprint(what, " ", slot, " ", name, " to ", to, " ", toName, " how ", how, " file ", f, " mode ", mode, " id ", id), func(w *twin) string {
			if w.dirs[slot] == nil || w.dirs[to] == nil {
				return "none"
			}
			return do(w, w.dirs[slot])
		}}
	}
	switch d.r.IntN(16) {
	case 0, 1:
		return in("create", func(w *twin, dir fsx.Dir) string { return w.opened(f)(dir.Create("s", name, mode)) })
	case 2:
		return in("update", func(w *twin, dir fsx.Dir) string { return w.opened(f)(dir.Update("s", name, mode)) })
	case 3:
		return in("mkdir", func(w *twin, dir fsx.Dir) string { return class(dir.Mkdir("s", name, mode)) })
	case 4:
		return in("symlink", func(w *twin, dir fsx.Dir) string { return class(dir.Symlink("s", toName, name)) })
	case 5, 6, 7, 8:
		return in("rename", func(w *twin, dir fsx.Dir) string { return class(dir.Rename("s", name, w.dirs[to], toName, how)) })
	case 9:
		return in("unlink", func(w *twin, dir fsx.Dir) string { return class(dir.Unlink("s", name)) })
	case 10:
		return in("rmdir", func(w *twin, dir fsx.Dir) string { return class(dir.Rmdir("s", name)) })
	case 11:
		return in("chmod", func(w *twin, dir fsx.Dir) string { return class(dir.Chmod("s", name, mode)) })
	case 12:
		return in("chown", func(w *twin, dir fsx.Dir) string { return class(dir.Chown("s", name, id, id)) })
	case 13:
		return in("lock", func(w *twin, dir fsx.Dir) string {
			unlock, err := dir.Lock("s", name)
			if err != nil {
				return class(err)
			}
			_, again := dir.Lock("s", name)
			return class(again) + class(unlock()) + class(unlock())
		})
	}
	return d.file(f)
}

func (w *twin) opened(slot int) func(f fsx.File, err error) string {
	return func(f fsx.File, err error) string {
		if err == nil {
			w.keep(slot, f)
		}
		return class(err)
	}
}

// file uses an open file.
func (d *dice) file(slot int) call {
	text, way, off := d.text(), d.r.IntN(9), int64(d.r.IntN(14)-1)
	mode := d.mode()
	return call{fmt.Sprint("file ", slot, " way ", way, " at ", off), func(w *twin) string {
		f := w.files[slot]
		if f == nil {
			return "none"
		}
		switch way {
		case 0:
			return class(f.Close())
		case 1, 2:
			n, err := f.Write([]byte(text))
			return fmt.Sprint(n, class(err))
		case 3:
			return class(f.Truncate("s", off))
		case 4:
			n, err := f.Seek(off, int(off+1)%3)
			return fmt.Sprint(n, class(err))
		case 5:
			b := make([]byte, 5)
			n, err := f.ReadAt(b, max(off, 0))
			return fmt.Sprint(n, string(b[:n]), err == io.EOF, class(err))
		case 6:
			return class(f.Chmod("s", mode))
		case 7:
			st, err := f.Stat()
			return w.line(st) + class(err)
		}
		b := make([]byte, 4)
		n, err := f.Read(b)
		return fmt.Sprint(n, string(b[:n]), err == io.EOF, class(err))
	}}
}
