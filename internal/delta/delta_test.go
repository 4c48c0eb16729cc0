package delta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/zeebo/xxh3"
)

// random returns n bytes that depend on seed only.
func random(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	p := make([]byte, n)
	rand.NewChaCha8(key).Read(p)
	return p
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func mustSign(t testing.TB, old []byte, block int) Signature {
	t.Helper()
	sig, err := sign(bytes.NewReader(old), int64(len(old)), block)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// collect runs a differ and returns copies of its ops.
func collect(t testing.TB, sig *Signature, r io.Reader, tune func(*differ)) []Op {
	t.Helper()
	var ops []Op
	d := newDiffer(sig, r, func(op Op) error {
		op.Data = bytes.Clone(op.Data)
		ops = append(ops, op)
		return nil
	})
	if tune != nil {
		tune(d)
	}
	if err := d.run(); err != nil {
		t.Fatal(err)
	}
	return ops
}

func source(ops []Op) func() (Op, error) {
	return func() (Op, error) {
		if len(ops) == 0 {
			return Op{}, ErrEnd
		}
		op := ops[0]
		ops = ops[1:]
		return op, nil
	}
}

// rebuild patches without the limits on the block length.
func rebuild(t testing.TB, old []byte, block int, ops []Op, size int) []byte {
	t.Helper()
	o := Old{Content: bytes.NewReader(old), Size: int64(len(old)), Block: block}
	var out bytes.Buffer
	n, err := newPatcher(o, int(countBlocks(block, o.Size)), int64(size), &out).run(source(ops))
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(out.Len()) {
		t.Fatalf("Patch says %d bytes, wrote %d", n, out.Len())
	}
	return out.Bytes()
}

// literal checks the shape of ops and returns how many bytes they carry.
func literal(t testing.TB, ops []Op) int {
	t.Helper()
	total, after := 0, -1
	for i, op := range ops {
		if (op.Count == 0) == (len(op.Data) == 0) || len(op.Data) > MaxLiteral {
			t.Fatalf("op %d is neither literal nor copy: block %d count %d, %d bytes", i, op.Block, op.Count, len(op.Data))
		}
		if op.Count > 0 && op.Block == after {
			t.Fatalf("op %d should have been merged with the one before it", i)
		}
		after = -1
		if op.Count > 0 {
			after = op.Block + op.Count
		}
		total += len(op.Data)
	}
	return total
}

// roundTrip returns the ops from old to new after it checked that they work.
func roundTrip(t testing.TB, old, new []byte, block int) []Op {
	t.Helper()
	sig := mustSign(t, old, block)
	ops := collect(t, &sig, bytes.NewReader(new), nil)
	if got := rebuild(t, old, block, ops, len(new)); !bytes.Equal(got, new) {
		t.Fatalf("rebuilt %d bytes differ from the %d new ones", len(got), len(new))
	}
	literal(t, ops)
	return ops
}

// TestLiteralBound states what each kind of edit may cost in literal bytes.
func TestLiteralBound(t *testing.T) {
	const block = 4096
	old := random(1, 300*block+123)
	n := len(old)
	edit := func(at ...int) []byte {
		p := bytes.Clone(old)
		for _, i := range at {
			p[i] ^= 1
		}
		return p
	}
	for _, c := range []struct {
		name string
		new  []byte
		most int
	}{
		{"unchanged", old, 0},
		{"first byte edited", edit(0), block},
		{"last byte edited", edit(n - 1), 123},
		{"three in one block edited", edit(9*block, 9*block+7, 10*block-1), block},
		{"two neighbours edited", edit(9*block, 10*block), 2 * block},
		{"every fourth block edited", edit(0, 4*block, 8*block, 12*block, 16*block), 5 * block},
		{"all edits in short block", edit(n-1, n-100), 123},
		{"one byte at front", join([]byte{7}, old), 1},
		{"nine bytes at front", join([]byte("nine byte"), old), 9},
		{"1000 in the middle", join(old[:100*block+50], random(2, 1000), old[100*block+50:]), block + 1000},
		{"one in the last full block", join(old[:299*block+5], []byte{1}, old[299*block+5:]), block + 1},
		{"appended", join(old, random(3, 777)), 777},
		{"appended one", join(old, []byte{1}), 1},
		{"truncated by one", old[:n-1], 122},
		{"truncated at a block", old[:200*block], 0},
		{"truncated to one block", old[:block], 0},
		{"first byte removed", old[1:], block - 1},
		{"first block removed", old[block:], 0},
		{"middle removed", join(old[:50*block], old[150*block+1:]), block - 1},
		{"halves swapped", join(old[100*block:300*block], old[:100*block]), 0},
		{"twice", join(old, old), 0},
		{"prefix and truncated", join(random(4, 55), old[:20*block]), 55},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := literal(t, roundTrip(t, old, c.new, block)); got > c.most {
				t.Errorf("%d literal bytes, want at most %d", got, c.most)
			}
		})
	}
}

