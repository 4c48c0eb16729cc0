package disk

import (
	"fmt"
	"io"
	"slices"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of the cache.
const (
	siteCacheNew    fsx.Site = "cache.create"
	siteCacheRename fsx.Site = "cache.rename"
	siteCacheDrop   fsx.Site = "cache.drop"
)

const (
	cacheName   = "cache"
	cacheFormat = 1
	// maxCache bounds the file: 5 million entries of about 60 bytes.
	maxCache = 320 << 20
)

// saveSlice is the number of directories that are written down at once, with
// the index locked.
const saveSlice = 64

// saveCache writes down with which stats the contents were read, so that the
// next start reads only what changed. It is a help: without it everything is
// read. Contents that a clock's granule could hide are left out.
func (d *Disk) saveCache() error {
	var dirs []string
	d.mu.Lock()
	d.index.stats.each("", func(path string, _ *stats) { dirs = append(dirs, path) })
	d.mu.Unlock()
	if len(dirs) == 0 {
		return nil
	}
	const next = cacheName + ".new"
	d.private().Unlink(siteCacheDrop, next)
	f, err := d.private().Create(siteCacheNew, next, 0o600)
	if err != nil {
		return fmt.Errorf("save stat cache: %w", err)
	}
	defer f.Close()
	b := record.AppendFrame(nil, record.AppendUint(nil, cacheFormat))
	for part := range slices.Chunk(dirs, saveSlice) {
		b = d.appendCache(b, part)
		if _, err := f.Write(b); err != nil {
			d.private().Unlink(siteCacheDrop, next)
			return fmt.Errorf("save stat cache: %w", err)
		}
		b = b[:0]
	}
	if err := d.private().Rename(siteCacheRename, next, d.private(), cacheName, fsx.Replace); err != nil {
		return fmt.Errorf("save stat cache: %w", err)
	}
	return nil
}

// appendCache appends a frame for each of the directories: its path and its
// files.
func (d *Disk) appendCache(b []byte, dirs []string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	var p []byte
	for _, path := range dirs {
		e, s := tree.Get(d.index.tree, path), d.index.dir(path)
		if s == nil || !e.IsDir() {
			continue
		}
		p = record.AppendString(p[:0], path)
		head := len(p)
		for name, m := range s.files.all() {
			c := e.Child(name)
			if m.trust != proven || !c.IsFile() || len(p) > record.MaxFrame/2 {
				continue
			}
			p = record.AppendEntry(record.AppendString(p, name), c)
			p = record.AppendInt(record.AppendInt(record.AppendUint(p, m.ino), m.mtime), m.ctime)
		}
		if len(p) > head {
			b = record.AppendFrame(b, p)
		}
	}
	return b
}

// cache is what was known when the last process ended, by directory.
type cache map[string]map[string]cached

type cached struct {
	entry *tree.Entry
	meta  meta
}

// loadCache reads what saveCache wrote; anything odd is an empty cache.
func (d *Disk) loadCache() cache {
	f, err := d.private().Read(cacheName)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCache))
	if err != nil {
		return nil
	}
	return parseCache(b)
}

func parseCache(b []byte) cache {
	head, b, ok := record.CutFrame(b)
	if r := record.NewReader(head); !ok || r.Uint(cacheFormat) != cacheFormat {
		return nil
	}
	all := make(cache)
	for {
		p, rest, ok := record.CutFrame(b)
		if !ok {
			return all
		}
		all.read(record.NewReader(p))
		b = rest
	}
}

func (c cache) read(r *record.Reader) {
	path := r.Path()
	files := make(map[string]cached)
	for r.Err() == nil && r.Len() > 0 {
		name := r.String(tree.MaxName)
		e := r.Entry()
		ino := r.Uint(1<<64 - 1)
		m := meta{ino: ino, mtime: r.Int(), ctime: r.Int(), trust: proven}
		if r.Err() == nil && e.IsFile() {
			files[name] = cached{e, m}
		}
	}
	c[path] = files
}

// prior is a scanner's prior.
func (c cache) prior(path string, st fsx.Stat) (*tree.Entry, trust, bool) {
	parent, name := tree.Split(path)
	f, ok := c[parent][name]
	if !ok || !f.meta.matches(st) || f.entry.Size != st.Size {
		return nil, stale, false
	}
	return f.entry, proven, true
}
