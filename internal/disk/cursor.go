package disk

import (
	"errors"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// cursor opens directories below one that is held, step by step and never
// through a link nor into what is mounted there: a mount that came since the last
// scan hides what is spoken of. It keeps the last way open, so that paths in
// their order cost one open a directory.
type cursor struct {
	top   fsx.Dir
	dev   uint64 // of top; 0: not known yet
	path  string
	stack []fsx.Dir
	ends  []int // stack[i] is path[:ends[i]]
}

// at returns the directory at path. It belongs to the cursor, and is good
// until the next call.
func (c *cursor) at(path string) (fsx.Dir, error) {
	for len(c.stack) > 0 && !tree.Within(path, c.path[:c.ends[len(c.stack)-1]]) {
		c.pop()
	}
	dir, done := c.top, 0
	if n := len(c.stack); n > 0 {
		dir, done = c.stack[n-1], c.ends[n-1]
	}
	c.path = path
	for done < len(path) {
		start := done
		if start > 0 {
			start++
		}
		name, _ := tree.Cut(path[start:])
		sub, err := c.open(dir, name)
		if err != nil {
			return nil, err
		}
		done = start + len(name)
		c.stack, c.ends = append(c.stack, sub), append(c.ends, done)
		dir = sub
	}
	return dir, nil
}

// still says whether the directories that the cursor holds are where they were
// opened.
func (c *cursor) still() bool {
	dir := c.top
	for i, sub := range c.stack {
		_, name := tree.Split(c.path[:c.ends[i]])
		if !isAt(dir, name, sub) {
			return false
		}
		dir = sub
	}
	return true
}

// isAt says whether a name of dir is the directory that is held open as sub.
func isAt(dir fsx.Dir, name string, sub fsx.Dir) bool {
	there, err := dir.Stat(name)
	self, serr := sub.Self()
	return err == nil && serr == nil && there.Ino == self.Ino && there.Dev == self.Dev
}

// errMount is how a mount is told, as the scanner tells it.
var errMount = errors.New(reasonMount)

// open opens a directory that is on the device of the top.
func (c *cursor) open(dir fsx.Dir, name string) (fsx.Dir, error) {
	if c.dev == 0 {
		self, err := c.top.Self()
		if err != nil {
			return nil, err
		}
		c.dev = self.Dev
	}
	sub, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	self, err := sub.Self()
	if err == nil && (self.Mount || self.Dev != c.dev) {
		err = errMount
	}
	if err != nil {
		sub.Close()
		return nil, err
	}
	return sub, nil
}

func (c *cursor) pop() {
	n := len(c.stack) - 1
	c.stack[n].Close()
	c.stack, c.ends = c.stack[:n], c.ends[:n]
}

// close gives up what the cursor has opened; top is the caller's.
func (c *cursor) close() {
	for len(c.stack) > 0 {
		c.pop()
	}
}
