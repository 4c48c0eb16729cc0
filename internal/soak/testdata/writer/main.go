//go:build linux

// Command writer is a user who works without pause and says what he did.
//
//	writer -root DIR -scratch DIR -side h -seed 7
//
// Scratch is outside the root and on its file system. On standard input "pause"
// and "go" are taken, and its end ends the writer. Every step is two lines of
// JSON on standard output: what is about to be done, and what came of it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// Line is what a writer says.
type Line struct {
	Step int      `json:"step"`
	Do   string   `json:"do"`             // what it is, in the first line of a step
	Path []string `json:"path,omitempty"` // what it is about
	ID   string   `json:"id,omitempty"`   // of the write
	Done bool     `json:"done,omitempty"` // this is the second line
	OK   bool     `json:"ok,omitempty"`   // the write is there
	Out  []string `json:"out,omitempty"`  // writes that the user replaced or removed by it
	Err  string   `json:"err,omitempty"`
}

func main() {
	root := flag.String("root", "", "where to write")
	scratch := flag.String("scratch", "", "for what is not finished, and what was taken away")
	side := flag.String("side", "h", "a letter that begins the ids")
	seed := flag.Uint64("seed", 1, "of what is done")
	durable := flag.Bool("durable", false, "write only what survives a power cut: with each step it is synced, and nothing is written in place")
	pause := flag.Duration("pause", 3*time.Millisecond, "between two steps, at most")
	flag.Parse()
	if err := os.MkdirAll(*scratch, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	w := &writer{
		root: *root, scratch: *scratch, side: *side, durable: *durable, out: json.NewEncoder(os.Stdout),
		rng: rand.New(rand.NewPCG(*seed, uint64((*side)[0]))), born: uint64(time.Now().UnixNano()),
	}
	orders := make(chan string)
	go func() {
		defer close(orders)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			orders <- in.Text()
		}
	}()
	w.work(orders, *pause)
}

// work does one step after the other while it may.
func (w *writer) work(orders <-chan string, pause time.Duration) {
	paused := false
	for {
		wait := time.Duration(w.rng.Int64N(int64(pause) + 1))
		if paused {
			wait = time.Hour
		}
		select {
		case o, ok := <-orders:
			if !ok {
				return
			}
			paused = o == "pause"
			w.say(Line{Do: o, Done: true, OK: true})
		case <-time.After(wait):
			w.step()
		}
	}
}
