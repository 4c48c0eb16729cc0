package keep

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
)

// BenchmarkAdopt is one file of the usual size of a name, and nothing to drop.
func BenchmarkAdopt(b *testing.B) {
	s := newBench(b, fsx.OS(), plenty)
	for i := range b.N {
		s.slot(fmt.Sprint(i), fmt.Sprint(i))
	}
	b.ResetTimer()
	for i := range b.N {
		e := fileOf(fmt.Sprint(i))
		if err := s.s.Adopt(s.slots, fmt.Sprint(i), item("some/where/file.go", e, Deleted, day1)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is a store of 10 000 items.
func BenchmarkOpen(b *testing.B) {
	const n = 10_000
	s := newBench(b, fsx.OS(), plenty)
	for i := range n {
		s.adopt(fmt.Sprintf("some/where/else/file-%d.go", i), fmt.Sprint(i), Deleted, day1)
	}
	must(b, s.s.Close())
	dir, err := fsx.OS().OpenRoot(filepath.Join(s.root, "keep"))
	must(b, err)
	defer dir.Close()
	before := heap()
	var k *Store
	for b.Loop() {
		k, err = Open(dir, Limits{Total: plenty})
		must(b, err, k.Close())
	}
	b.ReportMetric(float64(heap()-before)/n, "B/item")
	runtime.KeepAlive(k)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
