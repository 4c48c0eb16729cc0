package keep

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of the store.
const (
	siteFolder  fsx.Site = "keep.folder"
	siteDir     fsx.Site = "keep.dir"
	siteLog     fsx.Site = "keep.log"
	siteLogNew  fsx.Site = "keep.log.new"
	siteLogPut  fsx.Site = "keep.log.put"
	siteLogDir  fsx.Site = "keep.log.dir"
	siteCreate  fsx.Site = "keep.create"
	siteSync    fsx.Site = "keep.sync"
	sitePut     fsx.Site = "keep.put"
	siteTake    fsx.Site = "keep.take"
	siteDrop    fsx.Site = "keep.drop"
	siteBack    fsx.Site = "keep.back"
	siteEvict   fsx.Site = "keep.evict"
	siteObjects fsx.Site = "keep.objects"
)

const (
	objectsName = "objects"
	logName     = "log"
	logNewName  = "log.new"
	tempPrefix  = "incoming-"
)

// Store is a keep store.
type Store struct {
	// config
	dir, objects fsx.Dir
	limits       Limits
	most         int // items

	// state
	mu       sync.Mutex
	log      *record.Log
	sick     bool               // guarded by mu: the log has to be written anew before it is used
	records  int                // guarded by mu: in the log
	items    []Item             // guarded by mu: in the order in which they came
	firm     int                // guarded by mu: items that never go
	contents map[object]content // guarded by mu: by what items name
	suspect  map[object]bool    // guarded by mu: a sync of them failed
	fresh    []object           // guarded by mu: adopted since the last Sync
	seq      int                // guarded by mu
	// Bytes, guarded by mu. Promised is what writers still may write.
	total, firmBytes, promised int64
}

// content is an object that an item names.
type content struct {
	size       int64
	refs, firm int32 // items that name it, and those of them that never go
	durable    bool
}

// Open opens the store in dir, which stays the caller's.
func Open(dir fsx.Dir, limits Limits) (*Store, error) {
	if limits.Trash == 0 || limits.Trash > limits.Total {
		limits.Trash = limits.Total
	}
	if limits.Age == 0 {
		limits.Age = Retention
	}
	s := &Store{
		dir: dir, limits: limits, most: maxItems,
		contents: make(map[object]content), suspect: make(map[object]bool),
	}
	err := dir.Mkdir(siteFolder, objectsName, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("open keep store: %w", err)
	}
	if s.objects, err = dir.Open(objectsName); err != nil {
		return nil, fmt.Errorf("open keep store: %w", err)
	}
	if err = s.readLog(); err == nil {
		if err = s.match(); err != nil {
			err = errors.Join(err, s.log.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open keep store: %w", err), s.objects.Close())
	}
	return s, nil
}

// match brings items and contents together. What Create was at when the
// process ended is still where it came from, and goes.
func (s *Store) match() error {
	left, err := s.dir.List()
	if err != nil {
		return err
	}
	for _, it := range left {
		if strings.HasPrefix(it.Name, tempPrefix) {
			_ = s.dir.Unlink(siteDrop, it.Name) // it takes space, no more
		}
	}
	listed, err := s.objects.List()
	if err != nil {
		return err
	}
	unnamed := make(map[object]bool)
	for _, it := range listed {
		if o, ok := parse(it.Name); ok {
			unnamed[o] = true
		}
	}
	items := s.items
	s.items = nil
	for _, i := range items {
		if _, named := s.contents[i.object()]; i.stored && !named && !unnamed[i.object()] {
			continue // an item without its content is no item
		}
		delete(unnamed, i.object())
		s.add(i)
	}
	s.listUnnamed(unnamed)
	return s.dir.Sync(siteDir)
}

// listUnnamed makes items of the contents that no item names.
func (s *Store) listUnnamed(unnamed map[object]bool) {
	names := make([]string, 0, len(unnamed))
	for o := range unnamed {
		names = append(names, o.name())
	}
	slices.Sort(names)
	for _, name := range names {
		o, _ := parse(name)
		i, ok := s.describe(o)
		if !ok {
			continue
		}
		// Not written down it is found again the next time. Written down it
		// stays even if a passing item names the same content by then.
		_, _ = s.write(i)
		s.add(i)
	}
}

// describe says what can be seen of a content without an item.
func (s *Store) describe(o object) (i Item, ok bool) {
	st, err := s.objects.Stat(o.name())
	if err != nil {
		return i, false
	}
	i = Item{
		Why: LeftOver, When: time.Unix(0, st.Ctime), Note: "the record of what it was is lost",
		stored: true, alike: o.alike,
	}
	switch {
	case st.Kind == fsx.Regular && !o.link:
		i.Entry = tree.NewFile(o.digest, st.Size, st.Mode&0o111 != 0)
	case st.Kind == fsx.Symlink && o.link:
		target, err := s.objects.Readlink(o.name())
		if err != nil {
			return i, false
		}
		i.Entry = tree.NewLink(target)
	default:
		return i, false
	}
	return i, i.check() == nil && i.object() == o
}

// add takes an item in. Callers hold mu.
func (s *Store) add(i Item) {
	s.items = append(s.items, i)
	if i.stored {
		c, known := s.contents[i.object()]
		if !known {
			c.size = i.Entry.Size
			s.total += c.size
		}
		c.refs++
		s.contents[i.object()] = c
	}
	if !i.Why.passing() {
		s.firmUp(i)
	}
}

// List returns the items, in the order in which they came.
func (s *Store) List() []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.items)
}

