package record

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// readBuffer is for many small frames in one read.
	readBuffer = 64 << 10
	// maxLogPayload is a chunk with the mark, the flags and a number before it.
	maxLogPayload = logChunk + len(logMark) + 1 + binary.MaxVarintLen64
	// maxFalseMarks bounds the places where a search for a frame checks a sum
	// for nothing: 10 000 sums over 1 MiB are half a second.
	maxFalseMarks = 10_000
)

// LogReader reads the records of a log.
type LogReader struct {
	f    io.ReaderAt
	size int64
	in   *bufio.Reader
	at   int64 // where the next frame begins
	good int64 // where the last whole record ended
	rec  []byte
	buf  []byte
}

// ReadLog returns a reader of a log that is size long.
func ReadLog(f io.ReaderAt, size int64) *LogReader {
	r := &LogReader{f: f, size: size}
	r.seek(0)
	return r
}

func (r *LogReader) seek(at int64) {
	r.at = at
	r.in = bufio.NewReaderSize(io.NewSectionReader(r.f, at, r.size-at), readBuffer)
}

// Good returns where the last whole record ended.
func (r *LogReader) Good() int64 { return r.good }

// At returns the place of the frame that is read next, or is bad.
func (r *LogReader) At() int64 { return r.at }

// Next returns the next record, which is valid until the next call. The end is
// io.EOF. An error that wraps ErrBad says that what follows is no whole
// record: ask Damaged, or Skip it.
func (r *LogReader) Next() ([]byte, error) {
	r.rec = r.rec[:0]
	for first := true; ; first = false {
		f, err := r.frame()
		if err == io.EOF && !first {
			err = fmt.Errorf("%w: record cut short", ErrBad)
		}
		if err != nil {
			return nil, err
		}
		if f.first != first {
			return nil, fmt.Errorf("%w: part of another record", ErrBad)
		}
		r.at += f.size
		if first && f.last {
			r.good = r.at
			return f.chunk, nil
		}
		r.rec = append(r.rec, f.chunk...)
		if f.last {
			r.good = r.at
			return r.rec, nil
		}
	}
}

// frame reads the frame at r.at, without going on to the next.
func (r *LogReader) frame() (logFrame, error) {
	left := r.size - r.at
	if left == 0 {
		return logFrame{}, io.EOF
	}
	r.buf = append(r.buf[:0], make([]byte, frameHead)...)
	if left < frameHead {
		return logFrame{}, fmt.Errorf("%w: frame cut short", ErrBad)
	}
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return logFrame{}, readError(err)
	}
	n := int64(binary.LittleEndian.Uint32(r.buf))
	if n > min(left-frameHead, int64(maxLogPayload)) {
		return logFrame{}, fmt.Errorf("%w: frame cut short or too long", ErrBad)
	}
	r.buf = append(r.buf, make([]byte, n)...)
	if _, err := io.ReadFull(r.in, r.buf[frameHead:]); err != nil {
		return logFrame{}, readError(err)
	}
	f, ok := cutLogFrame(r.buf)
	if !ok {
		return logFrame{}, fmt.Errorf("%w: wrong checksum", ErrBad)
	}
	return f, nil
}

// readError keeps a file that ends too early apart from the end of the log.
func readError(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: file cut short", ErrBad)
	}
	return fmt.Errorf("read log: %w", err)
}

// Damaged says, after an error that wraps ErrBad, whether the bad place had
// been durable before: then it is damage. Otherwise it is what a crash leaves
// of records that nobody was told are written.
func (r *LogReader) Damaged() (bool, error) {
	bad := r.at
	rest, err := r.rest()
	if err != nil {
		return false, err
	}
	for i, tries := 0, 0; ; {
		f, at, ok := findFrame(rest[i:], &tries)
		if !ok {
			return tries >= maxFalseMarks, nil
		}
		if f.synced > bad {
			return true, nil
		}
		i += at + int(f.size)
	}
}

// Skip goes on behind a bad place, where the next whole frame is. It returns
// false when there is none.
func (r *LogReader) Skip() (bool, error) {
	rest, err := r.rest()
	if err != nil {
		return false, err
	}
	for i, tries := 0, 0; ; {
		f, at, ok := findFrame(rest[i:], &tries)
		if !ok {
			return false, nil
		}
		if i += at; f.first {
			r.seek(r.size - int64(len(rest)-i))
			return true, nil
		}
		i += int(f.size)
	}
}

// rest returns everything behind the first byte of the bad frame.
func (r *LogReader) rest() ([]byte, error) {
	from := min(r.at+1, r.size)
	rest := make([]byte, r.size-from)
	n, err := r.f.ReadAt(rest, from)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return rest[:n], nil
}

// findFrame returns the first whole frame in b, and where it is.
func findFrame(b []byte, tries *int) (f logFrame, at int, ok bool) {
	for i := 0; *tries < maxFalseMarks; {
		mark := bytes.Index(b[i:], []byte(logMark))
		if mark < 0 {
			return logFrame{}, 0, false
		}
		at := i + mark - frameHead
		if at >= 0 {
			if f, ok = cutLogFrame(b[at:]); ok {
				return f, at, true
			}
		}
		*tries++
		i += mark + 1
	}
	return logFrame{}, 0, false
}

// logFrame is a frame of a log.
type logFrame struct {
	first, last bool
	synced      int64 // how much of the log was durable when it was written
	size        int64
	chunk       []byte
}

func cutLogFrame(b []byte) (f logFrame, ok bool) {
	if len(b) >= 4 && binary.LittleEndian.Uint32(b) > uint32(maxLogPayload) {
		return f, false
	}
	payload, rest, ok := CutFrame(b)
	if !ok || !bytes.HasPrefix(payload, []byte(logMark)) {
		return f, false
	}
	r := NewReader(payload[len(logMark):])
	flags := r.Byte()
	f.synced = int64(r.Uint(1 << 62))
	f.first, f.last = flags&logFirst != 0, flags&logLast != 0
	f.size = int64(len(b) - len(rest))
	f.chunk = r.Raw(r.Len())
	return f, r.Err() == nil && flags <= logFirst|logLast
}
