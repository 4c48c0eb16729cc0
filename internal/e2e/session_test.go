//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The exit codes that are promised.
const (
	fine        = 0
	failed      = 1
	usage       = 2
	halted      = 3
	open        = 4
	interrupted = 130
)

// told is a line of `up --json`, read as any program would.
type told struct {
	Event     string
	Text      string
	Remedy    string
	Side      string
	Path      string
	Files     int64
	Bytes     int64
	Back      int64
	Held      int
	Conflicts int
}

// A place is a directory on the host with a home of its own, so that no session
// of it knows any other.
type place struct {
	t    *testing.T
	dir  string
	home string

	environment []string // added to that of its programs
	umask       string   // of up; "": that of the test
}

// newPlace makes one. The path is short, because a socket will be below it.
func newPlace(t *testing.T) *place {
	t.Helper()
	top, err := os.MkdirTemp(built.dir, "p")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, dir: filepath.Join(top, "dir"), home: filepath.Join(top, "home")}
	for _, dir := range []string{p.dir, p.home} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// state is where sessions of this place keep their things.
func (p *place) state() string { return filepath.Join(p.home, "state", "twosync") }

func (p *place) environ() []string {
	config := os.Getenv("DOCKER_CONFIG")
	if home, err := os.UserHomeDir(); config == "" && err == nil {
		config = filepath.Join(home, ".docker")
	}
	env := append(os.Environ(), "HOME="+p.home, "XDG_STATE_HOME="+filepath.Join(p.home, "state"),
		"XDG_CACHE_HOME="+filepath.Join(p.home, "cache"), "DOCKER_CONFIG="+config, "TWOSYNC_AGENT="+built.agent)
	return append(append(env, goCaches()...), p.environment...)
}

// goCaches are where Go keeps what it has built and fetched, for homes that
// have none.
var goCaches = sync.OnceValue(func() (env []string) {
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		if out, err := exec.Command("go", "env", name).Output(); err == nil {
			env = append(env, name+"="+strings.TrimSpace(string(out)))
		}
	}
	return env
})

// run runs twosync to its end, and returns its exit code and what it printed.
func (p *place) run(args ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, built.twosync, args...)
	cmd.Env, cmd.Dir = p.environ(), p.home
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		p.t.Fatalf("twosync %q does not end: %s%s", args, &out, &errs)
	}
	if cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// refuses runs up and fails the test unless it ends with this code, says the
// words, and says what to do about it.
func (p *place) refuses(code int, words []string, target string, flags ...string) {
	p.t.Helper()
	got, _, stderr := p.run(append([]string{"up", p.dir, target}, flags...)...)
	if got != code {
		p.t.Errorf("up ended with %d, want %d: %s", got, code, stderr)
	}
	p.says(stderr, words...)
}

// says fails the test unless a message names the words, and what to do.
func (p *place) says(text string, words ...string) {
	p.t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			p.t.Errorf("up says %q, which does not name %q", text, w)
		}
	}
	if strings.Count(strings.TrimSpace(text), "\n") == 0 {
		p.t.Errorf("up says %q, without what to do about it", text)
	}
}

// kept returns the contents in the keep stores of this place.
func (p *place) kept() []string {
	p.t.Helper()
	return p.stored("/keep/")
}

// stored returns what the files hold that sessions of this place have put away,
// in folders whose path holds some text. In "stage" is what was displaced in
// the last minute.
func (p *place) stored(in string) []string {
	p.t.Helper()
	var all []string
	err := filepath.WalkDir(p.state(), func(path string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // a session is at work
		}
		if err != nil || !d.Type().IsRegular() || !strings.Contains(path, in) {
			return err
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		all = append(all, string(text))
		return err
	})
	if err != nil {
		p.t.Error(err)
	}
	return all
}

// keeps fails the test unless a content is in a keep store.
func (p *place) keeps(text string) {
	p.t.Helper()
	if !slices.Contains(p.kept(), text) {
		p.t.Errorf("no version %.60q was kept", text)
	}
}

// A session is a running `twosync up`.
type session struct {
	*place
	cmd    *exec.Cmd
	stderr bytes.Buffer // read after the end only
	ended  chan struct{}

	mu     sync.Mutex
	lines  []told        // guarded by mu
	more   chan struct{} // guarded by mu: closed with the next line
	taken  int           // guarded by mu: lines that next has gone past
	broken error         // a line that is none; read after the end only
}

// up starts a session, and ends it with the test.
func (p *place) up(target string, flags ...string) *session {
	p.t.Helper()
	s := &session{place: p, ended: make(chan struct{}), more: make(chan struct{})}
	args := append([]string{built.twosync, "up", p.dir, target, "--json"}, flags...)
	if p.umask != "" {
		args = append([]string{"sh", "-c", "umask " + p.umask + `; exec "$@"`, "sh"}, args...)
	}
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Env, s.cmd.Dir, s.cmd.Stderr = p.environ(), p.home, &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go s.read(out)
	p.t.Cleanup(s.clean)
	return s
}

