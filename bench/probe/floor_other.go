//go:build !linux

package probe

import (
	"fmt"
	"io"
	"os"
	"time"
)

// floorLook is how often the floor looks where it is told nothing.
const floorLook = time.Millisecond

// FloorSend writes to out what is saved in dir, until stdin ends. It looks at the
// few files of the directory again and again: on macOS the system's own events
// come tens of milliseconds late, so this is the lower bound there.
func FloorSend(dir string, stdin *os.File, out io.Writer) error {
	ended := make(chan struct{})
	// Not waited for: nothing interrupts its read. The process ends with this
	// function.
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		close(ended)
	}()
	seen := map[string]string{}
	for {
		select {
		case <-ended:
			return nil
		case <-time.After(floorLook):
		}
		names, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("look: %w", err)
		}
		for _, d := range names {
			info, err := d.Info()
			if err != nil {
				continue
			}
			state := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
			if seen[d.Name()] == state || info.Size() == 0 { // a save that has only begun
				continue
			}
			seen[d.Name()] = state
			if err := sendFile(dir, d.Name(), out); err != nil {
				return err
			}
		}
	}
}
