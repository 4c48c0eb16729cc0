package reconcile_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

var (
	full    = flag.Bool("full", false, "all 6.4e7 triples of trees with two names (an hour)")
	samples = flag.Int("samples", 30_000, "cases of each sampled test")
	seed    = flag.Uint64("seed", 0, "of the sampled cases; 0: a new one")
)

func newRand(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-seed %d", s)
	return rand.New(rand.NewPCG(s, 1))
}

func fileOf(text string, exec bool) *tree.Entry {
	return tree.NewFile(tree.DigestOf([]byte(text)), int64(len(text)), exec)
}

// leaves are the four values of CASES §4 L1: absent, two files and a link.
var leaves = []*tree.Entry{nil, fileOf("1", false), fileOf("2", false), tree.NewLink("l")}

// wild are values that the small universe leaves out.
var wild = append([]*tree.Entry{
	fileOf("1", true), fileOf("2", true), fileOf("3", false), fileOf("", false), fileOf("", true), tree.NewLink("m"),
	tree.NewUnknown("unreadable"), tree.NewOpaque("a socket"),
}, leaves...)

// universe returns the leaves and every directory with two of them.
func universe(leaves []*tree.Entry) []*tree.Entry {
	all := leaves[:len(leaves):len(leaves)]
	for _, x := range leaves {
		for _, y := range leaves {
			all = append(all, dirOf(x, y))
		}
	}
	return all
}

// dirOf returns a directory with entries named a, b, …; nil leaves one out.
func dirOf(entries ...*tree.Entry) *tree.Entry {
	d := tree.NewDir(nil)
	for i, e := range entries {
		d = d.With(string(rune('a'+i)), e)
	}
	return d
}

// policies are the four without callbacks.
func policies() (all []reconcile.Policy) {
	for _, mirror := range []bool{false, true} {
		for _, winner := range []tree.Side{tree.Host, tree.Container} {
			all = append(all, reconcile.Policy{Winner: winner, Mirror: mirror})
		}
	}
	return all
}

// TestExhaustiveOneName checks every triple of the 20 values at one name,
// under every policy, with every subset of the plan's changes made.
func TestExhaustiveOneName(t *testing.T) {
	t.Parallel()
	values := universe(leaves)
	if len(values) != 20 {
		t.Fatalf("%d values, want 20", len(values))
	}
	roots := make([]*tree.Entry, len(values))
	for i, v := range values {
		roots[i] = dirOf(v)
	}
	for _, b := range roots {
		for _, h := range roots {
			for _, c := range roots {
				for _, p := range policies() {
					w := world{b, [2]*tree.Entry{h, c}}
					check(t, w, p, everySubset)
				}
			}
		}
	}
}

// TestTwoNames samples the triples of the 400 roots with two names.
func TestTwoNames(t *testing.T) {
	t.Parallel()
	r, values := newRand(t), universe(leaves)
	pick := func() *tree.Entry { return dirOf(values[r.IntN(20)], values[r.IntN(20)]) }
	for range *samples {
		w := world{pick(), [2]*tree.Entry{pick(), pick()}}
		check(t, w, policies()[r.IntN(4)], someSubset(r))
	}
}

// TestWild samples trees with exec bits, unknown and opaque entries.
func TestWild(t *testing.T) {
	t.Parallel()
	r, values := newRand(t), universe(wild)
	pick := func() *tree.Entry {
		e := values[r.IntN(len(values))]
		if r.IntN(3) == 0 {
			e = dirOf(e, values[r.IntN(len(values))])
		}
		return dirOf(e, values[r.IntN(len(values))])
	}
	for range *samples {
		w := world{tree.Clear(pick()), [2]*tree.Entry{pick(), pick()}}
		check(t, w, policies()[r.IntN(4)], someSubset(r))
	}
}

// TestPerturbed samples deeper trees: one tree, edited apart.
func TestPerturbed(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	for range *samples / 5 {
		check(t, perturbedWorld(r), policies()[r.IntN(4)], someSubset(r))
	}
}

