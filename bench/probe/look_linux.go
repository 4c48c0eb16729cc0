package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("probe: internal error: no monotonic clock")
	}
	return t.Nano()
}

// boot names the run of the kernel, so that two sides know whether they share it,
// and with it the clock.
func boot() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text))
}

func changeTime(info fs.FileInfo) int64 {
	s := info.Sys().(*syscall.Stat_t)
	return int64(s.Ctim.Sec)*1e9 + int64(s.Ctim.Nsec)
}

// watchDir begins to watch the directory of path.
func watchDir(path string, mask uint32) (fd int, err error) {
	fd, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	if _, err = unix.InotifyAddWatch(fd, filepath.Dir(path), mask); err != nil {
		return 0, errors.Join(fmt.Errorf("watch %s: %w", filepath.Dir(path), err), unix.Close(fd))
	}
	return fd, nil
}

// lookAnyway bounds how long await believes a silent kernel, in milliseconds.
const lookAnyway = 10

// await returns the moment at which path is seen to hold want. It calls armed when
// it is looking. The clock is read here, because to close a watch takes the kernel
// 10 ms and more.
func await(path string, want []byte, limit time.Duration, armed func() error) (seen int64, err error) {
	// The events after which a file can be whole, and no others: to be woken while
	// the writer is at work would keep it from its work.
	fd, err := watchDir(path, unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := armed(); err != nil {
		return 0, err
	}
	buffer, end := make([]byte, 64<<10), time.Now().Add(limit)
	for {
		if got, err := os.ReadFile(path); err == nil && bytes.Equal(got, want) {
			return monotonic(), nil
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("not there within %v", limit)
		}
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, lookAnyway); n > 0 && err == nil {
			_, _ = unix.Read(fd, buffer) // only a reason to look
		}
	}
}

// eventsEnd is the silence after which no more events of one edit are expected.
const eventsEnd = 50 * time.Millisecond

// watchedEvents are those that a watcher of a user's program can ask for and that
// an edit can cause.
var watchedEvents = []struct {
	mask uint32
	name string
}{
	{unix.IN_CREATE, "CREATE"}, {unix.IN_MODIFY, "MODIFY"}, {unix.IN_ATTRIB, "ATTRIB"},
	{unix.IN_CLOSE_WRITE, "CLOSE_WRITE"}, {unix.IN_MOVED_FROM, "MOVED_FROM"},
	{unix.IN_MOVED_TO, "MOVED_TO"}, {unix.IN_DELETE, "DELETE"},
}

// events returns when the kernel first told of path, and the names of all that it
// told in order, without repetitions. No event within limit is an answer, too:
// none.
func events(path string, limit time.Duration, armed func() error) (first int64, told []string, err error) {
	var mask uint32
	for _, e := range watchedEvents {
		mask |= e.mask
	}
	fd, err := watchDir(path, mask)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := armed(); err != nil {
		return 0, nil, err
	}
	buffer, end := make([]byte, 64<<10), time.Now().Add(limit)
	for left := limit; left > 0; left = time.Until(end) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, int(left.Milliseconds())+1); n <= 0 || err != nil {
			continue
		}
		at := monotonic()
		n, err := unix.Read(fd, buffer)
		if err != nil {
			return 0, nil, fmt.Errorf("read events: %w", err)
		}
		for _, e := range parseEvents(buffer[:n]) {
			if e.name != filepath.Base(path) {
				continue
			}
			if first == 0 {
				first = at
			}
			told = appendEvents(told, e.mask)
			end = time.Now().Add(eventsEnd)
		}
	}
	return first, told, nil
}

func appendEvents(told []string, mask uint32) []string {
	for _, e := range watchedEvents {
		if mask&e.mask != 0 && (len(told) == 0 || told[len(told)-1] != e.name) {
			told = append(told, e.name)
		}
	}
	return told
}

type event struct {
	mask uint32
	name string
}

// parseEvents takes apart what inotify wrote.
func parseEvents(raw []byte) []event {
	var list []event
	const header = int(unsafe.Sizeof(unix.InotifyEvent{}))
	for len(raw) >= header {
		length := int(binary.NativeEndian.Uint32(raw[12:]))
		name := strings.TrimRight(string(raw[header:header+length]), "\x00")
		list = append(list, event{binary.NativeEndian.Uint32(raw[4:]), name})
		raw = raw[header+length:]
	}
	return list
}
