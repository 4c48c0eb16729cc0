package replicatest

import (
	"bytes"
	"context"
	"slices"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// Contents is a source that holds contents in memory, and makes deltas. Asked
// is every want so far.
type Contents struct {
	Held  replica.Contents
	Asked []replica.Want
}

// File returns a file entry of a content, and holds it.
func (c *Contents) File(content string) *tree.Entry {
	e := fileOf(content, false)
	if c.Held == nil {
		c.Held = replica.Contents{}
	}
	c.Held[e.Digest] = []byte(content)
	return e
}

// Send implements replica.Source.
func (c *Contents) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	c.Asked = append(c.Asked, wants...)
	for i, w := range wants {
		if err := c.sendOne(w, func(p replica.Piece) error {
			p.Want = i
			return sink(p)
		}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (c *Contents) sendOne(w replica.Want, sink func(replica.Piece) error) error {
	content, ok := c.Held[w.Digest]
	if !ok {
		return sink(replica.Piece{Gone: "the source has it no more"})
	}
	if w.Base != nil {
		err := delta.Diff(w.Base, bytes.NewReader(content), func(op delta.Op) error {
			return sink(replica.Piece{Data: op.Data, Block: op.Block, Count: op.Count})
		})
		if err != nil {
			return err
		}
		return sink(replica.Piece{End: true})
	}
	for part := range slices.Chunk(content, replica.MaxPiece) {
		if err := sink(replica.Piece{Data: slices.Clone(part)}); err != nil {
			return err
		}
	}
	return sink(replica.Piece{End: true})
}
