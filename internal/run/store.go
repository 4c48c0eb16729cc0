package run

import (
	"context"

	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/replica"
)

// store fetches a content and makes it durable in the keep store.
func (s *Session) store(ctx context.Context, src replica.Source, want replica.Want, item keep.Item) error {
	item.When = s.machine.Now()
	e := item.Entry
	if !e.IsFile() {
		return s.cfg.Keep.Note(item)
	}
	if src == nil {
		return errGone
	}
	w, err := s.cfg.Keep.Create(e.Size)
	if err != nil {
		return err
	}
	defer w.Abort()
	whole, ours := false, error(nil)
	err = src.Send(ctx, []replica.Want{want}, func(p replica.Piece) error {
		switch {
		case p.Gone != "":
			return &lostContent{p.Gone}
		case p.End:
			whole = true
			return nil
		}
		_, ours = w.Write(p.Data)
		return ours
	})
	switch {
	case ours != nil:
		return ours
	case err != nil:
		return &lostContent{err.Error()}
	case !whole:
		return &lostContent{errGone.Error()}
	}
	return w.Commit(item)
}

// lostContent says why a side can't give a content: it is gone, or the side is.
type lostContent struct{ why string }

func (e *lostContent) Error() string { return e.why }

// resolve marks what lost a conflict that is over. If that can't be written
// down, the conflict is listed after the next start, which costs nobody anything.
func (s *Session) resolve(path string) error {
	_, _ = s.cfg.Keep.Resolve(path, s.machine.Now())
	return nil
}
