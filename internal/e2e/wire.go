package e2e

// Request is something that a user is to do. Paths are below the user's root,
// or absolute. They are bytes, because names need not be text.
type Request struct {
	Do   string `json:"do"`
	Path []byte `json:"path,omitempty"`
	To   []byte `json:"to,omitempty"`   // where to, or the text of a link
	Data []byte `json:"data,omitempty"` // what to write
	N    int64  `json:"n,omitempty"`    // how many, how large, which mode, milliseconds
	At   int64  `json:"at,omitempty"`   // an offset, a seed, a process
}

// Answer is what came of it.
type Answer struct {
	Error  string   `json:"error,omitempty"`
	Data   []byte   `json:"data,omitempty"`
	N      int64    `json:"n,omitempty"`
	Tree   []Entry  `json:"tree,omitempty"`
	Events []Event  `json:"events,omitempty"`
	Procs  []Proc   `json:"procs,omitempty"`
	Seen   []Sight  `json:"seen,omitempty"`
	Blinks int64    `json:"blinks,omitempty"` // times in which a stare did not look for long
	Names  []string `json:"names,omitempty"`
}

// Kinds of entries.
const (
	File    = "file"
	Dir     = "dir"
	Link    = "link"
	Special = "special"
)

// Entry is a path and what it holds.
type Entry struct {
	Path   []byte `json:"path"`
	Kind   string `json:"kind"`
	Exec   bool   `json:"exec,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Digest []byte `json:"digest,omitempty"` // of a file
	Text   []byte `json:"text,omitempty"`   // of a link
	Mode   uint32 `json:"mode,omitempty"`   // permissions with setuid, setgid and sticky
	UID    uint32 `json:"uid,omitempty"`
	Ino    uint64 `json:"ino,omitempty"`
	Error  string `json:"error,omitempty"` // why it could not be read
}

// Event is one of inotify's, with what the file held when it was looked at
// because of it.
type Event struct {
	What string `json:"what"` // such as "IN_MOVED_TO"
	Name []byte `json:"name"`
	Sight
}

// Sight is what a reader found at a path.
type Sight struct {
	Absent bool   `json:"absent,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Digest []byte `json:"digest,omitempty"`
	Error  string `json:"error,omitempty"`
	Since  int64  `json:"since,omitempty"` // when it was first so, in milliseconds
}

// Proc is a running process.
type Proc struct {
	PID  int64  `json:"pid"`
	Args string `json:"args"`
}
