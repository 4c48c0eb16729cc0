package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twosync/twosync/protocol"
)

// patience is when a test that blocks fails instead. No test depends on it.
const patience = time.Minute

// scratch is a folder for all tests of this package.
var scratch string

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "agent" && os.Args[2] == "serve" {
		os.Exit(beAgent()) // Local's default command
	}
	os.Exit(run(m))
}

// otherVersion makes the agent in this executable greet as another.
const otherVersion = "TWOSYNC_TEST_OTHER_VERSION"

func beAgent() int {
	g, err := protocol.NewGreeting()
	if os.Getenv(otherVersion) != "" {
		g.SHA256[0]++
	}
	if errors.Join(err, protocol.WriteGreeting(os.Stdout, g)) != nil {
		return 1
	}
	_, _ = io.Copy(os.Stdout, os.Stdin)
	return 0
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "twosync-target-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	defer removeImages()
	return m.Run()
}

// standIn returns the stand-in for the agent, for containers and for here.
var standIn = sync.OnceValues(func() (string, error) { return buildStandIn("linux") })
var standInHere = sync.OnceValues(func() (string, error) {
	if runtime.GOOS == "linux" {
		return standIn()
	}
	return buildStandIn(runtime.GOOS)
})

func buildStandIn(goos string) (string, error) {
	path := filepath.Join(scratch, "standin-"+goos)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./testdata/standin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build stand-in: %w: %s", err, out)
	}
	return path, nil
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// patient returns a context that ends before the test binary is killed.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// dial returns a pipe that is closed at the end of the test.
func dial(t *testing.T, target Target, args ...string) *Pipe {
	t.Helper()
	p, err := target.Dial(patient(t), args)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			t.Logf("remedy %q, rests on %v", e.Remedy, e.Err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// readAll reads what is left, up to the end of the process.
func readAll(t *testing.T, p *Pipe) string {
	t.Helper()
	if err := p.stdout.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// echo checks that an agent is behind the pipe.
func echo(t *testing.T, p *Pipe) {
	t.Helper()
	if err := p.stdout.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	want := []byte("\x00\xffping\r\n")
	if _, err := p.Write(want); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func local(t *testing.T) *Local {
	t.Helper()
	return &Local{Path: t.TempDir(), Command: []string{must1(t, standInHere)}}
}

func must1(t *testing.T, f func() (string, error)) string {
	t.Helper()
	s, err := f()
	return must(t, s, err)
}

func TestLocal(t *testing.T) {
	l := local(t)
	p := dial(t, l, "--flag", "args")
	if p.Greeting.GOOS != runtime.GOOS || p.Greeting.GOARCH != runtime.GOARCH {
		t.Errorf("greeting is %v", p.Greeting)
	}
	_ = p.stdin.Close()
	want := fmt.Sprintf("uid=%d gid=%d serve --root %s --flag args\n", os.Getuid(), os.Getgid(), l.Path)
	if got := readAll(t, p); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCloseEndsTheAgent(t *testing.T) {
	p := dial(t, local(t), "echo")
	echo(t, p)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if p.Status() != 0 {
		t.Errorf("status %d: killed, although it listened", p.Status())
	}
	if n, err := p.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes after Close", n)
	}
	if _, err := p.Write([]byte("x")); err == nil {
		t.Error("wrote after Close")
	}
}

func TestCloseUnblocksRead(t *testing.T) {
	p := dial(t, local(t), "deaf")
	stop := context.AfterFunc(patient(t), func() { panic("Close did not unblock Read") })
	defer stop()
	done := make(chan error)
	go func() {
		_, err := p.Read(make([]byte, 1))
		done <- err
	}()
	p.Close()
	if err := <-done; err == nil {
		t.Error("read something")
	}
	if p.Status() != -1 {
		t.Errorf("status %d of an agent that ends only when killed", p.Status())
	}
}

func TestDeathEndsRead(t *testing.T) {
	p := dial(t, local(t), "echo")
	echo(t, p)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if rest := readAll(t, p); rest != "" {
		t.Errorf("read %q", rest)
	}
	p.Close()
	if p.Status() != -1 {
		t.Errorf("status %d", p.Status())
	}
}

func TestStderrIsBoundedAndPlain(t *testing.T) {
	p := dial(t, local(t), "talk")
	echo(t, p)
	p.Close()
	got := p.Stderr()
	if end := `x\x1b[31mend` + "\n"; !strings.HasSuffix(got, end) || len(got) > stderrKept+len(end) {
		t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-20):])
	}
}

func TestLocalThatDoesNotStart(t *testing.T) {
	l := local(t)
	_, err := l.Dial(patient(t), []string{"broken"})
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Msg, `something \x1b[31melse`) || e.Remedy == "" || e.Temporary {
		t.Errorf("got %#v", err)
	}
	if !strings.Contains(e.Err.Error(), "and its reason") {
		t.Errorf("%q lacks what was printed to standard error", e.Err)
	}
	l.Command = []string{filepath.Join(t.TempDir(), "nothing")}
	if _, err = l.Dial(patient(t), nil); !errors.As(err, &e) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %#v", err)
	}
}

func TestLocalRunsItself(t *testing.T) {
	l := &Local{Path: t.TempDir()}
	echo(t, dial(t, l))
	t.Setenv(otherVersion, "1")
	_, err := l.Dial(patient(t), nil)
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Msg, "replaced") {
		t.Errorf("got %#v", err)
	}
}

func TestDialIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(50*time.Millisecond, cancel)
	defer timer.Stop()
	if _, err := local(t).Dial(ctx, []string{"mute"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestDialIsLate(t *testing.T) {
	_, err := open(patient(t), 50*time.Millisecond, []string{must1(t, standInHere), "mute"})
	var r *reply
	if !errors.As(err, &r) || !errors.Is(err, errLate) {
		t.Fatalf("got %#v", err)
	}
	var e *Error
	if err := (&Docker{Container: "web"}).explain(err); !errors.As(err, &e) || !e.Temporary {
		t.Errorf("got %#v", err)
	}
}

// A wrapper script leaves a child behind that holds the output until its input
// ends, which is after Dial stopped reading.
func TestAbortDoesNotWaitForChildren(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(50*time.Millisecond, cancel)
	defer timer.Stop()
	stop := context.AfterFunc(patient(t), func() { panic("Dial hangs") })
	defer stop()
	l := &Local{Path: t.TempDir(), Command: []string{"sh", "-c", "cat; true"}}
	if _, err := l.Dial(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
