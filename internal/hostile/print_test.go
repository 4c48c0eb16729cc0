//go:build linux

package hostile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	twosync "github.com/twosync/twosync/host"
)

// Environment of the programs that this executable can be.
const (
	beTwosync = "HOSTILE_TWOSYNC" // the real one
	beAgent   = "HOSTILE_AGENT"   // the agent of a local target, and how it behaves
)

func TestMain(m *testing.M) {
	switch how := os.Getenv(beAgent); {
	case how != "" && len(os.Args) > 1 && os.Args[1] == "agent":
		perform(how)
	case os.Getenv(beBombed) != "":
		if err := bombed(os.Getenv(beBombed)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case os.Getenv(beTwosync) != "":
		os.Exit(twosync.Main(os.Args[1:]))
	default:
		os.Exit(m.Run())
	}
}

// venom is what no terminal may get: it clears the screen, sets the title, types
// an answer, turns text around, rings.
const venom = "\x1b[2J\x1b]0;owned\x07\x1b[5n\u009b31m\u202egnp.exe\u2066\u200f\x08\x7f\r\x0b\x00\xff\x9b0m\u2028"

// onWire is venom as far as names and texts may hold it.
var onWire = strings.ReplaceAll(venom, "\x00", "")

// perform is an agent whose every word is venom.
func perform(how string) {
	if how == "banner" {
		fmt.Println("Welcome " + venom)
		fmt.Fprintln(os.Stderr, "sh: "+venom)
		os.Exit(3)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		os.Exit(4)
	}
	fmt.Printf("motd %s\n", venom)
	fmt.Printf("twosync-agent 1 %x %s/%s\n", sha256.Sum256(self), runtime.GOOS, runtime.GOARCH)
	a := newAgent()
	a.tree.put("file"+onWire, fileOf("the container's"))
	a.tree.put("away"+onWire, linkTo("../../"+onWire))
	a.tree.put("pipe"+onWire, &node{kind: opaque, text: "a pipe " + onWire})
	a.tree.put("dark"+onWire, &node{kind: unknown, text: "cannot read " + onWire})
	dir := newFolder()
	dir.kids[".git"] = newFolder()
	a.tree.put("repository"+onWire, dir)
	a.tamper = func(m *message) []*message { return venomous(a, how, m) }
	fmt.Fprintln(os.Stderr, "panic: "+onWire)
	a.serve(stdio{})
	os.Exit(5)
}

// venomous adds to what an honest agent says.
func venomous(a *agent, how string, m *message) []*message {
	seq := func() *value { return m.body.parts[0] }
	switch {
	case how == "refuses" && m.code == started:
		return []*message{say(fetchStream, refused, seq(), str("no "+onWire), str("try "+onWire))}
	case how == "ends" && m.code == started:
		return []*message{say(controlStream, ended, str("bye "+onWire))}
	case how == "version" && m.code == hello:
		return []*message{say(controlStream, ended, str("not my version "+onWire))}
	case how == "features" && m.code == hello:
		return []*message{say(controlStream, hello, num(1), many(str(onWire)))}
	case how == "violates" && m.code == started:
		a.mux.send(chunk{b: []byte(venom)})
	case how == "asks" && m.code == outcome:
		return []*message{say(fetchStream, ask, num(99), num(3), many(all(str("x"+onWire), str(""), raw(make([]byte, 16)), num(1), num(0))))}
	case m.code == started:
		s := say(fetchStream, started, seq(), raw(make([]byte, 16)), num(0), str("/"+onWire), str(onWire[:20]),
			boolean(false), boolean(false), boolean(false), str(onWire[:20]), str(onWire[:20]), str(onWire[:20]))
		return []*message{s,
			say(workStream, notice, one(0), str("info "+onWire), str("remedy "+onWire)),
			say(workStream, notice, one(1), str("warning "+onWire), str("remedy "+onWire)),
			say(workStream, stray, str("slot"+onWire), str("file"+onWire), linkTo("x"+onWire).value(), str("late "+onWire)),
			say(workStream, stray, str("lost"+onWire), str("file"+onWire), fileOf("never comes").value(), str("late "+onWire)),
		}
	case m.code == durable:
		return []*message{say(workStream, durable, seq(), str("no space "+onWire))}
	case m.code == outcome && m.body.parts[1].n == 0:
		id, results := m.body.parts[0], many()
		for _, r := range m.body.parts[2].parts {
			results.parts, results.n = append(results.parts, all(r.parts[0], one(3), all(one(absent)), str("cannot "+onWire))), results.n+1
		}
		return []*message{say(workStream, outcome, id, boolean(false), results)}
	case how == "halts" && m.code == flushed:
		return []*message{say(workStream, notice, one(2), str("root is gone "+onWire), str("remedy "+onWire))}
	}
	return []*message{m}
}

// stdio is the connection of an agent.
type stdio struct{}

func (stdio) Read(b []byte) (int, error)  { return os.Stdin.Read(b) }
func (stdio) Write(b []byte) (int, error) { return os.Stdout.Write(b) }
func (stdio) Close() error                { return errors.Join(os.Stdin.Close(), os.Stdout.Close()) }

// stage is where twosync is run with such an agent.
type stage struct {
	t      *testing.T
	dir    string // the host's, whose name is venom, too
	target string
	env    []string
}

func newStage(t *testing.T, how string) *stage {
	base := scratch(t)
	s := &stage{t: t, dir: filepath.Join(base, "dir"+onWire), target: "local:" + filepath.Join(base, "target"+onWire)}
	for _, d := range []string{s.dir, filepath.Join(base, "home"), filepath.Join(base, "state")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"file" + onWire: "the host's", "mine" + onWire: "only here", "src": "plain"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(s.dir, "fifo"+onWire), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), beTwosync+"=1", beAgent+"="+how, "HOME="+base+"/home", "XDG_STATE_HOME="+base+"/state", "TERM=xterm", "NO_COLOR=")
	return s
}