// Read opens the content of an item that List returned; fs.ErrNotExist when it
// has none, as a link has. Who gives it back compares it with the digest of
// the entry: a program that had an adopted file open may have written to it.
func (s *Store) Read(i Item) (fsx.File, error) {
	if !i.stored || !i.Entry.IsFile() {
		return nil, fmt.Errorf("open kept %q: %w", i.Path, fs.ErrNotExist)
	}
	f, err := s.objects.Read(i.object().name())
	if err != nil {
		return nil, fmt.Errorf("open kept %q: %w", i.Path, err)
	}
	return f, nil
}

// Sync makes durable what was adopted since the last call. A content that
// can't be made so is told of once; it stays in the store as it is.
func (s *Store) Sync() error {
	s.mu.Lock()
	fresh := s.fresh
	s.fresh = nil
	s.mu.Unlock()
	var errs []error
	for _, o := range fresh {
		errs = append(errs, s.syncContent(o))
	}
	errs = append(errs, s.objects.Sync(siteObjects))
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.syncLog()
	if err != nil {
		err = s.heal() // every item is known: it may be all right after all
	}
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sync keep store: %w", err)
	}
	return nil
}

// syncContent makes a content durable, if it is there. A sync that failed has
// dropped the content from memory and would succeed the second time, so
// nothing is compared with it any more.
func (s *Store) syncContent(o object) error {
	if o.link {
		return nil // its target is where its name is
	}
	f, err := s.objects.Read(o.name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // dropped again
	}
	if err != nil {
		return err
	}
	err = errors.Join(f.Sync(siteSync), f.Close())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced(o, err)
	return err
}

// synced notes what came of a sync. Callers hold mu.
func (s *Store) synced(o object, err error) {
	if err != nil {
		s.suspect[o] = true
	} else if c, ok := s.contents[o]; ok {
		c.durable = true
		s.contents[o] = c
	}
}

// Locked says whether a call is under way that keeps others waiting, for who does
// everything in a single goroutine.
func (s *Store) Locked() bool {
	if !s.mu.TryLock() {
		return true
	}
	s.mu.Unlock()
	return false
}

// Close makes everything durable and closes the store.
func (s *Store) Close() error {
	err := s.Sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(err, s.log.Close(), s.objects.Close())
}
