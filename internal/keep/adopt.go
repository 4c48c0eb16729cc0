package keep

import (
	"errors"
	"fmt"
	"io"

	"github.com/twosync/twosync/internal/fsx"
)

// Adopt takes over a file or link that was displaced, under name in from. On
// the same file system that is a rename, and becomes durable with Sync;
// elsewhere the content is copied first, durably. A store that is full takes it
// all the same, and lets go of everything older that may go.
//
// When Adopt fails, the content is still under name.
func (s *Store) Adopt(from fsx.Dir, name string, i Item) error {
	if err := i.check(); err != nil {
		return err
	}
	err := s.adopt(from, name, i)
	if errors.Is(err, fsx.ErrCrossDevice) {
		if err = s.copyIn(from, name, i); err == nil {
			err = from.Unlink(siteTake, name)
			if err != nil && gone(from, name) {
				err = nil
			}
		}
	}
	if err != nil {
		return fmt.Errorf("keep %q: %w", i.Path, err)
	}
	return nil
}

// adopt takes over what is on the same file system. What is there already, byte
// for byte, is dropped.
func (s *Store) adopt(from fsx.Dir, name string, i Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(i.Entry.Size, true)
	o, there, err := s.find(from, name, i.Entry, false)
	if err != nil {
		return err
	}
	i.stored, i.alike = true, o.alike
	mark, err := s.write(i)
	if err != nil {
		return err
	}
	if there {
		err = from.Unlink(siteTake, name)
	} else {
		err = from.Rename(sitePut, name, s.objects, o.name(), fsx.Replace)
	}
	if err != nil && !s.arrived(from, name, o) {
		s.unwrite(mark)
		return err
	}
	s.add(i)
	if !s.contents[o].durable {
		s.fresh = append(s.fresh, o)
	}
	return nil
}

// copyIn is adopt from another file system, without the removal there.
func (s *Store) copyIn(from fsx.Dir, name string, i Item) error {
	if !i.Entry.IsFile() {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.note(i)
	}
	f, err := from.Read(name)
	if err != nil {
		return err
	}
	defer f.Close()
	s.mu.Lock()
	w, err := s.create(i.Entry.Size)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	defer w.Abort()
	if st, err := f.Stat(); err == nil {
		_ = w.f.Chmod(siteCreate, st.Mode) // for whoever gives it back; no mode is worth a content
	}
	if _, err := io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{f}); err != nil {
		return err
	}
	return w.Commit(i)
}
