package watch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// settleCases are scripts. A line is a time in milliseconds and what happens then:
// an event (`create f`, `moved-to d/ 7`, where / marks a directory and 7 is the cookie),
// `defer absent|empty|changed PATH`, `written PATH...` with ! for what went, `took PATH MS`, `expedite`, `know PATH...`, `unknow PATH...`, or
// `due`, after which stands what must be due: a path, with / if the look is deep,
// * if modified, ! if an absence and . if an empty file is to be believed; a=>b is a move; ; parts batches; - is nothing.
var settleCases = []struct{ name, script string }{
	{"closed write is due at once", `
		0 know f
		0 modify f
		0 close-write f
		0 due f*`},
	{"a new file that was closed may be empty", `
		0 create f
		0 close-write f
		0 due f*.`},
	{"create of a symlink is due at once", `
		0 create l
		0 due l`},
	{"create of a directory is due at once and deep", `
		0 create d/
		0 due d/`},
	{"attrib is due at once", `
		0 attrib f
		0 due f`},
	{"attrib does not cut a wait short", `
		0 modify f
		1 attrib f
		1 due -
		20 due f*+`},
	{"a new file that is open waits for its writer", `
		0 create f
		0 due f
		0 defer empty f
		5 due -
		6 modify f
		6 close-write f
		6 due f*.`},
	{"a new file that stays empty and open is sent after quiet", `
		0 create f
		0 due f
		0 defer empty f
		19 due -
		20 due f*.`},
	{"write without close waits for quiet", `
		0 know f
		0 modify f
		15 modify f
		34 due -
		35 due f*+`},
	{"A2 emptied and open: the writer gets longer, and closes", `
		0 know f
		0 modify f
		20 due f*+
		20 defer unclosed f
		60 due -
		80 modify f
		81 close-write f
		81 due f*`},
	{"A2 emptied and open when everything is asked for", `
		0 know f
		0 modify f
		20 due f*+
		20 defer unclosed f
		40 expedite
		59 due -
		60 due f*.`},
	{"A2 emptied and open for good", `
		0 know f
		0 modify f
		20 due f*+
		20 defer unclosed f
		519 due -
		520 due f*.`},
	{"write after close is a writer again", `
		0 know f
		0 close-write f
		0 modify f
		0 due -
		20 due f*+`},

	{"A1 vim renames to a backup and writes anew", `
		0 know x
		0 moved-from x 5
		0 moved-to x~ 5
		0 create x
		0 modify x
		0 close-write x
		0 delete x~
		0 due x*
		100 due -`},
	{"A1 vim, read while the name is absent", `
		0 know x
		0 moved-from x 5
		0 moved-to x~ 5
		0 due -
		1 create x
		1 due x x~
		1 defer empty x
		2 modify x
		2 close-write x
		2 delete x~
		2 due x*
		100 due -`},
	{"A1 probe file", `
		0 create 4913
		0 attrib 4913
		0 close-write 4913
		0 delete 4913
		0 due -`},
	{"A2 closed, and made anew before anybody looked: nobody has closed that one", `
		0 know x
		0 delete x
		0 create x
		0 modify x
		0 close-write x
		0 delete x
		0 create x
		0 due x
		0 defer empty x
		1 modify x
		1 close-write x
		1 due x*`},
	{"A2 made anew after a look that found nothing", `
		0 know x
		0 close-write x
		0 due x*
		0 defer absent x
		1 create x
		1 due x
		1 defer empty x
		2 modify x
		2 close-write x
		2 due x*`},
	{"E2 made anew since it was read: counts as written", `
		0 know x
		0 close-write x
		0 due x*
		1 delete x
		1 written x!
		1 create x
		1 written x
		1 due x`},
	{"A2 truncate and write in place", `
		0 know x
		0 modify x
		1 due -
		1 modify x
		1 close-write x
		1 due x*`},
	{"A2 truncated and closed before the write", `
		0 know x
		0 modify x
		0 close-write x
		0 due x*
		0 defer empty x
		1 modify x
		1 close-write x
		1 due x*
		100 due -`},
	{"A2 emptied on purpose", `
		0 know x
		0 modify x
		0 close-write x
		0 due x*
		0 defer empty x
		19 due -
		20 due x*.`},
	{"A3 safe write", `
		0 know x
		0 create x___jb_tmp___
		0 modify x___jb_tmp___
		0 close-write x___jb_tmp___
		0 moved-from x 1
		0 moved-to x___jb_old___ 1
		0 moved-from x___jb_tmp___ 2
		0 moved-to x 2
		0 delete x___jb_old___
		0 due x*.
		100 due -`},
	{"A4 sed -i", `
		0 know x
		0 create sedA
		0 modify sedA
		0 attrib sedA
		0 moved-from sedA 1
		0 moved-to x 1
		0 due x*.
		100 due -`},
	{"A4 rename of a new file into place, never seen before", `
		0 create tmp
		0 moved-from tmp 1
		0 moved-to x 1
		0 due x.`},
	{"A4 rename into place of a temporary file that was seen", `
		0 know x
		0 create tmp
		0 modify tmp
		0 close-write tmp
		0 due tmp*.
		0 know tmp
		1 moved-from tmp 1
		1 moved-to x 1
		1 due x.
		20 due -
		21 due tmp!`},
	{"A4 the pair is split between two reads", `
		0 know x
		0 create tmp
		0 close-write tmp
		0 moved-from tmp 1
		0 due -
		1 moved-to x 1
		1 due x*.`},
	{"rename from outside", `
		0 know x
		0 moved-to x
		0 due x.`},

	{"absence waits", `
		0 know x
		0 delete x
		19 due -
		20 due x!
		20 due -`},
	{"absence found by a scan waits", `
		0 know x
		0 attrib x
		0 due x
		0 defer absent x
		19 due -
		20 due x*!`},
	{"newer word beats defer", `
		0 know x
		0 create x
		0 defer absent x
		0 due x`},
	{"writes through a descriptor do not bring a name back", `
		0 know x
		0 delete x
		10 modify x
		15 close-write x
		19 due -
		20 due x*!`},
	{"a flapping name is looked at in the end", `
		0 know x
		0 delete x
		15 delete x
		30 delete x
		45 delete x
		60 delete x
		480 delete x
		80 due -
		490 delete x
		499 due -
		500 due x`},
	{"B7 create and delete", `
		0 create f
		0 modify f
		0 close-write f
		0 delete f
		0 due -
		100 due -`},
	{"B7 directory made and removed with what was in it", `
		0 create d/
		0 modify d/f
		0 delete d/
		0 due -`},

	{"rename of a known file is one move", `
		0 know a
		0 moved-from a 3
		0 moved-to b 3
		19 due -
		20 due a! b a=>b`},
	{"a moved file that is written keeps its move", `
		0 know a
		0 moved-from a 3
		0 moved-to b 3
		1 modify b
		1 close-write b
		1 due -
		20 due a! b* a=>b`},
	{"what was pending for the old name counts for the new one", `
		0 know a
		0 modify a
		1 moved-from a 3
		1 moved-to b 3
		21 due a*! b* a=>b`},
	{"origin occupied again: no move", `
		0 know a
		0 moved-from a 3
		0 moved-to b 3
		1 create a
		1 due a b
		100 due -`},
	{"target gone again: a deletion", `
		0 know a
		0 moved-from a 3
		0 moved-to b 3
		1 delete b
		20 due a!
		100 due -`},
	{"two renames in a row", `
		0 know a
		0 moved-from a 3
		0 moved-to b 3
		0 moved-from b 4
		0 moved-to c 4
		0 due b c.
		0 defer absent b
		20 due a! b*!`},
	{"B11 exchange of two files", `
		0 know a b
		0 moved-from a 3
		0 moved-to b 3
		0 moved-from b 4
		0 moved-to a 4
		0 due a. b
		100 due -`},
	{"B11 exchange with a file that was never seen", `
		0 know a
		0 create b
		0 moved-from a 3
		0 moved-to b 3
		0 moved-from b 4
		0 moved-to a 4
		0 due a. b
		100 due -`},
	{"rename of a directory is one move, and carries what waits below", `
		0 know d d/f d/g
		0 modify d/f
		0 delete d/g
		1 moved-from d/ 3
		1 moved-to e/ 3
		2 create e/new
		2 close-write e/new
		2 due -
		21 due d/! e/ e/f* e/g e/new* d=>e`},
	{"rename of an unknown directory", `
		0 create d/
		0 modify d/f
		0 moved-from d/ 3
		0 moved-to e/ 3
		0 due e/ e/f*`},
	{"directory moved away and another in its place", `
		0 know d d/f
		0 moved-from d/ 3
		0 moved-to old/ 3
		0 create d/
		0 due d/ old/
		100 due -`},
	{"directory moved out of the tree", `
		0 know d d/f
		0 modify d/f
		0 moved-from d/
		20 due d/! d/f*`},
	{"directory removed and made again", `
		0 know d d/f
		0 delete d/f
		0 dir-gone d/
		0 delete d/
		0 create d/
		0 due d/
		100 due -`},
	{"directory removed", `
		0 know d d/f
		0 delete d/f
		0 dir-gone d/
		0 delete d/
		19 due -
		20 due d/!`},
	{"a directory that is gone without being known is looked at", `
		0 dir-gone d/
		0 delete d/
		20 due d/!`},

	{"I5r overflow drops what waits", `
		0 know x y
		0 modify x
		0 delete y
		0 overflow
		0 modify z
		0 due /
		100 due -`},
	{"root gone", `
		0 root-gone
		0 due /`},
	{"modify below a deep look merges into it", `
		0 create d/
		0 create d/f
		0 modify d/f
		0 close-write d/f
		0 create d/sub/
		0 due d/ d/f*
		100 due -`},
	{"expedite: open files now, absences in their time", `
		0 know x y
		0 modify x
		0 delete y
		1 expedite
		1 due x*+
		20 due y!`},

	{"E1 a log that never rests backs off", `
		0 know log
		every 5 from 0 to 30000 modify log
		looks log 500 1005 2005 4005 8005 13005 18005 23005 28005 33005`},
	{"E1 a log with a line now and then", `
		0 know log
		every 700 from 0 to 5000 modify log
		looks log 20 720 1420 2120 2820 3520 4220 4920`},
	{"E1 a close lets the next write go early", `
		0 know log
		0 modify log
		20 due log*+
		30 modify log
		30 close-write log
		30 due log*
		40 modify log
		60 due log*+`},
	{"E1 appended faster than it can be read: waits for its turn", `
		0 know log
		0 close-write log
		0 due log*
		0 defer changed log
		1 close-write log
		1 due log*
		1 defer changed log
		2 close-write log
		500 due -
		501 due log*+
		501 defer changed log
		502 close-write log
		1500 due -
		1501 due log*+
		1600 close-write log
		2500 due -
		3501 due log*+
		3600 close-write log
		3600 due log*`},
	{"E2 written since it was read: counts, and keeps its time", `
		0 know f
		0 close-write f
		0 due f*
		1 modify f
		1 close-write f
		1 written f
		1 defer changed f
		1 due f*
		2 modify f
		2 written f
		2 defer changed f
		2 written -
		500 due -
		501 due f*+`},
	{"E2 what is written below, and what is not", `
		0 know d/f d/g
		0 modify d/f
		0 delete d/g
		0 attrib d/h
		0 modify e
		0 written d/f d/g! e
		0 due d/h
		20 due d/f*+ d/g! e*+`},
	{"E1 a large file that is closed again and again waits for its turn", `
		0 know f
		0 close-write f
		0 due f*
		200 took f 200
		300 close-write f
		300 due -
		2199 due -
		2200 due f*+
		2400 took f 200
		5000 close-write f
		5000 due f*
		5001 took f 1
		5002 close-write f
		5002 due f*`},
	{"E1 a large file that is open does not eat the time", `
		0 know f
		0 modify f
		20 due f*+
		220 took f 200
		220 modify f
		520 due -
		2219 due -
		2220 due f*+`},
	{"E2 changed while it was read", `
		0 know f
		0 close-write f
		0 due f*
		0 defer changed f
		1 modify f
		20 due -
		21 due f*+`},
}

