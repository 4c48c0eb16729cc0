package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("probe: internal error: no monotonic clock")
	}
	return t.Nano()
}

func changeTime(info fs.FileInfo) int64 {
	s := info.Sys().(*syscall.Stat_t)
	return int64(s.Ctim.Sec)*1e9 + int64(s.Ctim.Nsec)
}

// lookAnyway bounds how long await believes a silent kernel, in milliseconds.
const lookAnyway = 10

// await returns the moment at which path is seen to hold want. It calls armed when
// it is looking. The clock is read here, because to close a watch takes the kernel
// 10 ms and more.
func await(path string, want []byte, limit time.Duration, armed func() error) (seen int64, err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	// The events after which a file can be whole, and no others: to be woken while
	// the writer is at work would keep it from its work.
	_, err = unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO)
	if err != nil {
		return 0, fmt.Errorf("watch %s: %w", filepath.Dir(path), err)
	}
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
