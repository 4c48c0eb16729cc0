package delta

import (
	"errors"
	"fmt"
	"io"
)

// copyChunk is how much of the old file is copied at once, so that the cost
// of system calls vanishes against that of the bytes.
const copyChunk = 512 << 10

// ErrEnd is what the source of ops returns after the last one. It is not
// io.EOF, because a connection that broke ends with that one too.
var ErrEnd = errors.New("end of delta")

// Old is the content that a file is built from, and how it was signed.
type Old struct {
	Content io.ReaderAt
	Size    int64
	Block   int
}

// Patch writes to w what the ops of next build from old, until next returns
// ErrEnd, and returns how many bytes it wrote. It writes no more than limit
// bytes, the size of the new content, and may have written some of them when
// it fails. The caller checks the digest of the whole.
func Patch(old Old, limit int64, next func() (Op, error), w io.Writer) (int64, error) {
	blocks, err := Blocks(old.Block, old.Size)
	if err != nil {
		return 0, fmt.Errorf("build file: %w", err)
	}
	return newPatcher(old, blocks, limit, w).run(next)
}

type patcher struct {
	// config
	old    Old
	blocks int
	w      io.Writer
	limit  int64

	// state
	written int64
	buf     []byte // for copies, made when the first one comes
}

func newPatcher(old Old, blocks int, limit int64, w io.Writer) *patcher {
	return &patcher{old: old, blocks: blocks, limit: limit, w: w}
}

func (p *patcher) run(next func() (Op, error)) (int64, error) {
	for {
		op, err := next()
		if err == ErrEnd {
			return p.written, nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return p.written, fmt.Errorf("read delta: %w", err)
		}
		if err := p.apply(op); err != nil {
			return p.written, fmt.Errorf("build file: %w", err)
		}
	}
}

// apply checks an op and does it.
func (p *patcher) apply(op Op) error {
	switch {
	case op.Count == 0 && op.Block == 0 && len(op.Data) > 0 && len(op.Data) <= MaxLiteral:
		return p.write(op.Data)
	case op.Count > 0 && op.Block >= 0 && len(op.Data) == 0 &&
		op.Block < p.blocks && op.Count <= p.blocks-op.Block:
		return p.copy(op.Block, op.Count)
	}
	return fmt.Errorf("invalid op: block %d, count %d of %d blocks, %d bytes",
		op.Block, op.Count, p.blocks, len(op.Data))
}

// copy writes count blocks of the old file. The op was checked.
func (p *patcher) copy(block, count int) error {
	from := int64(block) * int64(p.old.Block)
	to := min(from+int64(count)*int64(p.old.Block), p.old.Size)
	if to-from > p.limit-p.written {
		return p.tooLong()
	}
	if p.buf == nil {
		p.buf = make([]byte, min(copyChunk, p.old.Size))
	}
	for from < to {
		b := p.buf[:min(int64(len(p.buf)), to-from)]
		n, err := p.old.Content.ReadAt(b, from)
		if err == io.EOF || err == nil {
			err = errLength
		}
		if n < len(b) {
			return fmt.Errorf("read old content: %w", err)
		}
		if err := p.write(b); err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

func (p *patcher) write(b []byte) error {
	if int64(len(b)) > p.limit-p.written {
		return p.tooLong()
	}
	n, err := p.w.Write(b)
	p.written += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

func (p *patcher) tooLong() error {
	return fmt.Errorf("new content is longer than %d bytes", p.limit)
}
