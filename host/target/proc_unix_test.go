//go:build unix

package target

import (
	"syscall"
	"testing"
)

// The terminal sends Ctrl-C to the group that it runs.
func TestAgentsHearNoCtrlC(t *testing.T) {
	p := dial(t, local(t), "echo")
	pid := p.cmd.Process.Pid
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("group %d, %v, want %d: one of its own", group, err, pid)
	}
}
