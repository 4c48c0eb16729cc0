//go:build unix

package target

import (
	"os/exec"
	"syscall"
)

// apart keeps the terminal's Ctrl-C away from the command. It is for the session
// to decide what happens then, and it still needs its agents for that.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