var roughCases = []struct{ name, script string }{
	{"everything settles", `
		0 modify f
		5 modify f
		14 due -
		15 due f*`},
	{"with a ceiling", `
		every 5 from 0 to 150 modify f
		looks f 100 160`},
	{"a new directory is looked at as a whole", `
		0 create d/
		1 modify d/f
		10 due d/ d/f*`},
	{"overflow", `
		0 modify f
		0 overflow
		0 due /`},
	{"absence found by a scan waits", `
		0 know f
		0 modify f
		10 due f*
		10 defer absent f
		29 due -
		30 due f*!`},
}

func TestSettle(t *testing.T) {
	for _, c := range settleCases {
		t.Run(c.name, func(t *testing.T) { newSettler(t, true).run(c.script) })
	}
	for _, c := range roughCases {
		t.Run("rough/"+c.name, func(t *testing.T) { newSettler(t, false).run(c.script) })
	}
}

type settler struct {
	t     *testing.T
	s     *Settle
	known map[string]bool
	looks map[string][]string // path -> times of its looks, for `looks`
}

func newSettler(t *testing.T, precise bool) *settler {
	r := &settler{t: t, known: map[string]bool{}, looks: map[string][]string{}}
	r.s = &Settle{Precise: precise, Known: func(p string) bool { return r.known[p] }}
	return r
}

