//go:build linux

package sim

import (
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/internal/sim/simfs"
)

// fault has an act happen that is nobody's edit; false when it is one.
func (w *world) fault(a *Act) bool {
	switch a.Op {
	case "up":
		w.startHost()
	case "stop":
		if w.host != nil && w.host.stop != nil {
			w.muddled = w.muddled || w.lost || w.faulty || !w.linked() // as below
			w.host.stopping = true
			w.host.stop()
		}
	case "cut", "half":
		w.muddled = w.muddled || w.stopping()
		for _, l := range slices.Clone(w.links) {
			l.cut(a.Op == "half")
		}
	case "kill":
		w.kill(a.Side)
	case "down":
		w.down = true
		w.kill(1)
	case "start":
		w.down = false
	case "power":
		w.power(a.Side, simfs.Cut(a.N%len(simfs.Cuts())), uint64(a.N))
	case "snapshot":
		w.past[a.Side] = w.fs[a.Side].Clone()
	case "rollback":
		w.rollback(a.Side)
	case "recreate":
		w.recreate()
	case "base":
		w.damageBase(a)
	case "rules":
		w.rules, w.muddled = rulesOf(nil), true
		if a.A != "" {
			w.rules = rulesOf([]string{a.A})
		}
	default:
		return w.trouble(a)
	}
	return true
}

// trouble is what is wrong with a machine for a while; false when an act is none.
func (w *world) trouble(a *Act) bool {
	switch a.Op {
	case "errno":
		w.errno(a)
	case "full":
		must(w.fs[a.Side].Set(roots[a.Side], func(o *simfs.Options) { o.Bytes = 1 }))
		w.faulty = true
	case "room":
		must(w.fs[a.Side].Set(roots[a.Side], func(o *simfs.Options) { o.Bytes = 0 }))
	case "files":
		for _, p := range w.procs(a.Side) {
			p.MaxFiles = a.N
		}
		w.faulty = w.faulty || a.N > 0
	case "clock":
		w.s.wall += int64(a.N) * int64(time.Hour)
		w.jumped = true
	case "hide":
		if w.hidden[a.Side] {
			break
		}
		must(w.fs[a.Side].Mount(roots[a.Side], simfs.Options{}))
		w.hidden[a.Side], w.faulty = true, true
	case "show":
		w.show(a.Side)
	default:
		return false
	}
	return true
}

func (w *world) show(side int) {
	if w.hidden[side] {
		must(w.fs[side].Unmount(roots[side]))
		w.hidden[side] = false
	}
}

// procs are the processes of a side.
func (w *world) procs(side int) (all []*simfs.Proc) {
	if side == 0 && w.host != nil {
		all = append(all, w.host.fs)
	}
	if side == 1 {
		for _, a := range w.agents {
			all = append(all, a.fs)
		}
	}
	return all
}

// errnos are what calls fail with.
var errnos = []syscall.Errno{
	syscall.EIO, syscall.EACCES, syscall.ENOSPC, syscall.EMFILE, syscall.ENOMEM,
	syscall.EROFS, syscall.EDQUOT, syscall.ESTALE, syscall.EINTR, syscall.EXDEV,
}

// lasts is the number from which on an error is met again and again, and not only
// once or twice.
const lasts = 1000

func (w *world) errno(a *Act) {
	w.faulty = true
	f := simfs.Fault{Op: a.A, Nth: 1 + a.N%7, Times: 1 + a.N%3 + a.N/lasts*100, Err: errnos[a.N%len(errnos)], After: a.N%11 == 0, Short: a.N % 5}
	f.Changes = f.Op == ""
	f.After = f.After && f.Err != syscall.EINTR                     // that says that nothing was done
	w.muddled = w.muddled || f.Op == simfs.OpRename && a.N >= lasts // what was exchanged can't go back
	w.unheard = w.unheard || f.Err == syscall.EACCES                // nobody tells when that is over
	for _, p := range w.procs(a.Side) {
		p.Faults = append(p.Faults, f)
	}
}

// linked says whether host and agent are connected.
func (w *world) linked() bool {
	return slices.ContainsFunc(w.links, func(l *link) bool { return !l.silent && l.ends[hostEnd].err == nil })
}

// kill ends the processes of a side.
func (w *world) kill(side int) {
	if side == 0 {
		// What was agreed and is not durable is not known any more, not even that
		// it was agreed: base notes the paths before, but not what they get. Who
		// goes on with such a file then has worked on both versions.
		w.muddled = true
		w.killHost()
		return
	}
	w.muddled = w.muddled || w.stopping()
	for _, a := range slices.Clone(w.agents) {
		w.killAgent(a)
	}
}

// stopping says whether the session waits for the container once more, for what was
// agreed to become durable there.
func (w *world) stopping() bool { return w.host != nil && w.host.stopping }

// power cuts the power of a machine: what was not durable may be lost. A user's
// files may be torn by it.
func (w *world) power(side int, cut simfs.Cut, seed uint64) {
	w.kill(side)
	w.show(side)
	old := w.fs[side]
	fresh := old.Crash(cut, seed)
	w.ledger.Swap(old, fresh)
	w.enter(side, fresh)
	w.boots[side]++
	w.boot(side)
	w.muddled = true
	w.tornBy(side)
}

