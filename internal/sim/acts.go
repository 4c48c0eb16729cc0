//go:build linux

package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
	"github.com/twosync/twosync/internal/tree"
)

// Act is one thing that somebody does, or that happens, when so many calls were
// made since the last one, or so much time has passed.
type Act struct {
	Calls int
	After time.Duration
	Op    string
	Side  int
	A, B  string // paths below the root, or a word
	N     int
}

// String is the act as it is written down.
func (a Act) String() string {
	return fmt.Sprintf("%d %v %s %s %s %s %d", a.Calls, a.After, sideNames[a.Side], a.Op, dash(a.A), dash(a.B), a.N)
}

var sideNames = [2]string{"host", "container"}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func undash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// parseAct is the reverse of String.
func parseAct(line string) (a Act, err error) {
	f := strings.Fields(line)
	if len(f) != 7 {
		return a, fmt.Errorf("%q is no act", line)
	}
	if a.Calls, err = strconv.Atoi(f[0]); err != nil {
		return a, err
	}
	if a.After, err = time.ParseDuration(f[1]); err != nil {
		return a, err
	}
	if f[2] == sideNames[1] {
		a.Side = 1
	}
	a.Op, a.A, a.B = f[3], undash(f[4]), undash(f[5])
	a.N, err = strconv.Atoi(f[6])
	return a, err
}

// content is what somebody writes the n-th time. Most files are small; some are
// longer than what rides along, or than what goes whole.
func content(n int) string {
	word := word(n)
	size := 16 + n*7%90
	switch {
	case n%197 == 13:
		size = 70<<10 + n // from 64 KiB on a difference is sent
	case n%811 == 17:
		size = 300 << 10
	case n%19 == 3:
		size = 3000 + n
	}
	if size < 4096 {
		return strings.Repeat(word, size/len(word)+1)
	}
	return word + filler[n%100:size]
}

// filler is what long contents have in common, without a part that repeats.
var filler = func() string {
	var b strings.Builder
	for i := 0; b.Len() < 400<<10; i++ {
		b.WriteString("line ")
		b.WriteString(strconv.Itoa(i * i))
	}
	return b.String()
}()

// word is the beginning of a content.
func word(n int) string { return fmt.Sprintf("content %d;", n) }

// act does what is due.
func (w *world) act() {
	for !w.ending && w.next < len(w.h.Acts) {
		a := &w.h.Acts[w.next]
		if w.hooks < a.Calls && w.s.mono < w.acted+int64(a.After) {
			return
		}
		w.do(a)
	}
}

func (w *world) do(a *Act) {
	w.next++
	if w.synced && w.s.mono-w.acted > int64(2*time.Second) {
		w.ledger.Forget()
	}
	w.synced = false
	w.hooks, w.acted = 0, w.s.mono
	w.steps, w.paced = [2][]int{w.paced[0][:0], w.paced[1][:0]}, w.steps
	w.s.trace.hash(a.Op, a.A, a.B)
	if w.s.trace.full != nil {
		w.s.line("        %s", a)
	}
	if w.fault(a) {
		return
	}
	err := w.edit(a)
	if err != nil && w.s.trace.full != nil {
		w.s.line("        %v", err)
	}
}

// idle lets the next act happen before time passes it.
func (w *world) idle(until int64) bool {
	if w.ending || w.next >= len(w.h.Acts) {
		return false
	}
	at := w.acted + int64(w.h.Acts[w.next].After)
	if at > until {
		return false
	}
	w.s.pass(max(at-w.s.mono, 0))
	w.do(&w.h.Acts[w.next])
	return true
}

// edit is what a user does with files.
func (w *world) edit(a *Act) error {
	u, root := w.users[a.Side], roots[a.Side]
	p, q := root+"/"+a.A, root+"/"+a.B
	defer w.saw(a.Side, p)
	switch a.Op {
	case "save":
		w.note(content(a.N))
		return u.Save(p, content(a.N))
	case "write":
		w.note(content(a.N))
		return u.Write(p, content(a.N))
	case "append":
		return u.Append(p, word(a.N))
	case "patch":
		return u.WriteAt(p, fmt.Sprintf("patch %d;", a.N), int64(a.N%40))
	case "same": // another content of the same size, with the stamp set back
		return w.disguise(u, p, a.N)
	case "empty":
		return u.Write(p, "")
	case "rm":
		return u.Unlink(p)
	case "rmall":
		return u.RemoveAll(p)
	case "mkdir":
		return u.MkdirAll(p)
	case "rmdir":
		return u.Rmdir(p)
	case "mv":
		return u.Rename(p, q)
	case "swap":
		return u.Exchange(p, q)
	case "ln":
		w.unheard = true // who writes by the one name and removes it is not heard of by the other
		return u.Link(p, q)
	case "symlink":
		return u.Symlink("target"+strconv.Itoa(a.N), p)
	case "fifo":
		return u.Mkfifo(p)
	case "chmod":
		return u.Chmod(p, []fsMode{0o644, 0o755}[a.N%2])
	case "touch":
		return u.Utimes(p, w.s.wall)
	case "sync":
		return u.SyncFile(p)
	}
	return w.handle(a, p)
}

// handle is what a program does that keeps a file open.
func (w *world) handle(a *Act, p string) error {
	key := strconv.Itoa(a.Side) + p
	h := w.handles[key]
	switch {
	case a.Op == "open":
		if h != nil {
			h.Close()
		}
		h, err := w.users[a.Side].Open(p, a.N%2 == 0)
		w.handles[key] = h
		if err != nil {
			delete(w.handles, key)
		}
		return err
	case h == nil:
		return fmt.Errorf("%s: %s is not open", a.Op, p)
	case a.Op == "put":
		defer func() { w.note(h.Content()) }()
		return h.Write([]byte(word(a.N)))
	case a.Op == "map":
		w.unheard = true
		defer func() { w.note(h.Content()) }()
		return h.MapWrite(fmt.Appendf(nil, "m%04d", a.N), 2)
	case a.Op == "fsync":
		h.Sync()
	case a.Op == "close":
		h.Close()
		delete(w.handles, key)
	default:
		panic("sim: internal error: no act " + a.Op)
	}
	return nil
}

// disguise writes what no stamp and no size tells.
func (w *world) disguise(u *simfs.User, p string, n int) error {
	st, err := u.Stat(p)
	if err != nil || st.Kind != fsx.Regular || st.Size < 9 {
		return err
	}
	if err := u.WriteAt(p, fmt.Sprintf("%04d", n), 2); err != nil {
		return err
	}
	return u.Utimes(p, st.Mtime)
}

// note remembers a content that somebody made.
func (w *world) note(content string) {
	w.seen[tree.DigestOf([]byte(content))] = struct{}{}
}

// saw remembers what a path holds after somebody was at work on it.
func (w *world) saw(side int, p string) {
	if content, err := w.users[side].Read(p); err == nil {
		w.note(content)
	}
	w.note("")
}