var epoch = time.Unix(1e9, 0)

func at(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

func (r *settler) run(script string) {
	for line := range strings.Lines(script) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		switch f[0] {
		case "every":
			r.every(f)
		case "looks":
			if got := strings.Join(r.looks[f[1]], " "); got != strings.Join(f[2:], " ") {
				r.t.Fatalf("%s: looked at %s", strings.TrimSpace(line), got)
			}
		default:
			ms, err := strconv.Atoi(f[0])
			if err != nil {
				r.t.Fatal(err)
			}
			r.step(ms, f[1:])
		}
	}
	if r.s.count != len(r.s.queue) {
		r.t.Errorf("%d items, but %d in the queue", r.s.count, len(r.s.queue))
	}
	if r.s.Idle() && r.s.top != nil && !r.s.top.leaf() {
		r.t.Error("names are left in the tree")
	}
}

// every feeds one event again and again and notes when looks are due.
func (r *settler) every(f []string) {
	num := func(s string) int { n, _ := strconv.Atoi(s); return n }
	next := num(f[3])
	for ms := next; ms <= num(f[5]) || !r.s.Idle(); ms++ {
		if ms == next && ms <= num(f[5]) {
			r.s.Add(at(ms), []Event{parseEvent(r.t, f[6:])})
			next += num(f[1])
		}
		for _, b := range r.s.Due(at(ms)) {
			for _, l := range b.Looks {
				r.looks[l.Path] = append(r.looks[l.Path], strconv.Itoa(ms))
			}
		}
		if ms > num(f[5])+60000 {
			r.t.Fatal("never idle")
		}
	}
}

