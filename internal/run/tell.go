package run

import (
	"fmt"
	"time"

	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// maxTold bounds the paths that one batch tells by name.
const maxTold = 100

// teller says what people and programs may want to know, and nothing twice.
type teller struct {
	tell    func(Event)
	now     func() time.Time
	facts   [2]replica.Facts
	planned bool              // the plan since the last connection was told
	held    map[string]string // what was told as held, by path
	braked  int64             // how many held deletions were told of
	gone    Event             // what was told of a lost container
	carried [2]int64          // files and bytes since the last InSync
}

func (t *teller) say(e Event) {
	if t.tell == nil {
		return
	}
	e.Time = t.now()
	t.tell(e)
}

func (t *teller) connected(f replica.Facts) {
	t.facts[replica.Container] = f
	t.planned, t.gone = false, Event{}
	t.say(Event{Kind: Connected, Text: fmt.Sprintf("watching: %s on the host, %s in the container", t.facts[0].Watch, f.Watch)})
}

// lost tells that the container is gone, or still is, and why.
func (t *teller) lost(err error, remedy func(error) string) {
	e := Event{Kind: Lost, Text: "the connection ended"}
	if err != nil {
		e.Text = err.Error()
		if remedy != nil {
			e.Remedy = remedy(err)
		}
	}
	t.gone = e
	t.say(e)
}

// plan tells what the first effects after a connection will do, before they do
// it.
func (t *teller) plan(s *engine.State, effects []engine.Effect) {
	if t.planned {
		return
	}
	e := Event{Kind: Plan}
	for _, f := range effects {
		a, ok := f.(engine.Apply)
		switch {
		case ok && a.Side == tree.Container:
			e.Files, e.Bytes = changesFiles(a.Changes)
		case ok:
			e.Back, e.BackBytes = changesFiles(a.Changes)
		}
	}
	if sum := s.Summary(); sum.Whole[0] && sum.Whole[1] {
		t.planned = true
		t.say(e)
	}
}

func (t *teller) outcome(side replica.Side, o *replica.Outcome) {
	for i, r := range o.Results {
		if r.Status != replica.Applied {
			continue
		}
		t.carried[0] += r.Entry.Files()
		t.carried[1] += r.Entry.Bytes()
		if i < maxTold {
			t.say(Event{Kind: Applied, Side: side.String(), Path: r.Path, Files: r.Entry.Files(), Bytes: r.Entry.Bytes()})
		}
	}
}

func (t *teller) progress(side replica.Side, p replica.Progress) {
	kind := Progress
	if p.Batch == 0 {
		kind = Scanning
	}
	t.say(Event{Kind: kind, Side: side.String(), Files: p.Files, Bytes: p.Bytes})
}

func (t *teller) inSync(sum engine.Summary) {
	t.carried = [2]int64{}
	t.tellHeld(sum.Held)
	if sum.Braked > 0 && sum.Braked != t.braked {
		t.say(Event{Kind: Braked, Files: sum.Braked,
			Text:   fmt.Sprintf("files that the container deleted are held back, because they are many: %d", sum.Braked),
			Remedy: "twosync accept deletes them here, too; twosync restore brings them back to the container"})
	}
	t.braked = sum.Braked
	t.say(Event{Kind: InSync, Files: sum.Files, Bytes: sum.Bytes, Held: len(sum.Held), Conflicts: sum.Conflicts, Guarded: sum.Guarded, Braked: sum.Braked, Versions: sum.Versions})
}

// tellHeld tells what is held and was not, or for another reason.
func (t *teller) tellHeld(held []reconcile.Held) {
	now := make(map[string]string, len(held))
	for _, h := range held {
		now[h.Path] = h.Reason
		if t.held[h.Path] != h.Reason && len(now) <= maxTold {
			t.say(Event{Kind: HeldPath, Side: h.Side.String(), Path: h.Path, Text: h.Reason})
		}
	}
	t.held = now
}

// maxUnsettled is how often in a row a side may fail to make changes durable before a
// session that is to end by itself gives up. The engine waits 0.2 s after the first
// and twice as long after each other: 6 s in all.
const maxUnsettled = 6

// settled tells that a side could not make changes durable, once until it can again.
// Nobody waits for a session that goes on; one that ends must not end well.
func (s *Session) settled(side replica.Side, failed string) error {
	n := &s.unsettled[side]
	if failed == "" {
		*n = 0
		return nil
	}
	*n++
	text := "changes can't be made durable: " + failed
	if s.cfg.Once && *n >= maxUnsettled {
		return &HaltError{
			Reason: "on the " + side.String() + " " + text,
			Remedy: "both sides may be the same, but a power cut could undo it: mend that and run it again",
		}
	}
	if *n == 1 {
		s.told.say(Event{Kind: Warning, Side: side.String(), Text: text, Remedy: "it is tried again"})
	}
	return nil
}