// tornBy takes what a machine holds now for what its users see.
func (w *world) tornBy(side int) {
	w.users[side].Walk("/", func(f simfs.Found) bool {
		w.note(f.Content)
		return true
	})
}

// rollback brings a machine back to a snapshot, with whatever users made since.
func (w *world) rollback(side int) {
	past := w.past[side]
	if past == nil {
		return
	}
	w.kill(side)
	old := w.fs[side]
	if side == 0 {
		w.forgetKept()
	}
	w.ledger.Drop(old)
	fresh := past.Clone()
	w.ledger.Side(sideNames[side], fresh, roots[side])
	w.enter(side, fresh)
	w.boot(side)
	w.hidden[side], w.muddled = false, true
}

// forgetKept gives up what is in the keep store, and what was on its way there:
// whoever brings the host back to a snapshot has removed it.
func (w *world) forgetKept() {
	for _, dir := range []string{hostState, roots[0] + "/.twosync"} {
		w.users[0].Walk(dir, func(f simfs.Found) bool {
			w.ledger.Release([]byte(f.Content))
			return true
		})
	}
}

// recreate makes the container anew from an image without anything in it.
func (w *world) recreate() {
	w.kill(1)
	w.ledger.Drop(w.fs[1])
	w.machine(1)
	w.hidden[1], w.muddled = false, true
}

// damageBase cuts base, or flips a bit of it, while nobody has it open.
func (w *world) damageBase(a *Act) {
	w.killHost()
	u, path := w.users[0], hostState+"/base"
	text, err := u.Read(path)
	if err != nil || text == "" {
		return
	}
	w.muddled = true
	b := []byte(text)
	if a.N%2 == 0 {
		b = b[:a.N*7919%len(b)]
	} else {
		b[a.N*7919%len(b)] ^= 1 << (a.N % 8)
	}
	must(u.Write(path, string(b)))
}

// fault adds one that the level allows, and what ends it.
func (g *generator) fault(level Level) {
	n := 3
	if level >= Kills {
		n = 9
	}
	if level >= Faults {
		n = 24
	}
	side, x := g.rng.IntN(2), g.rng.IntN(1000)
	switch g.rng.IntN(n) {
	case 0, 1:
		g.add(Act{Op: "cut"})
	case 2:
		g.add(Act{Op: "half"})
	case 3, 4:
		g.then(Act{Op: "kill", Side: 0}, Act{Op: "up"})
	case 5, 6:
		g.add(Act{Op: "kill", Side: 1})
	case 7:
		g.then(Act{Op: "stop"}, Act{Op: "up"})
	case 8:
		g.then(Act{Op: "down", Side: 1}, Act{Op: "start", Side: 1})
	default:
		g.rare(side, x)
	}
}

// then adds two acts with something between them.
func (g *generator) then(a, b Act) {
	g.add(a)
	for range g.rng.IntN(4) {
		g.edits(g.side())
	}
	g.add(b)
}

func (g *generator) rare(side, x int) {
	up := Act{Op: "up"}
	switch g.rng.IntN(13) {
	case 0, 1:
		g.then(Act{Op: "power", Side: side, N: x}, up)
	case 2:
		g.add(Act{Op: "snapshot", Side: side})
	case 3:
		g.then(Act{Op: "rollback", Side: side}, up)
	case 4:
		g.add(Act{Op: "recreate", Side: 1})
	case 5:
		g.then(Act{Op: "base", N: x}, up)
	case 6:
		g.then(Act{Op: "kill"}, Act{Op: "rules", A: []string{"", "h", "/a/c/", "g"}[x%4]})
		g.add(up)
	case 7, 8, 9:
		op := []string{"", "", simfs.OpList, simfs.OpStat, simfs.OpOpen, simfs.OpRead, simfs.OpSync, simfs.OpRename}[x%8]
		g.then(Act{Op: "errno", Side: side, A: op, N: x + lasts*g.rng.IntN(2)}, up)
	case 10:
		g.then(Act{Op: "full", Side: side}, Act{Op: "room", Side: side})
		g.add(up)
	case 11:
		g.then(Act{Op: "files", Side: side, N: 6 + x%20}, Act{Op: "files", Side: side})
		g.add(up)
	case 12:
		if x%2 == 0 {
			g.add(Act{Op: "clock", N: []int{-24, -1, 1, 24}[x/2%4]})
			return
		}
		g.then(Act{Op: "hide", Side: side}, Act{Op: "show", Side: side})
		g.add(up)
	}
}

// heal ends whatever is out of order.
func (w *world) heal() {
	w.ending = true
	w.down = false
	for _, key := range sortedKeys(w.handles) {
		w.handles[key].Close()
	}
	clear(w.handles)
	for side := range w.fs {
		w.show(side)
		must(w.fs[side].Set(roots[side], func(o *simfs.Options) { o.Bytes = 0 }))
		for _, p := range w.procs(side) {
			p.Faults, p.MaxFiles = nil, 0
		}
	}
	w.startHost()
}

// expected says whether a session may end with err: a machine that is out of
// order is a reason.
func (w *world) expected(err error) bool {
	if err == nil {
		return true // somebody stopped it
	}
	halt := (*run.HaltError)(nil)
	if errors.As(err, &halt) {
		return w.faulty || w.muddled
	}
	return w.faulty
}
