//go:build linux

package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// nastyNumbers are at every limit that the specification or a machine has.
var nastyNumbers = []uint64{
	0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 255, 256, 257, 2047, 2048, 4095, 4096, 4097, 32767, 32768, 32769,
	65535, 65536, 1<<20 - 1, 1 << 20, 1<<20 + 1, 4<<20 + 1, 5 << 20, 5<<20 + 1, 1<<31 - 1, 1 << 31, 1<<31 + 1,
	1<<32 - 1, 1 << 32, 1<<32 + 1, 1 << 40, 1<<40 + 1, 1 << 48, 1<<48 + 1, 1 << 62, 1<<62 + 1,
	1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 1,
}

// nastyNames are names that are right on the wire, and must not do harm.
var nastyNames = []string{
	"..evil", "evil ", "evil.", "-rf", "~", "*", "evil\n", "evil\x1b]0;t\a", "evil\x1b[31m", "evil\x07", "evil\x7f", "evil\u009b31m", "evil\u202egpj.exe",
	"evil\u2066x\u2069", "evil\xff\xfe", `evil\..\x`, "C:", "con", "nul.txt", "evil:stream", "LPT1", "evil\t",
	".git", ".GIT", "git~1", ".g\u200cit", ".git ", ".twosync", ".TWOSYNC", ".hg", ".svn", "secret", ".twosyncignore", "node_modules",
	strings.Repeat("n", 255), strings.Repeat("\x1b", 255), "u0", "d", "dir",
}

// nastyTexts are paths, names and texts that break a rule.
var nastyTexts = []string{
	"", ".", "..", "/", "//", "a/b", "a//b", "/etc/passwd", "a/", "./a", "a/.", "a/..", "a/../../outside/canary", "../outside/canary", "a\x00b", "\x00",
	strings.Repeat("n", 256), strings.Repeat("n", 4097), strings.Repeat("n/", 300) + "n", strings.Repeat(strings.Repeat("n", 250)+"/", 270) + "n",
	strings.Repeat("n", 64<<10+1), "\xff\xfe", "\x1b[2J", "\u202e",
}

// nastyTargets are what links may not lead to, and some that they may.
var nastyTargets = []string{
	"", ".", "..", "/", "/etc", "../outside", "../outside/canary", "d/../../outside", "d/../..", "../root", "../root/d", strings.Repeat("../", 30) + "etc",
	"dir/sub/round/../../outside/canary", "dir/sub/round/../../../outside", "../..", "../..", "../../..", `..\..\x`,
	"d", "u0", "dangling", "./d/./u1", "evil\x1b[31m", strings.Repeat("t", 4096), "\x00", "d/../d",
}

// nastyPaths is where an agent would like to write.
var nastyPaths = []string{
	".git/hooks/evil", ".git/config", ".GIT/evil", ".twosync/evil", ".twosync/intents", ".twosync/lock", ".twosync/slots/evil", "d/.twosync/evil",
	"secret", "secret/evil", ".twosyncignore", "u0", "u0/evil", "u1", "d", "d/u1", "d/evil", "dir", "dir/sub/evil", "link", "link/canary", "link/evil", "dir/sub/round", "dir/sub/round", "up", "up/canary", "node_modules/evil",
}

// liar makes an agent lie. One seed makes one liar.
type liar struct {
	*agent
	rng   *rand.Rand
	rates [kinds]float64
	mute  bool
	later []*message
	after int      // how many messages are as they should be
	did   []string // what it did, for people
	tick  time.Duration
	sums  [][16]byte // digests that were met
	ids   []uint64   // numbers that were met
}

// The kinds of lies.
const (
	fields   = iota // a field is another one
	order           // messages are dropped, doubled, swapped
	unasked         // messages that nobody waits for
	trees           // what is right on the wire, and must not be done
	answers         // contents that are not those
	places          // wrong stream, wrong code, half a message
	bytewise        // bytes that are no messages
	silences        // nothing more, or nearly nothing
	kinds
)

