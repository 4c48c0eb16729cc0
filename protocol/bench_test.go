package protocol

import (
	"context"
	"fmt"
	"testing"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// BenchmarkSave is one small save: a batch with its content there, its outcome
// back.
func BenchmarkSave(b *testing.B) {
	f := newFake()
	f.apply = func(_ context.Context, batch *replica.Batch, _ replica.Source) error {
		results := []replica.Result{{Path: batch.Changes[0].Path, Status: replica.Applied}}
		f.reports <- replica.Report{Outcome: &replica.Outcome{Batch: batch.ID, Results: results, Done: true}}
		return nil
	}
	p := newPair(b, f, Options{})
	content := string(make([]byte, 4096))
	ctx := b.Context()
	for i := uint64(1); b.Loop(); i++ {
		batch := &replica.Batch{
			ID: i, Changes: []tree.Change{{Path: "src/main.go", Old: file("x"), New: file(content)}}, Contents: inline(content),
		}
		if err := p.Apply(ctx, batch, nil); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Next(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSend is contents on request: one large, many small.
func BenchmarkSend(b *testing.B) {
	small := contents{}
	var wants []replica.Want
	for i := range 4096 {
		path := fmt.Sprint("f", i)
		small[path] = make([]byte, 4096)
		wants = append(wants, replica.Want{Path: path, Size: 4096})
	}
	for name, c := range map[string]struct {
		src   contents
		wants []replica.Want
	}{
		"Large": {contents{"a": make([]byte, 64<<20)}, []replica.Want{{Path: "a", Size: 64 << 20}}},
		"Small": {small, wants},
	} {
		b.Run(name, func(b *testing.B) {
			f := newFake()
			f.send = c.src.Send
			p := newPair(b, f, Options{})
			var total int64
			for _, w := range c.wants {
				total += w.Size
			}
			b.SetBytes(total)
			for b.Loop() {
				if err := p.Send(b.Context(), c.wants, func(replica.Piece) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
