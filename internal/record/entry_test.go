package record_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

// samples are entries of every kind, and nothing.
func samples() []*tree.Entry {
	f := tree.NewFile(tree.DigestOf([]byte("x")), record.MaxSize, true)
	d := tree.NewDir([]tree.Child{
		{Name: "a", Entry: f}, {Name: "b", Entry: tree.NewLink("../t")},
		{Name: "c", Entry: tree.NewOpaque("a socket")}, {Name: "d\n\xff", Entry: tree.NewUnknown("unreadable")},
	})
	deep := f
	for range tree.MaxDepth {
		deep = tree.NewDir([]tree.Child{{Name: "d", Entry: deep}})
	}
	return []*tree.Entry{nil, f, tree.NewFile(tree.Digest{}, 0, false), tree.NewLink(""), tree.NewDir(nil), d, d.With("e", d), deep}
}

func TestEntry(t *testing.T) {
	for i, e := range samples() {
		b := record.AppendEntry(nil, e)
		r := record.NewReader(b)
		got := r.Entry()
		if err := r.End(); err != nil || !tree.Same(got, e) || got.Bytes() != e.Bytes() {
			t.Errorf("sample %d is read as %v, %v", i, got, err)
		}
		for n := range b {
			r := record.NewReader(b[:n])
			if r.Entry(); !errors.Is(r.End(), record.ErrBad) {
				t.Fatalf("sample %d cut to %d bytes of %d is read", i, n, len(b))
			}
		}
	}
}

// TestBadEntries: what no writer of ours writes is not read.
func TestBadEntries(t *testing.T) {
	file := record.AppendEntry(nil, tree.NewFile(tree.Digest{}, 0, false))
	dir := func(names ...string) []byte {
		b := record.AppendUint([]byte{byte(tree.Dir)}, uint64(len(names)))
		for _, name := range names {
			b = append(record.AppendString(b, name), file...)
		}
		return b
	}
	deep := file
	for range tree.MaxDepth + 1 {
		deep = append(record.AppendString([]byte{byte(tree.Dir), 1}, "d"), deep...)
	}
	for what, b := range map[string][]byte{
		"kind":         {9},
		"exec dir":     {byte(tree.Dir) | 0x80, 0},
		"exec link":    {byte(tree.Link) | 0x80, 0},
		"exec absent":  {0x80},
		"file size":    record.AppendUint(file[:len(file)-1:len(file)-1], record.MaxSize+1),
		"absent child": append(record.AppendString([]byte{byte(tree.Dir), 1}, "a"), 0),
		"dots":         dir(".."),
		"slash":        dir("a/b"),
		"no name":      dir(""),
		"twice":        dir("a", "a"),
		"order":        dir("b", "a"),
		"too deep":     deep,
		"too wide":     record.AppendUint([]byte{byte(tree.Dir)}, record.MaxEntries+1),
		"long text":    record.AppendString([]byte{byte(tree.Link)}, make([]byte, record.MaxText+1)),
	} {
		r := record.NewReader(b)
		if e := r.Entry(); !errors.Is(r.Err(), record.ErrBad) {
			t.Errorf("%s: read as %v", what, e)
		}
	}
}

// FuzzEntry: whatever is read, is written and read as the same.
func FuzzEntry(f *testing.F) {
	for _, e := range samples() {
		f.Add(record.AppendEntry(nil, e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := record.NewReader(b)
		e := r.Entry()
		if r.Err() != nil {
			if r.Len() != 0 || r.Byte() != 0 || r.Entry() != nil {
				t.Fatal("a reader that failed goes on")
			}
			return
		}
		if used := b[:len(b)-r.Len()]; len(record.AppendEntry(nil, e)) > len(used) {
			t.Fatalf("%x is longer when written again", used)
		}
		again := record.NewReader(record.AppendEntry(nil, e))
		if got := again.Entry(); again.End() != nil || !tree.Same(got, e) || got.Count() != e.Count() || got.Bytes() != e.Bytes() {
			t.Fatalf("%v is read as %v, %v", e, got, again.Err())
		}
	})
}

// FuzzReader takes values of all kinds from hostile bytes, in an order that
// the bytes choose. Nothing panics, and no value breaks its limit.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7}, record.AppendString(record.AppendInt(record.AppendBool(nil, true), -5), "a/b"))
	f.Fuzz(func(t *testing.T, order, b []byte) {
		const limit = 300
		r := record.NewReader(b)
		for _, kind := range order {
			switch kind % 8 {
			case 0:
				r.Bool()
			case 1:
				if v := r.Uint(limit); v > limit {
					t.Fatalf("%d is over %d", v, limit)
				}
			case 2:
				r.Int()
			case 3:
				if s := r.String(limit); len(s) > limit {
					t.Fatalf("%d bytes are over %d", len(s), limit)
				}
			case 4:
				if s := r.Bytes(limit); len(s) > limit {
					t.Fatalf("%d bytes are over %d", len(s), limit)
				}
			case 5:
				r.Digest()
			case 6:
				if p := r.Path(); tree.CheckPath(p) != nil {
					t.Fatalf("path %q", p)
				}
			case 7:
				r.Entry()
			}
		}
		if r.End() == nil && r.Len() != 0 {
			t.Fatal("ended with bytes left over")
		}
	})
}

// FuzzFrame: what is framed comes out again, and no other bytes are a frame.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("payload"), []byte("rest"), uint(3), byte(1))
	f.Fuzz(func(t *testing.T, payload, rest []byte, at uint, flip byte) {
		b := append(record.AppendFrame(nil, payload), rest...)
		frame := len(b) - len(rest)
		got, left, ok := record.CutFrame(b)
		if !ok || string(got) != string(payload) || string(left) != string(rest) {
			t.Fatalf("framed %q comes out as %q, %q, %v", payload, got, left, ok)
		}
		if _, _, ok := record.CutFrame(b[:at%uint(frame)]); ok {
			t.Fatal("a part is a frame")
		}
		if b[at%uint(frame)] ^= flip; flip == 0 {
			return
		}
		if _, left, ok := record.CutFrame(b); ok || len(left) != len(b) {
			t.Fatal("flipped bits are not noticed")
		}
	})
}

// TestFrameHostile: any bytes may come.
func TestFrameHostile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte(r.Uint32() >> (r.IntN(4) * 8))
		}
		if payload, _, ok := record.CutFrame(b); ok && len(payload) > len(b) {
			t.Fatalf("%x: a payload of %d bytes", b, len(payload))
		}
	}
}
