package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/zeebo/xxh3"
)

// Send implements replica.Source. No more is read than was wanted: a file that
// grows has the wanted content at its front. A path that holds another content
// than was said is looked at again.
func (d *Disk) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	cur := &cursor{top: d.root}
	defer cur.close()
	s := sender{sink: sink, buf: make([]byte, replica.MaxPiece)}
	for i, w := range wants {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.want = i
		end := replica.Piece{Want: i, End: true}
		err := s.content(d, cur, w)
		switch {
		case s.broken != nil:
			return s.broken
		case !errors.Is(err, errOther):
		case w.Slot == "":
			d.lookAfter(w.Path)
		default:
			if x := d.takeStray(w.Slot); x != nil {
				d.strayLater(x.Slot, x.Path, x.Why)
			}
		}
		if err != nil {
			end = replica.Piece{Want: i, Gone: gone(err)}
		}
		if err := sink(end); err != nil {
			return err
		}
	}
	return nil
}

// lookAfter asks for a look at a path that does not hold what was reported.
func (d *Disk) lookAfter(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookAt(path)
	d.watch.Wake()
}

// sender gives out contents.
type sender struct {
	want   int
	sink   func(replica.Piece) error
	buf    []byte
	broken error // of the sink: it ends everything
}

func (s *sender) put(p replica.Piece) error {
	p.Want = s.want
	s.broken = s.sink(p)
	return s.broken
}

// content sends one content, and sees whether it was the one that was wanted.
func (s *sender) content(d *Disk, cur *cursor, w replica.Want) error {
	f, err := d.openWanted(cur, w)
	if err != nil {
		return err
	}
	defer f.Close()
	h := hashers.Get().(*xxh3.Hasher128)
	defer hashers.Put(h)
	h.Reset()
	from := io.TeeReader(io.LimitReader(f, w.Size), h)
	if w.Base != nil {
		err = s.delta(from, w.Base)
	} else {
		err = s.whole(from)
	}
	if err == nil && w.Digest != h.Sum128().Bytes() && w.Digest != (tree.Digest{}) {
		err = errOther
	}
	return err
}

func gone(err error) string {
	switch {
	case isAbsent(err):
		return "it is gone"
	case errors.Is(err, errOther):
		return err.Error()
	}
	return "it can't be read: " + err.Error()
}

var (
	errNoSlot  = fmt.Errorf("no such slot: %w", fs.ErrNotExist)
	errIgnored = fmt.Errorf("ignored: %w", fs.ErrNotExist)
)

// openWanted opens what is wanted.
func (d *Disk) openWanted(cur *cursor, w replica.Want) (fsx.File, error) {
	if w.Slot != "" {
		return d.openStray(w.Slot)
	}
	parent, name := tree.Split(w.Path)
	if d.rules.Ignored(w.Path, false) {
		return nil, errIgnored
	}
	dir, err := cur.at(parent)
	if err != nil {
		return nil, err
	}
	return dir.Read(name)
}

// whole sends a file in pieces.
func (s *sender) whole(f io.Reader) error {
	for {
		n, err := f.Read(s.buf)
		if n > 0 {
			if err := s.put(replica.Piece{Data: s.buf[:n]}); err != nil {
				return err
			}
		}
		if err == io.EOF || err == nil && n == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// delta sends what differs from the file whose block hashes came with the
// want.
func (s *sender) delta(f io.Reader, base *delta.Signature) error {
	return delta.Diff(base, f, func(op delta.Op) error {
		if op.Count > 0 {
			return s.put(replica.Piece{Block: op.Block, Count: op.Count})
		}
		for len(op.Data) > 0 {
			n := min(len(op.Data), replica.MaxPiece)
			if err := s.put(replica.Piece{Data: op.Data[:n]}); err != nil {
				return err
			}
			op.Data = op.Data[n:]
		}
		return nil
	})
}
