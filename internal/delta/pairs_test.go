package delta

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"testing"
)

var (
	pairs    = flag.Int("pairs", 10_000, "random pairs that are rebuilt from differences")
	pairSeed = flag.Uint64("pairseed", 0, "the seed of the first; 0: a new one")
)

// TestPairs holds differences against whole copies: whatever the old content and
// the new, with lengths so small that every bound is met, what is rebuilt is the
// new content. One in a hundred is larger, and goes the way that sessions go.
func TestPairs(t *testing.T) {
	t.Parallel()
	seed := *pairSeed
	if seed == 0 {
		seed = rand.Uint64() >> 1
	}
	for n := range *pairs {
		seed := seed + uint64(n)
		r := rand.New(rand.NewPCG(seed, 3))
		old := pairOld(r)
		new := pairNew(r, old)
		func() {
			defer func() {
				if t.Failed() {
					t.Logf("-pairseed %d: %d and %d bytes", seed, len(old), len(new))
				}
			}()
			if n%100 == 0 {
				old = bytes.Repeat(old, 1+r.IntN(100))
				plainTrip(t, old, pairNew(r, old))
				return
			}
			smallTrip(t, old, new, r.IntN(40), r.IntN(256), r.IntN(256))
		}()
	}
}

// plainTrip goes from old to new as a session does.
func plainTrip(t *testing.T, old, new []byte) {
	t.Helper()
	sig, err := Sign(bytes.NewReader(old), int64(len(old)))
	if err != nil {
		t.Fatal(err)
	}
	var ops []Op
	err = Diff(&sig, bytes.NewReader(new), func(op Op) error {
		op.Data = bytes.Clone(op.Data)
		ops = append(ops, op)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o := Old{Content: bytes.NewReader(old), Size: sig.Size, Block: sig.Block}
	if _, err := Patch(o, int64(len(new)), source(ops), &out); err != nil || !bytes.Equal(out.Bytes(), new) {
		t.Fatalf("rebuilt %d bytes differ from the %d new ones: %v", out.Len(), len(new), err)
	}
}

// pairOld is noise, few different bytes, zeros, or a short text again and again.
func pairOld(r *rand.Rand) []byte {
	p := make([]byte, r.IntN(1+r.IntN(3000)))
	switch r.IntN(5) {
	case 0, 1:
		for i := range p {
			p[i] = byte(r.Uint32())
		}
	case 2:
		for i := range p {
			p[i] = byte(r.IntN(2))
		}
	case 3: // zeros
	case 4:
		word := 1 + r.IntN(50)
		for i := range p {
			p[i] = byte('a' + i%word)
		}
	}
	return p
}

// pairNew is the old one after some edits, or shifted, or turned around, or
// something else.
func pairNew(r *rand.Rand, old []byte) []byte {
	next := func() int { return r.IntN(256) }
	cut := r.IntN(len(old) + 1)
	switch r.IntN(8) {
	case 0:
		return join(old[cut:], old[:cut])
	case 1:
		return join([]byte("ab"), old)
	case 2:
		return old[:cut]
	case 3:
		return join(old, old, old[:cut])
	case 4:
		return pairOld(r)
	case 5:
		return bytes.Clone(old)
	}
	return mutate(old, next, 1+r.IntN(6))
}
