//go:build linux

package sim

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/sim/simfs"
)

type fsMode = fs.FileMode

// History is what happens in one run. The same one gives the same run, to the
// last call.
type History struct {
	Seed    uint64 // of who has the next turn
	Disk    [2]simfs.Options
	Latency time.Duration
	Outer   bool // the agent builds files outside of its root
	Switch  int  // one in so many calls lets another task go on
	Ignore  []string
	Writer  int // the side of the only writer; -1: both write
	Acts    []Act
}

// The names that are in use: few, so that users meet each other.
var (
	dirNames  = []string{"a", "b", "a/c", "a/c/d", "b/e"}
	fileNames = []string{"f", "g", "h"}
)

const both = -1

// generator makes histories.
type generator struct {
	rng *rand.Rand
	h   *History
	n   int // the last content
}

// Level says what a history may contain.
type Level int

// The levels: each contains the ones before it.
const (
	Plain  Level = iota // edits on both sides
	Cuts                // and lost connections
	Kills               // and processes that are killed
	Faults              // and all the rest
	levels
)

// NewHistory makes the history of a seed.
func NewHistory(seed uint64, level Level) *History {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 2))}
	g.h = &History{
		Seed: seed, Writer: g.rng.IntN(4) - 2, Switch: 1 + g.rng.IntN(20), Outer: g.rng.IntN(2) == 0,
		Latency: time.Duration(g.rng.IntN(4)*g.rng.IntN(4)) * 3 * time.Millisecond,
	}
	g.h.Writer = max(g.h.Writer, both)
	for side := range g.h.Disk {
		g.h.Disk[side] = g.disk()
	}
	count := 50 + g.rng.IntN(60)
	if g.rng.IntN(8) == 0 {
		count = 400
	}
	g.add(Act{Op: "write", A: "anchor", N: g.content()})
	for range g.rng.IntN(8) {
		g.edits(max(g.h.Writer, 0))
	}
	g.add(Act{Op: "up"})
	rest := count
	for len(g.h.Acts) < rest {
		if level > Plain && g.rng.IntN(12) == 0 {
			g.fault(level)
			continue
		}
		g.edits(g.side())
	}
	return g.h
}

// disk draws what a file system is like.
func (g *generator) disk() simfs.Options {
	return simfs.Options{
		Granule:     []int64{1, 1, 4e6, 1e9, 2e9}[g.rng.IntN(5)],
		ReuseInodes: g.rng.IntN(2) == 0,
		Journal:     g.rng.IntN(2) == 0,
		NoKinds:     g.rng.IntN(8) == 0,
		NoExchange:  g.rng.IntN(8) == 0,
	}
}

func (g *generator) side() int {
	if g.h.Writer != both {
		return g.h.Writer
	}
	return g.rng.IntN(2)
}

func (g *generator) content() int {
	g.n++
	return g.n
}

// wait draws when the next act comes.
func (g *generator) wait() (calls int, after time.Duration) {
	switch g.rng.IntN(6) {
	case 0:
		return 0, 0
	case 1, 2, 3: // in the middle of whatever goes on
		return 1 + g.rng.IntN(60), time.Duration(1+g.rng.IntN(30)) * time.Millisecond
	case 4:
		return 1 << 20, time.Duration(g.rng.IntN(100)) * time.Millisecond
	}
	return 1 << 20, time.Duration(g.rng.IntN(3000)) * time.Millisecond
}

func (g *generator) add(a Act) {
	a.Calls, a.After = g.wait()
	g.h.Acts = append(g.h.Acts, a)
}

func (g *generator) dir() string { return dirNames[g.rng.IntN(len(dirNames))] }

func (g *generator) file() string {
	name := fileNames[g.rng.IntN(len(fileNames))]
	if g.rng.IntN(3) == 0 {
		return name
	}
	return g.dir() + "/" + name
}

func (g *generator) any() string {
	if g.rng.IntN(4) == 0 {
		return g.dir()
	}
	return g.file()
}