// read takes the session's lines until its end.
func (s *session) read(out io.Reader) {
	defer close(s.ended)
	in := json.NewDecoder(out)
	for {
		var e told
		if err := in.Decode(&e); err != nil {
			if err != io.EOF {
				s.broken = err
				_, _ = io.Copy(io.Discard, out)
			}
			break
		}
		s.mu.Lock()
		s.lines = append(s.lines, e)
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
	}
	_ = s.cmd.Wait() // the exit code is looked at where one is expected
}

// clean ends what a failed test left running, and tells what it said.
func (s *session) clean() {
	select {
	case <-s.ended:
	default:
		_ = s.cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(10*time.Second, func() {
			s.t.Error("up did not end when it was asked to")
			_ = s.cmd.Process.Kill()
		})
		<-s.ended
		kill.Stop()
	}
	if s.broken != nil {
		s.t.Errorf("up printed a line that is no JSON: %v", s.broken)
	}
	if s.t.Failed() {
		s.t.Logf("up's last words:\n%s%s", s.history(), &s.stderr)
	}
}

// maxHistory bounds the lines of a session that a failure prints.
const maxHistory = 40

func (s *session) history() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, e := range s.lines[max(0, len(s.lines)-maxHistory):] {
		fmt.Fprintf(&b, "\t%.300s\n", fmt.Sprintf("%+v", e))
	}
	return b.String()
}

// next waits for the next event that is wanted, and goes past it.
func (s *session) next(what string, want func(told) bool) told {
	s.t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		for s.taken < len(s.lines) {
			e := s.lines[s.taken]
			s.taken++
			if want(e) {
				s.mu.Unlock()
				return e
			}
		}
		more := s.more
		s.mu.Unlock()
		select {
		case <-more:
		case <-late:
			s.t.Fatalf("up does not say %s", what)
		case <-s.ended:
			s.mu.Lock()
			left := len(s.lines) - s.taken
			s.mu.Unlock()
			if left == 0 {
				s.t.Fatalf("up ended (%d) before it said %s", s.cmd.ProcessState.ExitCode(), what)
			}
		}
	}
}

// past makes next wait for what is said from now on.
func (s *session) past() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = len(s.lines)
}

// event waits for the next event of a kind.
func (s *session) event(kind string) told {
	s.t.Helper()
	return s.next(kind, func(e told) bool { return e.Event == kind })
}

// said returns the events of a kind so far.
func (s *session) said(kind string) []told {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []told
	for _, e := range s.lines {
		if e.Event == kind {
			all = append(all, e)
		}
	}
	return all
}

// changed returns the changes that were made, but for the files from which an editor
// renames: they may be there for long enough to cross.
func (s *session) changed() []told {
	return slices.DeleteFunc(s.said("applied"), func(e told) bool { return strings.Contains(e.Path, ".saving-") })
}

// inSync waits until the session says that both sides are the same.
func (s *session) inSync() told {
	s.t.Helper()
	return s.event("in-sync")
}

// flush waits until everything that was written before is on both sides.
func (s *session) flush() {
	s.t.Helper()
	if code, stdout, stderr := s.run("flush", s.dir, "--timeout", patience.String()); code != fine {
		s.t.Fatalf("flush ended with %d: %s%s", code, stdout, stderr)
	}
}

// flushHeld is flush where paths are held; it returns their list.
func (s *session) flushHeld() string {
	s.t.Helper()
	code, stdout, stderr := s.run("flush", s.dir, "--timeout", patience.String())
	if code != open {
		s.t.Fatalf("flush ended with %d, want %d: %s%s", code, open, stdout, stderr)
	}
	return stdout
}

// flushOpen is flush where it does not matter whether something is open.
func (s *session) flushOpen() {
	s.t.Helper()
	code, out, stderr := s.run("flush", s.dir, "--timeout", patience.String())
	if code != fine && code != open {
		s.t.Fatalf("flush ended with %d: %s%s", code, out, stderr)
	}
}

// wait waits for the end and returns the exit code.
func (s *session) wait() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatal("up does not end")
	}
	return s.cmd.ProcessState.ExitCode()
}

// stop ends the session as Ctrl-C does.
func (s *session) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		s.t.Fatal(err)
	}
	if code := s.wait(); code != interrupted {
		s.t.Errorf("up ended with %d, want %d: %s", code, interrupted, &s.stderr)
	}
}

// kill ends the session as a power cut does.
func (s *session) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	s.wait()
}

// halts waits until the session ends to protect data, and says what to do.
func (s *session) halts(words ...string) {
	s.t.Helper()
	if code := s.wait(); code != halted {
		s.t.Fatalf("up ended with %d, want %d: %s", code, halted, &s.stderr)
	}
	s.says(s.stderr.String(), words...)
}
