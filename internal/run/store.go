package run

import (
	"context"
	"errors"
	"time"

	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// store fetches a content and makes it durable in the keep store.
func (s *Session) store(ctx context.Context, src replica.Source, want replica.Want, e *tree.Entry, side replica.Side, note string) error {
	item := keep.Item{Path: want.Path, Entry: e, Side: side, Why: keep.Conflict, When: time.Now(), Note: note}
	if want.Slot != "" {
		item.Why = keep.LeftOver
	}
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
	whole := false
	err = src.Send(ctx, []replica.Want{want}, func(p replica.Piece) error {
		switch {
		case p.Gone != "":
			return errors.New(p.Gone)
		case p.End:
			whole = true
			return nil
		}
		_, err := w.Write(p.Data)
		return err
	})
	if err != nil {
		return err
	}
	if !whole {
		return errGone
	}
	return w.Commit(item)
}
