package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	// scriptTime is what all scripts together may take, on a machine that is busy.
	scriptTime = 10 * time.Minute

	// awaitTime is what a script waits for a condition, and awaitEvery how
	// often it looks.
	awaitTime  = 30 * time.Second
	awaitEvery = 20 * time.Millisecond
)

func TestMain(m *testing.M) {
	// A local target starts the running executable as its agent. This
	// executable goes by another name then, which testscript would take for a
	// run of all the tests.
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		os.Exit(Main(os.Args[1:]))
	}
	testscript.Main(m, map[string]func(){
		"twosync": func() { os.Exit(Main(os.Args[1:])) },
	})
}

// where: A directory on this machine: every command, and every way in which a session ends
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Deadline:            time.Now().Add(scriptTime),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUp,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":  await,
			"holds":  holds,
			"fifo":   fifo,
			"exits":  exits,
			"tree":   trees,
			"killed": killed,
		},
	})
}

func setUp(e *testscript.Env) error {
	for _, dir := range []string{"home", "state"} {
		if err := os.Mkdir(filepath.Join(e.WorkDir, dir), 0o700); err != nil {
			return err
		}
	}
	e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
	e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
	// Temporary folders on the short path that a socket needs.
	e.Setenv("TMPDIR", os.TempDir())
	return nil
}

func condition(name string) (bool, error) {
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("no condition %q", name)
}

// await PROGRAM ARGS... runs a program again and again until it succeeds;
// await CODE PROGRAM ARGS... until it ends with this code.
// await is FILE TEXT waits until a file holds the text and a line end;
// await gone FILE until there is none.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: await (is FILE TEXT | gone FILE | PROGRAM ARGS...)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), awaitTime)
	defer cancel()
	every := time.NewTicker(awaitEvery)
	defer every.Stop()
	for {
		why := unmet(ctx, ts, args)
		if why == "" {
			return
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			ts.Fatalf("waited in vain for %q: %s", args, why)
		}
	}
}

// unmet says why a condition does not hold, or "".
func unmet(ctx context.Context, ts *testscript.TestScript, args []string) string {
	switch {
	case args[0] == "is" && len(args) == 3:
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		if err != nil {
			return err.Error()
		}
		if string(text) != args[2]+"\n" {
			return fmt.Sprintf("it holds %q", text)
		}
		return ""
	case args[0] == "gone" && len(args) == 2:
		if _, err := os.Lstat(ts.MkAbs(args[1])); !os.IsNotExist(err) {
			return "it is there"
		}
		return ""
	}
	want, err := strconv.Atoi(args[0])
	if err == nil {
		args = args[1:]
	}
	cmd := command(ctx, ts, args)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return ""
}

func command(ctx context.Context, ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "XDG_STATE_HOME", "TMPDIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	return cmd
}

// exits CODE PROGRAM ARGS... runs a program that must end with this code. Its
// output is in the files stdout and stderr.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	ctx, cancel := context.WithTimeout(context.Background(), awaitTime)
	defer cancel()
	cmd := command(ctx, ts, args[1:])
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		ts.Fatalf("run %q: %v", args[1:], err)
	}
	ts.Logf("[stdout]\n%s[stderr]\n%s", stdout.String(), stderr.String())
	ts.Check(os.WriteFile(ts.MkAbs("stdout"), []byte(stdout.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), []byte(stderr.String()), 0o600))
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("%q ended with %s, want %s", args[1:], got, args[0])
	}
}

// holds TEXT FOLDER says that a file with this text and a line end is somewhere
// in a folder, whatever its name.
func holds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] holds TEXT FOLDER")
	}
	found := false
	err := filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		found = found || string(text) == args[0]+"\n"
		return err
	})
	ts.Check(err)
	if found == neg {
		ts.Fatalf("a file that holds %q in %s: %v", args[0], args[1], found)
	}
}

// tree DIR DIR says that two directories hold the same, but for our own folder.
func trees(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] tree DIR DIR")
	}
	a, b := listing(ts, args[0]), listing(ts, args[1])
	if (a == b) == neg {
		ts.Fatalf("%s:\n%s\n%s:\n%s", args[0], a, args[1], b)
	}
}

func listing(ts *testscript.TestScript, dir string) string {
	var b strings.Builder
	top := ts.MkAbs(dir)
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".twosync":
			return filepath.SkipDir
		}
		rel, _ := filepath.Rel(top, path)
		fmt.Fprintf(&b, "%q", rel)
		if d.Type().IsRegular() {
			text, err := os.ReadFile(path)
			ts.Check(err)
			fmt.Fprintf(&b, " %q", text)
		}
		fmt.Fprintln(&b)
		return nil
	})
	ts.Check(err)
	return b.String()
}

// fifo NAME makes a named pipe, which nobody can sync.
func fifo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fifo NAME")
	}
	ts.Check(ts.Exec("mkfifo", args[0]))
}

// killed DIR kills the process of a session, as a power cut would end it, and
// waits until it is gone.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: killed DIR")
	}
	pid := 0
	for _, r := range recordsIn(filepath.Join(ts.Getenv("XDG_STATE_HOME"), "twosync")) {
		if r.Dir == resolve(ts.MkAbs(args[0])) {
			pid = r.PID
		}
	}
	if pid == 0 {
		ts.Fatalf("no session was recorded for %s", args[0])
	}
	p, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(p.Kill())
}
