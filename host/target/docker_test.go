package target

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twosync/twosync/host/agents"
	busyboxes "github.com/twosync/twosync/internal/busybox"
	"github.com/twosync/twosync/protocol"
)

// requireDocker names the variable that makes a missing engine a failure.
const requireDocker = "TWOSYNC_REQUIRE_DOCKER"

var engineAnswers = sync.OnceValue(func() error {
	out, err := exec.Command("docker", "version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("run docker version: %w: %s", err, out)
	}
	return nil
})

func needDocker(t *testing.T) {
	t.Helper()
	if err := engineAnswers(); err != nil {
		if os.Getenv(requireDocker) == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// docker runs a command of the tests' own.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(patient(t), "docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

var (
	imagesMu sync.Mutex
	images   = map[string]bool{} // guarded by imagesMu; made by this process
	counter  int                 // guarded by imagesMu; of containers
)

func prefix() string { return fmt.Sprintf("twosync-test-%d-", os.Getpid()) }

// image makes an image of files, whose command is the stand-in asleep.
func image(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	needDocker(t)
	name = prefix() + name
	imagesMu.Lock()
	defer imagesMu.Unlock()
	if images[name] {
		return name
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	all := map[string]string{"standin": must1(t, standIn)}
	for inside, outside := range files {
		all[inside] = outside
	}
	for inside, outside := range all {
		content, err := os.ReadFile(outside)
		must(t, content, err)
		h := &tar.Header{Name: inside, Mode: 0o755, Size: int64(len(content))}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(patient(t), "docker", "import", "-c", `CMD ["/standin","sleep"]`, "-", name)
	cmd.Stdin = &b
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker import: %v: %s", err, out)
	}
	images[name] = true
	return name
}

func removeImages() {
	for name := range images {
		if out, err := exec.Command("docker", "rmi", "-f", name).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "docker rmi: %v: %s\n", err, out)
		}
	}
}

// container starts a container, with options for docker run before the image.
func newContainer(t *testing.T, image string, options ...string) string {
	t.Helper()
	imagesMu.Lock()
	counter++
	name := fmt.Sprintf("%s%d", prefix(), counter)
	imagesMu.Unlock()
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "rm", "-f", "-v", name).CombinedOutput(); err != nil {
			t.Errorf("docker rm: %v: %s", err, out)
		}
	})
	docker(t, append(append([]string{"run", "-d", "--network=none", "--name", name}, options...), image)...)
	return name
}

// variant returns an agent that differs from the stand-in, and not in what it
// does: the loader does not look behind the last segment.
func variant(t *testing.T, change func([]byte) []byte) agents.Agent {
	t.Helper()
	content, err := os.ReadFile(must1(t, standIn))
	content = change(must(t, content, err))
	a := agents.Agent{Path: filepath.Join(t.TempDir(), "agent"), GOOS: "linux", GOARCH: runtime.GOARCH}
	// A mode that must not matter: docker cp is given another.
	if err := os.WriteFile(a.Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	a.SHA256, err = protocol.FileDigest(a.Path)
	return must(t, a, err)
}

func anAgent(t *testing.T) agents.Agent {
	return variant(t, func(b []byte) []byte { return b })
}

func newerAgent(t *testing.T) agents.Agent {
	return variant(t, func(b []byte) []byte { return append(b, "newer"...) })
}

// foreignAgent is for no machine that could run these tests.
func foreignAgent(t *testing.T) agents.Agent {
	return variant(t, func(b []byte) []byte {
		b[18], b[19] = 2, 0 // e_machine: SPARC
		return b
	})
}

// target returns a target whose agents are those given, the host's machine
// first, and what it said.
func newDocker(t *testing.T, text string, found ...agents.Agent) (*Docker, *[]string) {
	t.Helper()
	needDocker(t)
	var said []string
	parsed, err := Parse(text, func(s string) { said = append(said, s) })
	d := must(t, parsed, err).(*Docker)
	d.find = func(_ context.Context, _, machine string, _ func(string)) (agents.Agent, error) {
		i := 0
		if machine != runtime.GOARCH {
			i = 1
		}
		if i >= len(found) {
			return agents.Agent{}, &agents.Error{Msg: "no agent for " + machine, Remedy: "build it"}
		}
		return found[i], nil
	}
	return d, &said
}

// watchDocker puts a script in front of the docker command, and returns a
// function that tells which commands were given since it was last called.
func watchDocker(t *testing.T) func() string {
	t.Helper()
	needDocker(t)
	actual, err := exec.LookPath("docker")
	must(t, actual, err)
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	script := fmt.Sprintf("#!/bin/sh\necho \"$1\" >>'%s'\nexec '%s' \"$@\"\n", log, actual)
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() string {
		b, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.RemoveAll(log); err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(b)), " ")
	}
}

