package disk

import (
	"errors"
	"io"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/zeebo/xxh3"
)

// incoming is the content that is being received. Nothing of it is believed
// before its end came and its digest is right.
type incoming struct {
	j    *job
	f    fsx.File
	h    *xxh3.Hasher128
	n    int64
	sig  *delta.Signature
	old  fsx.File // what sig is of
	buf  *[]byte  // what was not written yet: a call for each piece costs more than the bytes
	part int      // how much of buf that is
	fail error
}

// errOther means that what comes is not what was wanted.
var errOther = errors.New("the content changed while it was sent")

// piece takes one piece of j's content. What goes wrong with one file is that
// file's, not the stream's.
func (w *filler) piece(j *job, sig *delta.Signature, p replica.Piece) {
	if j.ended {
		return
	}
	if w.in == nil || w.in.j != j {
		w.abandon()
		w.begin(j, sig)
	}
	in := w.in
	switch {
	case p.Gone != "":
		w.abandon()
		j.end(nil, p.Gone, fsx.Stat{})
	case p.End:
		w.end()
	case in.fail != nil:
	case p.Count > 0:
		in.copyBlocks(p.Block, p.Count)
	default:
		in.write(p.Data)
	}
}

func (w *filler) begin(j *job, sig *delta.Signature) {
	in := &incoming{j: j, sig: sig, h: hashers.Get().(*xxh3.Hasher128), buf: buffers.Get().(*[]byte)}
	in.h.Reset()
	w.in = in
	if in.f, in.fail = w.create(j); in.fail == nil && sig != nil {
		in.old, _, in.fail = w.open(j.old)
	}
}

func (in *incoming) write(b []byte) {
	in.h.Write(b)
	if in.n += int64(len(b)); in.n > in.j.entry.Size {
		in.fail = errOther
		return
	}
	for len(b) > 0 && in.fail == nil {
		n := copy((*in.buf)[in.part:], b)
		b = b[n:]
		if in.part += n; in.part == len(*in.buf) {
			in.flush()
		}
	}
}

func (in *incoming) flush() {
	if in.fail == nil && in.part > 0 {
		_, in.fail = in.f.Write((*in.buf)[:in.part])
	}
	in.part = 0
}

// copyBlocks copies blocks of the file that is replaced.
func (in *incoming) copyBlocks(block, count int) {
	if in.sig == nil || block < 0 || block >= len(in.sig.Weak) || count > len(in.sig.Weak)-block {
		in.fail = errOther
		return
	}
	bp := buffers.Get().(*[]byte)
	defer buffers.Put(bp)
	from := int64(block) * int64(in.sig.Block)
	to := min(from+int64(count)*int64(in.sig.Block), in.sig.Size)
	for from < to && in.fail == nil {
		b := (*bp)[:min(to-from, readBuffer)]
		n, err := in.old.ReadAt(b, from)
		if n < len(b) {
			in.fail = errOther // it is not what was signed any more
			if err != nil && err != io.EOF {
				in.fail = err
			}
			return
		}
		in.write(b)
		from += int64(n)
	}
}

// end checks that the content is the one that was wanted.
func (w *filler) end() {
	in := w.in
	if in.fail == nil && (in.n != in.j.entry.Size || tree.Digest(in.h.Sum128().Bytes()) != in.j.entry.Digest) {
		in.fail = errOther
	}
	in.flush()
	switch {
	case in.fail == nil:
		w.done(in.j, in.f, nil)
		if in.j.top.failed() {
			in.fail = errOther // it could not be finished: drop it
		}
	case errors.Is(in.fail, errOther):
		in.j.end(nil, errOther.Error(), fsx.Stat{})
	default:
		in.j.end(in.fail, "", fsx.Stat{})
	}
	w.abandon()
}

// abandon closes what belongs to the content that is being received, and takes
// away the staged file if it is not whole.
func (w *filler) abandon() {
	in := w.in
	if in == nil {
		return
	}
	w.in = nil
	if in.f != nil {
		in.f.Close()
	}
	if in.old != nil {
		in.old.Close()
	}
	if in.f != nil && (in.fail != nil || !in.j.ended) {
		w.drop(in.j)
	}
	hashers.Put(in.h)
	buffers.Put(in.buf)
}
