//go:build linux

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A tty is a program that thinks that somebody sits before it.
type tty struct {
	t    *testing.T
	keys *os.File
	cmd  *exec.Cmd
	done sync.WaitGroup

	mu     sync.Mutex
	screen bytes.Buffer // guarded by mu: all that it ever wrote
}

// openTTY starts a program on a terminal of its own, in a directory.
func openTTY(t *testing.T, dir, name string, args ...string) *tty {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	must(t, unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	must(t, err)
	must(t, unix.IoctlSetWinsize(int(keys.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}))
	end, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	defer end.Close()
	x := &tty{t: t, keys: keys, cmd: exec.Command(name, args...)}
	x.cmd.Dir, x.cmd.Env = dir, append(os.Environ(), "TERM=xterm", "HOME="+t.TempDir())
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = end, end, end
	x.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	must(t, x.cmd.Start())
	x.done.Go(x.read)
	t.Cleanup(x.close)
	return x
}

func (x *tty) read() {
	buf := make([]byte, 4096)
	for {
		n, err := x.keys.Read(buf)
		if err != nil {
			return // EIO: the program has ended
		}
		x.mu.Lock()
		x.screen.Write(buf[:n])
		x.mu.Unlock()
	}
}

func (x *tty) close() {
	_ = x.cmd.Process.Kill()
	_ = x.cmd.Wait()
	x.done.Wait()
	_ = x.keys.Close()
	if x.t.Failed() {
		x.t.Logf("the screen was %.4000q", x.screen.Bytes())
	}
}

func (x *tty) types(keys string) {
	x.t.Helper()
	if _, err := x.keys.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// shows waits until the program has written some text.
func (x *tty) shows(text string) {
	x.t.Helper()
	eventually(x.t, "the screen shows "+text, func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return bytes.Contains(x.screen.Bytes(), []byte(text))
	})
}

// quits types the keys that end it, and waits for that.
func (x *tty) quits(keys string) {
	x.t.Helper()
	x.types(keys)
	kill := time.AfterFunc(patience, func() { _ = x.cmd.Process.Kill() })
	defer kill.Stop()
	if err := x.cmd.Wait(); err != nil {
		x.t.Errorf("%s ended with %v", x.cmd.Path, err)
	}
}

// eventually waits for what a program does that says nothing about it.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for !ok() {
		select {
		case <-every.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