func (r *settler) step(ms int, f []string) {
	switch f[0] {
	case "know", "unknow":
		for _, p := range f[1:] {
			r.known[p] = f[0] == "know"
		}
	case "defer":
		why := map[string]Why{"absent": Absent, "empty": Empty, "unclosed": Unclosed, "changed": Changed}[f[1]]
		r.s.Defer(at(ms), f[2], why)
	case "took":
		took, _ := strconv.Atoi(f[2])
		r.s.Took(at(ms), f[1], time.Duration(took)*time.Millisecond)
	case "written":
		got, gone := r.s.Overtaken("")
		for _, p := range gone {
			got = append(got, p+"!")
		}
		slices.Sort(got)
		if want := strings.Join(f[1:], " "); strings.Join(got, " ") != want && (want != "-" || len(got) > 0) {
			r.t.Fatalf("at %d: written %s, want %s", ms, got, want)
		}
	case "expedite":
		r.s.Expedite(at(ms))
	case "due":
		got := spell(r.s.Due(at(ms)))
		if want := strings.Join(f[1:], " "); got != want {
			r.t.Fatalf("at %d: due %s, want %s", ms, got, want)
		}
		if next, ok := r.s.Next(); ok && !next.After(at(ms)) {
			r.t.Fatalf("at %d: the next time has passed", ms)
		}
	default:
		r.s.Add(at(ms), []Event{parseEvent(r.t, f)})
	}
}

func parseEvent(t *testing.T, f []string) Event {
	var e Event
	for op, name := range opNames {
		if name == f[0] {
			e.Op = Op(op)
		}
	}
	if e.Op == 0 {
		t.Fatalf("no event %q", f[0])
	}
	if len(f) > 1 {
		var path string
		path, e.IsDir = strings.CutSuffix(f[1], "/")
		e.Dir, e.Name = split(path)
	}
	if e.Op == DirGone {
		e.Dir, e.Name = e.Path(), ""
	}
	if len(f) > 2 {
		n, _ := strconv.Atoi(f[2])
		e.Cookie = uint32(n)
	}
	return e
}

func spell(batches []Batch) string {
	if len(batches) == 0 {
		return "-"
	}
	var all []string
	for _, b := range batches {
		var words []string
		for _, l := range b.Looks {
			w := l.Path
			for _, mark := range []struct {
				on   bool
				char string
			}{{l.Deep, "/"}, {l.Modified, "*"}, {l.TrustAbsent, "!"}, {l.TrustEmpty, "."}, {l.Open, "+"}} {
				if mark.on {
					w += mark.char
				}
			}
			words = append(words, w)
		}
		for _, m := range b.Moves {
			words = append(words, m.From+"=>"+m.To)
		}
		all = append(all, strings.Join(words, " "))
	}
	return strings.Join(all, " ; ")
}

