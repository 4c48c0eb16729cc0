//go:build windows || (darwin && cgo && !kqueue)

package watch

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rjeczalik/notify"
)

// queueSize is the length of the channel that a notification library fills. The
// library drops what does not fit, so the channel is generous: 16 bytes an event,
// half a megabyte, and a checkout of a few thousand files fits.
const queueSize = 1 << 15

// recursive is the Source where the kernel watches whole trees. The library under
// it loses and reorders events, so an event says no more than "this path".
type recursive struct {
	root  string // with links resolved, as the library spells it
	queue *queue[notify.EventInfo]
}

// Open watches the tree at root.
func Open(root string) (Source, error) {
	real, err := filepath.EvalSymlinks(root)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", root, err)
	}
	s := &recursive{root: real}
	s.queue = newQueue(queueSize, s.translate)
	if err := notify.Watch(filepath.Join(real, "..."), s.queue.c, eventMask...); err != nil {
		return nil, fmt.Errorf("watch %s: %w", root, err)
	}
	return s, nil
}

func (s *recursive) Add(string, int) error   { return nil }
func (s *recursive) Plant(string, int) error { return nil }
func (s *recursive) Remove(string)           {}
func (s *recursive) Recursive() bool         { return true }
func (s *recursive) Precise() bool           { return false }
func (s *recursive) Count() int              { return 1 }
func (s *recursive) Mode() string            { return modeName }

func (s *recursive) Wait(timeout time.Duration) ([]Event, error) { return s.queue.wait(timeout) }

// Wake leaves a token; one is as good as many.
func (s *recursive) Wake() { wakeUp(s.queue.woken) }

// Close stops the delivery. The library's own goroutines stay: it has no way to end them.
func (s *recursive) Close() error {
	notify.Stop(s.queue.c)
	s.queue.close()
	return nil
}

// translate collapses an event to its path.
func (s *recursive) translate(ei notify.EventInfo) (Event, bool) {
	isDir, lost := describe(ei)
	rel, inside := strings.CutPrefix(ei.Path(), s.root)
	if lost || !inside {
		return Event{Op: Overflow}, true
	}
	rel = strings.TrimPrefix(filepath.ToSlash(rel), "/")
	e := Event{Op: Modify, IsDir: isDir}
	e.Dir, e.Name = split(rel)
	if isDir {
		// A directory that was moved in has one event, and none for what is in it.
		e.Op = Create
	}
	if rel == "" {
		e = Event{Op: Attrib, IsDir: true}
	}
	return e, true
}
