package keep

import (
	"errors"
	"fmt"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
	"github.com/zeebo/xxh3"
)

// ErrDigest says that what came is not the content that was announced.
var ErrDigest = errors.New("the content is another one than was announced")

// Writer takes one content in.
type Writer struct {
	s    *Store
	f    fsx.File
	name string
	h    *xxh3.Hasher128
	n    int64 // written
	size int64 // announced
	done bool
}

// Create begins to take in a content of size bytes. ErrFull when there is no
// room for it.
func (s *Store) Create(size int64) (*Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.roomFor(size); err != nil {
		return nil, err
	}
	return s.create(size)
}

// create promises size bytes, which Commit and Abort take back. Callers hold mu.
func (s *Store) create(size int64) (*Writer, error) {
	s.seq++
	name := fmt.Sprintf("%s%d", tempPrefix, s.seq)
	f, err := s.dir.Create(siteCreate, name, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make room for a content: %w", err)
	}
	s.promised += size
	return &Writer{s: s, f: f, name: name, h: xxh3.New128(), size: size}, nil
}

// Write implements io.Writer. It takes no more than was announced.
func (w *Writer) Write(b []byte) (int, error) {
	if int64(len(b)) > w.size-w.n {
		return 0, ErrDigest
	}
	n, err := w.f.Write(b)
	w.h.Write(b[:n])
	w.n += int64(n)
	return n, err
}

// Commit ends the content. When it returns nil, the content and the item are
// durable. The content must have the digest of the item's entry.
func (w *Writer) Commit(i Item) error {
	if err := i.check(); err != nil {
		return err
	}
	if !i.Entry.IsFile() || w.n != i.Entry.Size || tree.Digest(w.h.Sum128().Bytes()) != i.Entry.Digest {
		return fmt.Errorf("keep %q: %w", i.Path, ErrDigest)
	}
	if err := w.f.Sync(siteSync); err != nil {
		return fmt.Errorf("keep %q: %w", i.Path, err)
	}
	w.s.mu.Lock()
	err := w.put(i)
	w.s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("keep %q: %w", i.Path, err)
	}
	w.Abort() // there is nothing left to drop but the promise
	return nil
}

// put writes the item down and renames the content, which is durable, to its
// name. What fails is taken back as far as possible; at worst the content
// stays without an item, and Abort drops nothing that is needed. Callers hold mu.
func (w *Writer) put(i Item) error {
	s := w.s
	o, there, err := s.find(s.dir, w.name, i.Entry, !i.Why.passing())
	if err != nil {
		return err
	}
	if there && !s.contents[o].durable {
		if err := s.syncHeld(o); err != nil {
			return err
		}
	}
	i.stored, i.alike = true, o.alike
	mark, err := s.write(i)
	if err != nil {
		return err
	}
	if !there {
		err = s.dir.Rename(sitePut, w.name, s.objects, o.name(), fsx.Replace)
		if err != nil && !s.arrived(s.dir, w.name, o) {
			s.unwrite(mark)
			return err
		}
	}
	if err = s.objects.Sync(siteObjects); err != nil {
		s.unwrite(mark)
	} else {
		err = s.syncLog()
	}
	if err != nil {
		if !there {
			_ = s.objects.Unlink(siteBack, o.name()) // it is still where it came from
		}
		return err
	}
	s.add(i)
	s.synced(o, nil)
	return nil
}

// syncHeld is syncContent for callers that hold mu.
func (s *Store) syncHeld(o object) error {
	f, err := s.objects.Read(o.name())
	if err != nil {
		return err
	}
	err = errors.Join(f.Sync(siteSync), f.Close())
	s.synced(o, err)
	return err
}

// Abort drops what was taken in, unless it was committed.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	_ = w.f.Close()                      // it is synced, or not needed
	_ = w.s.dir.Unlink(siteDrop, w.name) // what stays goes with the next Open
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.promised -= w.size
}

// Note records an item without a content: a link, whose target is in the item.
// It is durable when Note returns.
func (s *Store) Note(i Item) error {
	if err := i.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.roomFor(0); err != nil {
		return fmt.Errorf("keep %q: %w", i.Path, err)
	}
	return s.note(i)
}

// note is Note without its limit. Callers hold mu.
func (s *Store) note(i Item) error {
	i.stored, i.alike = false, 0
	_, err := s.write(i)
	if err == nil {
		err = s.syncLog()
	}
	if err != nil {
		return fmt.Errorf("keep %q: %w", i.Path, err)
	}
	s.add(i)
	return nil
}