func newLiar(a *agent, rng *rand.Rand) *liar {
	l := &liar{agent: a, rng: rng}
	for range 1 + rng.IntN(3) {
		l.rates[pick(rng, []int{fields, fields, order, unasked, trees, trees, trees, trees, answers, answers, places, bytewise, silences})] = pick(rng, []float64{.02, .1, .3, .7})
	}
	if rng.IntN(3) > 0 { // or else few would get beyond the first of them
		l.after = 3 + rng.IntN(10)
	}
	if l.rates[silences] > 0 {
		l.tick = 20 * time.Millisecond
	}
	return l
}

func (l *liar) does(k int) bool { return l.rng.Float64() < l.rates[k] }

func (l *liar) note(format string, args ...any) {
	if len(l.did) < 50 {
		s := fmt.Sprintf(format, args...)
		l.did = append(l.did, s[:min(len(s), 120)])
	}
}

// tamper makes of a message what is sent instead.
func (l *liar) twist(m *message) []*message {
	l.remember(m)
	if l.mute {
		return nil
	}
	if l.after--; l.after > 0 {
		return []*message{m}
	}
	if m.code == piece && l.does(answers) {
		l.answer(m)
	}
	if l.does(fields) {
		for range 1 + l.rng.IntN(2) {
			l.field(m)
		}
	}
	out := []*message{m}
	if l.does(order) {
		out = l.reorder(m)
	}
	if l.does(unasked) {
		out = slices.Insert(out, l.rng.IntN(len(out)+1), l.message())
	}
	if len(out) > 0 && l.does(places) {
		out = l.misplace(out)
	}
	if l.does(bytewise) {
		l.junk()
	}
	if l.does(silences) {
		l.silence()
	}
	return out
}

// remember notes digests and numbers, so that lies can be near the truth.
func (l *liar) remember(m *message) {
	for _, v := range m.body.every() {
		switch {
		case v.kind == fixed && len(v.b) == 16 && len(l.sums) < 100:
			l.sums = append(l.sums, [16]byte(v.b))
		case v.kind == number && len(l.ids) < 100:
			l.ids = append(l.ids, v.n)
		}
	}
}

func (l *liar) sum() [16]byte {
	if len(l.sums) == 0 || l.rng.IntN(4) == 0 {
		return sumOf([]byte{byte(l.rng.Uint32())})
	}
	return pick(l.rng, l.sums)
}

func (l *liar) number() uint64 {
	switch n := l.rng.IntN(4); {
	case n == 0 && len(l.ids) > 0:
		return pick(l.rng, l.ids) + uint64(l.rng.IntN(3)) - 1
	case n == 1:
		return uint64(l.rng.IntN(20))
	}
	return pick(l.rng, nastyNumbers)
}

// field makes one field of a message another one.
func (l *liar) field(m *message) {
	every := m.body.every()
	v := pick(l.rng, every)
	was := v.write(nil)
	switch v.kind {
	case number:
		v.over = binary.AppendUvarint(nil, l.number())
		if l.rng.IntN(8) == 0 { // in more bytes than it may have
			v.over = append(bytes.Repeat([]byte{0x80}, 1+l.rng.IntN(12)), byte(l.rng.IntN(3)))
		}
	case text:
		s := pick(l.rng, pick(l.rng, [][]string{nastyTexts, nastyNames, nastyTargets, nastyPaths}))
		v.over = str(s).write(nil)
		if l.rng.IntN(5) == 0 { // its length is a lie
			v.over = append(binary.AppendUvarint(nil, l.number()), s...)
		}
	case fixed:
		s := l.sum()
		v.over = pick(l.rng, [][]byte{s[:], make([]byte, len(v.b)), s[:l.rng.IntN(16)], append(s[:], s[:]...)})
	case single:
		v.over = []byte{pick(l.rng, []byte{0, 1, 2, 3, 4, 5, 6, 7, 0x41, 0x80, 0x81, 0x82, 0x83, 0xff})}
	case rest:
		v.over = make([]byte, pick(l.rng, []int{0, 1, len(v.b) + 1, 32 << 10, 32<<10 + 1, 32800}))
	case group:
		if l.rng.IntN(2) == 0 && len(v.parts) > 0 {
			v.over = l.node(3).value().write(nil)
		} else {
			v.over = was[:l.rng.IntN(len(was)+1)]
		}
	case list:
		l.list(v)
	}
	l.note("field of %d: %.20x for %.20x", m.code, v.over, was)
}

