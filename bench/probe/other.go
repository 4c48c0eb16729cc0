//go:build !linux

package probe

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// The clock of a container is not this machine's, so latencies mean nothing
// here: the benchmark says so before it starts.
var errOnlyLinux = errors.New("measured on a Linux host only")

func monotonic() int64                                                 { return 0 }
func changeTime(fs.FileInfo) int64                                     { return 0 }
func processes() ([]Process, error)                                    { return nil, errOnlyLinux }
func fsType(string) (string, error)                                    { return "", errOnlyLinux }
func await(string, []byte, time.Duration, func() error) (int64, error) { return 0, errOnlyLinux }

// FloorSend needs inotify.
func FloorSend(string, *os.File, io.Writer) error { return errOnlyLinux }

// FloorReceive is of use with FloorSend only.
func FloorReceive(string, io.Reader) error { return errOnlyLinux }