func TestE11SizesAroundBlocks(t *testing.T) {
	const block = 64
	var sizes []int
	for k := range 5 {
		sizes = append(sizes, max(0, k*block-1), k*block, k*block+1)
	}
	all := random(5, 5*block)
	for _, o := range sizes {
		for _, n := range sizes {
			ops := roundTrip(t, all[:o], all[:n], block)
			if o == n && literal(t, ops) > 0 {
				t.Errorf("size %d unchanged costs %d literal bytes", o, literal(t, ops))
			}
			if o <= n && literal(t, ops) != n-o {
				t.Errorf("size %d to %d costs %d literal bytes", o, n, literal(t, ops))
			}
			roundTrip(t, all[:o], join([]byte("x"), all[:n]), block)
		}
	}
}

func TestE11UnchangedIsOneCopy(t *testing.T) {
	for _, size := range []int{1, 2047, 2048, 2049, 1 << 20, 1<<20 + 1} {
		old := random(6, size)
		block := BlockSize(int64(size))
		got := roundTrip(t, old, old, block)
		want := int(countBlocks(block, int64(size)))
		if len(got) != 1 || got[0].Block != 0 || got[0].Count != want {
			t.Errorf("size %d: %d ops, first %d+%d, want one copy of %d blocks", size, len(got), got[0].Block, got[0].Count, want)
		}
	}
}

func TestE11EmptyFiles(t *testing.T) {
	if ops := roundTrip(t, nil, nil, MinBlock); len(ops) != 0 {
		t.Errorf("nothing to nothing: %d ops", len(ops))
	}
	if ops := roundTrip(t, random(1, 9000), nil, MinBlock); len(ops) != 0 {
		t.Errorf("to nothing: %d ops", len(ops))
	}
	if got := literal(t, roundTrip(t, nil, random(1, 900_000), MinBlock)); got != 900_000 {
		t.Errorf("from nothing: %d literal bytes", got)
	}
}

func TestE11ZeroBlocks(t *testing.T) {
	const block = 2048
	zeros := make([]byte, 100*block)
	for _, size := range []int{block, 50*block - 1, 50 * block, 100 * block} {
		if got := literal(t, roundTrip(t, zeros, zeros[:size], block)); got >= block {
			t.Errorf("%d zeros from zeros: %d literal bytes", size, got)
		}
	}
	if got := literal(t, roundTrip(t, zeros[:3*block], zeros, block)); got != 0 {
		t.Errorf("zeros from fewer zeros: %d literal bytes", got)
	}
	mixed := join(zeros, random(7, 10*block), zeros)
	if got := literal(t, roundTrip(t, mixed, join([]byte("a"), mixed), block)); got > 2*block {
		t.Errorf("zeros moved by one: %d literal bytes", got)
	}
}

