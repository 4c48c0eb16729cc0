package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

func TestOffsetIsTakenFromTheQuickest(t *testing.T) {
	// The container is 1000 ahead. The slow questions came back late.
	all := []question{{asked: 0, there: 1100, answered: 5000}, {asked: 100, there: 1150, answered: 200}, {asked: 0, there: 1500, answered: 600}}
	if got := offset(all); got != 1000 {
		t.Errorf("ahead by %d", got)
	}
	if err := steady(5*time.Second, 5*time.Second+clockMoves); err != nil {
		t.Error(err)
	}
	for _, moved := range []time.Duration{2 * clockMoves, -2 * clockMoves} {
		if steady(5*time.Second, 5*time.Second+moved) == nil {
			t.Errorf("a clock that moved by %v is steady", moved)
		}
	}
}

// TestHostClock: what the container says is dated by when it came, less half of
// the way there and back; its own clock plays no part.
func TestHostClock(t *testing.T) {
	here, there := &probe.Client{}, &probe.Client{}
	b := &bench{here: here, there: there, clock: clock{round: 2 * time.Millisecond}}
	ms := func(n int64) int64 { return n * int64(time.Millisecond) }
	saved := probe.Reply{Wall: ms(100), Ago: time.Millisecond, Received: ms(101), Mono: 1}
	seen := probe.Reply{Wall: ms(999_999), Ago: 3 * time.Millisecond, Received: ms(114), Mono: ms(500_000)}
	// Saved at 99, seen at 114 - 3 - 1 = 110.
	if got := b.between(here, there, saved, seen); got != 0.011 {
		t.Errorf("out: %v", got)
	}
	// Saved in the container at 101 - 1 - 1 = 99, seen here at 112 - 3 = 109.
	seen = probe.Reply{Wall: ms(112), Ago: 3 * time.Millisecond}
	if got := b.between(there, here, saved, seen); got != 0.010 {
		t.Errorf("back: %v", got)
	}
	if got := b.between(there, here, probe.Reply{Received: ms(200)}, seen); got != 0 {
		t.Errorf("seen before it was saved, by the error of the clock: %v", got)
	}
	b.clock.shared = true
	if got := b.between(here, there, probe.Reply{Mono: ms(5)}, probe.Reply{Mono: ms(7)}); got != 0.002 {
		t.Errorf("one clock: %v", got)
	}
}

