//go:build linux

package hostile

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// agent is the container's side: a tree in memory, and who it is. It outlives
// its sessions.
type agent struct {
	mu    sync.Mutex // guards everything, and is held while a message is handled
	tree  *node
	id    [16]byte
	gen   uint64
	boot  string
	wrong error // what the host sent that the specification does not allow

	// of the session
	mux     *mux
	in      map[uint32]*inbox
	gone    bool // it hung up for good
	deaf    bool // the bulk stream is packed: what comes on it is not read
	ready   bool // Start was answered: reports may be made
	rules   string
	asked   uint64
	batches map[uint64]*batch // by request
	tamper  func(*message) []*message
	passed  func(code byte) // a message was handled
}

// batch waits for contents.
type batch struct {
	seq, id uint64
	changes []change
	wants   []*node
	data    []byte
	at      int
}

type change struct {
	path     string
	old, new *node
}

func newAgent() *agent {
	return &agent{tree: newFolder(), boot: "a boot"}
}

// serve speaks on a connection until it ends.
func (a *agent) serve(conn io.ReadWriteCloser) {
	a.mu.Lock()
	a.in, a.batches = map[uint32]*inbox{}, map[uint64]*batch{}
	a.ready, a.asked = false, 0
	a.mux = newMux(conn, a.take)
	m := a.mux
	if a.gone {
		conn.Close()
	}
	a.mu.Unlock()
	m.run()
}

// take handles what came on a stream.
func (a *agent) take(stream uint32, b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.deaf && stream == bulkStream {
		return
	}
	in := a.in[stream]
	if in == nil {
		in = &inbox{}
		a.in[stream] = in
	}
	in.b = append(in.b, b...)
	for {
		code, body, ok := in.next()
		if !ok {
			return
		}
		r := &reader{b: body}
		a.handle(stream, code, r)
		if err := r.end(); err != nil && a.wrong == nil {
			a.wrong = fmt.Errorf("message %d on stream %d: %w", code, stream, err)
		}
		if a.passed != nil {
			a.passed(code)
		}
	}
}

// tell sends a message, or what is made of it.
func (a *agent) tell(stream uint32, code byte, fields ...*value) {
	a.tellAll(say(stream, code, fields...))
}

func (a *agent) tellAll(m *message) {
	out := []*message{m}
	if a.tamper != nil {
		out = a.tamper(m)
	}
	for _, m := range out {
		for _, f := range m.frames() {
			a.mux.send(chunk{stream: m.stream, b: f})
		}
	}
}

func (a *agent) handle(stream uint32, code byte, r *reader) {
	ours := map[uint32][]byte{
		controlStream: {hello, beat, ended},
		workStream:    {start, adopt, apply, cancel, look, flush, settle, release},
		fetchStream:   {ask, credit, drop},
		bulkStream:    {piece, done},
	}
	if !slices.Contains(ours[stream], code) {
		r.fail("it does not belong there")
		return
	}
	switch code {
	case hello:
		a.greet(r)
	case ended:
		r.str()
		a.tell(controlStream, ended, str(""))
		a.mux.end()
	case start:
		a.start(r)
	case adopt:
		a.adopt(r)
	case apply:
		a.apply(r)
	case cancel:
		r.num()
	case look:
		a.look(r)
	case flush:
		a.tell(workStream, flushed, num(r.num()))
	case settle:
		a.settle(r)
	case release:
		for range r.num() {
			r.name(r.str())
		}
	case ask:
		a.give(r)
	case credit:
		r.num()
		r.num()
	case drop:
		r.num()
	case piece:
		a.piece(r)
	case done:
		a.done(r)
	}
}

func (a *agent) greet(r *reader) {
	version, features := r.num(), many()
	for range r.num() {
		features.parts, features.n = append(features.parts, str(r.str())), features.n+1
	}
	a.tell(controlStream, hello, num(version), features)
}

func (a *agent) start(r *reader) {
	seq := r.num()
	a.rules = r.str()
	facts := []*value{boolean(false), boolean(false), boolean(false), str("inotify"), str("exchange"), str("syncfs")}
	a.tell(fetchStream, started, append([]*value{num(seq), raw(a.id[:]), num(a.gen), str("/app"), str(a.boot)}, facts...)...)
	a.tell(workStream, progress, num(0), num(uint64(len(a.tree.kids))), num(0))
	a.tell(workStream, observed, boolean(true), many(all(str(""), a.tree.value())), many())
	a.ready = true
}

func (a *agent) adopt(r *reader) {
	seq := r.num()
	a.id, a.gen = r.sum(), r.num()
	a.tell(fetchStream, adopted, num(seq))
}

func (a *agent) look(r *reader) {
	var paths []string
	for range r.num() {
		paths = append(paths, r.path())
	}
	a.report(paths...)
}

func (a *agent) settle(r *reader) {
	gen := r.num()
	for range r.num() {
		r.path()
	}
	a.gen = gen
	a.tell(workStream, durable, num(gen), str(""))
}

// report says what paths hold, with the contents of small files. What is below
// a path that is no folder is absent.
func (a *agent) report(paths ...string) {
	seen, inline := many(), map[[16]byte][]byte{}
	for _, p := range paths {
		n := a.tree.get(p)
		seen.parts, seen.n = append(seen.parts, all(str(p), n.value())), seen.n+1
		n.walk(p, func(_ string, n *node) {
			if n.kind == file && n.size > 0 && n.size < 1000 && len(inline) < 20 {
				inline[n.sum] = n.data
			}
		})
	}
	a.tell(workStream, observed, boolean(false), seen, contentsOf(inline))
}

