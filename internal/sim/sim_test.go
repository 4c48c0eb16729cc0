//go:build linux

package sim

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	histories = flag.Int("histories", 0, "how many `histories` are run; when 0, "+fmt.Sprint(perCommit)+", or as many as searchTime allows")
	seed      = flag.Uint64("seed", 1, "the seed of the first")
	level     = flag.Int("level", -1, "what they may contain, 0 to 3; one after the other when -1")
	most      = flag.Int("most", 5, "after how many violations to stop")
	verbose   = flag.Bool("say", false, "print all that happens")
	shrink    = flag.Bool("shrink", true, "make what fails shorter, and keep it in testdata")
	play      = flag.String("play", "", "a `FILE` of testdata to be played alone")
	workers   = flag.Int("workers", 0, "how many are played side by side; one a core when 0")
)

// What is searched at each commit. A machine that is busy has less time for it.
const (
	perCommit  = 10_000 / slow
	searchTime = 75 * time.Second
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

func TestHistories(t *testing.T) {
	n := *histories
	end := time.Now().Add(1000 * time.Hour)
	if n == 0 {
		n, end = perCommit, time.Now().Add(searchTime)
	}
	var next, played, bad, acts, calls atomic.Int64
	var mu sync.Mutex
	begun := time.Now()
	work := func(t *testing.T) {
		t.Parallel()
		for bad.Load() < int64(*most) && time.Now().Before(end) {
			i := next.Add(1) - 1
			if i >= int64(n) {
				return
			}
			h := NewHistory(*seed+uint64(i), levelOf(uint64(i)))
			r := Run(h, sayer())
			acts.Add(int64(r.Acts))
			calls.Add(int64(r.Calls))
			played.Add(1)
			if r.Violation == nil {
				continue
			}
			bad.Add(1)
			mu.Lock()
			fails(t, h, r)
			mu.Unlock()
		}
	}
	t.Run("workers", func(t *testing.T) {
		for w := range cmp.Or(*workers, runtime.GOMAXPROCS(0)) {
			t.Run(fmt.Sprint(w), work)
		}
	})
	took := time.Since(begun).Seconds()
	fmt.Printf("%d histories, seed %d, %d violations\n", played.Load(), *seed, bad.Load())
	fmt.Printf("%.0f histories, %.0f acts and %.0f calls a second%s\n", float64(played.Load())/took, float64(acts.Load())/took, float64(calls.Load())/took, raced)
}

// levelOf is the level of the i-th history.
func levelOf(i uint64) Level {
	if *level >= 0 {
		return Level(*level)
	}
	return Level(i % uint64(levels))
}

func sayer() func(string) {
	if *verbose {
		return func(s string) { fmt.Println(s) }
	}
	return nil
}

// fails tells of a history that failed, and makes it shorter.
func fails(t *testing.T, h *History, r Result) {
	t.Errorf("seed %d: %v", h.Seed, r.Violation)
	if !*shrink {
		return
	}
	short := Shrink(h, 500)
	again := Run(short, nil)
	name := filepath.Join("testdata", fmt.Sprintf("seed-%d.txt", h.Seed))
	text := fmt.Sprintf("# %s\n%s", strings.ReplaceAll(again.Violation.Error(), "\n", "\n# "), short)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
	t.Errorf("%d acts of it are in %s: %v", len(short.Acts), name, again.Violation)
}

// Every history that failed once is played for ever.
func TestData(t *testing.T) {
	names, _ := filepath.Glob("testdata/*.txt")
	for _, name := range names {
		if *play != "" && filepath.Base(name) != filepath.Base(*play) {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := Parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r := Run(h, sayer()); r.Violation != nil {
			t.Errorf("%s: %v", name, r.Violation)
		}
	}
}

// The same seed gives the same run, and what is written down is what is played.
func TestSameSeed(t *testing.T) {
	for s := range uint64(30) {
		h := NewHistory(s, levelOf(s))
		again, err := Parse(h.String())
		if err != nil {
			t.Fatal(err)
		}
		a, b := Run(h, nil), Run(again, nil)
		if a.Trace != b.Trace {
			t.Errorf("seed %d: %x, then %x", s, a.Trace, b.Trace)
		}
	}
}
