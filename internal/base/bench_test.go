package base_test

import (
	"fmt"
	"testing"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

const benchFiles = 100_000

func benchStore(b *testing.B) (fsx.Dir, *base.Store) {
	d := openDir(b, fsx.OS(), b.TempDir())
	s, _ := open(b, d)
	must(b, s.Begin(epoch(0), "", nil), s.Commit(epoch(1), []tree.Change{put("", wide(benchFiles, "v1"))}))
	return d, s
}

// BenchmarkOpen is a base of 100 000 files, and what it takes in memory.
func BenchmarkOpen(b *testing.B) {
	d, s := benchStore(b)
	must(b, s.Close())
	before := heap()
	for b.Loop() {
		var err error
		s, _, err = base.Open(d, session)
		must(b, err, s.Close())
	}
	b.ReportMetric(float64(heap()-before)/float64(s.Tree().Count()), "B/entry")
}

// BenchmarkCommit is a save: one intent and one commit of one path.
func BenchmarkCommit(b *testing.B) {
	d, s := benchStore(b)
	before, gen := len(content(b, d, "base")), uint64(1)
	path := "dir-0000500/a-name-of-usual-length-07.go"
	for b.Loop() {
		gen++
		must(b, s.Intend(gen, []string{path}), s.Commit(epoch(gen), []tree.Change{put(path, file(fmt.Sprint(gen)))}))
	}
	b.ReportMetric(float64(len(content(b, d, "base"))-before)/float64(gen-1), "B/save")
}

// BenchmarkIntend is what happens before the effects of a save.
func BenchmarkIntend(b *testing.B) {
	_, s := benchStore(b)
	gen := uint64(1)
	for b.Loop() {
		gen++
		must(b, s.Intend(gen, []string{"dir-0000500/a-name-of-usual-length-07.go"}))
	}
}