// A hundred thousand events at once, and as many paths, must not cost more than their
// number; batches are bounded and keep the ends of a move together.
func TestSettleManyPaths(t *testing.T) {
	s := &Settle{Precise: true, Known: func(p string) bool { return !strings.Contains(p, "new") }}
	const n = 100_000
	events := make([]Event, 0, n)
	for i := range n / 2 {
		dir := fmt.Sprintf("d%d", i%500)
		events = append(events,
			Event{Op: MovedFrom, Dir: dir, Name: fmt.Sprint(i), Cookie: uint32(i + 1)},
			Event{Op: MovedTo, Dir: dir, Name: fmt.Sprint("new", i), Cookie: uint32(i + 1)})
	}
	s.Add(at(0), events)
	looks, moves := 0, 0
	for _, b := range s.Due(at(20)) {
		if len(b.Looks) > maxBatch+1 {
			t.Errorf("a batch of %d", len(b.Looks))
		}
		if len(b.Looks) != 2*len(b.Moves) {
			t.Errorf("%d looks, %d moves", len(b.Looks), len(b.Moves))
		}
		looks, moves = looks+len(b.Looks), moves+len(b.Moves)
	}
	if looks != n || moves != n/2 || !s.Idle() || s.count != 0 {
		t.Errorf("%d looks, %d moves, idle %v, count %d", looks, moves, s.Idle(), s.count)
	}
}

// More paths than anybody should remember become one look at everything.
func TestSettleBounded(t *testing.T) {
	s := &Settle{Precise: true}
	for i := range maxPending + 10 {
		s.Add(at(0), []Event{{Op: Create, Name: fmt.Sprint(i)}})
		if s.count > maxPending {
			t.Fatalf("%d items", s.count)
		}
	}
	if got := spell(s.Due(at(0))); got != "/" {
		t.Errorf("due %.100s", got)
	}
	for i := range 3 * maxHalves {
		s.Add(at(0), []Event{{Op: MovedFrom, Name: "x", Cookie: uint32(i + 1)}})
		s.Defer(at(0), fmt.Sprint(i), Changed)
	}
	if len(s.halves) > maxHalves || len(s.hot) > maxHot {
		t.Errorf("%d halves, %d hot", len(s.halves), len(s.hot))
	}
}

// FuzzSettle feeds any events, also such as no kernel sends, with looks and Defer in
// between. In the end nothing may wait, and nothing be left behind.
func FuzzSettle(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	f.Add([]byte{3, 1, 1, 4, 2, 1, 3, 2, 2, 4, 1, 2, 10, 9, 0})
	// Below a file that is the target of a move.
	f.Add([]byte{157, 180, 190, 144, 218, 242, 31, 70, 3, 0, 0})
	f.Add([]byte{216, 78, 160, 199, 69, 255, 200, 39, 99, 0, 0})
	f.Add([]byte{205, 122, 242, 244, 238, 176, 45, 131, 81, 60, 26, 117, 0})
	paths := []string{"", "a", "b", "a/a", "a/b", "b/a", "b/a/c", "c"}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Settle{Precise: len(data)%5 > 0, Known: func(p string) bool { return len(p) > 1 }}
		ms := 0
		for ; len(data) >= 3; data = data[3:] {
			dir, name := split(paths[data[1]%8])
			e := Event{Dir: dir, Name: name, IsDir: data[2]&8 > 0, Cookie: uint32(data[2] & 3)}
			ms += int(data[2] >> 4)
			switch op := data[0] % 14; op {
			case 11:
				s.Due(at(ms))
			case 12:
				s.Expedite(at(ms))
			case 13:
				s.Defer(at(ms), e.Path(), Why(1+data[2]%3))
			default:
				e.Op = Op(op)
				s.Add(at(ms), []Event{e})
			}
		}
		for _, b := range s.Due(at(ms + 100_000)) {
			seen := map[string]bool{}
			for _, l := range b.Looks {
				if seen[l.Path] {
					t.Errorf("two looks at %q", l.Path)
				}
				seen[l.Path] = true
			}
			for _, m := range b.Moves {
				if !seen[m.From] || !seen[m.To] {
					t.Errorf("no looks for %v", m)
				}
			}
		}
		for c := range s.halves {
			s.dropHalf(c)
		}
		if !s.Idle() || s.count != 0 {
			t.Errorf("idle %v, %d items", s.Idle(), s.count)
		}
	})
}