// perturb returns root after n edits of random kinds.
func perturb(r *rand.Rand, root *tree.Entry, n int, murky bool) *tree.Entry {
	for range n {
		a, b := randomPath(r), randomPath(r)
		ea, eb := tree.Get(root, a), tree.Get(root, b)
		switch kind := r.IntN(8); {
		case kind == 0 && !tree.Overlap(a, b): // rename
			root = put(put(root, b, ea), a, nil)
		case kind == 1 && !tree.Overlap(a, b): // swap
			root = put(put(root, b, ea), a, eb)
		case kind == 2:
			root = put(root, a, nil)
		case kind == 3 && ea.IsFile():
			root = put(root, a, tree.NewFile(ea.Digest, ea.Size, !ea.Exec))
		case kind == 4:
			root = put(root, a, tree.NewDir(nil))
		default:
			e := wild[r.IntN(len(wild))]
			if murky || !e.Murky() {
				root = put(root, a, e)
			}
		}
	}
	return root
}

func put(root *tree.Entry, path string, e *tree.Entry) *tree.Entry {
	root, _ = tree.Put(root, path, e)
	return root
}

func randomPath(r *rand.Rand) string {
	path := ""
	for range 1 + r.IntN(4) {
		path = tree.Join(path, string(rune('a'+r.IntN(3))))
	}
	return path
}

// TestFull is the whole of CASES §4 L1's two-name universe, for the night.
func TestFull(t *testing.T) {
	if !*full {
		t.Skip("without -full")
	}
	r := newRand(t)
	var roots []*tree.Entry
	for _, x := range universe(leaves) {
		for _, y := range universe(leaves) {
			roots = append(roots, dirOf(x, y))
		}
	}
	for _, b := range roots {
		for _, h := range roots {
			for _, c := range roots {
				w := world{b, [2]*tree.Entry{h, c}}
				check(t, w, policies()[r.IntN(4)], someSubset(r))
			}
		}
	}
}

// subsets calls visit with sets of up to n changes, as bits.
type subsets func(n int, visit func(bits uint64))

func everySubset(n int, visit func(bits uint64)) {
	if n > 6 {
		panic(fmt.Sprintf("a plan of %d changes in a one-name tree", n))
	}
	for bits := range uint64(1) << n {
		visit(bits)
	}
}

func someSubset(r *rand.Rand) subsets {
	return func(_ int, visit func(bits uint64)) { visit(r.Uint64()) }
}

// check holds one world against every promise.
func check(t *testing.T, w world, p reconcile.Policy, each subsets) {
	t.Helper()
	c := checker{t: t, w: w, p: p, wrote: w.userWrote()}
	c.first, c.all = w.plan(p), w.plan(keepEverything(p, nil))
	c.plans()
	c.keeps()
	c.settles()
	each(len(c.all.Host)+len(c.all.Container), c.subset)
	c.symmetric()
}

type checker struct {
	t     *testing.T
	w     world
	p     reconcile.Policy
	wrote map[written]bool // what users wrote since base

	first *reconcile.Plan // with nothing kept
	all   *reconcile.Plan // with all kept
	final world
}

func (c *checker) fatal(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%s\nwinner %v, mirror %v\n%v\nplan %s\nall kept %s", fmt.Sprintf(format, args...),
		c.p.Winner, c.p.Mirror, c.w, showPlan(c.first), showPlan(c.all))
}

func showPlan(p *reconcile.Plan) string { return fmt.Sprintf("%+v", *p) }

// keepEverything returns p for which everything is kept; asked is told.
func keepEverything(p reconcile.Policy, asked func(written)) reconcile.Policy {
	p.Kept = func(path string, e *tree.Entry) bool {
		if asked != nil {
			asked(written{path, contentOf(e)})
		}
		return true
	}
	return p
}

// plans: both are well formed, and what is not gated is the same in both. What
// the first does alone loses nothing though nothing is kept.
func (c *checker) plans() {
	for _, p := range []*reconcile.Plan{c.first, c.all} {
		if err := c.w.wellFormed(p); err != nil {
			c.fatal("not well formed: %v", err)
		}
	}
	if len(c.all.Keep) > 0 || len(c.first.Busy) > 0 {
		c.fatal("waits for nothing")
	}
	if n := len(subtract(c.first.Host, c.all.Host)) + len(subtract(c.first.Container, c.all.Container)); n > 0 {
		c.fatal("%d changes go away when all is kept", n)
	}
	if !c.p.Mirror {
		c.gone("", c.w.base, c.w.side[0], c.w.side[1])
	}
	c.holds()
	if lost, ok := c.apply(c.first, ^uint64(0)).lost(c.wrote, nil); ok {
		c.fatal("lost %v with nothing kept", lost)
	}
}

