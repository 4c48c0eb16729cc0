package delta

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/zeebo/xxh3"
)

const (
	// MinBlock keeps the signature below 1 % of the file.
	MinBlock = 2 << 10

	// commonMax is the largest block as long as the signature has room: an
	// edit of one byte sends a block, and a 512 MiB file has 32768 blocks of
	// this length, whose hashes are 640 KiB.
	commonMax = 16 << 10

	// MaxBlocks bounds the memory of a signature to 20 MiB. Blocks grow
	// beyond 16 KiB when a file would have more of them.
	MaxBlocks = 1 << 20

	// MaxBlock is the block length of a file of MaxSize. Diff holds a few
	// blocks in memory.
	MaxBlock = 1 << 20

	// MaxSize is the largest file that has a signature: 1 TiB.
	MaxSize = int64(MaxBlocks) * MaxBlock

	// blockUnit is what block lengths are a multiple of, so that blocks meet
	// the pages of databases and disk images.
	blockUnit = 512

	// signChunk is how much Sign asks its reader for at once, so that the
	// cost of a system call vanishes while the bytes stay in the cache.
	signChunk = 256 << 10
)

// errLength means that a reader did not hold as many bytes as was said.
var errLength = errors.New("content is not as long as expected")

// BlockSize returns the block length for a file of the given size: about
// sqrt(24*size), where signature and literal bytes balance, within bounds.
func BlockSize(size int64) int {
	size = min(max(size, 0), MaxSize)
	root := int64(math.Sqrt(24 * float64(size)))
	block := min(max(root, MinBlock), commonMax)
	block = max(block, (size+MaxBlocks-1)/MaxBlocks)
	return int((block + blockUnit - 1) / blockUnit * blockUnit)
}

// Blocks returns how many blocks a file has, the last of which may be short.
// It refuses numbers that no Sign makes, so a decoder can call it before it
// allocates.
func Blocks(block int, size int64) (int, error) {
	if block < MinBlock || block > MaxBlock {
		return 0, fmt.Errorf("block length %d is not within %d and %d", block, MinBlock, MaxBlock)
	}
	if size < 0 || size > MaxSize {
		return 0, fmt.Errorf("size %d is not within 0 and %d", size, MaxSize)
	}
	n := countBlocks(block, size)
	if n > MaxBlocks {
		return 0, fmt.Errorf("%d blocks are more than %d", n, MaxBlocks)
	}
	return int(n), nil
}

// countBlocks is Blocks without the limits: tests use blocks of a few bytes.
func countBlocks(block int, size int64) int64 {
	return (size + int64(block) - 1) / int64(block)
}

// Signature has two hashes for each block of a file. Weak is cheap to move by
// one byte, Strong decides.
type Signature struct {
	Block  int   // length of a block
	Size   int64 // length of the file; the last block may be short
	Weak   []uint32
	Strong []xxh3.Uint128
}

// Valid reports whether the numbers of a signature agree. It must be asked
// before anything is done with one that came from the other side; Diff asks
// by itself.
func (s *Signature) Valid() error {
	n, err := Blocks(s.Block, s.Size)
	if err != nil {
		return fmt.Errorf("check signature: %w", err)
	}
	if len(s.Weak) != n || len(s.Strong) != n {
		return fmt.Errorf("check signature: %d weak and %d strong hashes for %d blocks",
			len(s.Weak), len(s.Strong), n)
	}
	return nil
}

// blockLen returns the length of block i.
func (s *Signature) blockLen(i int) int {
	return int(min(int64(s.Block), s.Size-int64(i)*int64(s.Block)))
}

// Sign reads the content of a file of the given size and returns its
// signature. Content that is shorter or longer is an error: the file changed
// while it was read.
func Sign(r io.Reader, size int64) (Signature, error) {
	if size < 0 || size > MaxSize {
		return Signature{}, fmt.Errorf("sign content: size %d is not within 0 and %d", size, MaxSize)
	}
	return sign(r, size, BlockSize(size))
}

func sign(r io.Reader, size int64, block int) (Signature, error) {
	n := countBlocks(block, size)
	s := Signature{Block: block, Size: size, Weak: make([]uint32, 0, n), Strong: make([]xxh3.Uint128, 0, n)}
	chunk := int64(block) * int64(max(1, signChunk/block))
	buf := make([]byte, min(chunk, size))
	for left := size; left > 0; {
		buf = buf[:min(int64(len(buf)), left)]
		got, err := readFull(r, buf)
		if err != nil && err != io.EOF {
			return Signature{}, fmt.Errorf("sign content: %w", err)
		}
		if got < len(buf) {
			return Signature{}, fmt.Errorf("sign content: %w", errLength)
		}
		s.add(buf)
		left -= int64(got)
	}
	if err := atEnd(r); err != nil {
		return Signature{}, fmt.Errorf("sign content: %w", err)
	}
	return s, nil
}

// add appends the hashes of the blocks in p.
func (s *Signature) add(p []byte) {
	for len(p) > 0 {
		b := p[:min(s.Block, len(p))]
		s.Weak = append(s.Weak, weakOf(b).sum())
		s.Strong = append(s.Strong, xxh3.Hash128(b))
		p = p[len(b):]
	}
}

// atEnd returns an error unless r has nothing more to give.
func atEnd(r io.Reader) error {
	n, err := readFull(r, make([]byte, 1))
	if n > 0 {
		return errLength
	}
	if err != io.EOF {
		return err
	}
	return nil
}
