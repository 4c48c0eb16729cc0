package protocol

import (
	"bufio"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Settings of zstd. The fastest level with a small window is within 2 % of
// the size that the default window gives, in a ninth of the memory. Nothing of
// it is chosen by the other side.
const (
	zstdWindow    = 256 << 10
	zstdMaxWindow = 1 << 20
	zstdMaxMemory = 8 << 20
)

// flusher is a writer that may hold back what was written.
type flusher interface {
	io.Writer
	Flush() error
}

// pack is the writing end of a bulk direction.
func pack(w io.Writer, compress bool) (flusher, error) {
	out := chunks{w}
	if !compress {
		return bufio.NewWriterSize(out, maxBody), nil
	}
	return zstd.NewWriter(out,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(zstdWindow),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false)) // contents have digests
}

// unpack is the reading end of a bulk direction.
func unpack(r io.Reader, compress bool) (io.Reader, func(), error) {
	if !compress {
		return r, func() {}, nil
	}
	d, err := zstd.NewReader(r,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdMaxWindow),
		zstd.WithDecoderMaxMemory(zstdMaxMemory))
	if err != nil {
		return nil, nil, err
	}
	return d, d.Close, nil
}

// chunks writes no more than one frame of yamux at once.
type chunks struct{ w io.Writer }

func (c chunks) Write(p []byte) (total int, err error) {
	for total < len(p) && err == nil {
		var n int
		n, err = c.w.Write(p[total:min(total+maxBody, len(p))])
		total += n
	}
	return total, err
}
