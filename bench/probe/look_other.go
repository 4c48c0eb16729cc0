//go:build !linux

package probe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
)

// started makes the clock of this process; it is compared with no other.
var started = time.Now()

func monotonic() int64 { return int64(time.Since(started)) + 1 }

// boot is empty: no container shares this kernel.
func boot() string { return "" }

// lookPause is between two looks of await. What the system tells of changes here
// comes later than a look, so it is not asked.
const lookPause = 500 * time.Microsecond

// await returns the moment at which path is seen to hold want. It calls armed when
// it is looking.
func await(path string, want []byte, limit time.Duration, armed func() error) (int64, error) {
	if err := armed(); err != nil {
		return 0, err
	}
	for end := time.Now().Add(limit); ; time.Sleep(lookPause) {
		if got, err := os.ReadFile(path); err == nil && bytes.Equal(got, want) {
			return monotonic(), nil
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("not there within %v", limit)
		}
	}
}

// events are asked for in the container, which is a Linux.
func events(string, time.Duration, func() error) (int64, []string, error) {
	return 0, nil, errors.New("events are watched on Linux only")
}
