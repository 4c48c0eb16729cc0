package simfs

import (
	"errors"
	"time"

	"github.com/twosync/twosync/internal/fsx"
)

// ErrKilled is what every call of a killed process fails with.
var ErrKilled = errors.New("the process was killed")

// Proc is a process that uses the file system through the seam: it is an
// fsx.FS. Its calls are told to its Hook, and fail by its Faults.
type Proc struct {
	// config

	UID, GID uint32
	Umask    uint32
	// MaxFiles is how many descriptors it may have open; 0 is without a limit.
	MaxFiles int
	// MaxWatches is how many directories it may watch; 0 is without a limit.
	// With NoSource it can't watch at all.
	MaxWatches int
	NoSource   bool
	// Poll makes its source one that polls, each time this long after the last;
	// 0 is inotify.
	Poll time.Duration
	// MaxQueue is how many events a source holds; 16384, as in Linux, when 0.
	MaxQueue int
	// Lose drops events, for a kernel that does not see all; nil drops none. An
	// overflow is never dropped. Name is empty for a directory's own events.
	Lose func(mask uint32, name string) bool
	// Hook is called before and behind every call; nil calls nothing. An error
	// before the effect fails the call without it, one behind it fails it with
	// it. It may let users act, and it may kill the process.
	Hook func(*Call) error
	// Faults fail calls. What has been used up stays in the list.
	Faults []Fault
	// Ending says that it ends in good order: what it moved out of the way rests no
	// longer, because nobody will look at it.
	Ending bool
	// Lie changes listings, for defects that are planted; nil does not.
	Lie func(path string, items []fsx.Item) []fsx.Item

	// state
	fs      *FS
	name    string
	changes int // calls so far that change something
	dead    bool
	fds     []any // *dir or *file; nil is free
	free    []int
	open    int
	sources []*queue
	spare   *Call // for the next call
}

// Process starts one, as root with the usual umask.
func (f *FS) Process(name string) *Proc {
	p := &Proc{fs: f, name: name, Umask: 0o022}
	f.procs = append(f.procs, p)
	return p
}

// Name is what it was started as.
func (p *Proc) Name() string { return p.name }

// FS is the machine that it runs on.
func (p *Proc) FS() *FS { return p.fs }

// Changes counts the calls so far that could change something.
func (p *Proc) Changes() int { return p.changes }

// Dead says whether it was killed.
func (p *Proc) Dead() bool { return p.dead }

// OpenFiles is how many descriptors it has.
func (p *Proc) OpenFiles() int { return p.open }

// Kill ends it where it is: its locks, its open files and its watches go, and
// every call from then on fails. The file system lives on.
func (p *Proc) Kill() {
	if p.dead {
		return
	}
	p.dead = true
	for _, fd := range p.fds {
		switch fd := fd.(type) {
		case *dir:
			fd.shut()
		case *file:
			fd.shut()
		}
	}
	for _, q := range p.sources {
		q.close()
	}
	p.fs.procs = without(p.fs.procs, p)
}

func (p *Proc) cred() cred { return cred{p.UID, p.GID, p.Umask} }

// take gives a descriptor a number, the last one that became free.
func (p *Proc) take(fd any) int {
	p.open++
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		p.fds[i] = fd
		return i + firstFD
	}
	p.fds = append(p.fds, fd)
	return len(p.fds) - 1 + firstFD
}

// firstFD is behind the three that every process begins with.
const firstFD = 3

func (p *Proc) drop(fd int) {
	p.open--
	p.fds[fd-firstFD] = nil
	p.free = append(p.free, fd-firstFD)
}

// crowded says whether no descriptor is left.
func (p *Proc) crowded() bool { return p.MaxFiles > 0 && p.open >= p.MaxFiles }
