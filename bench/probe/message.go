package probe

import "time"

// Request is one thing to do. Which fields count is said at each operation.
type Request struct {
	Op     string        `json:"op"`
	Root   string        `json:"root,omitempty"`
	Path   string        `json:"path,omitempty"` // below Root
	To     string        `json:"to,omitempty"`   // below Root
	Data   []byte        `json:"data,omitempty"`
	At     int64         `json:"at,omitempty"`
	Size   int64         `json:"size,omitempty"`
	Seed   uint64        `json:"seed,omitempty"`
	Files  int           `json:"files,omitempty"`
	PerDir int           `json:"per_dir,omitempty"` // files a directory; 0 as in source trees
	Counts Counts        `json:"counts,omitzero"`
	Limit  time.Duration `json:"limit,omitempty"`
	Expect []Expect      `json:"expect,omitempty"`
	Args   []string      `json:"args,omitempty"`
}

// Reply is what came of a Request.
type Reply struct {
	Error string `json:"error,omitempty"`
	Armed bool   `json:"armed,omitempty"` // await looks; a second reply follows

	Mono int64         `json:"mono"` // CLOCK_MONOTONIC when it was done, in ns
	Wall int64         `json:"wall"` // CLOCK_REALTIME of the reply, in ns
	Ago  time.Duration `json:"ago"`  // from when it was done to the reply
	Took time.Duration `json:"took"`

	Received int64 `json:"-"` // wall clock of the benchmark when it had read this

	Digest  string    `json:"digest,omitempty"`
	Files   int       `json:"files,omitempty"`
	Bytes   int64     `json:"bytes,omitempty"`
	Changed int64     `json:"changed,omitempty"` // newest ctime, in ns since 1970
	Expect  []Expect  `json:"expect,omitempty"`
	Lines   []string  `json:"lines,omitempty"`
	Procs   []Process `json:"procs,omitempty"`
	FSType  string    `json:"fstype,omitempty"`
	Boot    string    `json:"boot,omitempty"` // the run of the kernel

	Ops map[string]time.Duration `json:"ops,omitempty"` // of each part of the work
}

// Expect is what a path below the root will hold.
type Expect struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // of the file, or Absent, or Folder
	At   int64  `json:"at,omitempty"`
	Want []byte `json:"want,omitempty"` // the bytes at At, where the size says too little
}

// What a path can hold besides a file of a size.
const (
	Absent = -1
	Folder = -2
	Other  = -3 // anything: a link, a socket
)

// Counts are the files that a branch switch touches.
type Counts struct {
	Changed int `json:"changed"`
	New     int `json:"new"`
	Gone    int `json:"gone"`
}

// Process is what /proc says of one process.
type Process struct {
	PID     int           `json:"pid"`
	Parent  int           `json:"parent"`
	Command string        `json:"command"` // base name of what it runs
	Path    string        `json:"path,omitempty"`
	CPU     time.Duration `json:"cpu"`     // user and system
	RSS     int64         `json:"rss"`     // bytes
	Read    int64         `json:"read"`    // bytes through read calls
	Written int64         `json:"written"` // bytes through write calls
}
