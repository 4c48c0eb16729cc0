package keep

import (
	"errors"
	"io"
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
)

// minDead is how many records about nothing are worth writing the log anew,
// besides as many as there are items: 1024 are some 150 KiB.
const minDead = 1024

// readLog reads the items of the log. Where it is damaged, the items behind
// that are still read.
func (s *Store) readLog() error {
	f, err := s.dir.Update(siteLog, logName, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r := record.ReadLog(f, st.Size)
	if err = s.replay(r); err == nil {
		s.log, err = record.NewLog(siteLog, f, r.Good())
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// replay fails when the log can't be read: what can't be read today must not
// be cut off.
func (s *Store) replay(r *record.LogReader) error {
	for {
		b, err := r.Next()
		if errors.Is(err, record.ErrBad) {
			if ok, err := r.Skip(); err != nil || !ok {
				return err // the end is torn
			}
			continue
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s.records++
		if i, err := decode(b); err == nil {
			s.items = append(s.items, i)
		}
	}
}

// write appends an item to the log, before its content moves. It counts with
// add; until then unwrite takes it back. Callers hold mu.
func (s *Store) write(i Item) (mark int64, err error) {
	for range 2 {
		if err := s.heal(); err != nil {
			return 0, err
		}
		mark = s.log.Size()
		err = s.log.Append(siteLog, i.encode())
		if s.sick = errors.Is(err, record.ErrRefused); !s.sick {
			break
		}
	}
	if err == nil {
		s.records++
	}
	return mark, err
}

// unwrite takes the last item back. If that can't be, it is an item without a
// content, and such are left out.
func (s *Store) unwrite(mark int64) {
	s.records--
	if s.log.CutTo(siteLog, mark) != nil {
		s.sick = true
	}
}

// syncLog makes the items durable. Callers hold mu.
func (s *Store) syncLog() error {
	if err := s.heal(); err != nil {
		return err
	}
	err := s.log.Sync(siteLog)
	s.sick = err != nil // it has dropped what was not durable
	return err
}

// heal replaces a log that refuses, or of which nobody knows whether it is the
// one that its name stands for. All its items are known. Callers hold mu.
func (s *Store) heal() error {
	if !s.sick {
		return nil
	}
	return s.rewrite()
}

// compact writes the log anew when most of it is about nothing. When that
// fails, the old one serves on. Callers hold mu.
func (s *Store) compact() {
	if s.records > 2*len(s.items)+minDead {
		_ = s.rewrite() // it is tried again, or the store is sick
	}
}

// rewrite makes a new log and puts it in place.
func (s *Store) rewrite() error {
	log, err := s.newLog()
	if err != nil {
		return err
	}
	err = s.dir.Rename(siteLogPut, logNewName, s.dir, logName, fsx.Replace)
	if err == nil {
		err = s.dir.Sync(siteLogDir)
	}
	if s.sick = err != nil; s.sick {
		return errors.Join(err, log.Close())
	}
	_ = s.log.Close() // it is not the file any more
	s.log, s.records = log, len(s.items)
	return nil
}

// newLog writes all items to a new log and makes it durable.
func (s *Store) newLog() (*record.Log, error) {
	err := s.dir.Unlink(siteDrop, logNewName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := s.dir.Create(siteLogNew, logNewName, 0o600)
	if err != nil {
		return nil, err
	}
	log, err := record.NewLog(siteLogNew, f, 0)
	for _, i := range s.items {
		if err != nil {
			break
		}
		err = log.Append(siteLogNew, i.encode())
	}
	if err == nil {
		err = log.Sync(siteLogNew)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return log, nil
}