func wantCommands(t *testing.T, commands func() string, want string) {
	t.Helper()
	if got := commands(); got != want {
		t.Errorf("docker commands %q, want %q", got, want)
	}
}

// wantError dials and checks what fails.
func wantError(t *testing.T, d *Docker, want cause, temporary bool, msg, remedy string) *Error {
	t.Helper()
	p, err := d.Dial(patient(t), nil)
	if err == nil {
		p.Close()
		t.Fatalf("connected, want an error with %q", msg)
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %#v, want an *Error", err)
	}
	if e.cause != want || e.Temporary != temporary || !strings.Contains(e.Msg, msg) || !strings.Contains(e.Remedy, remedy) {
		t.Errorf("got cause %d, temporary %v, %q, %q (%v)\nwant %d, %v, %q, %q",
			e.cause, e.Temporary, e.Msg, e.Remedy, e.Err, want, temporary, msg, remedy)
	}
	return e
}

func TestScratchColdAndWarm(t *testing.T) {
	name := newContainer(t, image(t, "scratch", nil))
	agent := anAgent(t)
	commands := watchDocker(t)
	for _, want := range []string{"exec cp exec", "exec"} {
		d, said := newDocker(t, name+":/app", agent) // as in a new process
		p := dial(t, d, "--flag", "echo")
		wantCommands(t, commands, want)
		if p.Greeting.SHA256 != agent.SHA256 || len(*said) > 0 {
			t.Errorf("greeting %v, said %q", p.Greeting, *said)
		}
		echo(t, p)
		p.Close()
		if p.Status() != 0 {
			t.Errorf("status %d: %s", p.Status(), p.Stderr())
		}
	}
	newer := newerAgent(t)
	d, _ := newDocker(t, name+":/app", newer)
	if p := dial(t, d, "echo"); p.Greeting.SHA256 != newer.SHA256 {
		t.Error("an old agent is run")
	}
	wantCommands(t, commands, "exec cp exec")
}

func TestArgumentsAndUser(t *testing.T) {
	tests := []struct{ user, want string }{
		{"", "uid=0 gid=0 "},
		{"12345@", "uid=12345 gid=0 "},
		{"12345:678@", "uid=12345 gid=678 "},
	}
	name := newContainer(t, image(t, "scratch", nil))
	agent := anAgent(t)
	for _, tt := range tests {
		d, _ := newDocker(t, tt.user+name+":/my app", agent)
		p := dial(t, d, "--flag", "args")
		_ = p.stdin.Close()
		if got := readAll(t, p); got != tt.want+"serve --root /my app --flag args\n" {
			t.Errorf("%s: got %q", d, got)
		}
	}
	d, _ := newDocker(t, "nobody-here@"+name+":/app", agent)
	wantError(t, d, noUser, false, "nobody-here", "use a number")
}

