package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/twosync/twosync/internal/e2e"
)

// A watch is a program that reloads what changes in a directory.
type watch struct {
	dir    string
	fd     int
	f      *os.File // the same: its Fd would make it block
	done   sync.WaitGroup
	events []e2e.Event
	err    error
}

// watched is what such programs ask for.
const watched = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_MOVED_FROM |
	unix.IN_MOVED_TO | unix.IN_DELETE | unix.IN_ATTRIB

var eventNames = []struct {
	bit  uint32
	name string
}{
	{unix.IN_CREATE, "IN_CREATE"}, {unix.IN_MODIFY, "IN_MODIFY"}, {unix.IN_CLOSE_WRITE, "IN_CLOSE_WRITE"},
	{unix.IN_MOVED_FROM, "IN_MOVED_FROM"}, {unix.IN_MOVED_TO, "IN_MOVED_TO"}, {unix.IN_DELETE, "IN_DELETE"},
	{unix.IN_ATTRIB, "IN_ATTRIB"}, {unix.IN_Q_OVERFLOW, "IN_Q_OVERFLOW"}, {unix.IN_IGNORED, "IN_IGNORED"},
}

func (u *user) watch(r e2e.Request, _ *e2e.Answer) error {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	w := &watch{dir: u.at(r.Path), fd: fd, f: os.NewFile(uintptr(fd), "inotify")}
	if _, err := unix.InotifyAddWatch(fd, w.dir, watched); err != nil {
		return errors.Join(err, w.f.Close())
	}
	u.watches[string(r.Path)] = w
	w.done.Go(w.run)
	return nil
}

// run takes events and looks at each file at once, until its reading is ended.
func (w *watch) run() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.f.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			w.err = err
			return
		}
		w.take(buf[:n])
	}
}

func (w *watch) take(b []byte) {
	for len(b) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(b[4:])
		size := binary.NativeEndian.Uint32(b[12:])
		name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+size]), "\x00")
		b = b[unix.SizeofInotifyEvent+size:]
		if mask&unix.IN_ISDIR == 0 {
			w.events = append(w.events, e2e.Event{What: describe(mask), Name: []byte(name), Sight: look(filepath.Join(w.dir, name))})
		} else {
			w.events = append(w.events, e2e.Event{What: describe(mask), Name: []byte(name)})
		}
	}
}

func describe(mask uint32) string {
	var parts []string
	for _, x := range eventNames {
		if mask&x.bit != 0 {
			parts = append(parts, x.name)
		}
	}
	return strings.Join(parts, "|")
}

// unwatch ends a watch and answers all that it saw. What the kernel still has
// is taken too: a read past its deadline does not look.
func (u *user) unwatch(r e2e.Request, a *e2e.Answer) error {
	w := u.watches[string(r.Path)]
	if w == nil {
		return errors.New("nobody watches there")
	}
	delete(u.watches, string(r.Path))
	defer w.f.Close()
	if err := w.f.SetReadDeadline(time.Now()); err != nil {
		return err
	}
	w.done.Wait()
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(w.fd, buf)
		if err != nil || n <= 0 {
			break
		}
		w.take(buf[:n])
	}
	a.Events = w.events
	return w.err
}

// A stare is a program that reads one file again and again.
type stare struct {
	begun time.Time
	stop  chan struct{}
	done  sync.WaitGroup
	seen  []e2e.Sight // as they followed one another, no two neighbours alike
	n     int64

	last   time.Time // of the last look
	blinks int64
}

// blink is half of the time for which a file must be empty, absent or not written
// to before anybody takes it for what it is. A stare on a machine that is busy may
// look away for so long, and miss that.
const blink = 10 * time.Millisecond

// stareEvery leaves the machine to others between two looks.
const stareEvery = 200 * time.Microsecond

func (u *user) stare(r e2e.Request, _ *e2e.Answer) error {
	s := &stare{begun: time.Now(), stop: make(chan struct{})}
	u.stares[string(r.Path)] = s
	path := u.at(r.Path)
	s.done.Go(func() {
		every := time.NewTicker(stareEvery)
		defer every.Stop()
		for {
			s.see(look(path))
			select {
			case <-s.stop:
				return
			case <-every.C:
			}
		}
	})
	return nil
}

func (s *stare) see(x e2e.Sight) {
	now := time.Now()
	if s.n > 0 && now.Sub(s.last) > blink {
		s.blinks++
	}
	s.n++
	s.last = now
	if n := len(s.seen); n > 0 && same(s.seen[n-1], x) {
		return
	}
	x.Since = time.Since(s.begun).Milliseconds()
	s.seen = append(s.seen, x)
}

func same(a, b e2e.Sight) bool {
	a.Since, b.Since = 0, 0
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// unstare ends a stare and answers what it saw, and how often it looked.
func (u *user) unstare(r e2e.Request, a *e2e.Answer) error {
	s := u.stares[string(r.Path)]
	if s == nil {
		return errors.New("nobody stares there")
	}
	delete(u.stares, string(r.Path))
	close(s.stop)
	s.done.Wait()
	a.Seen, a.N, a.Blinks = s.seen, s.n, s.blinks
	return nil
}