func TestE11RepeatedBlocks(t *testing.T) {
	const block = 2048
	a, b := random(8, block), random(9, block)
	old := join(bytes.Repeat(a, 20), b, bytes.Repeat(a, 20), bytes.Repeat(b, 5))
	new := join(bytes.Repeat(b, 30), []byte("between"), bytes.Repeat(a, 90))
	if got := literal(t, roundTrip(t, old, new, block)); got != len("between") {
		t.Errorf("%d literal bytes, want 7", got)
	}
}

// TestSmallBuffers reaches the ends of the buffer, of literals and of the
// periods of looking with content that is small enough to vary.
func TestSmallBuffers(t *testing.T) {
	old := random(10, 4000)
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		new := mutate(old, func() int { return rnd.IntN(256) }, 1+rnd.IntN(8))
		smallTrip(t, old, new, rnd.IntN(256), rnd.IntN(256), rnd.IntN(256))
	}
}

// smallTrip is roundTrip with all lengths small.
func smallTrip(t testing.TB, old, new []byte, block, ahead, patience int) {
	t.Helper()
	block = 1 + block%40
	sig := mustSign(t, old, block)
	r := io.Reader(bytes.NewReader(new))
	if ahead%3 == 0 {
		r = iotest.HalfReader(r)
	}
	ops := collect(t, &sig, r, func(d *differ) {
		d.in = newInput(r, block, 2*block+1+ahead%50, 1+ahead%70)
		d.patience = 1 + patience
		d.span, d.look = d.patience, d.patience
	})
	literal(t, ops)
	if got := rebuild(t, old, block, ops, len(new)); !bytes.Equal(got, new) {
		t.Fatalf("rebuilt %d bytes differ from the %d new ones", len(got), len(new))
	}
}

// mutate applies edits to a copy of p; next yields numbers below 256.
func mutate(p []byte, next func() int, edits int) []byte {
	p = bytes.Clone(p)
	for range edits {
		at := (next()<<8 | next()) % (len(p) + 1)
		n := min(next(), len(p)-at)
		switch next() % 5 {
		case 0:
			p = slices.Delete(p, at, at+n)
		case 1:
			p = slices.Insert(p, at, bytes.Repeat([]byte{byte(next())}, n)...)
		case 2:
			p = slices.Insert(p, at, bytes.Clone(p[at:at+n])...)
		case 3:
			p = append(p, p[at:at+n]...)
		case 4:
			for i := range n {
				p[at+i] ^= byte(next())
			}
		}
	}
	return p
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte(nil), []byte(nil), []byte(nil), byte(0), byte(0), byte(0))
	f.Add(random(1, 500), []byte(nil), []byte{0, 7, 30, 1, 65}, byte(3), byte(1), byte(9))
	f.Add(make([]byte, 300), make([]byte, 301), []byte(nil), byte(15), byte(60), byte(200))
	f.Add(bytes.Repeat([]byte("ab"), 90), []byte(nil), []byte{0, 1, 3, 0, 1}, byte(1), byte(0), byte(0))
	f.Fuzz(func(t *testing.T, old, tail, script []byte, block, ahead, patience byte) {
		if len(old) > 1<<14 || len(script) > 64 {
			return
		}
		next := func() int {
			if len(script) == 0 {
				return 0
			}
			x := script[0]
			script = script[1:]
			return int(x)
		}
		new := join(mutate(old, next, len(script)/5), tail)
		smallTrip(t, old, new, int(block), int(ahead), int(patience))
	})
}

// FuzzPatch gives hostile ops to Patch: an error or output within the limit.
func FuzzPatch(f *testing.F) {
	f.Add(int64(5000), 2048, int64(9000), 1, 2, []byte(nil))
	f.Add(int64(-1), 0, int64(-1), -1, math.MaxInt, []byte("x"))
	f.Add(int64(math.MaxInt64), 1<<20, int64(math.MaxInt64), math.MaxInt, math.MaxInt, []byte(nil))
	f.Fuzz(func(t *testing.T, size int64, block int, limit int64, first, count int, data []byte) {
		old := Old{Content: bytes.NewReader(make([]byte, 5000)), Size: size, Block: block}
		op := Op{Data: data, Block: first, Count: count}
		var out bytes.Buffer
		n, err := Patch(old, limit, source([]Op{op, {Data: data}, op}), &out)
		if n != int64(out.Len()) || n > max(limit, 0) {
			t.Errorf("wrote %d, says %d, limit %d, %v", out.Len(), n, limit, err)
		}
	})
}

