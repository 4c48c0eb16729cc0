package delta

import "io"

// maxEmptyReads is how often a reader may return nothing before it counts as
// broken.
const maxEmptyReads = 100

// input is the part of the new content that Diff holds in memory.
// buf[lit:pos] is literal that was not emitted yet, buf[pos:end] is ahead.
type input struct {
	// config
	r       io.Reader
	block   int
	literal int // the longest literal

	// state
	buf           []byte
	lit, pos, end int
	eof           bool
}

// newInput makes a buffer for a literal and ahead bytes, of which there must
// be more than two blocks.
func newInput(r io.Reader, block, ahead, literal int) input {
	return input{r: r, block: block, literal: literal, buf: make([]byte, ahead+literal)}
}

// fill reads on until two blocks are ahead or the content ends. The caller
// has emitted all literals of full length, so there is room.
func (in *input) fill() error {
	if in.eof || in.end-in.pos >= 2*in.block {
		return nil
	}
	copy(in.buf, in.buf[in.lit:in.end])
	in.lit, in.pos, in.end = 0, in.pos-in.lit, in.end-in.lit
	n, err := readFull(in.r, in.buf[in.end:])
	in.end += n
	if err == io.EOF {
		in.eof = true
		return nil
	}
	return err
}

// readFull reads until p is full. Unlike that of package io it leaves io.EOF
// as it is, so that a reader's own io.ErrUnexpectedEOF is never mistaken for
// an end.
func readFull(r io.Reader, p []byte) (int, error) {
	got, empty := 0, 0
	for got < len(p) {
		n, err := r.Read(p[got:])
		got += n
		if err != nil {
			return got, err
		}
		if empty++; n > 0 {
			empty = 0
		}
		if empty > maxEmptyReads {
			return got, io.ErrNoProgress
		}
	}
	return got, nil
}
