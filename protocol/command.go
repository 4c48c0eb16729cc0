package protocol

import (
	"bytes"
	"sort"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// Commands that are answered carry a number of their own, Seq, that rises by
// one from command to command.
type (
	start struct {
		Seq   uint64
		Start replica.Start
	}
	adopt struct {
		Seq uint64
		ID  replica.ID
		Gen uint64
	}
	apply struct {
		Seq   uint64
		Batch replica.Batch
	}
	// cancel ends the command with this number early. The answer comes all
	// the same.
	cancel struct{ Seq uint64 }

	look    struct{ Paths []string }
	flush   struct{ N uint64 }
	settle  struct{ Settle replica.Settle }
	release struct{ Slots []string }
)

func (start) code() code   { return codeStart }
func (adopt) code() code   { return codeAdopt }
func (apply) code() code   { return codeApply }
func (cancel) code() code  { return codeCancel }
func (look) code() code    { return codeLook }
func (flush) code() code   { return codeFlush }
func (settle) code() code  { return codeSettle }
func (release) code() code { return codeRelease }

func (m start) append(b []byte) []byte {
	return record.AppendString(record.AppendUint(b, m.Seq), m.Start.Rules)
}

func (m adopt) append(b []byte) []byte {
	b = append(record.AppendUint(b, m.Seq), m.ID[:]...)
	return record.AppendUint(b, m.Gen)
}

func (m apply) append(b []byte) []byte {
	b = record.AppendUint(b, m.Seq)
	b = record.AppendUint(b, m.Batch.ID)
	b = record.AppendUint(b, uint64(len(m.Batch.Changes)))
	for _, c := range m.Batch.Changes {
		b = record.AppendString(b, c.Path)
		b = record.AppendEntry(record.AppendEntry(b, c.Old), c.New)
	}
	return appendContents(b, m.Batch.Contents)
}

func (m cancel) append(b []byte) []byte  { return record.AppendUint(b, m.Seq) }
func (m look) append(b []byte) []byte    { return appendStrings(b, m.Paths) }
func (m flush) append(b []byte) []byte   { return record.AppendUint(b, m.N) }
func (m release) append(b []byte) []byte { return appendStrings(b, m.Slots) }

func (m settle) append(b []byte) []byte {
	return appendStrings(record.AppendUint(b, m.Settle.Gen), m.Settle.Paths)
}

func readCommand(c code, r *record.Reader) message {
	switch c {
	case codeStart:
		return start{readNumber(r), replica.Start{Rules: r.String(maxRules)}}
	case codeAdopt:
		return adopt{readNumber(r), readID(r), readNumber(r)}
	case codeApply:
		return readApply(r)
	case codeCancel:
		return cancel{readNumber(r)}
	case codeLook:
		return look{readPaths(r)}
	case codeFlush:
		return flush{readNumber(r)}
	case codeSettle:
		return settle{replica.Settle{Gen: readNumber(r), Paths: readPaths(r)}}
	case codeRelease:
		return release{readList(r, record.MaxEntries, 2, func() string { return readName(r) })}
	}
	return nil
}

func readApply(r *record.Reader) message {
	m := apply{Seq: readNumber(r), Batch: replica.Batch{ID: readNumber(r)}}
	trees := newTrees(r)
	m.Batch.Changes = readList(r, record.MaxEntries, 3, func() tree.Change {
		path := r.Path()
		return tree.Change{Path: path, Old: trees.at(path), New: trees.at(path)}
	})
	m.Batch.Contents = readContents(r)
	return m
}

// maxNumber bounds numbers that only tell one thing from another.
const maxNumber = 1<<64 - 1

func readNumber(r *record.Reader) uint64 { return r.Uint(maxNumber) }

func readID(r *record.Reader) replica.ID { return replica.ID(r.Digest()) }

func readPaths(r *record.Reader) []string {
	return readList(r, record.MaxEntries, 1, func() string { return r.Path() })
}

// readName takes a string that is one component of a path.
func readName(r *record.Reader) string {
	name := r.String(tree.MaxName)
	if !tree.ValidName(name) {
		r.Fail("bad name")
	}
	return name
}

// trees takes the trees of one message, which together have no more entries
// than one tree may have: a byte of a message may cost thirty of memory.
type trees struct {
	r      *record.Reader
	budget int64
}

func newTrees(r *record.Reader) *trees { return &trees{r, record.MaxEntries} }

func (t *trees) at(path string) *tree.Entry {
	e := t.r.EntryAt(path)
	if t.budget -= 1 + e.Count(); t.budget < 0 {
		t.r.Fail("too many entries")
		return nil
	}
	return e
}

func appendContents(b []byte, contents replica.Contents) []byte {
	b = record.AppendUint(b, uint64(len(contents)))
	digests := make(byDigest, 0, len(contents))
	for d := range contents {
		digests = append(digests, d)
	}
	sort.Sort(digests)
	for _, d := range digests {
		b = record.AppendString(append(b, d[:]...), contents[d])
	}
	return b
}

type byDigest []tree.Digest

func (d byDigest) Len() int           { return len(d) }
func (d byDigest) Less(i, j int) bool { return compareDigests(d[i], d[j]) < 0 }
func (d byDigest) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }

func compareDigests(a, b tree.Digest) int { return bytes.Compare(a[:], b[:]) }

// readContents takes contents that ride along, and believes no digest.
func readContents(r *record.Reader) replica.Contents {
	n, left := int(r.Uint(replica.MaxInline)), replica.MaxInline
	if n == 0 {
		return nil
	}
	contents, last := replica.Contents{}, tree.Digest{}
	for i := 0; i < n && r.Err() == nil; i++ {
		d := r.Digest()
		content := r.Bytes(left)
		if r.Err() == nil && tree.DigestOf(content) != d {
			r.Fail("content that has another digest")
		}
		if i > 0 && compareDigests(last, d) >= 0 {
			r.Fail("contents out of order")
		}
		left -= len(content)
		contents[d], last = content, d
	}
	return contents
}