// TestEditInPlaceNeedsNoRolling: with an index that finds nothing, only the
// blocks that follow in order can match.
func TestEditInPlaceNeedsNoRolling(t *testing.T) {
	const block = 4096
	old := random(19, 100*block+9)
	new := bytes.Clone(old)
	new[0]++
	new[50*block]++
	new[99*block]++
	sig := mustSign(t, old, block)
	ops := collect(t, &sig, bytes.NewReader(new), func(d *differ) { clear(d.index.slots) })
	if got := literal(t, ops); got != 3*block {
		t.Errorf("%d literal bytes, want %d", got, 3*block)
	}
}

// TestOnlyAShortBlock: a file shorter than a block is still found at the end.
func TestOnlyAShortBlock(t *testing.T) {
	old := random(20, 1000)
	front := random(21, 400_000)
	if got := literal(t, roundTrip(t, old, join(front, old), MinBlock)); got != len(front) {
		t.Errorf("%d literal bytes, want %d", got, len(front))
	}
}

func TestInsertAtFrontResumes(t *testing.T) {
	const block = 4096
	old := random(11, 4<<20)
	front := random(12, 3<<20)
	got := literal(t, roundTrip(t, old, join(front, old), block))
	if most := len(front) + (skipBlocks+probeBlocks+1)*block; got > most {
		t.Errorf("%d literal bytes, want at most %d", got, most)
	}
}

func TestUnrelatedIsGivenUp(t *testing.T) {
	sig := mustSign(t, random(13, 4<<20), 4096)
	new := random(14, 4<<20)
	var last *differ
	ops := collect(t, &sig, bytes.NewReader(new), func(d *differ) { last = d })
	if literal(t, ops) != len(new) {
		t.Error("random content matched")
	}
	if last.span != probeBlocks*sig.Block {
		t.Errorf("still looks at %d bytes at a time", last.span)
	}
}

// sameWeak returns n different blocks of one weak hash: adding 1, -2, 1 to
// three neighbours changes neither of the two sums.
func sameWeak(n, block int) []byte {
	p := bytes.Repeat([]byte{100}, n*block)
	for i := range n {
		for bit := range 16 {
			if (i+1)>>bit&1 == 1 {
				at := i*block + 3*bit
				p[at], p[at+1], p[at+2] = 101, 98, 101
			}
		}
	}
	return p
}

func TestE11EqualWeakHashesStayLinear(t *testing.T) {
	const block, blocks = 2048, 1024
	old := sameWeak(blocks, block)
	sig := mustSign(t, old, block)
	for _, w := range sig.Weak {
		if w != sig.Weak[0] {
			t.Fatal("blocks do not have the same weak hash")
		}
	}
	evil := bytes.Repeat([]byte{100}, 1<<20)
	new := join(evil, old)
	var last *differ
	ops := collect(t, &sig, bytes.NewReader(new), func(d *differ) {
		last = d
		d.patience, d.span, d.look = math.MaxInt, math.MaxInt, math.MaxInt
	})
	if got := rebuild(t, old, block, ops, len(new)); !bytes.Equal(got, new) {
		t.Fatal("rebuilt content differs")
	}
	if got := literal(t, ops); got > len(evil)+block*2 {
		t.Errorf("%d literal bytes: the old content after the evil one was not found", got)
	}
	in := int64(len(new))
	if most := maxProbe * (in + blocks); last.index.probes > most {
		t.Errorf("%d slots looked at, want at most %d", last.index.probes, most)
	}
	if most := (alarmRate+2)*in + (alarmBlocks+2)*block; last.hashed > most {
		t.Errorf("%d bytes hashed for %d", last.hashed, in)
	}
}

