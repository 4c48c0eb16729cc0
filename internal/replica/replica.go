// Package replica is the seam between what decides and what acts: a side's
// copy, and the means to read and change it.
//
// There are two implementations, a disk and a wire with a disk behind it, and
// one conformance suite (replicatest) that both pass.
//
// A replica pushes: what happened on its side comes out of Next, in the order
// in which it happened there. Every report that names a path says what the
// path held at that moment, so whoever reads the reports in order knows what
// the side holds.
//
// # Why
//
// Outcomes travel with observations in one ordered stream, because "p holds
// what you wrote" and "p was edited" mean different things in either order.
// Contents travel apart from both, on request, so that bulk never delays a
// save; small contents ride along with what announces them, so that a save
// costs half a round trip.
package replica

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/tree"
)

// Side is one of the two places that are kept the same.
type Side = tree.Side

// The sides.
const (
	Host      = tree.Host
	Container = tree.Container
)

// Sides lists both.
var Sides = [...]Side{Host, Container}

// Limits that hold for every replica.
const (
	// MaxInline bounds the contents that ride along in one report or batch.
	MaxInline = 256 << 10
	// MaxPiece bounds a piece's data: a larger one would delay a save on a
	// slow link (LIBS §2.1).
	MaxPiece = 32 << 10
	// MaxWants bounds the wants of one call of Send.
	MaxWants = 4096
	// MaxGen bounds a generation that is found: ten a second for 900 000
	// years. Whatever counts on from it stays far below what base can hold.
	MaxGen = 1 << 48
)

// Replica is a side's copy and the means to read and change it. Methods may be
// called at the same time from several goroutines, except that Next has one
// caller. Every method ends soon after ctx is done or the replica is closed.
type Replica interface {
	Source

	// Start opens the root under its lock, settles what a crash left behind,
	// and begins to watch and scan. The first Observed is Whole.
	Start(ctx context.Context, s Start) (Identity, error)

	// Next returns what happened next on this side. An error is the end.
	Next(ctx context.Context) (Report, error)

	// Apply makes the batch's changes, taking contents from the batch, from
	// this side, or from src. It returns when the batch has ended; what came
	// of it are reports of Outcome, the last of which has Done set. An error
	// is the end of the replica, never of one path. Two batches may be in
	// Apply at once if no path of one overlaps a path of the other.
	Apply(ctx context.Context, b *Batch, src Source) error

	// Settle makes what these paths hold durable, then records the
	// generation. It returns at once; a report of Durable follows.
	Settle(ctx context.Context, s Settle) error

	// Look asks for a report on every one of the paths, changed or not.
	Look(ctx context.Context, paths []string) error

	// Flush asks for a report of Flushed behind everything that was written
	// on this side before the call.
	Flush(ctx context.Context, n uint64) error

	// Release gives up strays, whose contents are safe elsewhere or old.
	Release(ctx context.Context, slots []string) error

	// Adopt gives the replica a new identity, durably.
	Adopt(ctx context.Context, id ID, gen uint64) error

	// Close ends everything and gives the lock back.
	Close() error
}

// Source gives out contents.
type Source interface {
	// Send reads the wanted contents and hands them to sink piece by piece, in
	// the order of wants. A want whose content is no longer there ends with a
	// piece that says why; that is no error. An error of sink is returned.
	Send(ctx context.Context, wants []Want, sink func(Piece) error) error
}

// ID names a replica for as long as its contents have one history.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Start says how to begin.
type Start struct {
	Rules string // what is ignored, as ignore.Rules.Text writes it
}

// Identity is who a replica is, as it was found.
type Identity struct {
	ID    ID     // zero when the root had none: never synced, or emptied
	Gen   uint64 // the last generation that was made durable here
	Root  string // the canonical path of the root on that side
	Boot  string // names the current boot of the machine it is on; empty when nobody knows
	Facts Facts
}

// RootError is a root that can't be synced, and what the user can do about it.
// Start returns it.
type RootError struct{ Msg, Remedy string }

