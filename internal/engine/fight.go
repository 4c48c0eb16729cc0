package engine

import (
	"time"

	"github.com/twosync/twosync/internal/tree"
)

const (
	// fightTurns is how often in a row a file may become one of two contents, each
	// time on the other side, before it rests: two saves of people who disagree are
	// no fight, and two formatters make these turns within a tenth of a second.
	fightTurns = 8
	// fightGap is the longest time between two turns that belong together.
	fightGap = 10 * time.Second
	// fightRest is how long a fight rests before it is let go on for some turns.
	fightRest = time.Minute
	// maxFights bounds the files that are thought of.
	maxFights = 256
)

const fightReason = "is rewritten in turn on both sides, by two programs that disagree: let one of them leave it alone"

// fights are files that one program on each side may be rewriting whenever the
// other's version arrives. They would do so for ever, as fast as we carry it
// over.
type fights struct {
	turns   map[string]turn // the last of each file, of late
	resting rests
}

// turn is a change that landed.
type turn struct {
	on       tree.Side
	old, new *tree.Entry
	at       time.Time
	n        int // of turns in a row
}

func (t turn) undoneBy(on tree.Side, c tree.Change) bool {
	return t.on != on && tree.Same(t.old, c.New) && tree.Same(t.new, c.Old)
}

// turned takes in a change that landed.
func (s *State) turned(on tree.Side, c tree.Change) {
	if !c.Old.IsFile() || !c.New.IsFile() {
		return
	}
	f := &s.fights
	t := turn{on: on, old: c.Old, new: c.New, at: s.now, n: 1}
	if was, ok := f.turns[c.Path]; ok && was.undoneBy(on, c) && s.now.Sub(was.at) < fightGap {
		t.n = was.n + 1
	}
	if t.n >= fightTurns {
		f.resting.put(c.Path, rest{s.now.Add(fightRest), fightReason})
	}
	if len(f.turns) >= maxFights {
		f.forget(s.now)
	}
	f.turns[c.Path] = t
}

// forget makes room: turns that are long ago belong to no fight, and where there
// are very many it is a storm.
func (f *fights) forget(now time.Time) {
	for path, t := range f.turns {
		if now.Sub(t.at) >= fightGap {
			delete(f.turns, path)
		}
	}
	if len(f.turns) >= maxFights {
		clear(f.turns)
	}
}

// settleFight ends a fight where something else was saved.
func (s *State) settleFight(path string, e *tree.Entry) {
	if _, rests := s.fights.resting.get(path); !rests {
		return
	}
	if t, ok := s.fights.turns[path]; !ok || !tree.Same(e, t.old) && !tree.Same(e, t.new) {
		s.fights.resting.drop(path)
	}
}
