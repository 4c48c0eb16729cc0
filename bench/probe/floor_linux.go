package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// floorTemporary is added to the directory's name for what the floor writes before
// it renames: beside the directory, where nobody watches.
const floorTemporary = ".floor"

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
		for _, name := range eventNames(events[:n]) {
			if err := sendFile(dir, name, out); err != nil {
				return err
			}
		}
	}
}

// eventNames takes the names out of what inotify wrote.
func eventNames(events []byte) []string {
	var names []string
	const header = int(unsafe.Sizeof(unix.InotifyEvent{}))
	for len(events) >= header {
		length := int(binary.NativeEndian.Uint32(events[12:]))
		names = append(names, strings.TrimRight(string(events[header:header+length]), "\x00"))
		events = events[header+length:]
	}
	return names
}

// sendFile writes a name and a content, each after its length, in one call.
func sendFile(dir, name string, out io.Writer) error {
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(name)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(content)))
	frame = append(append(frame, name...), content...)
	_, err = out.Write(frame)
	return err
}

// FloorReceive puts into dir what FloorSend wrote, until in ends.
func FloorReceive(dir string, in io.Reader) error {
	tmp := filepath.Clean(dir) + floorTemporary
	for {
		var lengths [8]byte
		if _, err := io.ReadFull(in, lengths[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		name := make([]byte, binary.BigEndian.Uint32(lengths[:4]))
		content := make([]byte, binary.BigEndian.Uint32(lengths[4:]))
		if _, err := io.ReadFull(in, name); err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		if _, err := io.ReadFull(in, content); err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		if err := os.WriteFile(tmp, content, 0o644); err != nil {
			return err
		}
		if err := os.Rename(tmp, filepath.Join(dir, string(name))); err != nil {
			return err
		}
	}
}