func TestBusyboxAsAnotherUser(t *testing.T) {
	needDocker(t)
	busybox, err := busyboxes.Find()
	if err != nil {
		t.Fatal(err)
	}
	name := newContainer(t, image(t, "busybox", map[string]string{"bin/busybox": busybox, "bin/sh": busybox}),
		"--user=12345", "--workdir=/gone", "--env=PATH=")
	d, _ := newDocker(t, name+":/app", anAgent(t))
	echo(t, dial(t, d, "echo"))
	ls := docker(t, "exec", "--user=0", name, "/bin/busybox", "ls", "-ln", "/.twosync/agent/"+path.Base(folder(anAgent(t))))
	for line := range strings.Lines(ls) {
		if !strings.HasPrefix(line, "total") && !strings.HasPrefix(line, "-rwxr-xr-x    2 0        0 ") {
			t.Errorf("installed as %q", line)
		}
	}
}

func TestBakedAgent(t *testing.T) {
	agent := anAgent(t)
	commands := watchDocker(t)
	for i, where := range []string{"usr/local/bin/twosync-agent", "twosync-agent"} {
		name := newContainer(t, image(t, fmt.Sprint("baked", i), map[string]string{where: must1(t, standIn)}), "--read-only")
		commands()
		d, _ := newDocker(t, name+":/app", agent)
		echo(t, dial(t, d, "echo"))
		wantCommands(t, commands, "exec")
	}
}

// J14: an agent of another version is replaced.
func TestBakedAgentOfAnotherVersion(t *testing.T) {
	commands := watchDocker(t)
	baked := image(t, "baked0", map[string]string{"usr/local/bin/twosync-agent": must1(t, standIn)})
	name := newContainer(t, baked)
	agent := newerAgent(t)
	for _, want := range []string{"exec cp exec", "exec"} {
		commands()
		d, _ := newDocker(t, name+":/app", agent)
		if p := dial(t, d, "echo"); p.Greeting.SHA256 != agent.SHA256 {
			t.Error("the agent in the image is run")
		}
		wantCommands(t, commands, want)
	}
}

func TestBakedAgentForAnotherMachine(t *testing.T) {
	name := newContainer(t, image(t, "baked-foreign", map[string]string{"twosync-agent": foreignAgent(t).Path}))
	commands := watchDocker(t)
	d, _ := newDocker(t, name+":/app", anAgent(t))
	echo(t, dial(t, d, "echo"))
	wantCommands(t, commands, "exec cp exec")
}

// J15: what is no agent is named as what it is.
func TestSomethingElseAnswers(t *testing.T) {
	name := newContainer(t, image(t, "scratch", nil))
	d, _ := newDocker(t, name+":/app", anAgent(t))
	_, err := d.Dial(patient(t), []string{"broken"})
	var e *Error
	if !errors.As(err, &e) || e.cause != notGreeted || !strings.Contains(e.Msg, `something \x1b[31melse`) {
		t.Fatalf("got %#v", err)
	}
	if !strings.Contains(e.Err.Error(), "and its reason") {
		t.Errorf("%q lacks the rest", e.Err)
	}
}

func TestOtherMachine(t *testing.T) {
	name := newContainer(t, image(t, "scratch", nil))
	foreign, agent := foreignAgent(t), anAgent(t)
	commands := watchDocker(t)
	d, _ := newDocker(t, name+":/app", foreign, agent)
	for _, want := range []string{"exec cp exec exec cp exec", "exec"} {
		echo(t, dial(t, d, "echo"))
		wantCommands(t, commands, want)
	}
	d, _ = newDocker(t, name+":/app", foreign, agent)
	echo(t, dial(t, d, "echo"))
	wantCommands(t, commands, "exec exec")

	d, _ = newDocker(t, name+":/app", foreign, foreign)
	wantError(t, d, wrongMachine, false, "no agent for", agents.Override)
	d, _ = newDocker(t, name+":/app", foreign)
	wantError(t, d, unknown, false, "no agent for", "build it")
}