func (l *liar) list(v *value) {
	switch n := len(v.parts); {
	case n == 0 || l.rng.IntN(4) == 0:
		v.n = l.number()
	case l.rng.IntN(3) == 0:
		at := l.rng.IntN(n)
		v.parts = slices.Delete(slices.Clone(v.parts), at, at+1)
		v.n = uint64(n - 1)
	case l.rng.IntN(2) == 0:
		v.parts = append(slices.Clone(v.parts), slices.Repeat([]*value{pick(l.rng, v.parts)}, pick(l.rng, []int{1, 2, 1000}))...)
		v.n = uint64(len(v.parts))
	default:
		v.parts = slices.Clone(v.parts)
		slices.Reverse(v.parts)
	}
}

// answer lies in a piece, or ends early.
func (l *liar) answer(m *message) {
	req, want := m.body.parts[0].n, m.body.parts[1].n
	ops := [][]*value{
		{one(0), tail([]byte("other data"))},
		{one(0), tail(make([]byte, 32<<10))},
		{one(1), num(l.number()), num(l.number())},
		{one(1), num(0), num(1)},
		{one(2)}, {one(2)},
		{one(3), str("gone\x1b[31m")},
	}
	op := pick(l.rng, ops)
	m.body = all(append([]*value{num(req), num(want)}, op...)...)
	l.note("piece of %d/%d: %.20x", req, want, m.body.write(nil))
}

func (l *liar) reorder(m *message) []*message {
	n := l.rng.IntN(4)
	l.note("order of %d: %d", m.code, n)
	switch n {
	case 0:
		return nil
	case 1:
		return []*message{m, m}
	case 2:
		l.later = append(l.later, m)
		return nil
	}
	out := append([]*message{m}, l.later...)
	l.later = nil
	return out
}

func (l *liar) misplace(out []*message) []*message {
	m := *out[0]
	n := l.rng.IntN(5)
	l.note("place of %d: %d", m.code, n)
	switch n {
	case 0:
		m.stream = pick(l.rng, []uint32{controlStream, workStream, fetchStream, bulkStream})
	case 1:
		m.code = byte(l.rng.IntN(64))
	case 2:
		m.code |= more
	case 3:
		b := m.body.write(nil)
		m.body = tail(b[:l.rng.IntN(len(b)+1)])
	case 4:
		b := m.body.write(nil)
		for range 1 + l.rng.IntN(3) {
			if len(b) > 0 {
				b[l.rng.IntN(len(b))] ^= byte(1 << l.rng.IntN(8))
			}
		}
		m.body = tail(b)
	}
	out[0] = &m
	return out
}

// junk sends bytes that are no message.
func (l *liar) junk() {
	n := l.rng.IntN(9)
	l.note("junk %d", n)
	stream := pick(l.rng, []uint32{0, 1, 2, 3, 5, 7, 8, 9, 1<<32 - 1})
	var b []byte
	switch n {
	case 0:
		b = []byte("bash: warning: setlocale: \x1b[31mno such locale\n")
	case 1:
		b = muxFrame(muxPing, flagSyn, 0, 7, nil)
	case 2:
		b = muxFrame(muxUpdate, flagSyn, stream, 0, nil)
	case 3:
		b = muxFrame(muxData, uint16(l.rng.IntN(16)), stream, uint32(pick(l.rng, nastyNumbers)), nil)
	case 4:
		b = muxFrame(muxUpdate, uint16(l.rng.IntN(16)), stream, uint32(pick(l.rng, nastyNumbers)), nil)
	case 5:
		b = muxFrame(muxAway, 0, stream, uint32(l.rng.IntN(4)), nil)
	case 6:
		b = muxFrame(byte(l.rng.Uint32()), uint16(l.rng.Uint32()), stream, uint32(l.rng.IntN(100)), nil)
	case 7:
		b = slices.Repeat(muxFrame(muxUpdate, 0, controlStream, 1<<31, nil), 3000)
	case 8:
		b = make([]byte, l.rng.IntN(100))
		for i := range b {
			b[i] = byte(l.rng.Uint32())
		}
	}
	l.mux.send(chunk{b: b})
}

