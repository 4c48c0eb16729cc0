package host

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/tree"
)

const (
	// keepLimit bounds what the keep store of a session holds, and trashLimit
	// what of that passes, unless the user says otherwise.
	keepLimit  = 2 << 30
	trashLimit = 1 << 30
	trashDays  = 7

	// evictEvery is how often what is too old is dropped.
	evictEvery = time.Hour

	keepName          = "keep"
	siteKeep fsx.Site = "session.keep"
)

// kept is the keep store of a session, in a folder of its own.
type kept struct {
	*keep.Store
	dir     fsx.Dir
	evicted time.Time // used where Sync is
}

// trash is what the user has chosen about what sync replaced or deleted.
type trash struct {
	size byteSize
	days int
}

// maxTrashDays is as long as a time can be added up.
const maxTrashDays = 36_500

func (t trash) limits() keep.Limits {
	return keep.Limits{Total: keepLimit - trashLimit + int64(t.size), Trash: max(int64(t.size), 1), Age: max(time.Duration(t.days)*24*time.Hour, 1)}
}

// unlimited is for who opens a store for a moment: what goes is decided where
// the user said how much may stay.
var unlimited = keep.Limits{Total: math.MaxInt64, Age: math.MaxInt64}

// keep opens the keep store in a session's folder.
func (s *state) keep(limits keep.Limits) (*kept, error) {
	err := s.dir.Mkdir(siteKeep, keepName, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make keep store: %w", err)
	}
	dir, err := s.dir.Open(keepName)
	if err != nil {
		return nil, fmt.Errorf("open keep store: %w", err)
	}
	store, err := keep.Open(dir, limits)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	k := &kept{store, dir, time.Time{}}
	k.evict()
	if err := s.dir.Sync(siteKeep); err != nil {
		return nil, errors.Join(fmt.Errorf("make keep store durable: %w", err), k.close())
	}
	return k, nil
}

// evict drops what is too old. What can't go now goes the next time.
func (k *kept) evict() {
	now := time.Now()
	if now.Sub(k.evicted) < evictEvery {
		return
	}
	k.evicted = now
	_ = k.Evict(now)
}

// Sync makes durable what came of late.
func (k *kept) Sync() error {
	k.evict()
	return k.Store.Sync()
}

// close gives the folder back.
func (k *kept) close() error { return errors.Join(k.Store.Close(), k.dir.Close()) }

// displaced takes over what the container's changes replaced or deleted here.
func (k *kept) displaced(from fsx.Dir, name string, was disk.Past) error {
	return k.Adopt(from, name, keep.Item{Path: was.Path, Entry: was.Entry, Side: tree.Host, Why: keep.Why(was.Why), When: was.At})
}
