package simfs

import (
	"fmt"
	"syscall"

	"github.com/twosync/twosync/internal/fsx"
)

// Phase is when a hook is called.
type Phase uint8

// The phases. Within is between the two steps of a rename where the file
// system cannot refuse to replace.
const (
	Before Phase = iota
	Within
	After
)

// The operations of the seam. The first ones change something.
const (
	OpCreate   = "create"
	OpUpdate   = "update"
	OpMkdir    = "mkdir"
	OpSymlink  = "symlink"
	OpRename   = "rename"
	OpUnlink   = "unlink"
	OpRmdir    = "rmdir"
	OpChmod    = "chmod"
	OpChown    = "chown"
	OpSync     = "sync"
	OpSyncFS   = "syncfs"
	OpLock     = "lock"
	OpUnlock   = "unlock"
	OpWrite    = "write"
	OpTruncate = "truncate"

	OpOpen     = "open"
	OpList     = "list"
	OpStat     = "stat"
	OpRead     = "read.open"
	OpReadlink = "readlink"
	OpBytes    = "read"
	OpSeek     = "seek"
	OpClose    = "close"
)

// Call is one call of a process, as its hook sees it. It is valid until the
// hook returns.
type Call struct {
	Proc    *Proc
	N       int // of the calls that change something, from 1; 0 if it does not
	Op      string
	Site    fsx.Site // of a write, that of the file's opening
	Name    string   // in the directory; empty where it is about an open file or the directory itself
	ToName  string   // of a rename
	How     fsx.How  // of a rename
	Size    int      // of a write: how many bytes it was asked to write
	Phase   Phase
	Err     error // After: what the call returns
	Changes bool

	at, to ref
}

// Path is the path that the call is about, as it is now.
func (c *Call) Path() string { return pathBelow(c.at, c.Name) }

// ToPath is where a rename leads.
func (c *Call) ToPath() string {
	if c.to.d == nil {
		return ""
	}
	return pathBelow(c.to, c.ToName)
}

func pathBelow(at ref, name string) string {
	if at.d == nil {
		return name
	}
	dir := at.path()
	switch {
	case name == "":
		return dir
	case dir == "/":
		return dir + name
	}
	return dir + "/" + name
}

func (c *Call) String() string {
	s := fmt.Sprintf("%s: %s %s", c.Proc.name, c.Op, c.Path())
	if to := c.ToPath(); to != "" {
		s += " to " + to
	}
	if c.Site != "" {
		s += " (" + string(c.Site) + ")"
	}
	return s
}

// Fault fails calls. Site, Op and Changes say which ones; what is left empty
// fits all.
type Fault struct {
	// config
	Site    fsx.Site
	Op      string
	Changes bool // only calls that change something
	Nth     int  // the first call that fails, of those that fit; from 1, and 0 is 1
	Times   int  // how many fail; 0 is one, less than 0 is all
	Err     error
	After   bool // the effect is there, and the caller is not told
	Kill    bool // ends the process instead
	// Short is, of a write, how many bytes are written before it fails.
	Short int

	// state
	seen int
}

// Hits is how many calls have failed by it so far.
func (f *Fault) Hits() int {
	hits := max(f.seen-max(f.Nth, 1)+1, 0)
	if f.Times >= 0 {
		hits = min(hits, max(f.Times, 1))
	}
	return hits
}

// strikes counts a call that fits, and says whether it is one that fails.
func (f *Fault) strikes(c *Call) bool {
	if f.Op != "" && f.Op != c.Op || f.Site != "" && f.Site != c.Site || f.Changes && !c.Changes {
		return false
	}
	before := f.Hits()
	f.seen++
	return f.Hits() > before
}

// run makes one call: hook, faults, effect, hook. do has the effect, and may be
// run twice: an interrupted call is made again, as package fsx does it, and
// then meets what it has done before.
func (p *Proc) run(call Call, do func(c *Call) error) error {
	if p.dead {
		return wrap(call.Op, call.Name, ErrKilled)
	}
	c := p.spare // a call is no allocation
	if p.spare = nil; c == nil {
		c = new(Call)
	}
	*c = call
	c.Proc = p
	err := p.make(c, do)
	p.spare = c
	return err
}

func (p *Proc) make(c *Call, do func(c *Call) error) error {
	if c.Changes {
		p.changes++
		c.N = p.changes
	}
	if p.Hook != nil {
		if err := p.tell(c, Before, nil); err != nil {
			return err
		}
	}
	var after error
	for i := range p.Faults {
		f := &p.Faults[i]
		if !f.strikes(c) {
			continue
		}
		if f.Kill && !f.After {
			p.Kill()
		}
		if !f.After || p.dead {
			return p.before(c, f, do)
		}
		after = f.Err
		if f.Kill {
			after = ErrKilled
		}
	}
	p.fs.acting = c
	err := do(c)
	if after == syscall.EINTR {
		err, after = do(c), nil
	}
	p.fs.acting = nil
	if after != nil {
		if err == nil {
			err = wrap(c.Op, c.Name, after)
		}
		if after == ErrKilled {
			p.Kill()
		}
	}
	if p.Hook != nil {
		if err := p.tell(c, After, err); err != nil {
			return err
		}
	}
	return err
}

// before is a fault without the effect.
func (p *Proc) before(c *Call, f *Fault, do func(c *Call) error) error {
	switch {
	case p.dead:
		return wrap(c.Op, c.Name, ErrKilled)
	case f.Err == syscall.EINTR:
		return do(c)
	case c.Op == OpWrite && f.Short > 0 && f.Short < c.Size:
		p.fs.acting = c
		c.Size = f.Short
		err := do(c)
		p.fs.acting = nil
		if err != nil {
			return err
		}
	}
	err := wrap(c.Op, c.Name, f.Err)
	if p.Hook != nil {
		if err := p.tell(c, After, err); err != nil {
			return err
		}
	}
	return err
}

// tell calls the hook, and says what the call fails with because of it.
func (p *Proc) tell(c *Call, phase Phase, err error) error {
	c.Phase, c.Err = phase, err
	acting := p.fs.acting
	p.fs.acting = nil
	hookErr := p.Hook(c)
	p.fs.acting = acting
	if p.dead {
		return wrap(c.Op, c.Name, ErrKilled)
	}
	return wrap(c.Op, c.Name, hookErr)
}