func TestContainerStates(t *testing.T) {
	scratch := image(t, "scratch", nil)
	agent := anAgent(t)

	stopped := newContainer(t, scratch)
	docker(t, "kill", stopped)
	d, _ := newDocker(t, stopped+":/app", agent)
	wantError(t, d, notRunning, true, "is not running", "docker start "+stopped)

	paused := newContainer(t, scratch)
	docker(t, "pause", paused)
	d, _ = newDocker(t, paused+":/app", agent)
	wantError(t, d, notRunning, true, "is paused", "docker unpause "+paused)
	docker(t, "unpause", paused)
	echo(t, dial(t, d, "echo"))

	d, _ = newDocker(t, paused+"x:/app", agent)
	wantError(t, d, noContainer, true, "there is no container", "did you mean "+paused+"?")
}

func TestStoppedUnderARunningAgent(t *testing.T) {
	name := newContainer(t, image(t, "scratch", nil))
	d, _ := newDocker(t, name+":/app", anAgent(t))
	p := dial(t, d, "echo")
	echo(t, p)
	docker(t, "kill", name)
	if rest := readAll(t, p); rest != "" {
		t.Errorf("read %q", rest)
	}
	p.Close()
	if p.Status() == 0 || p.Status() == -1 {
		t.Errorf("status %d of docker exec", p.Status())
	}
	docker(t, "start", name)
	echo(t, dial(t, d, "echo"))
}

// where: Docker, read-only root and a volume: the agent is put beside the directory
func TestReadOnlyRoot(t *testing.T) {
	scratch := image(t, "scratch", nil)
	agent := anAgent(t)
	d, _ := newDocker(t, newContainer(t, scratch, "--read-only")+":/app", agent)
	e := wantError(t, d, readOnly, false, "read-only", "COPY --chmod=755 twosync-agent /usr/local/bin/")
	if !strings.Contains(e.Remedy, agent.Path) || !strings.Contains(e.Remedy, "a volume on /app") {
		t.Errorf("remedy %q", e.Remedy)
	}

	commands := watchDocker(t)
	name := newContainer(t, scratch, "--read-only", "--volume=/app")
	commands()
	for _, want := range []string{"exec cp cp exec", "exec"} {
		d, _ := newDocker(t, "12345@"+name+":/app", agent)
		echo(t, dial(t, d, "echo"))
		wantCommands(t, commands, want)
	}
}

func TestCopiedAndNotThere(t *testing.T) {
	name := newContainer(t, image(t, "scratch", nil), "--tmpfs=/.twosync")
	d, _ := newDocker(t, name+":/app", anAgent(t))
	wantError(t, d, cannotCopy, false, "cannot be found", "tmpfs")
}

func TestCutShortCopyIsNotRun(t *testing.T) {
	name := newContainer(t, image(t, "scratch", nil))
	agent := anAgent(t)
	content, err := os.ReadFile(agent.Path)
	whole := archive(agent, must(t, content, err), false)
	cmd := exec.CommandContext(patient(t), "docker", "cp", "-", name+":/")
	cmd.Stdin = bytes.NewReader(whole[:len(whole)/2])
	out, err := cmd.CombinedOutput()
	t.Logf("docker cp of half an archive: %v: %s", err, out)
	installed := name + ":/" + path.Join(folder(agent), agentName)
	if err := exec.CommandContext(patient(t), "docker", "cp", installed, t.TempDir()).Run(); err == nil {
		t.Error("half an agent is there under the name that is run")
	}
	commands := watchDocker(t)
	d, _ := newDocker(t, name+":/app", agent)
	echo(t, dial(t, d, "echo"))
	wantCommands(t, commands, "exec cp exec")
}

// The words of docker cp do not tell when the container went away meanwhile.
func TestGoneBeforeTheCopy(t *testing.T) {
	name := newContainer(t, image(t, "scratch", nil))
	actual, err := exec.LookPath("docker")
	must(t, actual, err)
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = cp ]; then '%s' kill %s; set -- cp - %s-gone:/; fi\nexec '%s' \"$@\"\n",
		actual, name, name, actual)
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	d, _ := newDocker(t, name+":/app", anAgent(t))
	wantError(t, d, notRunning, true, "is not running", "docker start")
}

