package protocol

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

func file(content string) *tree.Entry {
	return tree.NewFile(tree.DigestOf([]byte(content)), int64(len(content)), false)
}

func inline(contents ...string) replica.Contents {
	c := replica.Contents{}
	for _, s := range contents {
		c[tree.DigestOf([]byte(s))] = []byte(s)
	}
	return c
}

func someTree() *tree.Entry {
	return tree.NewDir([]tree.Child{
		{Name: "dir", Entry: tree.NewDir([]tree.Child{
			{Name: "a", Entry: file("a")},
			{Name: "x", Entry: tree.NewFile(tree.DigestOf(nil), 0, true)},
		})},
		{Name: "link", Entry: tree.NewLink("../target")},
		{Name: "sock", Entry: tree.NewOpaque("socket")},
		{Name: "what\n\x1b", Entry: tree.NewUnknown("permission denied")},
	})
}

func someSignature() *delta.Signature {
	return &delta.Signature{
		Block: delta.MinBlock, Size: 2*delta.MinBlock + 7,
		Weak: []uint32{1, 2, 1<<32 - 1}, Strong: []xxh3.Uint128{{Hi: 1, Lo: 2}, {Hi: 1 << 63}, {Lo: 3}},
	}
}

// everyMessage has one message of every code at least.
func everyMessage() []message {
	id := replica.ID{1, 15: 2}
	facts := replica.Facts{FoldsCase: true, Watch: "inotify", Apply: "exchange", Durable: "syncfs"}
	return []message{
		hello{1, nil}, hello{Version, []string{"zstd", ""}}, beat{}, end{}, end{"why"},
		start{1, replica.Start{Rules: "*.o\n"}}, adopt{2, id, 1<<64 - 1}, cancel{3},
		apply{4, replica.Batch{
			ID:       9,
			Changes:  []tree.Change{{Path: "a/b", Old: nil, New: someTree()}, {Path: "c", Old: file("x")}},
			Contents: inline("a", ""),
		}},
		look{[]string{"", "a/b"}}, flush{7}, settle{replica.Settle{Gen: 8, Paths: []string{"p"}}},
		release{[]string{"slot"}},
		&observed{Whole: true, Seen: []replica.Seen{{Path: "", Entry: someTree()}}},
		&observed{Seen: []replica.Seen{{Path: "gone"}, {Path: "a", Entry: file("a")}}, Contents: inline("a")},
		&outcome{Batch: 9, Done: true, Results: []replica.Result{
			{Path: "a/b", Status: replica.Applied},
			{Path: "c", Status: replica.MovedOn, Entry: file("y"), Reason: "edited"},
			{Path: "d", Status: replica.Held, Reason: "no space"},
		}},
		&outcome{Batch: 9},
		&durable{Gen: 3}, &durable{3, "disk full"}, &flushed{4},
		&stray{Slot: "s", Path: "a/b", Entry: file("late"), Why: "written late"},
		&stray{Slot: "s", Entry: tree.NewLink("a")},
		&notice{replica.Warn, "text", "remedy"}, &progress{1, 2, 3},
		ask{1, 4, []replica.Want{
			{Path: "a/b/dir/a", Digest: tree.DigestOf([]byte("a")), Size: 1},
			{Path: "c", Slot: "s", Size: record.MaxSize, Base: someSignature()},
		}},
		credit{1, window}, drop{1},
		started{1, replica.Identity{ID: id, Gen: 4, Root: "/app", Boot: "b", Facts: facts}},
		adopted{2}, applied{4}, refused{1, "locked", "wait"},
		piece{1, replica.Piece{Want: 2, Data: []byte("data")}},
		piece{1, replica.Piece{Want: replica.MaxWants - 1, Data: make([]byte, replica.MaxPiece)}},
		piece{1, replica.Piece{Want: 0, Block: 5, Count: 6}},
		piece{1, replica.Piece{Want: 0, End: true}}, piece{1, replica.Piece{Gone: "deleted"}},
		done{1, ""}, done{1, "why"},
	}
}

func body(m message) []byte { return m.append(nil) }

