package disk

import (
	"errors"
	"io/fs"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

const (
	// retryMin and retryMax bound the wait before what could not be read is tried
	// again. It doubles while anything fails.
	retryMin = time.Second
	retryMax = time.Minute
	// maxRetries is how many paths are tried again one by one; where more failed,
	// everything is looked at.
	maxRetries = 1024
)

// retry is what could not be read for a reason that may pass.
type retry struct {
	paths map[string]struct{}
	at    time.Time     // when they are looked at, or were the last time
	gap   time.Duration // the wait before that
}

// unknown is what an error of a reading call says about a name: nothing, except
// that a name which was not found in a held directory is absent.
func unknown(err error) found {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found{}
	case errors.Is(err, fs.ErrPermission):
		return found{entry: tree.NewUnknown("permission denied")}
	}
	return found{entry: tree.NewUnknown(err.Error())}
}

func (s *scanner) unknown(path string, err error) found {
	if !s.captured {
		s.d.tryAgain(path, err)
	}
	return unknown(err)
}

// passing says whether an error is of the moment, as "too many open files" is:
// no event tells when it is over.
func passing(err error) bool {
	for _, lasting := range [...]error{fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, fs.ErrClosed,
		fsx.ErrNotDir, fsx.ErrIsLink, fsx.ErrIsDir, fsx.ErrNotRegular, fsx.ErrUnsupported} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	return true
}

// tryAgain asks for another look at a path at which err was met, if it may pass.
func (d *Disk) tryAgain(path string, err error) {
	if !passing(err) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r, now := &d.retry, d.opt.Clock.Now()
	if len(r.paths) == 0 {
		if now.Sub(r.at) > r.gap {
			r.gap = 0 // the last try has succeeded
		}
		r.gap = min(max(retryMin, 2*r.gap), retryMax)
		r.at, r.paths = now.Add(r.gap), make(map[string]struct{})
	}
	if len(r.paths) >= maxRetries {
		clear(r.paths)
		path = ""
	}
	r.paths[path] = struct{}{}
}

// retries makes due what is to be tried again. Callers hold mu.
func (d *Disk) retries(now time.Time) {
	if now.Before(d.retry.at) {
		return
	}
	for p := range d.retry.paths {
		d.lookAgain(watch.Look{Path: p, Deep: true})
	}
	d.retry.paths = nil
}