// silence says no more, or a byte at a time.
func (l *liar) silence() {
	n := l.rng.IntN(3)
	l.note("silence %d", n)
	switch n {
	case 0:
		l.mute = true
	case 1:
		l.mux.send(chunk{b: muxFrame(muxData, 0, workStream, 60, make([]byte, 60)), pause: func() { <-time.After(l.tick / 4) }})
	case 2: // half a message, and then nothing
		l.mux.send(chunk{b: muxFrame(muxData, 0, workStream, 5, []byte{observed, 0, 50, 1, 1})})
		l.mute = true
	}
}

// node returns an entry of any kind.
func (l *liar) node(depth int) *node {
	switch l.rng.IntN(9) {
	case 0:
		return nil
	case 1:
		return linkTo(pick(l.rng, nastyTargets))
	case 2:
		return &node{kind: pick(l.rng, []byte{opaque, unknown}), text: "why\x1b[31m"}
	case 3: // a claim
		return &node{kind: file, sum: l.sum(), size: l.number() % (1<<40 + 1), data: []byte("not that")}
	case 4:
		if depth > 0 {
			return l.deep()
		}
	case 5, 6:
		if depth > 0 {
			n := newFolder()
			for range l.rng.IntN(6) {
				if k := l.node(depth - 1); k != nil {
					n.kids[pick(l.rng, nastyNames)] = k
				}
			}
			return n
		}
	case 7:
		n := fileOf(strings.Repeat("evil", 1+l.rng.IntN(30_000)))
		n.exec = l.rng.IntN(2) == 0
		return n
	}
	return fileOf(fmt.Sprint("evil ", l.rng.IntN(20)))
}

// deep returns folders in folders.
func (l *liar) deep() *node {
	n := fileOf("evil at the bottom")
	name := pick(l.rng, []string{"n", strings.Repeat("n", 255)})
	for range pick(l.rng, []int{10, 100, 254, 255, 256, 257, 300}) {
		n = &node{kind: folder, kids: map[string]*node{name: n}}
	}
	return n
}

// path returns one that is right on the wire.
func (l *liar) path() string {
	switch l.rng.IntN(4) {
	case 0:
		return pick(l.rng, nastyNames)
	case 1:
		var paths []string
		l.tree.walk("", func(p string, _ *node) { paths = append(paths, p) })
		return pick(l.rng, paths)
	case 2:
		return strings.TrimPrefix(pick(l.rng, nastyPaths[10:])+"/"+pick(l.rng, nastyNames), "/")
	}
	return pick(l.rng, nastyPaths)
}

