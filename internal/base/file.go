package base

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
)

// resume goes on writing behind what load found whole.
func (s *Store) resume(end int64) error {
	f, err := s.dir.Update("base.open", fileName, 0o600)
	if err != nil {
		return err
	}
	s.log, err = record.NewLog("base.open.log", f, end)
	if err != nil {
		_ = f.Close() // the first error counts
	}
	return err
}

// setLimit takes in where the snapshot ends.
func (s *Store) setLimit(snapshot int64) {
	s.snapshot = snapshot
	s.limit = snapshot + max(minJournal, snapshot)
}

// compactIfLong writes the file anew when the journal has outgrown the
// snapshot. When that fails, the old file serves on.
func (s *Store) compactIfLong() {
	if s.broken != nil || s.log.Size() <= s.limit {
		return
	}
	if err := s.rewrite(""); err != nil {
		s.limit = s.log.Size() + max(minJournal, s.snapshot) // again when it was worth waiting
	}
}

// rewrite makes a new file with a snapshot and puts it in place. The old file
// is moved to aside first, if that is not empty.
func (s *Store) rewrite(aside string) error {
	log, err := s.writeNew()
	if err != nil {
		return fmt.Errorf("write %s: %w", newName, err)
	}
	if err := s.putInPlace(aside); err != nil {
		// Nobody knows which file the name stands for now, or will after a
		// power cut. Both hold everything up to now; what came later could be
		// in the wrong one.
		s.broken = fmt.Errorf("%w: %w", record.ErrRefused, err)
		return errors.Join(err, log.Close())
	}
	if s.log != nil {
		_ = s.log.Close() // synced, and not the file any more
	}
	s.log = log
	s.setLimit(log.Size())
	return nil
}

func (s *Store) putInPlace(aside string) error {
	if aside != "" {
		err := s.dir.Rename("base.aside", fileName, s.dir, aside, fsx.NoReplace)
		if err != nil {
			return err
		}
	}
	err := s.dir.Rename("base.replace", newName, s.dir, fileName, fsx.Replace)
	if err != nil {
		return err
	}
	return s.dir.Sync("base.dirsync")
}

// writeNew writes a snapshot to the new file and makes it durable.
func (s *Store) writeNew() (*record.Log, error) {
	err := s.dir.Unlink("base.new.unlink", newName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := s.dir.Create("base.new.create", newName, 0o600)
	if err != nil {
		return nil, err
	}
	log, err := record.NewLog("base.new.log", f, 0)
	if err == nil {
		err = s.writeSnapshot(log)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return log, nil
}

func (s *Store) writeSnapshot(log *record.Log) error {
	const site = "base.new.truncate"
	// An entry takes about 40 bytes: a name and a digest.
	room := int(40*(s.tree.Count()+s.former.Count())) + len(s.rules)
	err := errors.Join(
		log.Append(site, appendHeader(nil, s.session)),
		log.Append(site, appendState(make([]byte, 0, room), s.state)))
	for keys := range slices.Chunk(s.hist.keys(), historyBatch) {
		if err == nil {
			err = log.Append(site, s.hist.appendTo(nil, keys))
		}
	}
	if err == nil {
		err = log.Append(site, []byte{kindEnd})
	}
	if err == nil {
		err = log.Sync("base.new.sync")
	}
	return err
}
