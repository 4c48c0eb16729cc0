package disk

import (
	"io"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
	"github.com/zeebo/xxh3"
)

const (
	// readBuffer is the piece in which files are read: large enough that a
	// FUSE file system answers a source file in one call.
	readBuffer = 128 << 10
	// tornTries is how often a file that changes while it is read is read
	// again at once; after that it is Unknown until it rests. A file of more
	// than tornSize is not: everybody else waits for it.
	tornTries = 3
	tornSize  = 4 << 20
)

// file reads a file unless its stat stands for its content.
func (s *scanner) file(path string, dir fsx.Dir, name string, st fsx.Stat) found {
	if !s.captured {
		s.d.linked(path, st)
	}
	// Whoever writes to a file by another of its names leaves no event at this one.
	if e, t, ok := s.prior(path, st); ok && (t == proven || st.Nlink < 2) {
		return found{entry: s.d.withExecOf(e, st), meta: metaOf(st, t)}
	}
	if s.wait != nil && s.wait(path, st) {
		return s.d.known(path)
	}
	if st.Size > tornSize && !s.captured {
		defer s.d.took(path, s.d.opt.Clock.Now())
	}
	f, ok := s.tries(path, dir, name, st.Size)
	if ok || !f.entry.IsFile() {
		return f
	}
	if s.torn == nil {
		return found{entry: tree.NewUnknown(reasonTorn)}
	}
	s.torn(path)
	return s.growing(path, dir, name, f)
}

// tries reads a file until it was the same all the time, or is too restless.
func (s *scanner) tries(path string, dir fsx.Dir, name string, size int64) (f found, ok bool) {
	for n := 0; n == 0 || n < tornTries && size <= tornSize && !ok && f.entry.IsFile(); n++ {
		f, ok = s.read(path, dir, name)
	}
	return f, ok
}

// took notes how long a large file has taken: it gets its next look in turn.
func (d *Disk) took(path string, begun time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.opt.Clock.Now()
	d.settle.Took(now, path, now.Sub(begun))
}

// growing is what counts of a file that does not rest: what it was known to
// be, until it does. If it never does, and what was read is still its front,
// something is only appended to it: then that is a content it had.
func (s *scanner) growing(path string, dir fsx.Dir, name string, last found) found {
	if s.d.restlessAt(path) {
		again, err := s.front(dir, name, last.entry.Size)
		if err == nil && again == last.entry.Digest {
			last.meta.trust = stale
			return last
		}
	}
	if was := s.d.known(path); was.entry.IsFile() {
		was.meta.trust = stale
		return was
	}
	return found{entry: tree.NewUnknown(reasonTorn)}
}

// front hashes the first size bytes of a file.
func (s *scanner) front(dir fsx.Dir, name string, size int64) (tree.Digest, error) {
	f, err := dir.Read(name)
	if err != nil {
		return tree.Digest{}, err
	}
	defer f.Close()
	n, sum, err := hash(f, size)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return sum, err
}

func (d *Disk) restlessAt(path string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settle.Restless(path)
}

// known returns what the index holds at path.
func (d *Disk) known(path string) found {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.index.get(path)
}

// execOf is the exec bit that a stat says, where the file system can tell.
func (d *Disk) execOf(st fsx.Stat) bool { return !d.facts.NoExec && st.Mode&0o111 != 0 }

func (d *Disk) withExecOf(e *tree.Entry, st fsx.Stat) *tree.Entry {
	if exec := d.execOf(st); exec != e.Exec {
		return tree.NewFile(e.Digest, e.Size, exec)
	}
	return e
}

// read reads a file once. ok is false when the file changed meanwhile; what is
// no file any more, or can't be read, is an entry of that kind.
func (s *scanner) read(path string, dir fsx.Dir, name string) (_ found, ok bool) {
	f, err := dir.Read(name)
	if err != nil {
		return s.unknown(path, err), false
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return s.unknown(path, err), false
	}
	n, sum, err := s.content(f, before.Size)
	if err != nil {
		return s.unknown(path, err), false
	}
	after, err := dir.Stat(name)
	if err != nil {
		return s.unknown(path, err), false
	}
	entry := tree.NewFile(sum, n, s.d.execOf(after))
	return found{entry: entry, meta: metaOf(after, s.d.trust(after))}, n == after.Size && before.Same(after)
}

// content hashes f, and keeps the bytes where they may ride along. It stops at
// size: a file that grows as fast as it is read would never end, and is torn
// in any case.
func (s *scanner) content(f fsx.File, size int64) (int64, tree.Digest, error) {
	if size > readBuffer || !s.inline.fits(size) {
		return hash(f, size)
	}
	bp := buffers.Get().(*[]byte)
	defer buffers.Put(bp)
	n, err := readUpTo(f, (*bp)[:size])
	if err != nil {
		return 0, tree.Digest{}, err
	}
	d := tree.DigestOf((*bp)[:n])
	s.inline.add(d, (*bp)[:n])
	return int64(n), d, nil
}

// readUpTo fills p, or less where the file ends before.
func readUpTo(f io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = f.Read(p[n:])
		if n += m; m == 0 && err == nil {
			err = io.EOF
		}
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

var buffers = sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }}

var hashers = sync.Pool{New: func() any { return xxh3.New128() }}

// hash reads the first size bytes of f.
func hash(f io.Reader, size int64) (n int64, d tree.Digest, err error) {
	return copyHash(io.Discard, f, size)
}

// copyHash copies the first size bytes of from and returns the digest of what
// went over.
func copyHash(to io.Writer, from io.Reader, size int64) (n int64, d tree.Digest, err error) {
	bp := buffers.Get().(*[]byte)
	defer buffers.Put(bp)
	if size <= readBuffer {
		m, err := readUpTo(from, (*bp)[:size])
		if err == nil {
			_, err = to.Write((*bp)[:m])
		}
		return int64(m), tree.DigestOf((*bp)[:m]), err
	}
	h := hashers.Get().(*xxh3.Hasher128)
	defer hashers.Put(h)
	h.Reset()
	for n < size {
		m, err := readUpTo(from, (*bp)[:min(size-n, readBuffer)])
		h.Write((*bp)[:m])
		if _, werr := to.Write((*bp)[:m]); err == nil {
			err = werr
		}
		n += int64(m)
		if err != nil {
			return n, d, err
		}
		if m == 0 {
			break
		}
	}
	return n, h.Sum128().Bytes(), nil
}

// trust says how far a file's stat stands for its content from now on. Whoever
// set back the one stamp has left his time in the other.
func (d *Disk) trust(st fsx.Stat) trust {
	if d.settledBefore(max(st.Mtime, st.Ctime), d.opt.Clock.Now().UnixNano()) {
		return proven
	}
	return racy
}

// settledBefore says whether whatever is written at the time now, or later,
// gets a stamp that differs from mtime.
func (d *Disk) settledBefore(mtime, now int64) bool { return now-mtime >= 2*d.granule }
