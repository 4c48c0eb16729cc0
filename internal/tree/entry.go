package tree

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/zeebo/xxh3"
)

// Kind is what a path holds.
type Kind uint8

// The kinds. Absence is a nil *Entry, not a kind.
const (
	File    Kind = 1 + iota // a regular file
	Link                    // a symbolic link
	Dir                     // a directory
	Opaque                  // known to be there, but not syncable: socket, device, mount, a name the other side cannot hold
	Unknown                 // nothing may be concluded: unreadable, torn, not scanned
)

var kindNames = [...]string{"none", "file", "link", "dir", "opaque", "unknown"}

func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "invalid"
	}
	return kindNames[k]
}

// Digest is the unseeded xxh3-128 of a content, big-endian.
type Digest [16]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// DigestOf returns the digest of a content.
func DigestOf(content []byte) Digest { return xxh3.Hash128(content).Bytes() }

// ParseDigest reads what String wrote.
func ParseDigest(s string) (Digest, bool) {
	var d Digest
	if len(s) != 2*len(d) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(s))
	return d, err == nil
}

// Entry is what one path holds. It is immutable.
type Entry struct {
	Kind   Kind
	Exec   bool   // File: somebody may execute it
	Digest Digest // File: of the content; Dir: of everything below
	Size   int64  // File: bytes
	Text   string // Link: the target; Opaque and Unknown: the reason, for people
	dir    *dir   // Dir: never nil
}

// NewFile returns a file.
func NewFile(d Digest, size int64, exec bool) *Entry {
	return &Entry{Kind: File, Digest: d, Size: size, Exec: exec}
}

// NewLink returns a symbolic link.
func NewLink(target string) *Entry { return &Entry{Kind: Link, Text: target} }

// NewOpaque returns something that is there but cannot be synced, and why.
func NewOpaque(reason string) *Entry { return &Entry{Kind: Opaque, Text: reason} }

// NewUnknown returns a value from which nothing may be concluded, and why.
func NewUnknown(reason string) *Entry { return &Entry{Kind: Unknown, Text: reason} }

// IsDir says whether e is there and a directory.
func (e *Entry) IsDir() bool { return e != nil && e.Kind == Dir }

// IsFile says whether e is there and a regular file.
func (e *Entry) IsFile() bool { return e != nil && e.Kind == File }

// Murky says whether something unknown or opaque is at or below e.
func (e *Entry) Murky() bool {
	switch {
	case e == nil:
		return false
	case e.Kind == Dir:
		return e.dir.sum.murky > 0
	}
	return e.Kind >= Opaque
}

// Files returns the number of files and links at or below e.
func (e *Entry) Files() int64 {
	switch {
	case e == nil:
		return 0
	case e.Kind == Dir:
		return e.dir.sum.files
	case e.Kind == File, e.Kind == Link:
		return 1
	}
	return 0
}

// Bytes returns the total size of the files at or below e.
func (e *Entry) Bytes() int64 {
	switch {
	case e == nil:
		return 0
	case e.Kind == Dir:
		return e.dir.sum.bytes
	}
	return e.Size
}

// Count returns the number of entries at and below e.
func (e *Entry) Count() int64 {
	switch {
	case e == nil:
		return 0
	case e.Kind == Dir:
		return e.dir.sum.count + 1
	}
	return 1
}

// Equal says whether a and b are known to hold the same. What is murky equals
// nothing, not even itself.
func Equal(a, b *Entry) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Murky() || b.Murky() {
		return false
	}
	return alike(a, b)
}

// Same is Equal, but takes what is murky as it stands: two unknown entries
// with one reason are the same, and so is a murky directory with itself.
func Same(a, b *Entry) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	if a.Kind != b.Kind {
		return false
	}
	if a.Kind >= Opaque {
		return a.Text == b.Text
	}
	return alike(a, b)
}

func alike(a, b *Entry) bool {
	switch a.Kind {
	case File:
		return a.Digest == b.Digest && a.Exec == b.Exec
	case Link:
		return a.Text == b.Text
	}
	return a.Digest == b.Digest
}

// SameContent says whether a and b are files with equal bytes, whatever their
// exec bits.
func SameContent(a, b *Entry) bool {
	return a.IsFile() && b.IsFile() && a.Digest == b.Digest
}

// mark is one child's share in its directory's digest.
func mark(name string, e *Entry) xxh3.Uint128 {
	var buf [320]byte
	b := append(buf[:0], name...)
	b = append(b, 0, byte(e.Kind))
	if e.Exec {
		b[len(b)-1] |= 0x80
	}
	switch e.Kind {
	case File, Dir:
		b = append(b, e.Digest[:]...)
	default:
		b = append(b, e.Text...)
	}
	return xxh3.Hash128(b)
}

func (s *sum) digest() (d Digest) {
	binary.BigEndian.PutUint64(d[:8], s.hi)
	binary.BigEndian.PutUint64(d[8:], s.lo)
	return d
}
