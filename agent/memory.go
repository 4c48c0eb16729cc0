package agent

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory keeps our memory below two thirds of what the container may use,
// by collecting more often: the rest is for the program that is at work there,
// and for pages of files. Beyond that limit a container is killed.
func limitMemory() {
	f, err := os.Open("/sys/fs/cgroup/memory.max")
	if err != nil {
		f, err = os.Open("/sys/fs/cgroup/memory/memory.limit_in_bytes")
	}
	if err != nil {
		return
	}
	b := make([]byte, 32)
	n, _ := f.Read(b)
	f.Close()
	if limit, err := strconv.Atoi(strings.TrimSpace(string(b[:n]))); err == nil { // "max" is none
		debug.SetMemoryLimit(int64(limit) / 3 * 2)
	}
}
