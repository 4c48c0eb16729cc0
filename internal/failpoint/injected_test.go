//go:build linux

package failpoint

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var (
	injections = flag.Int("injections", 40, "how many errors of the kernel are made up; -all: each")
	seed       = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of which errors those are")
)

// failing are the calls by which a program touches a file system, and what each may
// fail with.
var failing = map[string]string{
	"openat":            "ENOSPC EIO EACCES EMFILE ENFILE EPERM ELOOP",
	"mkdirat":           "ENOSPC EACCES EROFS EDQUOT",
	"renameat2":         "ENOSPC EIO EACCES EPERM EXDEV EBUSY",
	"unlinkat":          "EIO EACCES EBUSY EPERM",
	"symlinkat":         "ENOSPC EACCES",
	"newfstatat":        "EIO EACCES ESTALE",
	"fstat":             "EIO ESTALE",
	"getdents64":        "EIO ESTALE",
	"readlinkat":        "EIO EACCES",
	"pread64":           "EIO",
	"ftruncate":         "ENOSPC EIO",
	"fsync":             "EIO ENOSPC EDQUOT",
	"fdatasync":         "EIO ENOSPC",
	"syncfs":            "EIO ENOSPC",
	"fchmod":            "EPERM EROFS",
	"fchown":            "EPERM",
	"flock":             "EINTR ENOLCK",
	"inotify_add_watch": "ENOSPC EACCES ENOMEM",
	"inotify_init1":     "EMFILE",
}

// met counts the errors that a program was given.
var met atomic.Int64

// maxWhen is up to which of its calls a thread meets the error.
const maxWhen = 40

type injection struct {
	call, errno string
	when        int
}

func (i injection) String() string { return fmt.Sprintf("%s/%s/%d", i.call, i.errno, i.when) }

// I1r, I4r: whatever one call of the kernel fails with, on either side, nothing
// is lost, and a session in which nothing fails ends as it would have.
func TestInjected(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some dozens of processes")
	}
	if err := canTrace(); err != nil {
		t.Skip(err)
	}
	sc := scenarios[2] // edits on both sides, after both had agreed
	_, want := sc.play(t, kill{})
	t.Logf("run it again with -args -seed %d", *seed)
	t.Cleanup(func() {
		t.Logf("%d errors were met", met.Load())
		if met.Load() < int64(*injections)/4 {
			t.Error("too few to show anything")
		}
	})
	for _, i := range chosenInjections() {
		t.Run(i.String(), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			sc.first(p)
			p.once(kill{})
			sc.later(p)
			p.traced(i)
			p.once(kill{})
			end{tree(t, p.host), nil}.everyLine(t, end{tree(t, p.container), nil})
			want.everyLine(t, end{tree(t, p.host), p.kept()})
		})
	}
}

func chosenInjections() (list []injection) {
	for call, errnos := range failing {
		for errno := range strings.FieldsSeq(errnos) {
			for when := 1; when <= maxWhen; when++ {
				list = append(list, injection{call, errno, when})
			}
		}
	}
	rng := rand.New(rand.NewPCG(*seed, 0))
	rng.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	if !*all {
		list = list[:min(len(list), *injections)]
	}
	return list
}

func canTrace() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "strace", "-f", "-e", "trace=none", "true").CombinedOutput()
	if err != nil {
		return fmt.Errorf("strace does not work here: %w: %s", err, out)
	}
	return nil
}

// traced runs a session, both processes of it, in which one call of each thread
// fails. It may end in any way that is one.
func (p *place) traced(i injection) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	log := filepath.Join(p.top, "strace")
	cmd := exec.CommandContext(ctx, "strace", "-f", "-qq", "-o", log, "-e", "trace="+i.call,
		"-e", fmt.Sprintf("inject=%s:error=%s:when=%d", i.call, i.errno, i.when),
		built.twosync, "up", p.host, "local:"+p.container, "--once", "--json")
	cmd.Env = append(p.environ(kill{}), "TWOSYNC_FAILPOINT_LOG_HOST=", "TWOSYNC_FAILPOINT_LOG_AGENT=")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "panic:") || strings.Contains(string(out), "fatal error:") {
		p.t.Fatalf("a panic: %s", out)
	}
	text, lerr := os.ReadFile(log)
	must(p.t, lerr)
	met.Add(int64(strings.Count(string(text), "(INJECTED)")))
	if ctx.Err() != nil {
		p.t.Errorf("not over in time: %v\n%s", err, out[max(0, len(out)-3000):])
	}
}