func TestParseInfo(t *testing.T) {
	e, arch, err := parseInfo(`{"Architecture":"aarch64","OperatingSystem":"Docker Desktop","ServerVersion":"29.1","Driver":"overlayfs","KernelVersion":"6.12.5-linuxkit","NCPU":8,"MemTotal":16777216000}`)
	want := Engine{System: "Docker Desktop", Version: "29.1", Driver: "overlayfs", Kernel: "6.12.5-linuxkit", CPUs: 8, Memory: 16777216000}
	if err != nil || arch != "arm64" || e != want {
		t.Errorf("%+v, %s, %v", e, arch, err)
	}
	for _, bad := range []string{"", "{}", `{"ServerVersion":"1","Architecture":"riscv64"}`, `{"ServerErrors":["not running"]}`} {
		if _, _, err := parseInfo(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestProduct(t *testing.T) {
	for want, e := range map[string]Engine{
		"OrbStack":       {System: "OrbStack", Context: "orbstack"},
		"Docker Desktop": {System: "Docker Desktop", Context: "desktop-linux"},
		"Colima":         {System: "Ubuntu 24.04.2 LTS", Context: "colima-big"},
		"":               {System: "Debian GNU/Linux 12 (bookworm)", Context: "default"},
	} {
		if got := product(e); got != want {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
}

func TestSharing(t *testing.T) {
	got := sharing([]byte(`{"UseVirtualizationFrameworkVirtioFS":true,"UseGrpcfuse":false,"Other":"secret"}`))
	if got != "UseVirtualizationFrameworkVirtioFS=true UseGrpcfuse=false" {
		t.Errorf("%q", got)
	}
	if got := sharing([]byte("no JSON")); got != "" {
		t.Errorf("%q", got)
	}
}

func TestVersionLine(t *testing.T) {
	for _, c := range []struct{ command, said, want string }{
		{"sshfs", "FUSE library version 3.14\nSSHFS version 3.7.3\n", "SSHFS version 3.7.3"},
		{"mutagen", "0.18.1\n", "0.18.1"},
		{"docker", "2.40.3", "2.40.3"},
		{"rsync", "rsync  version 3.2.7  protocol version 31\nCopyright\n", "rsync  version 3.2.7  protocol version 31"},
	} {
		if got := versionLine(c.said, c.command); got != c.want {
			t.Errorf("%s: %q", c.command, got)
		}
	}
}

func TestParseLDD(t *testing.T) {
	const said = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f46)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f46)\n"
	if got := parseLDD(said); !reflect.DeepEqual(got, []string{"/lib/x86_64-linux-gnu/libz.so.1", "/lib64/ld-linux-x86-64.so.2"}) {
		t.Errorf("%q", got)
	}
	if got := parseLDD("\tnot a dynamic executable\n"); got != nil {
		t.Errorf("%q", got)
	}
}

func TestFamily(t *testing.T) {
	p := func(pid, parent int, command string, rss int64) probe.Process {
		return probe.Process{PID: pid, Parent: parent, Command: command, RSS: rss, CPU: time.Duration(rss)}
	}
	all := []probe.Process{p(1, 0, "init", 1000), p(5, 1, "tool", 1), p(6, 5, "sh", 10), p(7, 6, "helper", 100), p(8, 5, "docker", 5000), p(10, 5, "kubectl", 6000), p(9, 1, "other", 7000)}
	if sum, found := family(all, 5); !found || sum.RSS != 111 || sum.CPU != 111 {
		t.Errorf("%+v, %v", sum, found)
	}
	if _, found := family(all, 77); found {
		t.Error("a process that is not there was found")
	}
}

func TestAfterFirst(t *testing.T) {
	if got := afterFirst([]float64{9, 1, 2}); !reflect.DeepEqual(got, []float64{1, 2}) {
		t.Errorf("%v", got)
	}
	if got := afterFirst([]float64{9}); !reflect.DeepEqual(got, []float64{9}) {
		t.Errorf("the only save is the answer: %v", got)
	}
}

func TestFlags(t *testing.T) {
	out := t.TempDir()
	o, err := flags(context.Background(), []string{"-tools", "twosync,floor", "-workloads", "save", "-files", "1000", "-rtt", "5ms,1s", "-tree", out, "-out", out})
	if err != nil || !reflect.DeepEqual(o.trips, []time.Duration{5 * time.Millisecond, time.Second}) || !reflect.DeepEqual(o.tools, []string{"twosync", "floor"}) {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range [][]string{{"-tools", "nothing"}, {"-workloads", "rest"}, {"-rtt", "fast"}, {"-rtt", "-1s"}, {"-files", "1"}, {"-rounds", "0"},
		{"-large", "0"}, {"-transfer", "0"}, {"-tree", filepath.Join(out, "absent")}, {"more"}} {
		if _, err := flags(context.Background(), append(bad, "-out", out)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	for _, w := range unusual() {
		if indexOf(o.workloads, func(name string) bool { return name == w }) >= 0 {
			t.Errorf("%s runs without being asked for", w)
		}
	}
}

func TestExitCode(t *testing.T) {
	for want, args := range map[int][]string{2: {"-tools", "nothing"}} {
		if got := exitCode(benchmark(context.Background(), args)); got != want {
			t.Errorf("%q: %d, want %d", args, got, want)
		}
	}
	if got := exitCode(fmt.Errorf("run: %w", context.Canceled)); got != 130 {
		t.Errorf("interrupted: %d", got)
	}
	if got := exitCode(errors.New("no engine")); got != 1 {
		t.Errorf("failed: %d", got)
	}
}

// TestOtherDocker runs what stands in front of docker, with names that a shell
// would take apart.
func TestOtherDocker(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's a folder")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"docker": "#!/bin/sh\necho actual \"$@\"\n", "probe": "#!/bin/sh\necho probe $1; shift; exec \"$@\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	b := &bench{work: dir, hostProbe: filepath.Join(dir, "probe")}
	folder, err := b.otherDocker("word")
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(filepath.Join(folder, "docker"), "exec", "a b").CombinedOutput()
	if err != nil || string(said) != "probe word\nactual exec a b\n" {
		t.Errorf("%q, %v", said, err)
	}
}

func TestExtraTable(t *testing.T) {
	r := Report{Models: []string{"slowfs0"}}
	for tool, v := range map[string]float64{own: 10e-6, mainTool: 12e-6, "slowfs0": 150e-6} {
		r.Samples = append(r.Samples, Sample{Work: "inside.stat.file", Tool: tool, Values: []float64{v}})
	}
	got := extraTable(r)
	for _, want := range []string{"| twosync |  | +2.0 µs |", "| slowfs0 (model, not macOS) |  | +140.0 µs |"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "| own") {
		t.Error("it stands beside itself")
	}
	if extraTable(Report{}) != "" {
		t.Error("a table of nothing")
	}
}

func TestEventTable(t *testing.T) {
	r := Report{Events: []Told{{mainTool, "delete", []string{"MOVED_FROM"}}, {"bind", "delete", nil}}}
	if got := eventTable(r); !strings.Contains(got, "| twosync |  |  |  |  |  |  | MOVED_FROM |\n| bind |  |  |  |  |  |  | nothing |\n") {
		t.Error(got)
	}
	if eventTable(Report{}) != "" {
		t.Error("a table of nothing")
	}
}

// TestColumnsOfGroups: both columns of the picture are about as long, and none is
// lost.
func TestColumnsOfGroups(t *testing.T) {
	g := func(n int) group { return group{bars: make([]bar, n)} }
	for _, c := range []struct {
		groups []group
		want   int
	}{{[]group{g(1)}, 1}, {[]group{g(1), g(1)}, 1}, {[]group{g(8), g(1), g(1)}, 1}, {[]group{g(1), g(1), g(8)}, 3}, {nil, 0}} {
		if got := halfOf(c.groups); got != c.want {
			t.Errorf("%d groups: %d in the first column, want %d", len(c.groups), got, c.want)
		}
	}
}
