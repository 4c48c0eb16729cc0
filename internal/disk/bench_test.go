//go:build !windows

package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/internal/watch"
)

// makeTree makes dirs directories with files small files each.
func makeTree(tb testing.TB, root string, dirs, files int) {
	tb.Helper()
	for i := range dirs {
		dir := filepath.Join(root, fmt.Sprintf("package-%d", i%40), fmt.Sprintf("directory-%d", i))
		if err := os.MkdirAll(dir, 0o777); err != nil {
			tb.Fatal(err)
		}
		for k := range files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%d.go", k)), []byte(fmt.Sprint("package ", i, k)), 0o666); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// BenchmarkScan is a first scan that reads everything, and one that is told
// what it will find.
func BenchmarkScan(b *testing.B) {
	const dirs, files = 2000, 10
	root := b.TempDir()
	makeTree(b, root, dirs, files)
	blind := func(string) (watch.Source, error) { return watch.NewPoll(time.Hour), nil }
	d := New(root, Options{Source: blind})
	if _, err := d.Start(b.Context(), replica.Start{Rules: rulesText(b)}); err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	const n = dirs * files
	measure := func(b *testing.B, prior func(string, fsx.Stat) (*tree.Entry, trust, bool)) {
		var kept uint64
		var all uint64
		for range b.N {
			before, count := heap(), mallocs()
			s := &scanner{d: d, prior: prior}
			f := s.dir("", d.root)
			all += mallocs() - count
			kept += heap() - before
			d.mu.Lock()
			d.set("", f)
			d.mu.Unlock()
		}
		b.ReportMetric(float64(kept)/float64(b.N)/n, "bytes/file")
		b.ReportMetric(float64(all)/float64(b.N)/n, "allocs/file")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/file")
	}
	b.Run("read", func(b *testing.B) { measure(b, reread) })
	b.Run("known", func(b *testing.B) { measure(b, d.indexPrior) })
}

// BenchmarkReplace is one small file replaced in place of another, and the look
// at it afterwards.
func BenchmarkReplace(b *testing.B) {
	c := contents{}
	dir := b.TempDir()
	os.MkdirAll(dir+"/a/b/c", 0o777)
	old, fresh := c.file("old content"), c.file("new content")
	c.put(b, dir+"/a/b/c/f", old)
	r := open(b, dir, Options{})
	b.ResetTimer()
	for range b.N {
		batch := &replica.Batch{Changes: []tree.Change{{Path: "a/b/c/f", Old: old, New: fresh}}, Contents: replica.Contents{}}
		for d, content := range c {
			batch.Contents[d] = []byte(content)
		}
		if res := r.batch(c, batch)["a/b/c/f"]; res.Status != replica.Applied {
			b.Fatalf("%+v", res)
		}
		old, fresh = fresh, old
	}
}