// TestE11ClusteredIndexStaysLinear fills one corner of the table with weak
// hashes that all differ.
func TestE11ClusteredIndexStaysLinear(t *testing.T) {
	const n = 1 << 14
	inverse := uint32(1)
	for range 5 {
		inverse *= 2 - spread*inverse // Newton: doubles the right bits
	}
	if inverse*spread != 1 {
		t.Fatal("not the inverse")
	}
	sig := Signature{Block: MinBlock, Size: n * MinBlock}
	for i := range uint32(n) {
		sig.Weak = append(sig.Weak, i*inverse)
		sig.Strong = append(sig.Strong, xxh3.Uint128{Lo: uint64(i)})
	}
	x := newIndex(&sig)
	if x.probes > maxProbe*n {
		t.Errorf("building looked at %d slots", x.probes)
	}
	x.probes = 0
	x.find(sig.Weak[n-1], func() xxh3.Uint128 { return xxh3.Uint128{Hi: 1} })
	if x.probes != maxProbe {
		t.Errorf("looked at %d slots, want a full probe of %d", x.probes, maxProbe)
	}
}

func TestWeakRolls(t *testing.T) {
	p := random(15, 3000)
	for i := range 200 {
		p[i] = 255 // the largest sums
	}
	for _, block := range []int{1, 7, 8, 9, 64, 100} {
		var a, b uint32
		for i, x := range p[:block] {
			a += uint32(x)
			b += uint32(block-i) * uint32(x)
		}
		if got := weakOf(p[:block]).sum(); got != a&0xffff|b<<16 {
			t.Fatalf("block %d: weak hash is not the sum that it is said to be", block)
		}
		sig := Signature{Block: block, Size: 0}
		x := newIndex(&sig)
		for i := range x.filter {
			x.filter[i] = math.MaxUint64 // stop at each byte
		}
		w := weakOf(p[:block])
		for i := range len(p) - block {
			var n int
			n, w = x.scan(w, block, p[i:len(p)-block], p[i+block:])
			if n != 1 || w.sum() != weakOf(p[i+1:i+1+block]).sum() {
				t.Fatalf("block %d: rolled hash is wrong at %d", block, i+1)
			}
		}
	}
}

func TestBlockSize(t *testing.T) {
	for _, c := range []struct {
		size int64
		want int
	}{
		{math.MinInt64, MinBlock}, {-1, MinBlock}, {0, MinBlock}, {64 << 10, MinBlock},
		{1 << 20, 5120}, {10 << 20, 15872}, {512 << 20, 16 << 10},
		{MaxBlocks * (16 << 10), 16 << 10}, {MaxBlocks*(16<<10) + 1, 16<<10 + 512},
		{MaxSize, MaxBlock}, {math.MaxInt64, MaxBlock},
	} {
		if got := BlockSize(c.size); got != c.want {
			t.Errorf("BlockSize(%d) = %d, want %d", c.size, got, c.want)
		}
	}
	for size := int64(1); size > 0 && size <= MaxSize; size = size*17/16 + 1 {
		block := BlockSize(size)
		if _, err := Blocks(block, size); err != nil || block%blockUnit != 0 {
			t.Errorf("size %d: block %d, %v", size, block, err)
		}
	}
	if n, _ := Blocks(BlockSize(512<<20), 512<<20); n*20 > 700_000 {
		t.Errorf("signature of 512 MiB is %d bytes", n*20)
	}
}

