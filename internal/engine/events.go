package engine

import (
	"time"

	"github.com/twosync/twosync/internal/reconcile"
	"github.com/twosync/twosync/internal/tree"
)

// Event is something that happened.
type Event interface{ event() }

// Joined says that a side was connected. What it holds is unknown until its
// whole observation comes.
type Joined struct {
	Side tree.Side
	// First: nothing that base says holds for this replica. It is a new one,
	// or base was lost.
	First bool
	// HostNew: with First, nothing that base says holds for the host's replica
	// either. What it lacks it never had: nobody deleted that.
	HostNew bool
	// Filling: with First, an earlier one found the host empty, and did not come
	// to its end.
	Filling bool
	// Kept: it is the replica that was lost, and whatever it held then can't have
	// been lost. What was agreed with it holds, durable or not.
	Kept bool
	// Gen is the generation from which to count on.
	Gen uint64
	// NoExec: the side cannot store exec bits.
	NoExec bool
	// Names says what names the side can hold.
	Names reconcile.Names
}

// Lost says that a side is gone, with everything that was in flight there.
// What it reported before must have come before, and what comes after is taken
// for a report of the next one. Only a Kept may still come, and does for each
// Keep. A Commit that was given out happens all the same.
type Lost struct{ Side tree.Side }

// Observed says what paths of a side hold.
type Observed struct {
	Side  tree.Side
	Whole bool // Seen is the root alone, scanned whole
	Seen  []Seen
}

// Seen is a path and what it holds.
type Seen struct {
	Path  string
	Entry *tree.Entry
}

// Outcome says what came of a batch's changes.
type Outcome struct {
	Side    tree.Side
	Batch   uint64
	Results []Result
	Done    bool
}

// Result is what one path of a batch holds now.
type Result struct {
	Path   string
	Entry  *tree.Entry
	Status Status
	Reason string
}

// Status is what came of a change.
type Status uint8

// The statuses.
const (
	Applied Status = 1 + iota // the path holds what it was to hold
	MovedOn                   // the path was something else meanwhile
	Refused                   // it can't be done for now
)

// Kept says that the content of a loser is durable in the keep store, or why
// it can't be. Every Keep has one.
type Kept struct {
	Path  string
	Entry *tree.Entry
	Err   string
}

// Durable says that a side has made a generation durable, or why it could not.
// Every Settle has one, unless the side is lost.
type Durable struct {
	Side tree.Side
	Gen  uint64
	Err  string
}

// Committed says that base has.
type Committed struct{ Gen uint64 }

// Flush asks for a barrier.
type Flush struct{ N uint64 }

// Flushed says that a side has reported everything from before the barrier.
type Flushed struct {
	Side tree.Side
	N    uint64
}

// Decided says that somebody has decided about the conflict at a path.
type Decided struct{ Path string }

// Release says what the user makes of what is held at and below some paths. The
// deletions that the brake holds are to be made here, too, or to be undone in the
// container.
type Release struct {
	Back    bool
	Guarded bool // what is guarded is accepted, too, as the container has it now
	Paths   []string
}

// Tick says that a time has come that was asked for.
type Tick struct{}

func (Joined) event()    {}
func (Lost) event()      {}
func (Observed) event()  {}
func (Outcome) event()   {}
func (Kept) event()      {}
func (Durable) event()   {}
func (Committed) event() {}
func (Flush) event()     {}
func (Decided) event()   {}
func (Release) event()   {}
func (Flushed) event()   {}
func (Tick) event()      {}

// Effect is something to be done.
type Effect interface{ effect() }

// Apply asks a side to make changes.
type Apply struct {
	Side    tree.Side
	Batch   uint64
	Changes []tree.Change
}

// Intend asks base to note what is about to be changed. It comes before the
// Apply that it is about, and is durable before a Settle is sent.
type Intend struct {
	Gen   uint64
	Paths []string
}

// Keep asks for the loser of a conflict to be put into the keep store, from
// the side that holds it.
type Keep struct {
	Side  tree.Side
	Path  string
	Entry *tree.Entry
	First bool // it is a first contact that takes its path
}

// Brake says whether deletions of the container are held, for whoever begins
// again: the State of then has to know.
type Brake struct{ On bool }

// Close says that the conflict at a path is over: somebody has worked there
// since, or decided about it.
type Close struct{ Path string }

// Settle asks a side to make paths durable and to record the generation. Base
// was told of the generation before, by an Intend. Generations may be left out:
// each attempt has its own.
type Settle struct {
	Side  tree.Side
	Gen   uint64
	Paths []string
}

// Commit asks base to record, durably, what both sides hold durably.
type Commit struct {
	Gen     uint64
	Updates []tree.Change
}

// Look asks a side to report on paths, changed or not.
type Look struct {
	Side  tree.Side
	Paths []string
}

// AskFlush asks a side for everything from before a barrier.
type AskFlush struct {
	Side tree.Side
	N    uint64
}

// Wake asks for a Tick at a time. It takes the place of the Wake before.
type Wake struct{ At time.Time }

// InSync says that nothing is left to do but what is held. It comes again only
// after something was seen, agreed or held that had not been.
type InSync struct{}

// FlushDone says that what a barrier was asked for has been carried over.
type FlushDone struct{ N uint64 }

// Filling says that the first contact found the host empty, so that it takes
// all. Whoever begins again before FirstDone has to say so.
type Filling struct{}

// FirstDone says that first contact is over: what it agreed on is committed,
// and base holds from now on.
type FirstDone struct{}

// Halt says that going on might destroy something.
type Halt struct{ Reason, Remedy string }

func (Apply) effect()     {}
func (Intend) effect()    {}
func (Keep) effect()      {}
func (Close) effect()     {}
func (Brake) effect()     {}
func (Settle) effect()    {}
func (Commit) effect()    {}
func (Look) effect()      {}
func (AskFlush) effect()  {}
func (Wake) effect()      {}
func (InSync) effect()    {}
func (FlushDone) effect() {}
func (Filling) effect()   {}
func (FirstDone) effect() {}
func (Halt) effect()      {}