func (s *stage) command(ctx context.Context, args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	c := exec.CommandContext(ctx, exe, args...)
	c.Env = s.env
	c.WaitDelay = patience
	return c
}

// run runs twosync to its end and returns both outputs.
func (s *stage) run(args ...string) (stdout, stderr string) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	c := s.command(ctx, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil && ctx.Err() != nil {
		s.t.Errorf("twosync %q does not end", args)
	}
	return out.String(), errs.String()
}

// F1: whatever an agent says, and whatever things are called, nothing
// that a terminal obeys comes out of twosync but what twosync itself draws.
func TestVenom(t *testing.T) {
	for _, how := range []string{"banner", "refuses", "ends", "version", "features", "violates", "asks", "halts", "talks"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, how)
			stays := how == "talks" || how == "halts"
			screen := s.terminal(stays, "up", s.dir, s.target)
			clean(t, "the terminal", screen, true)
			stdout, stderr := s.run("up", s.dir, s.target, "--once")
			if stays && !strings.Contains(stderr, "mend that and run it again") { // what is never durable ends no --once well
				t.Errorf("up --once says %q", stderr)
			}
			clean(t, "standard output", stdout, false)
			clean(t, "standard error", stderr, false)
			if stays && !strings.Contains(screen, `\x1b`) || !strings.Contains(stderr, `\x1b`) {
				t.Errorf("nothing of the venom was shown, so nothing was tested:\n%q\n%q", screen, stderr)
			}
		})
	}
}

// terminal runs twosync on a terminal and returns what that got. If it stays it
// is asked for its status, and then ended.
func (s *stage) terminal(stays bool, args ...string) string {
	master, slave, err := openTerminal()
	if err != nil {
		s.t.Skipf("no terminal: %v", err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	c := s.command(ctx, args...)
	c.Stdout, c.Stderr = slave, slave
	err = c.Start()
	slave.Close()
	if err != nil {
		s.t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(master) // it ends with EIO
		got <- string(b)
	}()
	if stays {
		s.ask()
		c.Process.Signal(os.Interrupt)
	}
	c.Wait()
	if ctx.Err() != nil {
		s.t.Errorf("twosync %q does not end", args)
	}
	master.Close()
	return <-got
}

// ask asks a session in every way there is.
func (s *stage) ask() {
	for late := time.Now().Add(patience / 2); ; {
		stdout, _ := s.run("status", s.dir, "--json")
		clean(s.t, "status --json", stdout, false)
		var st struct {
			Running bool
			Status  struct{ State string }
		}
		if json.Unmarshal([]byte(stdout), &st) == nil && st.Running && st.Status.State != "connecting" {
			break
		}
		if time.Now().After(late) {
			s.t.Errorf("no session runs: %s", stdout)
			return
		}
	}
	for _, args := range [][]string{{"status", s.dir}, {"flush", s.dir, "--timeout", "2s"}, {"status", s.dir, "--json"}, {"status", "/nowhere" + onWire}, {"flush", "/nowhere" + onWire}, {"flush" + onWire}} {
		stdout, stderr := s.run(args...)
		clean(s.t, args[0], stdout, false)
		clean(s.t, args[0], stderr, false)
	}
}

// F1: events are lines of JSON in which the venom is, escaped.
func TestVenomJSON(t *testing.T) {
	for _, how := range []string{"refuses", "talks"} {
		s := newStage(t, how)
		stdout, stderr := s.run("up", s.dir, s.target, "--json", "--once")
		clean(t, "standard output", stdout, false)
		clean(t, "standard error", stderr, false)
		lines, met := 0, false
		for l := range strings.Lines(stdout) {
			var e map[string]any
			if err := json.Unmarshal([]byte(l), &e); err != nil {
				t.Errorf("%q: %v", l, err)
			}
			met = met || strings.Contains(fmt.Sprint(e), "\x1b[2J")
			lines++
		}
		if lines == 0 || !met {
			t.Errorf("%s: %d lines, and the venom is in none", how, lines)
		}
	}
}

// ours is what twosync may draw on a terminal.
var ours = strings.NewReplacer("\r\x1b[K", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[0m", "", "\r\n", "\n")

// clean fails the test if a terminal would obey something in text.
func clean(t *testing.T, what, text string, drawn bool) {
	t.Helper()
	if drawn {
		text = ours.Replace(text)
	}
	for i, r := range text {
		bad := r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd")
		if bad || r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			t.Errorf("%s has %q in %q", what, r, text[max(0, i-60):min(len(text), i+20)])
			return
		}
	}
}

// openTerminal returns both ends of a new one.
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 400})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
