package main

import (
	"fmt"
	"os"
	"strconv"
)

// watchLimit is how many directories a user may watch on this kernel, both sides
// together where they share it.
const watchLimit = "/proc/sys/fs/inotify/max_user_watches"

// othersWatches are left for editors and for the tools' own needs.
const othersWatches = 50_000

// allowWatches raises the limit for this run, where it is too low and may be
// raised; the reader of the table is told either way.
func (b *bench) allowWatches(needed int) error {
	text := firstLine(watchLimit)
	limit, err := strconv.Atoi(text)
	if err != nil || limit >= needed+othersWatches {
		return nil // no such limit here, or high enough
	}
	if err := os.WriteFile(watchLimit, []byte(strconv.Itoa(needed+othersWatches)), 0o644); err != nil {
		return fmt.Errorf("%s is %d, and %d are needed: raise it: sysctl fs.inotify.max_user_watches=%d",
			watchLimit, limit, needed+othersWatches, needed+othersWatches)
	}
	if b.watches == "" {
		b.watches = text
	}
	b.note("fs.inotify.max_user_watches was raised from %d to %d for this run", limit, needed+othersWatches)
	return nil
}

// restoreWatches undoes it.
func (b *bench) restoreWatches() error {
	if b.watches == "" {
		return nil
	}
	return os.WriteFile(watchLimit, []byte(b.watches), 0o644)
}
