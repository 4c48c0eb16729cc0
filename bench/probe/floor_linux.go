package probe

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// FloorSend writes to out what is saved in dir, until stdin ends.
func FloorSend(dir string, stdin *os.File, out io.Writer) (err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	events := make([]byte, 64<<10)
	for {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(stdin.Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("poll: %w", err)
		}
		if poll[1].Revents != 0 {
			return nil
		}
		if poll[0].Revents == 0 {
			continue
		}
		n, err := unix.Read(fd, events)
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		for _, e := range parseEvents(events[:n]) {
			if err := sendFile(dir, e.name, out); err != nil {
				return err
			}
		}
	}
}