// gone: base at once forgets what is gone from both sides, so that it is new
// when it comes again. (Where neither side has the directory any more, base
// has to wait for what takes its place.)
func (c *checker) gone(path string, base, host, container *tree.Entry) {
	if !host.IsDir() && !container.IsDir() || host.Murky() && !host.IsDir() || container.Murky() && !container.IsDir() {
		return
	}
	for name, b := range base.Children() {
		h, cc, below := host.Child(name), container.Child(name), tree.Join(path, name)
		if h != nil || cc != nil {
			c.gone(below, b, h, cc)
		} else if !slices.ContainsFunc(c.first.Agreed, func(a tree.Change) bool { return tree.Within(below, a.Path) }) {
			c.fatal("%q is gone from both sides, and base stays", below)
		}
	}
}

// holds: all that is murky is held, by its own path or that of something
// murky above it, and nothing is held twice.
func (c *checker) holds() {
	for i, h := range c.first.Held {
		if slices.Contains(c.first.Held[:i], h) {
			c.fatal("%v is held twice", h)
		}
	}
	for s, root := range c.w.side {
		tree.Walk("", root, func(path string, e *tree.Entry) bool {
			if !e.IsDir() && e.Murky() && !slices.ContainsFunc(c.first.Held, func(h reconcile.Held) bool {
				return h.Side == tree.Side(s) && h.Path == path || c.murkyAt(h.Path, path)
			}) {
				c.fatal("%q on %v is not held", path, tree.Side(s))
			}
			return true
		})
	}
}

// murkyAt says whether a side is murky at held, which path is within.
func (c *checker) murkyAt(held, path string) bool {
	for _, root := range c.w.side {
		if e := tree.Get(root, held); !e.IsDir() && e.Murky() && held != path && tree.Within(path, held) {
			return true
		}
	}
	return false
}

// apply makes the changes of a plan that are in bits.
func (c *checker) apply(p *reconcile.Plan, bits uint64) world {
	host, container := chosen(p, bits)
	w, err := c.w.apply(tree.Host, host)
	if err == nil {
		w, err = w.apply(tree.Container, container)
	}
	if err != nil {
		c.fatal("apply: %v", err)
	}
	return w
}

func chosen(p *reconcile.Plan, bits uint64) (host, container []tree.Change) {
	for i, ch := range p.Host {
		if bits>>i&1 != 0 {
			host = append(host, ch)
		}
	}
	for i, ch := range p.Container {
		if bits>>(i+len(p.Host))&1 != 0 {
			container = append(container, ch)
		}
	}
	return host, container
}

// keptFor returns what must have been kept before these changes were made.
func (c *checker) keptFor(host, container []tree.Change) map[written]bool {
	kept := map[written]bool{}
	for s, list := range [][]tree.Change{host, container} {
		for _, ch := range list {
			for _, k := range c.first.Keep {
				if k.Side == tree.Side(s) && k.Change == ch.Path {
					kept[written{k.Path, contentOf(k.Entry)}] = true
				}
			}
		}
	}
	return kept
}

// keeps: exactly what users wrote and the end does not hold is kept, once, and
// what is kept is what that side holds.
func (c *checker) keeps() {
	seen := map[written]bool{}
	for _, k := range c.first.Keep {
		x := written{k.Path, contentOf(k.Entry)}
		if seen[x] || !c.wrote[x] || tree.Get(c.w.side[k.Side], k.Path) != k.Entry {
			c.fatal("keeps %v, which is not needed", k)
		}
		seen[x] = true
	}
	if c.w.murky() {
		return
	}
	want := c.want()
	for x := range c.wrote {
		if gone := contentOf(tree.Get(want, x.path)) != x.content; gone != seen[x] && !x.holdsNothing() {
			c.fatal("%v: kept %v, gone %v", x, seen[x], gone)
		}
	}
}

func (c *checker) want() *tree.Entry {
	return oracle{c.p.Winner, c.p.Mirror}.want(c.w.base, c.w.side[0], c.w.side[1])
}

