//go:build linux

package e2e

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
)

// These tests disturb the whole cluster. None of them is parallel, so that they
// have it for themselves.

// The apiserver dies and is started again. With SPDY kubectl then ends with exit
// status 0 and without a word.
//
// where: Kubernetes, hardened pod: the apiserver dies (WebSocket and SPDY)
func TestClusterApiserverRestarted(t *testing.T) {
	long(t)
	transports(t, func(t *testing.T, environment ...string) {
		disturbed(t, "apiserver", environment...)
	})
}

// The same of the kubelet, where kubectl always ends like that.
//
// where: Kubernetes, hardened pod: the kubelet dies (WebSocket and SPDY)
func TestClusterKubeletRestarted(t *testing.T) {
	long(t)
	transports(t, func(t *testing.T, environment ...string) {
		disturbed(t, "kubelet", environment...)
	})
}

// When the runtime dies, the agent in the container is not even told of the end
// of its input. It ends because nobody speaks to it, and gives its lock back.
//
// where: Kubernetes, hardened pod: the runtime dies (WebSocket and SPDY)
func TestClusterRuntimeRestarted(t *testing.T) {
	long(t)
	transports(t, func(t *testing.T, environment ...string) {
		disturbed(t, "containerd", environment...)
	})
}

// disturbed kills a part of the cluster under a session, which goes on when the
// part is back. Both sides were at work meanwhile.
func disturbed(t *testing.T, part string, environment ...string) {
	pod := newPod(t, hardened)
	p := beginWithPod(t, "k8s:///"+pod+":/work/app", pod, "/work/app", environment...)
	component(t, part, "KILL")
	p.host.write("main.go", "package main // while it was gone\n")
	p.host.remove("lib/deep")
	p.event("lost")
	p.back()
	podReady(t, pod)
	p.enterPod(pod, "/work/app")
	p.settled(t)
	p.inner.holds("main.go", "package main // while it was gone\n")
	p.inner.lacks("lib/deep")
	p.inner.write("lib/a.go", "package lib // after\n")
	p.settled(t)
	p.host.holds("lib/a.go", "package lib // after\n")
	if n := len(p.agents()); n != 1 {
		t.Errorf("%d agents run, want 1", n)
	}
	p.keptNothing()
	p.noWarnings()
	p.stop()
}

// noWarnings fails the test if what kubectl says was taken for a crash.
func (p *pair) noWarnings() {
	p.t.Helper()
	if w := p.said("warning"); len(w) > 0 {
		p.t.Errorf("up warns: %+v", w)
	}
}

// A kubelet that is frozen, and with it everything that goes through it: nobody
// is told, on neither side. Both give up, and meet again.
//
// where: Kubernetes, hardened pod: the kubelet is frozen
func TestClusterKubeletFrozen(t *testing.T) {
	long(t)
	pod := newPod(t, hardened)
	p := beginWithPod(t, "k8s:///"+pod+":/work/app", pod, "/work/app")
	component(t, "kubelet", "STOP")
	thawed := false
	thaw := func() {
		if !thawed {
			thawed = true
			component(t, "kubelet", "CONT")
		}
	}
	t.Cleanup(thaw)
	p.host.write("main.go", "package main // while it was frozen\n")
	p.event("lost")
	thaw()
	p.back()
	p.enterPod(pod, "/work/app")
	p.settled(t)
	p.inner.holds("main.go", "package main // while it was frozen\n")
	if n := len(p.agents()); n != 1 {
		t.Errorf("%d agents run, want 1", n)
	}
	p.keptNothing()
	p.noWarnings()
	p.stop()
}

// A stream over WebSocket that one side does not read for a minute is cut, and
// what was in it is lost. It does not come to that: an agent whose host does not
// read, such as a laptop that sleeps, ends before; and it does so although its
// own write is stuck.
//
// where: Kubernetes, hardened pod: the host sleeps for a minute (WebSocket and SPDY)
func TestPodHostAsleep(t *testing.T) {
	long(t)
	t.Parallel()
	transports(t, func(t *testing.T, environment ...string) {
		t.Parallel()
		pod := newPod(t, hardened)
		p := beginWithPod(t, "k8s:///"+pod+":/work/app", pod, "/work/app", environment...)
		must(t, p.cmd.Process.Signal(syscall.SIGSTOP))
		t.Cleanup(func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) })
		p.inner.do(Request{Do: "populate", Path: []byte("much"), N: 300, At: 1})
		p.inner.do(Request{Do: "ended", Data: []byte(agentName), N: patience.Milliseconds()})
		must(t, p.cmd.Process.Signal(syscall.SIGCONT))
		p.event("lost")
		p.back()
		p.settled(t)
		p.keptNothing()
		p.stop()
	})
}

// A large file crosses whole in both directions, over both transports: trap 1 of
// kubectl exec cuts an upload whose reader was redirected.
//
// where: Kubernetes, any pod: large files (WebSocket and SPDY)
func TestPodLargeFiles(t *testing.T) {
	long(t)
	t.Parallel()
	transports(t, func(t *testing.T, environment ...string) {
		t.Parallel()
		pod := newPod(t, plan{recipe: busybox})
		p := newClusterPlace(t, environment...).beginPod("k8s:///"+pod+":/app", pod, "/app")
		p.host.do(Request{Do: "big", Path: []byte("there"), N: 40 << 20, At: 1})
		p.inner.do(Request{Do: "big", Path: []byte("back"), N: 40 << 20, At: 2})
		p.settled(t)
		p.stop()
	})
}

// What a container's user puts where we look for the agent does not become the
// agent, and moves no cursor.
//
// where: Kubernetes, any pod: what is in the place of an agent and is none
func TestPodLyingAgent(t *testing.T) {
	t.Parallel()
	pod := newPod(t, plan{recipe: recipe{name: "liar", links: busyboxLinks(), files: map[string]string{
		"twosync-agent": "#!/bin/sh\nprintf 'twosync-agent 1 \\033[31m\\n'; exit 3\n",
	}}})
	kubectl(t, "exec", pod, "--", "busybox", "chmod", "755", "/twosync-agent")
	p := newClusterPlace(t)
	source(onHost(t, p.dir))
	code, _, stderr := p.run("up", p.dir, "k8s:///"+pod+":/app", "--once")
	if code != fine || strings.Contains(stderr, "\x1b") {
		t.Errorf("up ended with %d: %q", code, stderr)
	}
	if !bytes.Contains([]byte(stderr), []byte("another version")) {
		t.Errorf("up does not say that the agent in the image is another one: %q", stderr)
	}
}
