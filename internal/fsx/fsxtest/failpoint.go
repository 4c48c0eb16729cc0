package fsxtest

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/twosync/twosync/internal/fsx"
)

// Failpoint kills the process at a step, as SIGKILL does. Its zero value does
// nothing.
type Failpoint struct {
	// At is the step: "SITE OP before" or "SITE OP after". Empty: none.
	At string
	// Once is a file that goes when the process is killed; without it nobody is. So
	// a process that is started again lives.
	Once string
	// Log is a file that each step is appended to when it is reached first.
	Log string
}

// Wrap returns inner with the failpoint in it.
func (f Failpoint) Wrap(inner fsx.FS) fsx.FS {
	if f.At == "" && f.Log == "" {
		return inner
	}
	var mu sync.Mutex
	seen := make(map[string]bool) // guarded by mu
	at := func(when string) Hook {
		return func(site fsx.Site, op, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			step := fmt.Sprintf("%s %s %s", site, op, when)
			if !seen[step] && f.Log != "" {
				seen[step] = true
				note(f.Log, step)
			}
			if step == f.At && os.Remove(f.Once) == nil {
				self, err := os.FindProcess(os.Getpid())
				if err == nil {
					err = self.Kill()
				}
				panic(fmt.Sprintf("fsxtest: still alive after %s: %v", step, err))
			}
			return nil
		}
	}
	return Hooks{Before: at("before"), After: at("after")}.Wrap(inner)
}

// note appends a line at once, so that lines of several processes don't mix.
func note(path, text string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		panic("fsxtest: " + err.Error())
	}
	defer f.Close()
	if _, err := f.WriteString(text + "\n"); err != nil {
		panic("fsxtest: " + err.Error())
	}
}

// FailpointOf is the failpoint that the environment names for a role ("HOST" or
// "AGENT"): TWOSYNC_FAILPOINT_ROLE, _ONCE and _LOG_ROLE.
func FailpointOf(role string) Failpoint {
	return Failpoint{
		At:   strings.TrimSpace(os.Getenv("TWOSYNC_FAILPOINT_" + role)),
		Once: os.Getenv("TWOSYNC_FAILPOINT_ONCE"),
		Log:  os.Getenv("TWOSYNC_FAILPOINT_LOG_" + role),
	}
}