// settles: the whole plan leads to what the oracle wants, in two rounds.
func (c *checker) settles() {
	c.final = c.settle(c.w)
	f := c.final
	if !c.w.murky() {
		want := c.want()
		if !tree.Equal(f.base, want) || !tree.Equal(f.side[0], want) || !tree.Equal(f.side[1], want) {
			c.fatal("ended as\n%v\nwant %s", f, (&script{}).show(want))
		}
		if !f.plan(c.p).Empty() {
			c.fatal("not idempotent: %s", showPlan(f.plan(c.p)))
		}
		return
	}
	held := f.plan(c.p).Held
	tree.Diff("", f.side[0], f.side[1], func(path string, _, _ *tree.Entry) bool {
		for _, h := range held {
			if tree.Overlap(h.Path, path) {
				return true
			}
		}
		c.fatal("%q differs in silence in\n%v", path, f)
		return false
	})
	for s := range f.side {
		if !tree.Same(murkyOnly(c.w.side[s]), murkyOnly(f.side[s])) {
			c.fatal("what is murky was touched: %v", f)
		}
	}
}

// murkyOnly returns e with nothing in it but what is murky.
func murkyOnly(e *tree.Entry) *tree.Entry {
	switch {
	case !e.Murky():
		return nil
	case e.IsDir():
		for name, child := range e.Children() {
			e = e.With(name, murkyOnly(child))
		}
	}
	return e
}

// settle runs rounds until there is nothing left to do.
func (c *checker) settle(w world) world {
	may := map[written]bool{}
	for _, k := range c.first.Keep {
		may[written{k.Path, contentOf(k.Entry)}] = true
	}
	for range 3 {
		plan := w.plan(keepEverything(c.p, func(x written) {
			if !may[x] {
				c.fatal("on the way, %v is to be kept too", x)
			}
		}))
		if err := w.wellFormed(plan); err != nil {
			c.fatal("on the way: %v\n%v", err, w)
		}
		if len(plan.Host)+len(plan.Container)+len(plan.Agreed) == 0 {
			return w
		}
		w, _ = w.commit(plan.Agreed)
		w, _ = w.apply(tree.Host, plan.Host)
		w, _ = w.apply(tree.Container, plan.Container)
	}
	c.fatal("does not settle:\n%v", w)
	return w
}

// subset: some of the changes were made, then everything stopped. Nothing is
// lost, and starting again leads to the same end, whether or not base moved.
func (c *checker) subset(bits uint64) {
	w := c.apply(c.all, bits)
	if lost, ok := w.lost(c.wrote, c.keptFor(chosen(c.all, bits))); ok {
		c.fatal("lost %v after %b", lost, bits)
	}
	moved, _ := c.w.commit(c.all.Agreed)
	for _, base := range []*tree.Entry{w.base, moved.base} {
		w.base = base
		f := c.settle(w)
		for s := range f.side {
			if !tree.Same(f.side[s], c.final.side[s]) || !tree.Same(f.base, c.final.base) {
				c.fatal("after %b it ended as\n%v\nand else as\n%v", bits, f, c.final)
			}
		}
	}
}

// symmetric: with sides and winner swapped, the plan is the same, swapped.
func (c *checker) symmetric() {
	p := c.p
	p.Winner = p.Winner.Other()
	q := c.w.swapped().plan(p)
	q.Host, q.Container = q.Container, q.Host
	for i := range q.Keep {
		q.Keep[i].Side = q.Keep[i].Side.Other()
	}
	for i := range q.Held {
		q.Held[i].Side = q.Held[i].Side.Other()
	}
	if !samePlan(c.first, q) {
		c.fatal("swapped plan is %s", showPlan(q))
	}
}

func samePlan(p, q *reconcile.Plan) bool {
	held := map[reconcile.Held]int{} // the order of two at one path is free
	for _, h := range p.Held {
		held[h]++
	}
	for _, h := range q.Held {
		if held[h]--; held[h] < 0 {
			return false
		}
	}
	return len(p.Held) == len(q.Held) && slices.Equal(p.Keep, q.Keep) &&
		slices.EqualFunc(p.Host, q.Host, sameChange) &&
		slices.EqualFunc(p.Container, q.Container, sameChange) &&
		slices.EqualFunc(p.Agreed, q.Agreed, sameChange)
}

func sameChange(a, b tree.Change) bool {
	return a.Path == b.Path && tree.Same(a.Old, b.Old) && tree.Same(a.New, b.New)
}
