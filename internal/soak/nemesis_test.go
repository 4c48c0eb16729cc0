//go:build linux

package soak

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nemesis does to a session what machines and people do.
type nemesis struct {
	*rig
	rng             *rand.Rand
	ledger          *ledger
	host, container *user
	old             string // a copy of what both sides held at the last barrier
	did             map[string]int
}

// deed is one thing that goes wrong. What it stops is on again when it returns.
type deed struct {
	name string
	do   func(*nemesis)
}

var deeds = []deed{
	{"the session is killed", func(n *nemesis) { n.stopUp(syscall.SIGKILL); n.rest(1000); n.startUp(n.target()) }},
	{"the session is interrupted", func(n *nemesis) { n.interrupt(); n.rest(1000); n.startUp(n.target()) }},
	{"the session is stopped and goes on", func(n *nemesis) {
		_ = n.up.Process.Signal(syscall.SIGSTOP)
		n.rest(3000)
		_ = n.up.Process.Signal(syscall.SIGCONT)
	}},
	{"the agent is killed", func(n *nemesis) { n.signalAgents(syscall.SIGKILL) }},
	{"the agent is stopped and goes on", func(n *nemesis) {
		n.signalAgents(syscall.SIGSTOP)
		n.rest(3000)
		n.signalAgents(syscall.SIGCONT)
	}},
	{"the pipe is cut", (*nemesis).cutPipe},
	{"the container is paused", (*nemesis).pause},
	{"the container is restarted", func(n *nemesis) {
		n.must("docker", "restart", "-t", "0", n.name)
		n.container.end()
		n.container.begin()
	}},
	{"the container is killed and started", func(n *nemesis) {
		n.must("docker", "kill", n.name)
		n.rest(1500)
		n.must("docker", "start", n.name)
		n.container.end()
		n.container.begin()
	}},
	{"the container is made anew, its volume stays", func(n *nemesis) { n.recreate(func() {}) }},
	{"the container is made anew, with nothing in it", func(n *nemesis) { n.recreate(n.wipe) }},
	{"the container is made anew, with an old source in it", func(n *nemesis) {
		n.recreate(func() {
			n.wipe()
			n.must("cp", "-r", n.old+"/.", filepath.Join(n.vol, "app"))
		})
	}},
	{"the container's disk is full", (*nemesis).fill},
}

func (n *nemesis) rest(ms int) { time.Sleep(time.Duration(n.rng.IntN(ms)+1) * time.Millisecond) }

// strike does one of the deeds.
func (n *nemesis) strike() {
	n.t.Helper()
	d := deeds[n.rng.IntN(len(deeds))]
	n.did[d.name]++
	n.t.Log(d.name)
	d.do(n)
}

func (n *nemesis) interrupt() {
	n.t.Helper()
	if code := n.stopUp(syscall.SIGINT); code != 130 {
		n.t.Errorf("up ended with %d after an interrupt: %s", code, n.upSays)
	}
}

// signalAgents reaches the agents from outside, as the kernel of this machine sees
// them.
func (n *nemesis) signalAgents(sig syscall.Signal) {
	out, err := command(nil, "docker", "top", n.name, "-eo", "pid,args")
	if err != nil {
		return
	}
	for l := range strings.Lines(out) {
		pid, args, _ := strings.Cut(strings.TrimSpace(l), " ")
		if p, err := strconv.Atoi(pid); err == nil && strings.Contains(args, "twosync-agent") {
			_ = syscall.Kill(p, sig)
		}
	}
}

// cutPipe kills what runs between the session and its agent.
func (n *nemesis) cutPipe() {
	out, err := exec.Command("pgrep", "-P", fmt.Sprint(n.up.Process.Pid)).Output()
	if err != nil {
		return // it is dialling
	}
	for pid := range strings.FieldsSeq(string(out)) {
		if p, err := strconv.Atoi(pid); err == nil {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
	}
}

// pause freezes the container for a while. Where that met the start of an exec, the
// engine (Docker 20.10) waits for what is frozen and never unpauses it. Then its
// processes are thawed from outside, which frees the engine, and the container is
// made anew.
func (n *nemesis) pause() {
	n.t.Helper()
	pid := n.must("docker", "inspect", "-f", "{{.State.Pid}}", n.name)
	n.must("docker", "pause", n.name)
	n.rest(3000)
	unpaused := make(chan error, 1)
	go func() {
		_, err := command(nil, "docker", "unpause", n.name)
		unpaused <- err
	}()
	select {
	case err := <-unpaused:
		if err != nil {
			n.t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		n.t.Log("the engine can't unpause it")
		if err := thaw(pid); err != nil {
			n.t.Fatal(err)
		}
		<-unpaused
		n.recreate(func() {})
	}
}

// thaw lets the processes of the control group that pid is in go on.
func thaw(pid string) error {
	groups, err := os.ReadFile(filepath.Join("/proc", pid, "cgroup"))
	if err != nil {
		return err
	}
	for l := range strings.Lines(string(groups)) {
		switch f := strings.SplitN(strings.TrimSpace(l), ":", 3); {
		case len(f) == 3 && f[1] == "freezer":
			err = errors.Join(err, os.WriteFile(filepath.Join("/sys/fs/cgroup/freezer", f[2], "freezer.state"), []byte("THAWED"), 0))
		case len(f) == 3 && f[0] == "0" && f[2] != "/":
			_ = os.WriteFile(filepath.Join("/sys/fs/cgroup", f[2], "cgroup.freeze"), []byte("0"), 0) // not there beside version 1
		}
	}
	return err
}

// recreate removes the container, changes what it left, and makes another.
func (n *nemesis) recreate(change func()) {
	n.t.Helper()
	n.must("docker", "rm", "-f", "-v", n.name)
	n.container.end()
	change()
	n.rest(500)
	n.startContainer()
	n.container.begin()
}

// wipe empties the container's root. What its user wrote and nobody brought over
// goes with it.
func (n *nemesis) wipe() {
	n.t.Helper()
	app := filepath.Join(n.vol, "app")
	if err := os.RemoveAll(app); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Mkdir(app, 0o755); err != nil {
		n.t.Fatal(err)
	}
	n.rest(300) // what was under way to the host has arrived, or never will
	if lost := n.ledger.dropSide("container", n.onHost()); lost > 0 {
		n.t.Logf("%d writes went with the container", lost)
	}
}

// fill leaves no room on the container's file system for a while.
func (n *nemesis) fill() {
	if !n.mounted {
		return
	}
	ballast := filepath.Join(n.vol, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		return
	}
	block := make([]byte, 1<<20)
	for size := len(block); size > 0; {
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2
		}
	}
	_ = f.Close()
	n.rest(2000)
	_ = os.Remove(ballast)
}