func TestSignWrongLength(t *testing.T) {
	p := random(16, 100_000)
	for _, said := range []int64{0, 1, 99_999, 100_001, 1 << 20} {
		if _, err := Sign(bytes.NewReader(p), said); !errors.Is(err, errLength) {
			t.Errorf("said %d of 100000: %v", said, err)
		}
	}
	for _, said := range []int64{-1, math.MinInt64, MaxSize + 1, math.MaxInt64} {
		if _, err := Sign(bytes.NewReader(p), said); err == nil {
			t.Errorf("size %d accepted", said)
		}
	}
	one, err := Sign(iotest.OneByteReader(bytes.NewReader(p)), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	all, _ := Sign(iotest.DataErrReader(bytes.NewReader(p)), 100_000)
	if !slices.Equal(one.Weak, all.Weak) || !slices.Equal(one.Strong, all.Strong) {
		t.Error("signature depends on how the reader cuts")
	}
}

// TestBrokenReader: an error while reading is never taken for the end.
func TestBrokenReader(t *testing.T) {
	p := random(17, 100_000)
	sig := mustSign(t, p, MinBlock)
	for _, broken := range []error{io.ErrUnexpectedEOF, errors.New("disk on fire")} {
		r := func() io.Reader { return io.MultiReader(bytes.NewReader(p), iotest.ErrReader(broken)) }
		if err := Diff(&sig, r(), func(Op) error { return nil }); !errors.Is(err, broken) {
			t.Errorf("Diff: %v, want %v", err, broken)
		}
		if _, err := Sign(r(), 100_000); !errors.Is(err, broken) {
			t.Errorf("Sign: %v, want %v", err, broken)
		}
		if _, err := Sign(r(), 200_000); !errors.Is(err, broken) {
			t.Errorf("Sign, too short: %v, want %v", err, broken)
		}
	}
	if err := Diff(&sig, stuck{}, nil); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("reader that gives nothing: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestEmitErrorEnds: the first error is returned as it is, and no op follows.
func TestEmitErrorEnds(t *testing.T) {
	old := random(18, 50*MinBlock)
	new := join([]byte("x"), old[:20*MinBlock], []byte("y"), old[30*MinBlock:])
	sig := mustSign(t, old, MinBlock)
	total := len(collect(t, &sig, bytes.NewReader(new), nil))
	if total != 4 {
		t.Fatalf("%d ops, want 4", total)
	}
	stop := errors.New("stop")
	for n := 1; n <= total; n++ {
		calls := 0
		err := Diff(&sig, bytes.NewReader(new), func(Op) error {
			if calls++; calls == n {
				return stop
			}
			return nil
		})
		if err != stop || calls != n {
			t.Errorf("emit failed at call %d: %v after %d", n, err, calls)
		}
	}
}

func TestHostileSignature(t *testing.T) {
	weak, strong := make([]uint32, 3), make([]xxh3.Uint128, 3)
	good := Signature{Block: MinBlock, Size: 2*MinBlock + 1, Weak: weak, Strong: strong}
	if err := good.Valid(); err != nil {
		t.Fatal(err)
	}
	for i, change := range []func(*Signature){
		func(s *Signature) { s.Block = 0 },
		func(s *Signature) { s.Block = -1 },
		func(s *Signature) { s.Block = MinBlock - 1 },
		func(s *Signature) { s.Block = MaxBlock + 1 },
		func(s *Signature) { s.Block = math.MinInt },
		func(s *Signature) { s.Block = math.MaxInt },
		func(s *Signature) { s.Size = -1 },
		func(s *Signature) { s.Size = math.MinInt64 },
		func(s *Signature) { s.Size = math.MaxInt64 },
		func(s *Signature) { s.Size = MaxBlocks*MinBlock + 1 },
		func(s *Signature) { s.Size = 2 * MinBlock },
		func(s *Signature) { s.Size = 3*MinBlock + 1 },
		func(s *Signature) { s.Size = 0 },
		func(s *Signature) { s.Weak = weak[:2] },
		func(s *Signature) { s.Strong = nil },
	} {
		s := good
		change(&s)
		emitted := func(Op) error { t.Errorf("case %d: an op came", i); return nil }
		if s.Valid() == nil || Diff(&s, bytes.NewReader(make([]byte, 10_000)), emitted) == nil {
			t.Errorf("case %d accepted: block %d, size %d", i, s.Block, s.Size)
		}
	}
}

func TestHostileOps(t *testing.T) {
	old := Old{Content: bytes.NewReader(make([]byte, 3*MinBlock+5)), Size: 3*MinBlock + 5, Block: MinBlock}
	const limit = 10 * MinBlock
	for i, ops := range [][]Op{
		{{}},
		{{Block: 0, Count: 5}},
		{{Block: 4, Count: 1}},
		{{Block: 3, Count: 2}},
		{{Block: -1, Count: 1}},
		{{Block: 0, Count: -1}},
		{{Block: math.MinInt, Count: math.MinInt}},
		{{Block: math.MaxInt, Count: math.MaxInt}},
		{{Block: 1, Count: math.MaxInt}},
		{{Block: 1, Data: []byte("x")}},
		{{Count: 1, Data: []byte("x")}},
		{{Data: make([]byte, MaxLiteral+1)}},
		{{Block: 0, Count: 4}, {Block: 0, Count: 4}, {Block: 0, Count: 4}, {Block: 0, Count: 4}},
		{{Data: make([]byte, limit)}, {Data: []byte("x")}},
	} {
		var out bytes.Buffer
		n, err := Patch(old, limit, source(ops), &out)
		if err == nil || n > limit || int64(out.Len()) != n {
			t.Errorf("case %d: wrote %d, %v", i, n, err)
		}
	}
	for _, bad := range []Old{{Size: 1}, {Size: 1, Block: -5}, {Size: -1, Block: MinBlock}, {Size: math.MaxInt64, Block: MaxBlock}} {
		if _, err := Patch(bad, limit, source(nil), io.Discard); err == nil {
			t.Errorf("block %d and size %d accepted", bad.Block, bad.Size)
		}
	}
}

// TestPatchEnds: only ErrEnd is success.
func TestPatchEnds(t *testing.T) {
	data := make([]byte, 3*MinBlock)
	old := Old{Content: bytes.NewReader(data), Size: int64(len(data)), Block: MinBlock}
	for end, want := range map[error]error{
		ErrEnd: nil, io.EOF: io.ErrUnexpectedEOF, io.ErrClosedPipe: io.ErrClosedPipe,
	} {
		_, err := Patch(old, 1<<20, func() (Op, error) { return Op{}, end }, io.Discard)
		if !errors.Is(err, want) {
			t.Errorf("ops end with %v: got %v, want %v", end, err, want)
		}
	}
	shrunk := old
	shrunk.Content = bytes.NewReader(data[:MinBlock])
	if _, err := Patch(shrunk, 1<<20, source([]Op{{Count: 3}}), io.Discard); !errors.Is(err, errLength) {
		t.Errorf("old content shrank: %v", err)
	}
	if _, err := Patch(old, 1<<20, source([]Op{{Count: 3}}), short{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("writer that takes half: %v", err)
	}
}

type short struct{}

func (short) Write(p []byte) (int, error) { return len(p) / 2, nil }

// TestDiffMemory: what is held does not depend on the size of the input.
func TestDiffMemory(t *testing.T) {
	for _, block := range []int{MinBlock, 16 << 10, MaxBlock} {
		sig := Signature{Block: block}
		most := MaxLiteral + max(readAhead, 4*block)
		if got := len(newDiffer(&sig, nil, nil).in.buf); got > most {
			t.Errorf("block %d: buffer of %d bytes", block, got)
		}
	}
}

func ExampleDiff() {
	old := random(1, 10*MinBlock)
	sig, _ := Sign(bytes.NewReader(old), int64(len(old)))
	new := join([]byte("new: "), old[2*MinBlock:])
	_ = Diff(&sig, bytes.NewReader(new), func(op Op) error {
		fmt.Printf("%q, %d blocks from %d\n", op.Data, op.Count, op.Block)
		return nil
	})
	// Output:
	// "new: ", 0 blocks from 0
	// "", 8 blocks from 2
}
