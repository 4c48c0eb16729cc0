package delta

import (
	"bytes"
	"io"
	"testing"
)

const benchSize = 64 << 20

func BenchmarkSign(b *testing.B) {
	old := random(1, benchSize)
	b.SetBytes(benchSize)
	for b.Loop() {
		if _, err := Sign(bytes.NewReader(old), benchSize); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDiff has one line for each kind of edit. "rolling" is unrelated
// content that is not given up.
func BenchmarkDiff(b *testing.B) {
	old := random(1, benchSize)
	sig := mustSign(b, old, BlockSize(benchSize))
	edited, dense := bytes.Clone(old), bytes.Clone(old)
	edited[benchSize/2]++
	for i := 0; i < benchSize; i += 4 * sig.Block {
		dense[i]++
	}
	for _, c := range []struct {
		name string
		new  []byte
		tune func(*differ)
	}{
		{"unchanged", old, nil},
		{"one_edit", edited, nil},
		{"every_fourth_block", dense, nil},
		{"9_at_front", join([]byte("nine byte"), old), nil},
		{"1MiB_at_front", join(random(2, 1<<20), old), nil},
		{"unrelated", random(3, benchSize), nil},
		{"rolling", random(3, benchSize), func(d *differ) { d.look = 1 << 30 }},
		{"zeros_rolling", make([]byte, benchSize), func(d *differ) { d.look = 1 << 30 }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.new)))
			var lit int
			for b.Loop() {
				lit = 0
				d := newDiffer(&sig, bytes.NewReader(c.new), func(op Op) error {
					lit += len(op.Data)
					return nil
				})
				if c.tune != nil {
					c.tune(d)
				}
				if err := d.run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(lit), "literal")
		})
	}
}

func BenchmarkPatch(b *testing.B) {
	old := random(1, benchSize)
	block := BlockSize(benchSize)
	o := Old{Content: bytes.NewReader(old), Size: benchSize, Block: block}
	b.SetBytes(benchSize)
	for b.Loop() {
		if _, err := Patch(o, benchSize, source([]Op{{Count: benchSize / block}}), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