// message returns one that may come from an agent, about anything.
func (l *liar) message() *message {
	small := func() *value { return num(uint64(l.rng.IntN(8))) }
	any := func() *value { return pick(l.rng, []*value{small(), small(), num(l.number())}) }
	txt := func() *value {
		return str(pick(l.rng, []string{"", "evil\x1b[31m", "why\u202e", strings.Repeat("t", 4096)}))
	}
	sum := func() *value { s := l.sum(); return raw(s[:]) }
	seen := func() *value { return all(str(l.path()), l.node(3).value()) }
	data := []byte("evil inline")
	inline := map[[16]byte][]byte{sumOf(data): data}
	makers := map[byte]func() *message{
		hello:   func() *message { return say(controlStream, hello, num(1), many()) },
		beat:    func() *message { return say(controlStream, beat) },
		ended:   func() *message { return say(controlStream, ended, txt()) },
		durable: func() *message { return say(workStream, durable, any(), txt()) },
		flushed: func() *message { return say(workStream, flushed, any()) },
		stray: func() *message {
			return say(workStream, stray, str(pick(l.rng, nastyNames)), str(l.path()), l.node(0).value(), txt())
		},
		notice:   func() *message { return say(workStream, notice, one(byte(l.rng.IntN(3))), txt(), txt()) },
		progress: func() *message { return say(workStream, progress, any(), any(), any()) },
		observed: func() *message {
			if l.rng.IntN(6) == 0 {
				return say(workStream, observed, boolean(true), many(all(str(""), l.node(4).value())), many())
			}
			return say(workStream, observed, boolean(false), many(seen(), seen()), contentsOf(inline))
		},
		outcome: func() *message {
			return say(workStream, outcome, any(), boolean(l.rng.IntN(2) == 0), many(
				all(str(l.path()), one(1)), all(str(l.path()), one(byte(2+l.rng.IntN(2))), l.node(2).value(), txt())))
		},
		ask: func() *message {
			return say(fetchStream, ask, any(), any(), many(all(str(l.path()), str(""), sum(), any(), l.signature())))
		},
		credit:  func() *message { return say(fetchStream, credit, any(), any()) },
		drop:    func() *message { return say(fetchStream, drop, any()) },
		started: func() *message { return l.started(small()) },
		adopted: func() *message { return say(fetchStream, adopted, any()) },
		applied: func() *message { return say(fetchStream, applied, any()) },
		refused: func() *message { return say(fetchStream, refused, any(), txt(), txt()) },
		piece:   func() *message { return say(bulkStream, piece, any(), any(), one(0), tail([]byte("evil"))) },
		done:    func() *message { return say(bulkStream, done, any(), txt()) },
	}
	m := makers[pick(l.rng, slices.Sorted(keys(makers)))]()
	l.note("unasked %d: %.40x", m.code, m.body.write(nil))
	return m
}

func (l *liar) started(seq *value) *message {
	b := func() *value { return boolean(l.rng.IntN(2) == 0) }
	s := l.sum()
	return say(fetchStream, started, seq, raw(s[:]), num(l.number()), str("/"), str(pick(l.rng, []string{"", "a boot"})),
		b(), b(), b(), str("\x1b[31m"), str("exchange"), str("syncfs"))
}

// signature returns one that is forged.
func (l *liar) signature() *value {
	block := pick(l.rng, []uint64{0, 1, 2047, 2 << 10, 4 << 10, 1 << 20, 1<<20 + 1})
	if block == 0 {
		return num(0)
	}
	size := pick(l.rng, []uint64{0, 1, block, block * 3, 1 << 40, 1<<63 - 1})
	n := min(size/block+1, 100)
	return all(num(block), num(size), tail(make([]byte, 20*n)))
}

// act does something by itself: what the container's user may do, or a lie about
// a tree.
func (l *liar) act() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ready || l.mute {
		return
	}
	if !l.does(trees) {
		path := fmt.Sprint("c", l.rng.IntN(5))
		if l.tree.put(path, fileOf(fmt.Sprint("the container's ", l.rng.IntN(100)))) {
			l.report(path)
		}
		return
	}
	path, n := l.path(), l.node(4)
	if l.rng.IntN(6) == 0 {
		n = nil
	}
	l.note("tree: %q is %d", path, l.about(n))
	if l.rng.IntN(3) > 0 {
		l.plant(path, n)
	}
	if l.rng.IntN(10) == 0 {
		l.tree = newFolder()
		path = ""
	}
	l.report(path)
}

func (l *liar) about(n *node) byte {
	if n == nil {
		return absent
	}
	return n.kind
}

// plant makes a path hold n, with folders above it where there are none.
func (l *liar) plant(path string, n *node) {
	for i, c := range path {
		if c == '/' && l.tree.get(path[:i]) == nil {
			l.tree.put(path[:i], newFolder())
		}
	}
	l.tree.put(path, n)
}