// edits adds what one program does.
func (g *generator) edits(side int) {
	f, n := g.file(), g.content()
	add := func(op, a, b string) { g.add(Act{Op: op, Side: side, A: a, B: b, N: n}) }
	switch g.rng.IntN(26) {
	case 0, 1, 2:
		add("write", f, "")
	case 3, 4, 5:
		add("save", f, "")
	case 6, 7:
		if dir, _, ok := cutLast(f); ok {
			add("mkdir", dir, "")
		}
		add("write", f, "")
	case 8:
		add("append", f, "")
	case 9:
		add("patch", f, "")
	case 10:
		add("same", f, "")
	case 11:
		add("rm", f, "")
	case 12:
		add("rmall", g.any(), "")
	case 13:
		add("mkdir", g.dir(), "")
	case 14:
		add("rmdir", g.dir(), "")
	case 15, 16:
		add("mv", f, g.file())
	case 17:
		add("mv", g.dir(), g.any())
	case 18:
		add("swap", g.any(), g.any())
	case 19:
		add("symlink", f, "")
	case 20:
		add("chmod", f, "")
	case 21:
		add("ln", f, g.file())
	case 22:
		add("touch", f, "")
	case 23, 24:
		g.slowly(side, f)
	case 25:
		g.checkout(side)
	}
}

func cutLast(path string) (dir, name string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// slowly adds a program that has a file open for a while.
func (g *generator) slowly(side int, f string) {
	g.add(Act{Op: "open", Side: side, A: f, N: g.rng.IntN(2)})
	for range 1 + g.rng.IntN(4) {
		op := "put"
		switch g.rng.IntN(12) {
		case 0, 1:
			op = "fsync"
		case 2:
			op = "map"
		}
		g.add(Act{Op: op, Side: side, A: f, N: g.content()})
	}
	g.add(Act{Op: "close", Side: side, A: f})
}

// checkout adds many edits at once, as a change of branches is.
func (g *generator) checkout(side int) {
	for range 5 + g.rng.IntN(20) {
		f := g.file()
		a := Act{Op: []string{"write", "save", "rm", "mv"}[g.rng.IntN(4)], Side: side, A: f, B: g.file(), N: g.content()}
		g.h.Acts = append(g.h.Acts, a)
	}
}

// String is the history as it is written down.
func (h *History) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\nlatency %v\nouter %v\nswitch %d\nwriter %d\n", h.Seed, h.Latency, h.Outer, h.Switch, h.Writer)
	for side, d := range h.Disk {
		fmt.Fprintf(&b, "disk %s %d %v %v %v %v\n", sideNames[side], d.Granule, d.ReuseInodes, d.Journal, d.NoKinds, d.NoExchange)
	}
	for _, p := range h.Ignore {
		fmt.Fprintf(&b, "ignore %s\n", p)
	}
	for _, a := range h.Acts {
		fmt.Fprintf(&b, "act %s\n", a)
	}
	return b.String()
}

// Parse is the reverse of String. Empty lines and those behind # say nothing.
func Parse(text string) (*History, error) {
	h := &History{Writer: both, Switch: 10}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := h.parse(line); err != nil {
			return nil, fmt.Errorf("read %q: %w", line, err)
		}
	}
	return h, nil
}

func (h *History) parse(line string) (err error) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "seed":
		_, err = fmt.Sscan(rest, &h.Seed)
	case "latency":
		h.Latency, err = time.ParseDuration(rest)
	case "outer":
		_, err = fmt.Sscan(rest, &h.Outer)
	case "switch":
		_, err = fmt.Sscan(rest, &h.Switch)
	case "writer":
		_, err = fmt.Sscan(rest, &h.Writer)
	case "disk":
		var name string
		var d simfs.Options
		_, err = fmt.Sscan(rest, &name, &d.Granule, &d.ReuseInodes, &d.Journal, &d.NoKinds, &d.NoExchange)
		side := 0
		if name == sideNames[1] {
			side = 1
		}
		h.Disk[side] = d
	case "ignore":
		h.Ignore = append(h.Ignore, rest)
	case "act":
		var a Act
		a, err = parseAct(rest)
		h.Acts = append(h.Acts, a)
	default:
		err = fmt.Errorf("no such line")
	}
	return err
}
