package protocol

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// Requests for contents, and answers to commands.
type (
	// ask begins a request. Req rises from request to request of a side. Seq
	// is the command whose contents are wanted; 0 means those of the root.
	ask struct {
		Req, Seq uint64
		Wants    []replica.Want
	}
	// credit lets the other side send N more, by the cost of pieces.
	credit struct {
		Req uint64
		N   int
	}
	// drop says that nobody waits for a request any more.
	drop struct{ Req uint64 }

	started struct {
		Seq      uint64
		Identity replica.Identity
	}
	adopted struct{ Seq uint64 }
	applied struct{ Seq uint64 }
	refused struct {
		Seq          uint64
		Text, Remedy string
	}
)

// Bulk.
type (
	piece struct {
		Req   uint64
		Piece replica.Piece
	}
	// done is the last message of a request.
	done struct {
		Req  uint64
		Text string // why not everything came; empty when it did
	}
)

func (ask) code() code     { return codeAsk }
func (credit) code() code  { return codeCredit }
func (drop) code() code    { return codeDrop }
func (started) code() code { return codeStarted }
func (adopted) code() code { return codeAdopted }
func (applied) code() code { return codeApplied }
func (refused) code() code { return codeRefused }
func (piece) code() code   { return codePiece }
func (done) code() code    { return codeDone }

func (m ask) append(b []byte) []byte {
	b = record.AppendUint(record.AppendUint(b, m.Req), m.Seq)
	b = record.AppendUint(b, uint64(len(m.Wants)))
	for _, w := range m.Wants {
		b = record.AppendString(record.AppendString(b, w.Path), w.Slot)
		b = record.AppendUint(append(b, w.Digest[:]...), uint64(w.Size))
		b = appendSignature(b, w.Base)
	}
	return b
}

func (m credit) append(b []byte) []byte {
	return record.AppendUint(record.AppendUint(b, m.Req), uint64(m.N))
}

func (m drop) append(b []byte) []byte { return record.AppendUint(b, m.Req) }

func (m started) append(b []byte) []byte {
	return appendIdentity(record.AppendUint(b, m.Seq), m.Identity)
}

func (m adopted) append(b []byte) []byte { return record.AppendUint(b, m.Seq) }
func (m applied) append(b []byte) []byte { return record.AppendUint(b, m.Seq) }

func (m refused) append(b []byte) []byte {
	return record.AppendString(record.AppendString(record.AppendUint(b, m.Seq), m.Text), m.Remedy)
}

func readFetch(c code, r *record.Reader) message {
	switch c {
	case codeAsk:
		m := ask{Req: readNumber(r), Seq: readNumber(r)}
		m.Wants = readList(r, replica.MaxWants, 20, func() replica.Want { return readWant(r) })
		return m
	case codeCredit:
		return credit{readNumber(r), int(r.Uint(window))}
	case codeDrop:
		return drop{readNumber(r)}
	case codeStarted:
		return started{readNumber(r), readIdentity(r)}
	case codeAdopted:
		return adopted{readNumber(r)}
	case codeApplied:
		return applied{readNumber(r)}
	case codeRefused:
		return refused{readNumber(r), r.String(maxText), r.String(maxText)}
	}
	return nil
}

func readWant(r *record.Reader) replica.Want {
	w := replica.Want{Path: r.Path()}
	if w.Slot = r.String(tree.MaxName); w.Slot != "" && !tree.ValidName(w.Slot) {
		r.Fail("bad slot")
	}
	w.Digest, w.Size = r.Digest(), int64(r.Uint(record.MaxSize))
	w.Base = readSignature(r)
	return w
}

// hashesSize is what the two hashes of a block take on the wire.
const hashesSize = 4 + 16

// appendSignature appends s, or one zero byte for nil: no block is that long.
func appendSignature(b []byte, s *delta.Signature) []byte {
	if s == nil {
		return append(b, 0)
	}
	b = record.AppendUint(b, uint64(s.Block))
	b = record.AppendUint(b, uint64(s.Size))
	for i, weak := range s.Weak {
		b = binary.BigEndian.AppendUint32(b, weak)
		strong := s.Strong[i].Bytes()
		b = append(b, strong[:]...)
	}
	return b
}

func readSignature(r *record.Reader) *delta.Signature {
	block := int(r.Uint(delta.MaxBlock))
	if block == 0 {
		return nil
	}
	s := &delta.Signature{Block: block, Size: int64(r.Uint(uint64(delta.MaxSize)))}
	n, err := delta.Blocks(s.Block, s.Size)
	if err != nil {
		r.Fail("%v", err)
		return nil
	}
	hashes := r.Raw(n * hashesSize)
	if r.Err() != nil {
		return nil
	}
	s.Weak, s.Strong = make([]uint32, n), make([]xxh3.Uint128, n)
	for i := range n {
		h := hashes[i*hashesSize:]
		s.Weak[i] = binary.BigEndian.Uint32(h)
		s.Strong[i].Hi = binary.BigEndian.Uint64(h[4:])
		s.Strong[i].Lo = binary.BigEndian.Uint64(h[12:])
	}
	return s
}

// What a piece is.
const (
	opData = iota
	opCopy
	opEnd
	opGone
)

func (m piece) append(b []byte) []byte {
	b = record.AppendUint(record.AppendUint(b, m.Req), uint64(m.Piece.Want))
	switch p := m.Piece; {
	case p.End:
		return append(b, opEnd)
	case p.Gone != "":
		return record.AppendString(append(b, opGone), clip(p.Gone))
	case p.Count > 0:
		b = record.AppendUint(append(b, opCopy), uint64(p.Block))
		return record.AppendUint(b, uint64(p.Count))
	default:
		return append(append(b, opData), p.Data...)
	}
}

func (m done) append(b []byte) []byte {
	return record.AppendString(record.AppendUint(b, m.Req), m.Text)
}

func readBulk(c code, r *record.Reader) message {
	switch c {
	case codePiece:
		return readPiece(r)
	case codeDone:
		return done{readNumber(r), r.String(maxText)}
	}
	return nil
}

func readPiece(r *record.Reader) message {
	m := piece{Req: readNumber(r)}
	p := &m.Piece
	p.Want = int(r.Uint(replica.MaxWants - 1))
	switch op := r.Byte(); op {
	case opData:
		p.Data = r.Raw(r.Len())
		if len(p.Data) == 0 || len(p.Data) > replica.MaxPiece {
			r.Fail("data of %d bytes", len(p.Data))
		}
	case opCopy:
		p.Block, p.Count = int(r.Uint(delta.MaxBlocks)), int(r.Uint(delta.MaxBlocks))
		if p.Count == 0 {
			r.Fail("copy of no blocks")
		}
	case opEnd:
		p.End = true
	case opGone:
		if p.Gone = r.String(maxText); p.Gone == "" {
			r.Fail("gone without a reason")
		}
	default:
		r.Fail("piece of type %d", op)
	}
	return m
}
