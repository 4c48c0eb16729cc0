//go:build linux

package sim

import (
	"fmt"

	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/internal/sim/simfs"
	"github.com/twosync/twosync/internal/tree"
)

// Where things are.
const (
	hostRoot   = "/home/dev/proj"
	hostState  = "/home/dev/.state/s"
	agentRoot  = "/app"
	agentStage = "/.twosync/stage/app"
)

var roots = [2]string{hostRoot, agentRoot}

// world is two machines, what runs on them, and those who work there.
type world struct {
	s      *sched
	h      *History
	ledger *simfs.Ledger
	fs     [2]*simfs.FS
	users  [2]*simfs.User
	seen   map[tree.Digest]struct{} // contents that a user's file had at some moment

	host    *hostProcess
	agents  []*agentProcess
	links   []*link
	down    bool // the container does not run
	rules   *ignore.Rules
	handles map[string]*simfs.Handle
	past    [2]*simfs.FS // to which a machine may be rolled back

	next   int      // of h.Acts
	hooks  int      // since the last act
	steps  [2][]int // which of them were behind something that a side changed or made durable
	paced  [2][]int // steps, as they were before the last act
	acted  int64    // when that was
	ending bool     // no act comes any more
	active int64    // when something was sent or changed for the last time
	sends  int
	calls  int
	kept   int // conflicts that were told
	halted string
	healed int64  // from when on everything is in order, and no session has an excuse
	both   string // what both sides held when they were compared
	synced bool   // that was told, and nobody did anything since
	lost   bool   // the session has lost the container, and said so

	muddled bool    // what was agreed is not what it was: versions may be kept that nobody fought over
	faulty  bool    // something failed: a session may end because of it
	jumped  bool    // the clock was set
	boots   [2]int  // power cuts of each machine
	hidden  [2]bool // something is mounted over the root
	unheard bool    // somebody wrote without a word to a name that is watched
	events  []run.Event
}

// Violation is a promise that was not kept.
type Violation struct{ What string }

func (v *Violation) Error() string { return v.What }

func violation(what string) *Violation { return &Violation{what} }

func newWorld(s *sched, h *History) *world {
	w := &world{
		s: s, h: h, ledger: simfs.NewLedger(), seen: make(map[tree.Digest]struct{}),
		handles: make(map[string]*simfs.Handle),
	}
	w.ledger.OnLost = func(l *simfs.Loss) { panic(violation(l.Error())) }
	for side := range w.fs {
		w.machine(side)
	}
	w.rules = rulesOf(h.Ignore)
	s.idle = w.idle
	return w
}

// rulesOf reads patterns. Many histories have none.
func rulesOf(patterns []string) *ignore.Rules {
	if len(patterns) == 0 {
		return noRules
	}
	return parseRules(patterns)
}

var noRules = parseRules(nil)

func parseRules(patterns []string) *ignore.Rules {
	r, err := ignore.New(ignore.BuiltIn(), ignore.Literal("test", patterns...))
	if err != nil {
		panic(err)
	}
	return r
}

// machine makes a machine of a side, with an empty root.
func (w *world) machine(side int) {
	now := func() int64 { return w.s.wall }
	f := simfs.New(now, w.h.Disk[side])
	u := f.User()
	for _, dir := range []string{roots[side], hostState + "/keep", "/etc"} {
		if side == 1 && dir != roots[side] && dir != "/etc" {
			continue
		}
		must(u.MkdirAll(dir))
	}
	must(u.Write("/etc/canary", "sings"))
	must(u.Write("/home-canary", "sings too"))
	w.enter(side, f)
	w.boot(side)
	f = f.Crash(simfs.KeepAll, 0) // all that was there before is durable
	w.ledger.Side(sideNames[side], f, roots[side])
	w.enter(side, f)
}

// bootID is where Linux says which boot this is.
const bootID = "/proc/sys/kernel/random/boot_id"

// boot gives a machine another boot. A container has that of its machine, which
// a new container does not change.
func (w *world) boot(side int) {
	u := w.users[side]
	must(u.MkdirAll("/proc/sys/kernel/random"))
	must(u.Write(bootID, fmt.Sprintf("%d-%d", side, w.boots[side])))
}

// enter makes f the disks of a side.
func (w *world) enter(side int, f *simfs.FS) {
	w.fs[side] = f
	w.users[side] = f.User()
	for key := range w.handles {
		if key[0] == '0'+byte(side) {
			delete(w.handles, key) // the program went with its machine
		}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
