package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sort"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of durability.
const (
	siteSyncAll  fsx.Site = "settle.all"
	siteSyncFile fsx.Site = "settle.file"
	siteSyncDir  fsx.Site = "settle.dir"
)

// syncEach is the number of paths up to which each is made durable by itself;
// above it the whole file system is, which costs the same for any number.
const syncEach = 32

// Settle implements replica.Replica.
func (d *Disk) Settle(ctx context.Context, s replica.Settle) error {
	select {
	case d.settles <- s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// makeDurable syncs what the paths hold, also what a user wrote there, and
// then records the generation.
func (d *Disk) makeDurable(s replica.Settle) error {
	if err := d.checkOwn(); err != nil {
		return err
	}
	if err := d.syncPaths(s.Paths); err != nil {
		return err
	}
	return d.record(s.Gen)
}

func (d *Disk) syncPaths(paths []string) error {
	d.mu.Lock()
	root := d.index.tree
	d.mu.Unlock()
	single := len(paths) <= syncEach
	for _, p := range paths {
		single = single && !tree.Get(root, p).IsDir()
	}
	if single {
		return d.syncSingly(paths)
	}
	err := d.opt.FS.SyncFS(siteSyncAll, d.root)
	if errors.Is(err, fsx.ErrUnsupported) {
		return d.syncSingly(expand(root, paths))
	}
	if err != nil {
		return fmt.Errorf("sync the file system: %w", err)
	}
	return nil
}

// expand lists everything at and below the paths.
func expand(root *tree.Entry, paths []string) []string {
	var all []string
	for _, p := range paths {
		all = append(all, p)
		tree.Walk(p, tree.Get(root, p), func(q string, _ *tree.Entry) bool {
			if q != p {
				all = append(all, q)
			}
			return true
		})
	}
	return all
}

// syncSingly syncs files one by one, and each of their directories once. What can't
// be opened, or lies below a mount that came since, goes with all that its file system
// holds.
func (d *Disk) syncSingly(paths []string) error {
	cur := &cursor{top: d.root}
	defer cur.close()
	var parents []string
	for _, p := range paths {
		parent, name := tree.Split(p)
		dir, err := cur.at(parent)
		if isAbsent(err) {
			continue // then it is not what was agreed
		}
		if err == nil {
			err = syncFile(dir, name)
		}
		if err == errMount || errors.Is(err, fs.ErrPermission) {
			all := d.opt.FS.SyncFS(siteSyncAll, d.root)
			if all == nil {
				return nil // and so are the others
			}
			if err != errMount && errors.Is(all, fsx.ErrUnsupported) {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("sync %s: %w", p, err)
		}
		if len(parents) == 0 || parents[len(parents)-1] != parent {
			parents = append(parents, parent)
		}
	}
	sort.Sort(byText(parents))
	for i, p := range parents {
		if i > 0 && parents[i-1] == p {
			continue
		}
		dir, err := cur.at(p)
		if isAbsent(err) {
			continue
		}
		if err == nil {
			err = dir.Sync(siteSyncDir)
		}
		if err != nil {
			return fmt.Errorf("sync %s: %w", p, err)
		}
	}
	return nil
}

// syncFile syncs a regular file; anything else has no content of its own.
func syncFile(dir fsx.Dir, name string) error {
	f, err := dir.Read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fsx.ErrIsDir), errors.Is(err, fsx.ErrIsLink),
		errors.Is(err, fsx.ErrNotRegular):
		return nil
	case err != nil:
		return err
	}
	defer f.Close()
	return f.Sync(siteSyncFile)
}
