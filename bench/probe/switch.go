package probe

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
)

// Turn is what a branch switch does to a tree.
type Turn struct {
	Changed, New []File // with their sizes afterwards
	Gone         []string
}

// PlanSwitch chooses, from seed, what becomes of files. There must be more files
// than are changed and gone.
func PlanSwitch(files []File, seed uint64, c Counts) (Turn, error) {
	if c.Changed+c.Gone >= len(files) {
		return Turn{}, fmt.Errorf("a switch of %d files needs a larger tree than %d", c.Changed+c.Gone, len(files))
	}
	r := rand.New(rand.NewPCG(seed, 2))
	order := r.Perm(len(files))
	var t Turn
	for _, i := range order[:c.Changed] {
		f := files[i]
		t.Changed = append(t.Changed, File{f.Path, f.Size + 1 + r.Int64N(100)})
	}
	for _, i := range order[c.Changed : c.Changed+c.Gone] {
		t.Gone = append(t.Gone, files[i].Path)
	}
	for i := range c.New {
		beside := files[order[r.IntN(c.Changed+1)]].Path
		name := fmt.Sprintf("new-%x-%04d.txt", seed, i)
		t.New = append(t.New, File{path.Join(path.Dir(beside), name), 200 + r.Int64N(6000)})
	}
	return t, nil
}

// Switch changes the tree at root as git does: a changed file is unlinked and
// written anew. It returns what the other side will hold.
func Switch(root string, seed uint64, c Counts) ([]Expect, error) {
	files, err := regularFiles(root)
	if err != nil {
		return nil, err
	}
	t, err := PlanSwitch(files, seed, c)
	if err != nil {
		return nil, err
	}
	var expect []Expect
	for _, name := range t.Gone {
		if err := os.Remove(filepath.Join(root, filepath.FromSlash(name))); err != nil {
			return nil, err
		}
		expect = append(expect, Expect{Path: name, Size: Absent})
	}
	for i, f := range t.Changed {
		if err := rewrite(filepath.Join(root, filepath.FromSlash(f.Path)), seed, uint64(i), f.Size); err != nil {
			return nil, err
		}
		expect = append(expect, Expect{Path: f.Path, Size: f.Size})
	}
	for i, f := range t.New {
		name := filepath.Join(root, filepath.FromSlash(f.Path))
		if err := os.WriteFile(name, Text(seed, 1<<32+uint64(i), f.Size), 0o644); err != nil {
			return nil, err
		}
		expect = append(expect, Expect{Path: f.Path, Size: f.Size})
	}
	return expect, nil
}

// rewrite puts so much text before what a file holds that it has this size.
func rewrite(name string, seed, n uint64, size int64) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil {
		return err
	}
	text := append(Text(seed, n, size-int64(len(old))), old...)
	return os.WriteFile(name, text, info.Mode().Perm())
}