// TestRoundTrip: what was encoded is decoded to the same, for every message.
func TestRoundTrip(t *testing.T) {
	seen := map[code]bool{}
	for _, m := range everyMessage() {
		seen[m.code()] = true
		got, err := decode(m.code(), body(m))
		if err != nil {
			t.Errorf("%v: %v", m.code(), err)
		} else if !same(got, m) {
			t.Errorf("%v:\n got %+v\nwant %+v", m.code(), got, m)
		}
	}
	for c := code(0); c < codeCount; c++ {
		if c.known() && (!seen[c] || codeNames[c] == "") {
			t.Errorf("code %d (%v) has no message in this test, or no name", c, c)
		}
	}
}

// same compares messages: maps have no order, so bytes need not be equal, and
// persistent trees may differ in shape.
func same(a, b message) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	return bytes.Equal(body(a), body(b))
}

// F9: each of these is refused.
func TestBadBodies(t *testing.T) {
	wrong := inline("right")
	wrong[tree.DigestOf([]byte("right"))] = []byte("wrong")
	large := inline(strings.Repeat("x", replica.MaxInline), "y")
	for name, m := range map[string]message{
		"inline digest":     &observed{Contents: wrong},
		"inline too large":  &observed{Contents: large},
		"whole but no root": &observed{Whole: true, Seen: []replica.Seen{{Path: "a"}}},
		"whole and more":    &observed{Whole: true, Seen: []replica.Seen{{}, {Path: "a"}}},
		"path up":           &observed{Seen: []replica.Seen{{Path: "../a"}}},
		"path absolute":     &observed{Seen: []replica.Seen{{Path: "/a"}}},
		"path with slash":   &observed{Seen: []replica.Seen{{Path: "a/"}}},
		"path with NUL":     look{[]string{"a\x00"}},
		"path of dot":       settle{replica.Settle{Paths: []string{"a/./b"}}},
		"stray slot":        &stray{Slot: "../x"},
		"no stray slot":     &stray{Entry: file("a")},
		"stray of nothing":  &stray{Slot: "s"},
		"stray directory":   &stray{Slot: "s", Entry: someTree()},
		"stray unknown":     &stray{Slot: "s", Entry: tree.NewUnknown("why")},
		"want's slot":       ask{1, 0, []replica.Want{{Path: "a", Slot: "a/b"}}},
		"status":            &outcome{Results: []replica.Result{{Path: "a", Status: 9}}},
		"generation":        started{1, replica.Identity{Gen: replica.MaxGen + 1}},
		"level":             &notice{Level: 7},
		"credit":            credit{1, window + 1},
		"empty data":        piece{1, replica.Piece{}},
		"large data":        piece{1, replica.Piece{Data: make([]byte, replica.MaxPiece+1)}},
		"want's number":     piece{1, replica.Piece{Want: replica.MaxWants, End: true}},
		"size":              ask{1, 0, []replica.Want{{Path: "a", Size: record.MaxSize + 1}}},
		"signature":         ask{1, 0, []replica.Want{{Path: "a", Base: &delta.Signature{Block: 1, Size: 1}}}},
		"many features":     hello{1, make([]string, maxFeatures+1)},
		"long text":         refused{1, strings.Repeat("x", maxText+1), ""},
		"too deep":          &observed{Seen: []replica.Seen{{Path: deep(2), Entry: chain(tree.MaxDepth - 1)}}},
		"outcome too deep":  &outcome{Results: []replica.Result{{Path: deep(tree.MaxDepth), Status: replica.Held, Entry: chain(1)}}},
		"batch too deep":    apply{Batch: replica.Batch{Changes: []tree.Change{{Path: "d", New: chain(tree.MaxDepth)}}}},
	} {
		if _, err := decode(m.code(), body(m)); !errors.Is(err, ErrViolation) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, m := range everyMessage() {
		b := body(m)
		if _, err := decode(m.code(), append(b, 0)); err == nil && m.code() != codePiece {
			t.Errorf("%v with a byte too many was taken", m.code())
		}
		if len(b) > 0 && m.code() != codePiece {
			if _, err := decode(m.code(), b[:len(b)-1]); err == nil {
				t.Errorf("%v cut short was taken", m.code())
			}
		}
	}
}

// deep is a path of so many names, and chain a directory with so many levels
// below it.
func deep(n int) string { return strings.TrimSuffix(strings.Repeat("d/", n), "/") }

func chain(n int) *tree.Entry {
	e := tree.NewDir(nil)
	for range n {
		e = tree.NewDir([]tree.Child{{Name: "d", Entry: e}})
	}
	return e
}

// TestDeepest: what is as deep as a path may be is taken.
func TestDeepest(t *testing.T) {
	for i := range tree.MaxDepth + 1 {
		m := &observed{Seen: []replica.Seen{{Path: deep(i), Entry: chain(tree.MaxDepth - i)}}}
		if _, err := decode(m.code(), body(m)); err != nil {
			t.Errorf("%d names: %v", i, err)
		}
	}
}

// TestTextsAreClipped: a long text of ours does not become the other side's
// reason to end the session.
func TestTextsAreClipped(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for _, m := range []message{
		&durable{1, long}, &notice{0, long, long}, &stray{Slot: "s", Entry: file("a"), Why: long},
		&outcome{Results: []replica.Result{{Path: "a", Status: replica.Held, Reason: long}}},
		piece{1, replica.Piece{Gone: long}}, refused{1, textOf(errors.New(long)), ""},
	} {
		if _, err := decode(m.code(), body(m)); err != nil {
			t.Errorf("%v: %v", m.code(), err)
		}
	}
}

// TestFrames: a message of any size around a frame's limit goes through
// unchanged, in writes of one frame each.
func TestFrames(t *testing.T) {
	for _, n := range []int{0, 1, maxBody - 5, maxBody - 4, maxBody - 3, maxBody - 2, maxBody, 2*maxBody - 4, 3 * maxBody, 100 * maxBody} {
		m := start{1, replica.Start{Rules: strings.Repeat("r", n)}}
		var w writes
		b, err := encode(nil, m)
		if err == nil {
			err = writeFrames(&w, m.code(), b)
		}
		if err != nil {
			t.Fatal(err)
		}
		if w.largest > maxBody+headSize {
			t.Errorf("size %d: a write of %d bytes", n, w.largest)
		}
		in := newReceiver(&w, 16)
		if got, err := in.next(); err != nil || got.(start) != m {
			t.Errorf("size %d: %v", n, err)
		}
		if cap(in.body) > keepBuffer && n < keepBuffer {
			t.Errorf("size %d: keeps %d bytes", n, cap(in.body))
		}
	}
}

type writes struct {
	bytes.Buffer
	largest int
}

func (w *writes) Write(p []byte) (int, error) {
	w.largest = max(w.largest, len(p))
	return w.Buffer.Write(p)
}

// TestBadFrames: frames that cannot be ours end the session before their
// bodies cost memory.
func TestBadFrames(t *testing.T) {
	full := append([]byte{byte(codeStart) | moreBit, 0, 0}, make([]byte, maxBody)...)
	putHead(full, codeStart, maxBody, true)
	for name, b := range map[string][]byte{
		"code 0":         {0, 0, 0},
		"unknown code":   {byte(codeCount), 0, 0},
		"too long":       {byte(codeStart), 0xff, 0xff},
		"more, not full": {byte(codeStart) | moreBit, 0, 1, 0},
		"beat with body": {byte(codeBeat), 0, 1, 0},
		"mixed":          append(bytes.Clone(full), byte(codeLook), 0, 0),
		"endless":        bytes.Repeat(full, limits[codeStart]/maxBody+2),
	} {
		if _, err := newReceiver(bytes.NewReader(b), 4096).next(); !errors.Is(err, ErrViolation) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := encode(nil, start{1, replica.Start{Rules: string(make([]byte, limits[codeStart]))}}); err == nil {
		t.Error("a message that is too large was encoded")
	}
}

// TestManyEntries: trees of one message share one budget.
func TestManyEntries(t *testing.T) {
	r := record.NewReader(append(record.AppendEntry(nil, someTree()), record.AppendEntry(nil, someTree())...))
	ts := newTrees(r)
	ts.budget = someTree().Count() + 1
	if ts.at("") == nil || r.Err() != nil {
		t.Fatal("a tree within the budget was refused")
	}
	if ts.at(""); r.Err() == nil {
		t.Error("a tree over the budget was taken")
	}
}

// TestMemory: counts and lengths that are not there cost nothing.
func TestMemory(t *testing.T) {
	nested := []byte{1} // observed, whole
	nested = append(nested, 1, 0)
	for range tree.MaxDepth {
		nested = append(nested, byte(tree.Dir))
		nested = append(record.AppendUint(nested, 100_000), 1, 'n')
	}
	padding := make([]byte, 1<<20)
	claim := func(n uint64) []byte { return record.AppendUint([]byte{0}, n) }
	for c, b := range map[code][]byte{
		codeObserved: append(nested, padding...),
		codeOutcome:  append(append([]byte{0}, claim(5_000_000)...), padding...),
		codeLook:     append(record.AppendUint(nil, 5_000_000), padding...),
		codeAsk:      append([]byte{1, 1, 1, 1, 'p', 0, 15: 0, 22: 0, 23: 0x80}, padding...),
		codeStart:    append(claim(1<<40), padding...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		decode(c, b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("%v of %d bytes cost %d", c, len(b), n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range everyMessage() {
		if b := body(m); len(b) < 4096 {
			f.Add(byte(m.code()), b)
		}
	}
	f.Fuzz(func(t *testing.T, c byte, b []byte) {
		m, err := decode(code(c), b)
		if err != nil {
			if !errors.Is(err, ErrViolation) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := decode(m.code(), body(m))
		if err != nil || !same(again, m) {
			t.Fatalf("%v does not survive: %v", m.code(), err)
		}
	})
}

func FuzzFrames(f *testing.F) {
	var all bytes.Buffer
	for _, m := range everyMessage() {
		b, _ := encode(nil, m)
		writeFrames(&all, m.code(), b)
	}
	f.Add(all.Bytes()[:4096])
	f.Fuzz(func(t *testing.T, b []byte) {
		in := newReceiver(bytes.NewReader(b), 64)
		for total := 0; ; {
			m, err := in.next()
			if err != nil {
				return
			}
			if total += len(in.body) + headSize; total > len(b) || m == nil {
				t.Fatal("more came out than went in")
			}
		}
	})
}

// FuzzWire: whatever comes from the connection, what passes the guard has
// none of the frames that it is there to stop.
func FuzzWire(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 'h', 'i', 0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWire(struct {
			*bytes.Reader
			nothing
		}{bytes.NewReader(b), nothing{}}, true)
		p := make([]byte, 7)
		for {
			n, err := w.Read(p)
			if err != nil {
				return
			}
			if n == 0 || w.skip < 0 || w.skip > maxMuxData || w.have >= muxHead {
				t.Fatalf("read %d, skip %d, have %d", n, w.skip, w.have)
			}
		}
	})
}

type nothing struct{}

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Close() error                { return nil }

// TestNastyNumbers puts numbers at every limit, and numbers that are none, into
// every place of every message. Nothing of it panics, and nothing costs memory that
// did not come.
func TestNastyNumbers(t *testing.T) {
	nasty := [][]byte{{0x80}, {0x80, 0}, bytes.Repeat([]byte{0xff}, 11), bytes.Repeat([]byte{0x80}, 20)}
	for _, n := range []uint64{0, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<32 - 1, 1 << 32, record.MaxEntries, record.MaxEntries + 1, 1 << 40, 1<<40 + 1, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		nasty = append(nasty, record.AppendUint(nil, n))
	}
	var before, after runtime.MemStats
	tried := 0
	for _, m := range everyMessage() {
		b := body(m)
		runtime.ReadMemStats(&before)
		here := tried
		for at := range b[:min(len(b), 200)] {
			for _, n := range nasty {
				for _, skip := range []int{0, 1} {
					bad := append(append(bytes.Clone(b[:at]), n...), b[at+skip:]...)
					if got, err := decode(m.code(), bad); err == nil && got == nil || err != nil && !errors.Is(err, ErrViolation) {
						t.Fatalf("%v with %x at %d: %v, %v", m.code(), n, at, got, err)
					}
					tried++
				}
			}
		}
		runtime.ReadMemStats(&after)
		if cost := (after.TotalAlloc - before.TotalAlloc) / uint64(max(tried-here, 1)); cost > uint64(64*len(b)+64<<10) {
			t.Errorf("%v of %d bytes costs %d on average", m.code(), len(b), cost)
		}
	}
	t.Logf("%d bodies", tried)
}
