package simfs

import (
	"fmt"
	"syscall"
	"time"

	"github.com/twosync/twosync/internal/watch"
)

// maxQueue is how many events Linux keeps for a source.
const maxQueue = 16384

// source is a watch.Source: the bookkeeping of the real one on the queue of
// this kernel. It never waits, because time is the simulator's.
type source struct {
	p      *Proc
	q      *queue
	book   *watch.Book
	spare  []record // room for the queue
	closed bool
}

// Source watches the tree at a root. It is what disk.Options asks for.
func (p *Proc) Source(string) (watch.Source, error) {
	if p.dead {
		return nil, wrap("watch", "", ErrKilled)
	}
	if p.Poll > 0 {
		return p.newPoll(), nil
	}
	if p.NoSource {
		return nil, &watch.LimitError{Reason: "too many inotify instances or open files",
			Remedy: "raise fs.inotify.max_user_instances", Err: syscall.EMFILE}
	}
	q := &queue{limit: p.MaxQueue, marks: make(map[int32]*mark), lose: p.Lose}
	if q.limit == 0 {
		q.limit = maxQueue
	}
	s := &source{p: p, q: q}
	s.book = watch.NewBook(q.remove)
	p.sources = append(p.sources, q)
	return s, nil
}

func (s *source) Add(dir string, fd int) error   { return s.add(dir, fd, false) }
func (s *source) Plant(dir string, fd int) error { return s.add(dir, fd, true) }

func (s *source) add(name string, fd int, plant bool) error {
	if s.closed || s.p.dead {
		return watch.ErrClosed
	}
	wd, err := s.watch(name, fd)
	err = s.book.Add(name, wd, err, plant)
	s.q.woken = s.q.woken || s.book.Pending()
	return err
}

func (s *source) watch(name string, fd int) (int32, error) {
	i := fd - firstFD
	if i < 0 || i >= len(s.p.fds) || s.p.fds[i] == nil {
		return -1, fmt.Errorf("watch %q: %w", name, syscall.ENOENT)
	}
	d, ok := s.p.fds[i].(*dir)
	if !ok {
		return -1, fmt.Errorf("watch %q: %w", name, syscall.ENOTDIR)
	}
	n, cr := d.at.node(), s.p.cred()
	if !cr.allows(n, mayRead) {
		return -1, fmt.Errorf("watch %q: %w", name, syscall.EACCES)
	}
	if s.p.MaxWatches > 0 && len(s.q.marks) >= s.p.MaxWatches && !s.q.watches(n) {
		return -1, &watch.LimitError{Reason: fmt.Sprintf("no inotify watch left for %q", name),
			Remedy: "raise fs.inotify.max_user_watches", Err: syscall.ENOSPC}
	}
	return s.q.add(n), nil
}

func (s *source) Remove(dir string) {
	if !s.closed {
		s.book.Remove(dir)
	}
}

// Wait returns what is there, whatever the timeout.
func (s *source) Wait(time.Duration) ([]watch.Event, error) {
	if s.closed || s.p.dead {
		return nil, watch.ErrClosed
	}
	records := s.q.records
	s.q.records, s.q.overflow, s.q.woken = s.spare, false, false
	for _, r := range records {
		s.book.Record(r.wd, r.mask, r.cookie, r.name)
	}
	clear(records)
	s.spare = records[:0]
	return s.book.Take(), nil
}

func (s *source) Wake() { s.q.woken = true }

func (s *source) Close() error {
	if !s.closed {
		s.closed = true
		s.q.close()
		s.p.sources = without(s.p.sources, s.q)
	}
	return nil
}

func (s *source) Recursive() bool { return false }
func (s *source) Precise() bool   { return true }
func (s *source) Count() int      { return s.book.Count() }
func (s *source) Mode() string    { return "inotify" }

// Waiting says whether a source of the process has something to tell, or was
// woken: a simulator lets it run then.
func (p *Proc) Waiting() bool {
	for _, q := range p.sources {
		if q.woken || len(q.records) > 0 {
			return true
		}
	}
	return false
}
