package run

import (
	"context"
	"time"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/replica"
)

// Host is the replica on the user's side; Run is its own loop.
type Host interface {
	replica.Replica
	Run(ctx context.Context) error
}

// Config is what a session needs. All of it is the caller's to close.
type Config struct {
	Host Host
	// Dial starts an agent and returns the replica behind it. It is called
	// again whenever the container was lost. Once the first connection was made
	// its errors, and those of the replica, are told and waited for.
	Dial func(ctx context.Context) (replica.Replica, error)
	// Fatal says which of them dialling again won't mend: they end the session.
	// Nil: none.
	Fatal func(error) bool
	// Remedy says what a person can do about one of them; "" where nothing is known.
	// Nil: nothing is.
	Remedy func(error) string
	Base   *base.Store
	Was    base.Loaded // as base.Open returned it
	Keep   *keep.Store
	Rules  *ignore.Rules

	// OneWay is a path that crosses from the host to the container only.
	OneWay string
	// Guard says why what the container makes of a path waits until the user has
	// accepted it; "" where it does not. Nil: nothing does.
	Guard func(path string, isLink bool) string
	// Take is who wins the first contact: "", "host" or "container".
	Take string
	// Once ends the session when both sides are in sync.
	Once bool
	// Machine is what the session runs on; the system when nil.
	Machine Machine
	// Tell gets what a person or a program may want to know, in order. It
	// must not wait.
	Tell func(Event)
}

// Event is something to tell. It is one line of `up --json`.
type Event struct {
	Time   time.Time `json:"time"`
	Kind   Kind      `json:"event"`
	Text   string    `json:"text,omitempty"`
	Remedy string    `json:"remedy,omitempty"`
	Side   string    `json:"side,omitempty"`
	Path   string    `json:"path,omitempty"`
	Files  int64     `json:"files,omitempty"`
	Bytes  int64     `json:"bytes,omitempty"`
	// With Plan: what is about to go to the container, and to come back.
	Back      int64 `json:"back,omitempty"`
	BackBytes int64 `json:"back_bytes,omitempty"`
	// With InSync.
	Held      int   `json:"held,omitempty"`
	Conflicts int   `json:"conflicts,omitempty"`
	Guarded   int   `json:"guarded,omitempty"`
	Braked    int64 `json:"braked,omitempty"`
	Versions  int   `json:"versions,omitempty"` // kept by a first contact
	// With Kept: it was a first contact that decided.
	First bool `json:"first,omitempty"`
}

// Kind says what an Event is about.
type Kind string

// The kinds of events.
const (
	Connecting Kind = "connecting" // an agent is being started
	Connected  Kind = "connected"  // it answered; Text says how the sides are watched
	Scanning   Kind = "scanning"   // Files and Bytes so far
	Plan       Kind = "plan"       // what the first pass will do
	Progress   Kind = "progress"   // Files and Bytes carried over so far
	InSync     Kind = "in-sync"    // Files, Bytes, Held, Conflicts
	Applied    Kind = "applied"    // Path now holds on Side what the other side has
	Kept       Kind = "kept"       // Path: the version that lost is in the keep store
	HeldPath   Kind = "held"       // Path is not in sync; Text says why
	Braked     Kind = "braked"     // the container deleted Files, which are too many to follow at once
	Lost       Kind = "lost"       // the container is gone; it is dialled again
	Note       Kind = "note"       // something a person should know
	Warning    Kind = "warning"    // the same, and worse
)

// Status is how a session stands, for `status`.
type Status struct {
	State     string            `json:"state"`            // "connecting", "scanning", "syncing", "in sync", "halted"
	Reason    string            `json:"reason,omitempty"` // why the container is lost
	Remedy    string            `json:"remedy,omitempty"`
	Since     time.Time         `json:"since"`
	Files     int64             `json:"files"`
	Bytes     int64             `json:"bytes"`
	Pending   int               `json:"pending"`
	Conflicts int               `json:"conflicts"`
	Open      []string          `json:"open,omitempty"` // paths of conflicts, MaxOpen at most
	Versions  int               `json:"versions"`       // the container's, kept by a first contact
	Braked    int64             `json:"braked"`         // files that the container deleted, and that are held
	Guarded   int               `json:"guarded"`        // of the held paths, those that wait to be accepted
	Durable   bool              `json:"durable"`        // all that is in sync would survive a power cut
	Held      []Held            `json:"held"`
	Sides     [2]replica.Facts  `json:"-"`
	Watch     map[string]string `json:"watch,omitempty"` // by side
}

// MaxOpen bounds the conflicts that Status lists.
const MaxOpen = 1000

// Held is a path that is not in sync, and why.
type Held struct {
	Side   string `json:"side"`
	Path   string `json:"path"`
	Reason string `json:"reason"`
	// Guarded: the container's change waits to be accepted.
	Guarded bool `json:"guarded,omitempty"`
}

// HaltError ends a session that would otherwise destroy something.
type HaltError struct{ Reason, Remedy string }

func (e *HaltError) Error() string { return e.Reason }
