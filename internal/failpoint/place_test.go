//go:build linux

package failpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait. Nothing is measured.
const patience = 90 * time.Second

// place is a host with a home and a directory, and a container's directory.
type place struct {
	t               *testing.T
	top             string
	host, container string

	up    *exec.Cmd // a session that goes on; nil: none
	ended chan struct{}
	said  bytes.Buffer // by it; read after its end
}

func newPlace(t *testing.T) *place {
	t.Helper()
	top, err := os.MkdirTemp(built.dir, "p") // short: a socket will be below it
	must(t, err)
	p := &place{t: t, top: top, host: filepath.Join(top, "host"), container: filepath.Join(top, "container")}
	must(t, os.Mkdir(p.host, 0o755), os.Mkdir(p.container, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	return p
}

// kill says who is to be killed, and where.
type kill struct{ role, at string }

// environ is that of a user with a home of his own, and with a failpoint.
func (p *place) environ(k kill) []string {
	env := append(os.Environ(), "HOME="+p.top, "XDG_STATE_HOME="+filepath.Join(p.top, "state"), "XDG_CACHE_HOME="+filepath.Join(p.top, "cache"),
		"TWOSYNC_FAILPOINT_LOG_HOST="+p.log("HOST"), "TWOSYNC_FAILPOINT_LOG_AGENT="+p.log("AGENT"))
	if k.at != "" {
		env = append(env, "TWOSYNC_FAILPOINT_"+k.role+"="+k.at, "TWOSYNC_FAILPOINT_ONCE="+p.armed())
	}
	return env
}

func (p *place) log(role string) string { return filepath.Join(p.top, "log-"+role) }

// armed is the file that goes when the process is killed.
func (p *place) armed() string { return filepath.Join(p.top, "armed") }

func (p *place) arm() { must(p.t, os.WriteFile(p.armed(), nil, 0o644)) }

// hit says whether somebody was killed since arm.
func (p *place) hit() bool {
	_, err := os.Stat(p.armed())
	return errors.Is(err, fs.ErrNotExist)
}

// once runs a session until both sides are the same, or it is killed.
func (p *place) once(k kill) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, built.twosync, "up", p.host, "local:"+p.container, "--once", "--json")
	cmd.Env = p.environ(k)
	out, err := cmd.CombinedOutput()
	if killed(cmd) && k.role == "HOST" {
		return
	}
	if k.role == "AGENT" && cmd.ProcessState.ExitCode() == 1 && bytes.Contains(out, []byte("disconnected: the connection ended")) {
		return // before the first connection that is an error, as it should be
	}
	if code := cmd.ProcessState.ExitCode(); err != nil && code != 4 {
		p.t.Fatalf("up --once ended with %v (%+v):\n%s", err, k, out)
	}
}

// killed says whether a program ended by a signal.
func killed(cmd *exec.Cmd) bool {
	st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && st.Signaled() && st.Signal() == syscall.SIGKILL
}

// begin starts a session that goes on.
func (p *place) begin(k kill) {
	p.t.Helper()
	cmd := exec.Command(built.twosync, "up", p.host, "local:"+p.container, "--json")
	cmd.Env, cmd.Stdout, cmd.Stderr = p.environ(k), &p.said, &p.said
	must(p.t, cmd.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	p.up, p.ended = cmd, ended
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
}

// barrier waits until both sides are the same, or the session was killed.
func (p *place) barrier() {
	p.t.Helper()
	p.until("in sync", func() bool {
		_, code := p.twosync("flush", p.host, "--timeout", "30s")
		return code == 0 || code == 4
	})
}

// durable waits until what is the same would survive a power cut.
func (p *place) durable() {
	p.t.Helper()
	p.until("durable", func() bool {
		out, _ := p.twosync("status", p.host, "--json")
		var s struct{ Status struct{ Durable bool } }
		return json.Unmarshal(out, &s) == nil && s.Status.Durable
	})
}

func (p *place) until(what string, ok func() bool) {
	p.t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.ended:
			return
		default:
		}
		if ok() {
			return
		}
	}
	p.t.Fatalf("not %s in time", what)
}

// twosync runs a command of twosync's and returns what it prints and its exit code.
func (p *place) twosync(args ...string) ([]byte, int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, built.twosync, args...)
	cmd.Env = p.environ(kill{})
	out, _ := cmd.Output() // the exit code says it
	return out, cmd.ProcessState.ExitCode()
}

// end ends a session as Ctrl-C does, unless it was killed.
func (p *place) end(k kill) {
	p.t.Helper()
	_ = p.up.Process.Signal(os.Interrupt)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("up does not end")
	}
	if code := p.up.ProcessState.ExitCode(); code != 130 && !(killed(p.up) && k.role == "HOST") {
		p.t.Fatalf("up ended with %d:\n%s", code, &p.said)
	}
}

// tree is what a directory holds, but for our own folder.
func tree(t *testing.T, root string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, p)
		if err != nil || rel == "." {
			return err
		}
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case rel == ".twosync", rel == "ignores": // which is held: in the container there is something in it that does not cross
			return fs.SkipDir
		case d.IsDir():
			fmt.Fprintf(&out, "%s/\n", rel)
		case d.Type() == fs.ModeSymlink:
			to, err := os.Readlink(p)
			fmt.Fprintf(&out, "%s -> %s\n", rel, to)
			return err
		default:
			text, err := os.ReadFile(p)
			fmt.Fprintf(&out, "%s %v %x\n", rel, info.Mode()&0o100 != 0, sha256.Sum256(text))
			return err
		}
		return nil
	})
	must(t, err)
	return out.String()
}

// kept are the contents in the keep store, by what they are.
func (p *place) kept() map[string]string {
	all := make(map[string]string)
	stores, err := filepath.Glob(filepath.Join(p.top, "state", "twosync", "*", "keep", "objects"))
	must(p.t, err)
	for _, dir := range stores {
		must(p.t, filepath.WalkDir(dir, func(f string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(f)
			all[fmt.Sprintf("%x", sha256.Sum256(text))] = fmt.Sprintf("%.40q", text)
			return err
		}))
	}
	return all
}
