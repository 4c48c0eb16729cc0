//go:build linux

package soak

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/busybox"
)

// patience bounds every wait. Nothing here is measured.
const patience = 90 * time.Second

const requireDocker = "TWOSYNC_REQUIRE_DOCKER"

// rig is a host with a session, and a container whose root is on a small file
// system of its own where this machine lets us mount one.
type rig struct {
	t       *testing.T
	top     string
	root    string // the host's
	home    string
	vol     string // what the container has as /vol
	mounted bool   // vol is small, and can be filled
	image   string
	name    string // the container's

	up      *exec.Cmd
	upEnded chan struct{}
	upSays  *words // of the current session
}

// words is what a program says while it runs.
type words struct {
	mu sync.Mutex
	b  strings.Builder // guarded by mu
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

func needDocker(t *testing.T) {
	t.Helper()
	if _, err := command(nil, "docker", "version"); err != nil {
		if os.Getenv(requireDocker) == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// command runs a program to its end.
func command(env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	if env != nil {
		cmd.Env = env
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// must is command for what has to work.
func (r *rig) must(name string, args ...string) string {
	r.t.Helper()
	out, err := command(nil, name, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func newRig(t *testing.T) *rig {
	t.Helper()
	needDocker(t)
	top, err := os.MkdirTemp("", "twosync-soak-") // short: a socket will be below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	r := &rig{t: t, top: top, root: filepath.Join(top, "dir"), home: filepath.Join(top, "home"), vol: filepath.Join(top, "vol"),
		name: fmt.Sprintf("twosync-soak-%d", os.Getpid())}
	for _, d := range []string{r.root, r.home, r.vol} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.build()
	r.mount()
	if err := os.Mkdir(filepath.Join(r.vol, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.importImage()
	t.Cleanup(r.removeContainer)
	return r
}

// build builds the programs as users have them, and the writer.
func (r *rig) build() {
	r.t.Helper()
	for out, of := range map[string]string{"twosync": "../../host/twosync", "twosync-agent": "../../agent/twosync-agent", "writer": "./testdata/writer"} {
		if _, err := command(append(os.Environ(), "CGO_ENABLED=0"), "go", "build", "-o", filepath.Join(r.top, out), of); err != nil {
			r.t.Fatal(err)
		}
	}
}

// volMiB is the room on the container's file system: enough for the writers, and
// soon filled.
const volMiB = 64

// mount gives vol a file system of its own if it can.
func (r *rig) mount() {
	img := filepath.Join(r.top, "vol.img")
	for _, args := range [][]string{
		{"truncate", "-s", fmt.Sprintf("%dM", volMiB), img},
		{"mkfs.ext4", "-q", "-F", img},
		{"mount", "-o", "loop", img, r.vol},
	} {
		if out, err := command(nil, args[0], args[1:]...); err != nil {
			r.t.Logf("the disk is not filled, because no file system can be mounted: %v %s", err, out)
			return
		}
	}
	r.mounted = true
	r.t.Cleanup(func() {
		if _, err := command(nil, "umount", r.vol); err != nil {
			r.t.Error(err)
		}
	})
}

// importImage makes an image with a busybox and the writer.
func (r *rig) importImage() {
	r.t.Helper()
	box, err := busybox.Find()
	if err != nil {
		r.t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for inside, outside := range map[string]string{"bin/busybox": box, "writer": filepath.Join(r.top, "writer")} {
		data, err := os.ReadFile(outside)
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: inside, Mode: 0o755, Size: int64(len(data))})
		}
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.image = r.name
	cmd := exec.Command("docker", "import", "-c", `CMD ["/bin/busybox","sleep","100000"]`, "-", r.image)
	cmd.Stdin = &b
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("docker import: %v: %s", err, out)
	}
	r.t.Cleanup(func() {
		if _, err := command(nil, "docker", "rmi", "-f", r.image); err != nil {
			r.t.Error(err)
		}
	})
}

func (r *rig) startContainer() {
	r.t.Helper()
	r.must("docker", "run", "-d", "--network=none", "--stop-timeout=1", "--name", r.name, "-v", r.vol+":/vol", r.image)
}

func (r *rig) removeContainer() {
	if out, err := command(nil, "docker", "rm", "-f", "-v", r.name); err != nil && !strings.Contains(out, "No such container") {
		r.t.Error(err)
	}
}

// environ is that of a user with a home of his own.
func (r *rig) environ() []string {
	config := os.Getenv("DOCKER_CONFIG")
	if home, err := os.UserHomeDir(); config == "" && err == nil {
		config = filepath.Join(home, ".docker")
	}
	return append(os.Environ(), "HOME="+r.home, "XDG_STATE_HOME="+filepath.Join(r.home, "state"),
		"XDG_CACHE_HOME="+filepath.Join(r.home, "cache"), "DOCKER_CONFIG="+config, "TWOSYNC_AGENT="+filepath.Join(r.top, "twosync-agent"))
}

// startUp begins a session. Everything in it is a process group, so that what is
// killed is killed whole.
func (r *rig) startUp(target string) {
	r.t.Helper()
	r.upSays = new(words)
	cmd := exec.Command(filepath.Join(r.top, "twosync"), "up", r.root, target, "--json")
	cmd.Env, cmd.Dir, cmd.Stderr, cmd.Stdout = r.environ(), r.home, r.upSays, r.upSays
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	r.up, r.upEnded = cmd, ended
	r.t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
}

// stopUp ends the session with a signal and returns its exit code.
func (r *rig) stopUp(sig syscall.Signal) int {
	r.t.Helper()
	_ = r.up.Process.Signal(sig)
	select {
	case <-r.upEnded:
	case <-time.After(patience):
		r.t.Fatalf("up does not end after %v", sig)
	}
	return r.up.ProcessState.ExitCode()
}

// running says whether the session goes on.
func (r *rig) running() bool {
	select {
	case <-r.upEnded:
		return false
	default:
		return true
	}
}

// twosync runs a command of twosync's.
func (r *rig) twosync(args ...string) (string, error) {
	return command(r.environ(), filepath.Join(r.top, "twosync"), args...)
}

// state is part of what `status --json` prints.
type state struct {
	Running bool `json:"running"`
	Status  struct {
		State     string                                `json:"state"`
		Pending   int                                   `json:"pending"`
		Conflicts int                                   `json:"conflicts"`
		Braked    int64                                 `json:"braked"`
		Held      []struct{ Side, Path, Reason string } `json:"held"`
	} `json:"status"`
}

func (r *rig) status() (s state, err error) {
	out, err := r.twosync("status", r.root, "--json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &s)
	}
	return s, err
}

// inTime is how long the sides may take to be the same once nobody does anything:
// what was refused for want of room is tried again after 15 s, then after 30.
const inTime = 3 * time.Minute

// synced waits until nothing is pending and nothing is held. Deletions that are held
// because they are many are meant: the user says so.
func (r *rig) synced() {
	r.t.Helper()
	last := ""
	for until := time.Now().Add(inTime); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		r.goesOn()
		out, flushed := r.twosync("flush", r.root, "--timeout", "20s")
		s, err := r.status()
		if err == nil && s.Status.Braked > 0 {
			out, err = r.twosync("accept", r.root)
			last = fmt.Sprintf("%d deletions held: %s: %v", s.Status.Braked, out, err)
			continue
		}
		switch {
		case err != nil:
			last = err.Error()
		case s.Status.State == "in sync" && s.Status.Pending == 0 && len(s.Status.Held) == 0 && (flushed == nil || s.Status.Conflicts > 0):
			return
		default:
			last = fmt.Sprintf("%+v, flush: %s", s, out)
		}
	}
	r.t.Fatalf("not in sync after %v: %s\nup said:\n%s", inTime, last, tail(r.upSays.String()))
}

// goesOn fails the test if the session ended by itself.
func (r *rig) goesOn() {
	r.t.Helper()
	if !r.running() {
		r.t.Fatalf("up ended with %d: %s", r.up.ProcessState.ExitCode(), tail(r.upSays.String()))
	}
}
