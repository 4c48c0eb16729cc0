package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twosync/twosync/internal/e2e"
)

// procs lists processes whose command line holds Data. One that has ended and
// is not yet reaped has no command line.
func (u *user) procs(r e2e.Request, a *e2e.Answer) (err error) {
	a.Procs, err = running(string(r.Data))
	return err
}

func running(text string) (found []e2e.Proc, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		line, err := os.ReadFile(dir + "/cmdline")
		if err != nil {
			continue // it ended meanwhile
		}
		args := string(bytes.ReplaceAll(bytes.TrimRight(line, "\x00"), []byte{0}, []byte{' '}))
		pid, _ := strconv.ParseInt(filepath.Base(dir), 10, 64)
		if strings.Contains(args, text) && pid != int64(os.Getpid()) {
			found = append(found, e2e.Proc{PID: pid, Args: args})
		}
	}
	return found, err
}

// kill sends signal N to process At.
func (u *user) kill(r e2e.Request, _ *e2e.Answer) error {
	if r.At <= 1 {
		return errors.New("not that one")
	}
	return syscall.Kill(int(r.At), syscall.Signal(r.N))
}

// ended waits until no process's command line holds Data, N milliseconds at
// most.
func (u *user) ended(r e2e.Request, a *e2e.Answer) error {
	late := time.After(time.Duration(r.N) * time.Millisecond)
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for {
		found, err := running(string(r.Data))
		if err != nil || len(found) == 0 {
			return err
		}
		select {
		case <-every.C:
		case <-late:
			return fmt.Errorf("still running: %v", found)
		}
	}
}
