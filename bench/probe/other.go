//go:build !linux && !darwin

package probe

import (
	"errors"
	"io/fs"
)

// The benchmark starts on Linux and macOS; elsewhere it only has to build.
var errNotHere = errors.New("measured on Linux and macOS only")

func changeTime(fs.FileInfo) int64  { return 0 }
func processes() ([]Process, error) { return nil, errNotHere }
func fsType(string) (string, error) { return "", errNotHere }