func contentsOf(inline map[[16]byte][]byte) *value {
	contents := many()
	for _, sum := range slices.SortedFunc(keys(inline), func(x, y [16]byte) int { return slices.Compare(x[:], y[:]) }) {
		contents.parts = append(contents.parts, all(raw(sum[:]), str(string(inline[sum]))))
		contents.n++
	}
	return contents
}

// edit is what the container's user does.
func (a *agent) edit(path string, n *node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tree.put(path, n) && a.ready {
		a.report(path)
	}
}

// apply begins a batch: with a request for the contents that are not there.
func (a *agent) apply(r *reader) {
	b := &batch{seq: r.num(), id: r.num()}
	for range r.num() {
		b.changes = append(b.changes, change{r.path(), r.node(), r.node()})
		if r.err != nil {
			return
		}
	}
	have := r.contents()
	a.tree.walk("", func(_ string, n *node) {
		if n.kind == file {
			have[n.sum] = n.data
		}
	})
	wants := many()
	for _, c := range b.changes {
		c.new.walk(c.path, func(path string, n *node) {
			data, ok := have[n.sum]
			switch {
			case n.kind != file:
			case ok || n.size == 0:
				n.data = data
			default:
				b.wants = append(b.wants, n)
				wants.parts = append(wants.parts, all(str(path), str(""), raw(n.sum[:]), num(n.size), all(num(0))))
				wants.n++
			}
		})
	}
	if len(b.wants) == 0 {
		a.land(b)
		return
	}
	a.asked++
	a.batches[a.asked] = b
	a.tell(fetchStream, ask, num(a.asked), num(b.seq), wants)
}

func (a *agent) piece(r *reader) {
	req, want := r.num(), r.num()
	b := a.batches[req]
	if b == nil || want != uint64(b.at) || want >= uint64(len(b.wants)) {
		r.fail("a piece for nothing")
		return
	}
	cost := 64
	switch op := r.one(); op {
	case 0:
		data := r.raw(uint64(len(r.b)))
		b.data = append(b.data, data...)
		cost += len(data)
	case 2:
		n := b.wants[b.at]
		if sumOf(b.data) != n.sum || uint64(len(b.data)) != n.size {
			r.fail("a content of another digest")
		}
		n.data, b.data = b.data, nil
		b.at++
	case 3:
		r.str()
		b.wants[b.at].kind, b.data = unknown, nil
		b.at++
	default:
		r.fail("a piece of type %d", op)
	}
	a.tell(fetchStream, credit, num(req), num(uint64(cost)))
}

func (a *agent) done(r *reader) {
	req, why := r.num(), r.str()
	b := a.batches[req]
	if b == nil || why == "" && b.at < len(b.wants) {
		r.fail("the end of nothing")
		return
	}
	for ; b.at < len(b.wants); b.at++ {
		b.wants[b.at].kind = unknown
	}
	delete(a.batches, req)
	a.land(b)
}

// land makes a batch's changes and says what came of it.
func (a *agent) land(b *batch) {
	results := many()
	for _, c := range b.changes {
		now, whole := a.tree.get(c.path), true
		c.new.walk("", func(_ string, n *node) { whole = whole && n.kind != unknown })
		if whole && now.same(c.old) && (a.tree.put(c.path, c.new) || c.new == nil) {
			results.parts = append(results.parts, all(str(c.path), one(1)))
		} else {
			results.parts = append(results.parts, all(str(c.path), one(2), now.value(), str("it changed meanwhile")))
		}
		results.n++
	}
	a.tell(workStream, outcome, num(b.id), boolean(false), results)
	a.tell(workStream, outcome, num(b.id), boolean(true), many())
	a.tell(fetchStream, applied, num(b.seq))
}

// give answers a request of the host for contents.
func (a *agent) give(r *reader) {
	type want struct {
		path, slot string
		sum        [16]byte
		size       uint64
	}
	req, seq := r.num(), r.num()
	if seq != 0 {
		r.fail("a request for contents of a command of its own")
	}
	var wants []want
	for range r.num() {
		w := want{r.path(), r.str(), r.sum(), r.num()}
		r.signature()
		if r.err != nil {
			return
		}
		wants = append(wants, w)
	}
	for i, w := range wants {
		n := a.tree.get(w.path)
		if n == nil || n.kind != file || n.sum != w.sum || w.slot != "" {
			a.tell(bulkStream, piece, num(req), num(uint64(i)), one(3), str("it is gone"))
			continue
		}
		for data := range slices.Chunk(n.data, 32<<10) {
			a.tell(bulkStream, piece, num(req), num(uint64(i)), one(0), tail(data))
		}
		a.tell(bulkStream, piece, num(req), num(uint64(i)), one(2))
	}
	a.tell(bulkStream, done, num(req), str(""))
}

// listing describes what the agent holds, as the host's is described.
func (a *agent) listing() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b strings.Builder
	a.tree.walk("", func(path string, n *node) {
		switch {
		case path == "":
		case n.kind == folder:
			fmt.Fprintf(&b, "%q/\n", path)
		case n.kind == link:
			fmt.Fprintf(&b, "%q -> %q\n", path, n.text)
		default:
			fmt.Fprintf(&b, "%q %v %x\n", path, n.exec, n.sum)
		}
	})
	return b.String()
}

func keys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// pick returns one of list.
func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
