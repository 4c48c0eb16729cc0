package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// eventMask is what every watched directory reports. IN_ONLYDIR refuses a name that
// became something else; IN_EXCL_UNLINK silences writers of files that were deleted
// while open, whose events would carry a name that is gone.
const eventMask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
	unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR | unix.IN_EXCL_UNLINK

// readSize is how much of the kernel's queue one read takes: some 2000 events.
const readSize = 64 << 10

// inotify is the Source of Linux.
type inotify struct {
	// config
	root string // for machines without /proc
	proc bool   // /proc/self/fd works
	fd   int    // the kernel's queue
	wake int    // an eventfd that makes Wait look up

	// state
	closed atomic.Bool
	woken  atomic.Bool
	inside sync.RWMutex // read-locked while a call uses the descriptors
	mu     sync.Mutex
	table  *table // guarded by mu
	buf    []byte // guarded by mu
}

// Open returns the source for the tree at root. Nothing is watched before Add. It
// fails with ErrLimit when the machine allows no further source; NewPoll is left then.
func Open(root string) (Source, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", root, err)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, initError(err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, initError(err)
	}
	s := &inotify{root: root, fd: fd, wake: wake, buf: make([]byte, readSize)}
	_, err = os.Lstat("/proc/self/fd")
	s.proc = err == nil
	s.table = newTable(func(wd int32) {
		// It fails if the directory went first, and then there is nothing to remove.
		unix.InotifyRmWatch(fd, uint32(wd))
	})
	return s, nil
}

// initError names the limit, where one was met.
func initError(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE):
		return &LimitError{
			Reason: "too many inotify instances or open files",
			Remedy: "run: sudo sysctl fs.inotify.max_user_instances=1024 " +
				"(on the machine whose kernel the container uses; ulimit -n is the other limit that can be meant)",
			Err: err,
		}
	case errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return &LimitError{Reason: "no memory or files left for inotify", Remedy: "close other programs", Err: err}
	}
	return fmt.Errorf("start inotify: %w", err)
}

// watchError names the limit, where one was met.
func watchError(dir string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM) {
		return &LimitError{
			Reason: fmt.Sprintf("no inotify watch left for %q", dir),
			Remedy: "run: sudo sysctl fs.inotify.max_user_watches=1048576 " +
				"(on the machine whose kernel the container uses; /etc/sysctl.d keeps it), or ignore large directories",
			Err: err,
		}
	}
	return fmt.Errorf("watch %q: %w", dir, err)
}

func (s *inotify) Recursive() bool { return false }
func (s *inotify) Precise() bool   { return true }
func (s *inotify) Mode() string    { return "inotify" }

func (s *inotify) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.table.byWD)
}

// Plant is Add and a mark, under one lock: no event is read in between.
func (s *inotify) Plant(dir string, fd int) error { return s.add(dir, fd, planted) }

// Add holds the lock from the kernel's answer until the table knows it: no event of
// the new watch is read in between.
func (s *inotify) Add(dir string, fd int) error { return s.add(dir, fd, 0) }

func (s *inotify) add(dir string, fd int, m marks) error {
	s.inside.RLock()
	defer s.inside.RUnlock()
	if s.closed.Load() {
		return ErrClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wd, err := s.addWatch(dir, fd)
	if errors.Is(err, ErrLimit) {
		// Known without a watch, so that what is below it has a parent.
		if _, e := s.table.place(dir); e != nil {
			return e
		}
	}
	if err != nil {
		return err
	}
	if err = s.table.add(dir, wd); err == nil {
		s.table.byWD[wd].val.marks |= m
	}
	if len(s.table.out) > 0 {
		s.nudge()
	}
	return err
}

func (s *inotify) addWatch(dir string, fd int) (int32, error) {
	if s.proc {
		wd, err := unix.InotifyAddWatch(s.fd, "/proc/self/fd/"+strconv.Itoa(fd), eventMask)
		if err != nil {
			return noWatch, watchError(dir, err)
		}
		return int32(wd), nil
	}
	full := filepath.Join(s.root, dir)
	wd, err := unix.InotifyAddWatch(s.fd, full, eventMask|unix.IN_DONT_FOLLOW)
	if err != nil {
		return noWatch, watchError(dir, err)
	}
	if !sameDir(full, fd) {
		// A name on the way was swapped. If the watch is one that we had before, its
		// IN_IGNORED leads to another look.
		unix.InotifyRmWatch(s.fd, uint32(wd))
		return noWatch, ErrStale
	}
	return int32(wd), nil
}

// sameDir says whether path names what fd holds.
func sameDir(path string, fd int) bool {
	var a, b unix.Stat_t
	return unix.Lstat(path, &a) == nil && unix.Fstat(fd, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

func (s *inotify) Remove(dir string) {
	s.inside.RLock()
	defer s.inside.RUnlock()
	if s.closed.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.remove(dir)
}

func (s *inotify) Wait(timeout time.Duration) ([]Event, error) {
	s.inside.RLock()
	defer s.inside.RUnlock()
	deadline := time.Now().Add(timeout)
	for {
		if s.closed.Load() {
			return nil, ErrClosed // without a touch: the descriptors may be somebody else's
		}
		if events, err := s.take(); len(events) > 0 || err != nil {
			return events, err
		}
		if s.woken.Swap(false) {
			return nil, nil
		}
		left := timeout
		if timeout >= 0 {
			left = time.Until(deadline)
		}
		if timeout == 0 || timeout > 0 && left <= 0 {
			return nil, nil
		}
		if err := s.sleep(left); err != nil {
			return nil, err
		}
	}
}

// take reads what is in the kernel's queue at this moment and returns what it means.
// What comes while it reads is for the next call, or a storm would keep it here.
func (s *inotify) take() ([]Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queued, err := unix.IoctlGetInt(s.fd, unix.TIOCINQ)
	for err == nil && queued > 0 {
		var n int
		n, err = unix.Read(s.fd, s.buf)
		if err == nil {
			s.table.read(s.buf[:n])
			queued -= n
		} else if errors.Is(err, unix.EINTR) {
			err = nil
		}
	}
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return nil, fmt.Errorf("read inotify: %w", err)
	}
	events := s.table.out
	s.table.out = nil
	return events, nil
}

// sleep returns when there may be something to take, or the time is over.
func (s *inotify) sleep(left time.Duration) error {
	var timeout *unix.Timespec
	if left >= 0 {
		ts := unix.NsecToTimespec(left.Nanoseconds())
		timeout = &ts
	}
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(s.wake), Events: unix.POLLIN}}
	if _, err := unix.Ppoll(fds, timeout, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("poll inotify: %w", err)
	}
	if fds[1].Revents != 0 {
		var count [8]byte
		unix.Read(s.wake, count[:]) // it only has to be empty again
	}
	return nil
}

// nudge makes Wait look up. A full counter is as good as one that was added to.
func (s *inotify) nudge() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(s.wake, one[:])
}

// Wake is taken back by the Wait that sees it.
func (s *inotify) Wake() {
	s.inside.RLock()
	defer s.inside.RUnlock()
	if !s.closed.Load() {
		s.woken.Store(true)
		s.nudge()
	}
}

func (s *inotify) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.nudge()
	s.inside.Lock() // every call has left
	defer s.inside.Unlock()
	return errors.Join(unix.Close(s.fd), unix.Close(s.wake))
}
