package base

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

// The names in the session's state folder.
const (
	fileName    = "base"
	newName     = "base.new"
	asidePrefix = "base.lost-"
)

// maxAside bounds the damaged files that are kept. Whoever has so many has a
// disk to replace.
const maxAside = 100

// Open opens the base of a session in its state folder, or makes an empty one.
// A file that cannot be believed is moved aside, and Loaded.Lost says why. The
// folder stays the caller's; it must stay open as long as the store.
func Open(dir fsx.Dir, session string) (*Store, Loaded, error) {
	if len(session) > maxSession {
		return nil, Loaded{}, fmt.Errorf("open base: session name of %d bytes", len(session))
	}
	s := &Store{dir: dir, session: session}
	aside := ""
	end, lost, err := s.load()
	if lost != "" {
		aside, err = s.freeName()
		lost = fmt.Sprintf("what both sides last agreed on is lost: %s (kept as %s)", lost, aside)
	}
	if err != nil {
		return nil, Loaded{}, fmt.Errorf("open base: %w", err)
	}
	if end > 0 && lost == "" {
		err = s.resume(end)
	} else {
		if end == 0 && lost == "" {
			lost, err = s.salvage()
		}
		if s.discard(); err == nil {
			err = s.rewrite(aside)
		}
	}
	if err != nil {
		return nil, Loaded{}, fmt.Errorf("open base: %w", err)
	}
	loaded := s.loaded()
	loaded.Lost = lost
	return s, loaded, nil
}

// discard gives up base and keeps what it held as former values.
func (s *Store) discard() {
	s.state = state{former: overlay(s.former, s.tree)}
}

// salvage reads the history when there is no file. If there is a damaged one, a
// crash came after it was moved aside and before a new one took its place, and
// nobody was told of the loss yet.
func (s *Store) salvage() (lost string, err error) {
	n, err := s.asides()
	if n == 0 || err != nil {
		return "", err
	}
	name := asideName(n)
	if _, _, err := s.read(name); err != nil {
		return "", err
	}
	return fmt.Sprintf("what both sides last agreed on is lost: its file is missing (an earlier one is kept as %s)", name), nil
}

// load reads the file as far as it is whole. It returns where that ends, 0 when
// there is no file, and why base is lost, if it is.
func (s *Store) load() (end int64, lost string, err error) { return s.read(fileName) }

// read is load for a file of any name.
func (s *Store) read(name string) (end int64, lost string, err error) {
	f, err := s.dir.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	defer f.Close() //nolint:errcheck // only read
	st, err := f.Stat()
	if err != nil {
		return 0, "", err
	}
	r := record.ReadLog(f, st.Size)
	lost, err = s.replayAll(r)
	return r.Good(), lost, err
}

func (s *Store) replayAll(r *record.LogReader) (lost string, err error) {
	rec, err := r.Next()
	if err != nil {
		return s.stopped(r, err)
	}
	if lost := checkHeader(rec, s.session); lost != "" {
		return lost, nil
	}
	for {
		at := r.At()
		rec, err := r.Next()
		if err != nil {
			return s.stopped(r, err)
		}
		if err := s.replay(rec); err != nil {
			return fmt.Sprintf("its file is damaged at byte %d: %v", at, err), nil
		}
		if rec[0] == kindEnd {
			s.setLimit(r.Good())
		}
	}
}

// stopped judges why there is no next record.
func (s *Store) stopped(r *record.LogReader, err error) (lost string, _ error) {
	switch {
	case err != io.EOF && !errors.Is(err, record.ErrBad):
		return "", err
	case s.snapshot == 0:
		return fmt.Sprintf("its file is damaged at byte %d", r.At()), nil
	case err == io.EOF:
		return "", nil
	}
	damaged, err := r.Damaged()
	if damaged && err == nil {
		return fmt.Sprintf("its file is damaged at byte %d", r.At()), nil
	}
	return "", err
}

// replay does once more what was done when rec was written.
func (s *Store) replay(rec []byte) error {
	r := record.NewReader(rec)
	kind := r.Byte()
	if inSnapshot := kind == kindState || kind == kindHistory || kind == kindEnd; inSnapshot != (s.snapshot == 0) {
		return fmt.Errorf("%w: kind %q in the wrong place", record.ErrBad, kind)
	}
	switch kind {
	case kindState:
		st := readState(r)
		return ifWhole(r, func() { s.state = st })
	case kindHistory:
		s.hist.readFrom(r)
		return r.End()
	case kindEnd:
		return r.End()
	case kindSettled:
		return ifWhole(r, s.settle)
	case kindFilling:
		return ifWhole(r, func() { s.epoch.Filling = true })
	case kindBraked:
		on := r.Bool()
		return ifWhole(r, func() { s.epoch.Braked = on })
	case kindRules:
		rules, gone := r.String(MaxRules), readPaths(r)
		return ifWhole(r, func() { s.restrict(rules, gone) })
	}
	return s.replayChange(kind, r)
}

// ifWhole acts on a record that turned out well.
func ifWhole(r *record.Reader, act func()) error {
	if err := r.End(); err != nil {
		return err
	}
	act()
	return nil
}

func (s *Store) replayChange(kind byte, r *record.Reader) (err error) {
	next, displaced := s.state, []tree.Change(nil)
	switch kind {
	case kindBegin:
		e, rules, t := readEpoch(r), r.String(MaxRules), readTree(r)
		next, displaced = s.begun(e, rules, t)
	case kindIntent:
		gen, paths := r.Uint(maxGen), readPaths(r)
		next, err = s.intended(gen, paths)
	case kindCommit:
		e, updates := readEpoch(r), readUpdates(r)
		next, displaced, err = s.committed(e, updates)
	default:
		r.Fail("kind %q", kind)
	}
	if bad := r.End(); bad != nil {
		return bad
	}
	if err != nil {
		return err
	}
	s.become(next, displaced)
	return nil
}

// asides returns how many damaged files are kept.
func (s *Store) asides() (n int, err error) {
	for n < maxAside {
		_, err := s.dir.Stat(asideName(n + 1))
		if errors.Is(err, fs.ErrNotExist) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func asideName(n int) string { return fmt.Sprintf("%s%d", asidePrefix, n) }

// freeName returns a name for the damaged file.
func (s *Store) freeName() (string, error) {
	n, err := s.asides()
	if err == nil && n == maxAside {
		err = fmt.Errorf("%d damaged files named %s… in the state folder: check the disk, then remove them", n, asidePrefix)
	}
	return asideName(n + 1), err
}