func TestInstallUnderARunningAgent(t *testing.T) {
	name := newContainer(t, image(t, "scratch", nil))
	agent := anAgent(t)
	d, _ := newDocker(t, name+":/app", agent)
	p := dial(t, d, "echo")
	if err := d.install(patient(t), agent); err != nil {
		t.Error(err)
	}
	echo(t, p)
	echo(t, dial(t, d, "echo"))
}

// where: Docker, compose service: it is found by its name, and again when it was recreated
func TestComposeService(t *testing.T) {
	scratch := image(t, "scratch", nil)
	agent := anAgent(t)
	service := prefix() + "service"
	label := "--label=com.docker.compose.service=" + service
	first := newContainer(t, scratch, label)
	commands := watchDocker(t)
	d, said := newDocker(t, service+":/app", agent)
	echo(t, dial(t, d, "echo"))
	wantCommands(t, commands, "exec ps exec cp exec")
	echo(t, dial(t, d, "echo"))
	wantCommands(t, commands, "exec")
	if len(*said) != 1 || !strings.Contains((*said)[0], first) {
		t.Errorf("said %q, want the container once", *said)
	}
	if d.Key() != "docker://"+service+"/app"+d.engine {
		t.Errorf("key %q depends on the container", d.Key())
	}

	second := newContainer(t, scratch, label)
	both := []string{first, second}
	d2, _ := newDocker(t, service+":/app", agent)
	e := wantError(t, d2, unknown, false, "2 running containers", "name one of them")
	if !slices.ContainsFunc(both, func(name string) bool { return strings.Contains(e.Remedy, name) }) {
		t.Errorf("remedy %q does not list them", e.Remedy)
	}

	docker(t, "rm", "-f", first)
	echo(t, dial(t, d, "echo")) // recreated under another name
	if len(*said) != 2 || !strings.Contains((*said)[1], second) {
		t.Errorf("said %q, want the other container", *said)
	}
	docker(t, "kill", second)
	d3, _ := newDocker(t, service+":/app", agent)
	wantError(t, d3, notRunning, true, "is not running", "docker compose start "+service)
	docker(t, "run", "-d", "--network=none", "--name", first, scratch) // for its cleanup
}

// A short name of hexadecimal digits is a name, and never the start of the id of
// a container that has nothing to do with it.
func TestNameLikeAnID(t *testing.T) {
	scratch := image(t, "scratch", nil)
	agent := anAgent(t)
	id := docker(t, "inspect", "--format={{.Id}}", newContainer(t, scratch))
	commands := watchDocker(t)
	d, _ := newDocker(t, id[:5]+":/app", agent)
	wantError(t, d, noContainer, true, "there is no container", "docker ps -a")
	wantCommands(t, commands, "ps")

	service := newContainer(t, scratch, "--label=com.docker.compose.service="+id[:5])
	newContainer(t, scratch, "--label=com.docker.compose.service="+id[:5], "--label=com.docker.compose.oneoff=True")
	commands()
	for _, want := range []string{"ps exec cp exec", "exec"} {
		echo(t, dial(t, d, "echo"))
		wantCommands(t, commands, want)
	}
	if d.name() != service {
		t.Errorf("reached %s, want %s", d.name(), service)
	}

	d, _ = newDocker(t, id[:12]+":/app", agent)
	echo(t, dial(t, d, "echo"))
	wantCommands(t, commands, "exec cp exec")
}

func TestNoEngine(t *testing.T) {
	agent := anAgent(t)
	d, _ := newDocker(t, "web:/app", agent)
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	wantError(t, d, noEngine, true, "cannot be reached", "is Docker running?")
	t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
	wantError(t, d, noEngine, true, "cannot be reached", "is Docker running?")
	if err := os.Unsetenv("DOCKER_HOST"); err != nil { // an empty one counts, in Docker 20.10
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONTEXT", "twosync-test-none")
	wantError(t, d, noContext, false, "twosync-test-none", "docker context ls")
	t.Setenv("PATH", t.TempDir())
	wantError(t, d, noDocker, false, "docker command was not found", "install Docker")
}
