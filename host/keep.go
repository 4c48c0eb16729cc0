package host

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/tree"
)

const (
	// keepLimit bounds what the keep store of a session holds.
	keepLimit = 2 << 30

	keepName          = "keep"
	siteKeep fsx.Site = "session.keep"
)

// kept is the keep store of a session, in a folder of its own.
type kept struct {
	*keep.Store
	dir fsx.Dir
}

// keep opens the keep store in a session's folder.
func (s *state) keep() (*kept, error) {
	err := s.dir.Mkdir(siteKeep, keepName, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make keep store: %w", err)
	}
	dir, err := s.dir.Open(keepName)
	if err != nil {
		return nil, fmt.Errorf("open keep store: %w", err)
	}
	store, err := keep.Open(dir, keepLimit)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	_ = store.Evict(time.Now()) // what can't go now goes at the next start
	k := &kept{store, dir}
	if err := s.dir.Sync(siteKeep); err != nil {
		return nil, errors.Join(fmt.Errorf("make keep store durable: %w", err), k.close())
	}
	return k, nil
}

// close gives the folder back.
func (k *kept) close() error { return errors.Join(k.Store.Close(), k.dir.Close()) }

// displaced takes over what the container's changes replaced or deleted here.
func (k *kept) displaced(from fsx.Dir, name, path string, e *tree.Entry, why string) error {
	return k.Adopt(from, name, keep.Item{Path: path, Entry: e, Side: tree.Host, Why: keep.Why(why), When: time.Now()})
}