func (e *RootError) Error() string { return e.Msg }

// Facts are what a side's file system and kernel can do.
type Facts struct {
	NoExec    bool   // exec bits cannot be stored
	FoldsCase bool   // names that differ in case only are one
	FoldsNFC  bool   // names are compared in a normal form
	Watch     string // how changes are noticed: "inotify", "fsevents", "poll"
	Apply     string // how files are replaced: "exchange", "rename"
	Durable   string // how: "syncfs", "fsync"
}

// Report is what happened on a side; one field is set.
type Report struct {
	Observed *Observed
	Outcome  *Outcome
	Durable  *Durable
	Flushed  *Flushed
	Stray    *Stray
	Notice   *Notice
	Progress *Progress
}

// Observed says what paths hold.
type Observed struct {
	Whole    bool // the one Seen is the root, scanned whole
	Seen     []Seen
	Contents Contents
}

// Seen is a path and what it was found to hold. Absence was witnessed; what
// could not be read is Unknown.
type Seen struct {
	Path  string
	Entry *tree.Entry
}

// Contents are file contents that ride along, by digest; MaxInline at most
// together.
type Contents map[tree.Digest][]byte

// Batch is a set of changes for one side. Old is what the path must still
// hold, New what it is to hold; both may be whole subtrees. No path of a batch
// is within another.
type Batch struct {
	ID       uint64
	Changes  []tree.Change
	Contents Contents
}

// Outcome says what came of some of a batch's changes.
type Outcome struct {
	Batch   uint64
	Results []Result
	Done    bool // the batch has ended; what it has not mentioned was not touched
}

// Status is what came of one change.
type Status uint8

// The statuses.
const (
	Applied Status = 1 + iota // the path holds New
	MovedOn                   // the path did not hold Old, or the content was gone: it holds Entry
	Held                      // it can't be done, and trying again at once won't help: it holds Entry
)

// Result is what one path of a batch holds now. An Applied result's Entry is
// New.
type Result struct {
	Path   string
	Status Status
	Entry  *tree.Entry
	Reason string // MovedOn, Held: for people, with the remedy where there is one
}

// Settle asks for durability.
type Settle struct {
	Gen   uint64
	Paths []string
}

// Durable says that a generation was recorded, or why not.
type Durable struct {
	Gen uint64
	Err string
}

// Stray is a content that was displaced and belongs to no path any more:
// bytes written through a descriptor that was open before a replace, a save
// that lost a race, what a crash left over. It stays in its slot until it is
// released.
type Stray struct {
	Slot  string // its name among the strays of this side
	Path  string // where it was; empty when that is not known
	Entry *tree.Entry
	Why   string
}

// Flushed answers Flush.
type Flushed struct{ N uint64 }

// Notice is something a person should know about the side.
type Notice struct {
	Level  Level
	Text   string
	Remedy string
}

// Level is how bad a notice is.
type Level uint8

// The levels.
const (
	Info Level = iota
	Warn
	Halt // the root is gone or another one: nothing may be applied any more
)

// Progress is how far a scan or a batch is, for the screen.
type Progress struct {
	Batch uint64 // 0: a scan
	Files int64
	Bytes int64
}

// Want is a content that the asking side lacks.
type Want struct {
	Path   string // where the source holds it
	Slot   string // the stray that is wanted instead of what Path holds
	Digest tree.Digest
	Size   int64
	Base   *delta.Signature // of a similar file that the asking side holds; nil: send it whole
}

// Piece is part of a content on its way. Exactly one of Data, Count, End and
// Gone is set.
type Piece struct {
	Want  int    // index into the wants
	Data  []byte // valid only during the call; MaxPiece at most
	Block int    // with Count: blocks of Base
	Count int
	End   bool
	Gone  string // why the content can't be had any more
}

// Clock is where the time comes from; a simulator has its own.
type Clock interface {
	Now() time.Time
	Pause(ctx context.Context, d time.Duration) error // returns after d, or with ctx's error
}
