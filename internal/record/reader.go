package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twosync/twosync/internal/tree"
)

// ErrBad is wrapped by every error of a Reader.
var ErrBad = errors.New("bad record")

// Reader takes values from the front of its bytes.
type Reader struct {
	b   []byte
	err error
}

// NewReader returns a Reader of b. What it returns never aliases b, except
// for Raw.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Len returns the number of bytes left.
func (r *Reader) Len() int { return len(r.b) }

// Fail makes the reader fail, unless it has already.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrBad, fmt.Sprintf(format, args...))
	}
	r.b = nil
}

// End fails unless everything was taken, and returns Err.
func (r *Reader) End() error {
	if r.err == nil && len(r.b) > 0 {
		r.Fail("%d bytes left over", len(r.b))
	}
	return r.err
}

// Byte takes one byte.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.Fail("cut short")
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// Bool takes one byte that is 0 or 1.
func (r *Reader) Bool() bool {
	c := r.Byte()
	if c > 1 {
		r.Fail("bool is %d", c)
	}
	return c == 1
}

// Uint takes an unsigned varint of at most max.
func (r *Reader) Uint(max uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > max {
		r.Fail("number missing or over %d", max)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int takes a signed varint.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.Fail("number missing")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Raw takes the next n bytes, which alias the reader's.
func (r *Reader) Raw(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.Fail("cut short")
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// String takes a length of at most max and so many bytes.
func (r *Reader) String(max int) string { return string(r.Raw(int(r.Uint(uint64(max))))) }

// Bytes is String for bytes.
func (r *Reader) Bytes(max int) []byte {
	return append([]byte(nil), r.Raw(int(r.Uint(uint64(max))))...)
}

// Digest takes 16 bytes.
func (r *Reader) Digest() (d tree.Digest) {
	copy(d[:], r.Raw(len(d)))
	return d
}

// Path takes a path and checks it.
func (r *Reader) Path() string {
	p := r.String(tree.MaxPath)
	if err := tree.CheckPath(p); err != nil {
		r.Fail("%v", err)
		return ""
	}
	return p
}

// AppendUint, AppendInt, AppendString, AppendBool: what the Reader takes.
func AppendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendInt appends a signed varint.
func AppendInt(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

// AppendString appends a length and the bytes.
func AppendString[S ~string | ~[]byte](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendBool appends one byte.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
