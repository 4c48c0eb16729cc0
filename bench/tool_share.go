package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// shareDir is the host's own directory that a tool shows to the container.
func (b *bench) shareDir(tool string) string { return filepath.Join(b.work, "share", tool) }

// findBind is the plain bind mount.
func findBind(_ context.Context, b *bench) error { return b.addShare("bind", b.shareDir("bind")) }

// addShare mounts what shows the share of a tool.
func (b *bench) addShare(tool, shown string) error {
	if err := os.MkdirAll(b.shareDir(tool), 0o755); err != nil {
		return err
	}
	b.box.mounts = append(b.box.mounts, mount{shown, sharePath(tool), false})
	return nil
}

// startShare has nothing to start: the directory is one.
func startShare(_ context.Context, b *bench, p pair, _ direction, _ options) (session, error) {
	return noSession{}, b.mkdir(p)
}

// A stand-in is a FUSE file system of this machine between the share and the
// container: it costs what a share of macOS costs, about, and tells of no change
// that the host makes. It is a model, and every line that comes of it says so.

// mountStandIn runs what shows the share at another place, and waits until it is
// there.
func (b *bench) mountStandIn(ctx context.Context, tool string, args func(from, to string) []string) error {
	if runtime.GOOS != "linux" {
		return errors.New("stands in for macOS on Linux only: here is the real thing, bind")
	}
	from, to := b.shareDir(tool), filepath.Join(b.work, "shown", tool)
	if err := errors.Join(os.MkdirAll(from, 0o755), os.MkdirAll(to, 0o755)); err != nil {
		return err
	}
	c, err := b.startChild(ctx, nil, args(from, to)...)
	if err != nil {
		return err
	}
	b.standIns = append(b.standIns, standIn{to, c})
	for end := time.Now().Add(stopLimit); !mounted(to); {
		select {
		case <-c.ended:
			return fmt.Errorf("%s did not mount: %s", args(from, to)[0], c.said())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(childPause):
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s did not mount within %v: %s", args(from, to)[0], stopLimit, c.said())
		}
	}
	return b.addShare(tool, to)
}

// standIn is one that is mounted.
type standIn struct {
	at    string
	child *child
}

// mounted says whether a file system of its own is at path.
func mounted(path string) bool {
	text, err := os.ReadFile("/proc/self/mounts")
	return err == nil && strings.Contains(string(text), " "+path+" fuse")
}

// unmount ends a stand-in: its process ends when it is unmounted.
func (s standIn) unmount() error {
	if !mounted(s.at) { // it failed, or it has ended by itself
		_ = s.child.stop()
		return nil
	}
	command := "fusermount3"
	if _, err := exec.LookPath(command); err != nil {
		command = "fusermount"
	}
	if out, err := exec.Command(command, "-u", s.at).CombinedOutput(); err != nil {
		return fmt.Errorf("unmount %s: %w: %s", s.at, err, strings.TrimSpace(string(out)))
	}
	select {
	case <-s.child.ended:
		return s.child.log.Close()
	case <-time.After(stopLimit):
		return s.child.stop()
	}
}

// findSlowFS is our own stand-in, with a cost for each request.
func findSlowFS(delay string) func(ctx context.Context, b *bench) error {
	return func(ctx context.Context, b *bench) error {
		if runtime.GOOS != "linux" {
			return errors.New("stands in for macOS on Linux only: here is the real thing, bind")
		}
		program := filepath.Join(b.work, "slowfs")
		if _, err := os.Stat(program); err != nil {
			if err := goBuild(ctx, filepath.Join(b.module, "bench", "standin", "slowfs"), program, nil, "."); err != nil {
				return err
			}
		}
		name := "slowfs" + strings.TrimRight(delay, "us")
		said, err := exec.CommandContext(ctx, program, "calibrate", "-delay", delay, b.work).Output()
		if err != nil {
			return fmt.Errorf("calibrate: %w: %s", err, failureOf(err))
		}
		b.version(name, "one request costs "+delay+" more; "+strings.TrimSpace(string(said)))
		return b.mountStandIn(ctx, name, func(from, to string) []string {
			return []string{program, "mount", "-delay", delay, from, to}
		})
	}
}

// failureOf is what a command said on standard error.
func failureOf(err error) string {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return strings.TrimSpace(string(exit.Stderr))
	}
	return ""
}

func findBindFS(ctx context.Context, b *bench) error {
	said, err := version(ctx, "bindfs", "--version")
	if err != nil {
		return err
	}
	b.version("bindfs", said)
	return b.mountStandIn(ctx, "bindfs", func(from, to string) []string { return []string{"bindfs", "-f", from, to} })
}

// sftpServers are where systems keep it.
var sftpServers = []string{"/usr/lib/openssh/sftp-server", "/usr/lib/ssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server"}

// findSSHFS is what Lima and Colima use with QEMU, without their ssh: sshfs and the
// server by a pipe.
func findSSHFS(ctx context.Context, b *bench) error {
	said, err := version(ctx, "sshfs", "--version")
	if err != nil {
		return err
	}
	b.version("sshfs", said)
	for _, server := range sftpServers {
		if _, err := os.Stat(server); err != nil {
			continue
		}
		instead := filepath.Join(b.work, "sftp") // of ssh, whose arguments it does not want
		if err := os.WriteFile(instead, []byte("#!/bin/sh\nexec "+shellQuote(server)+"\n"), 0o755); err != nil {
			return err
		}
		return b.mountStandIn(ctx, "sshfs", func(from, to string) []string {
			return []string{"sshfs", "-f", "-o", "ssh_command=" + instead, "bench:" + from, to}
		})
	}
	return errors.New("no sftp-server on this machine: install openssh-sftp-server")
}

// shareTypes asks the container what kind of mount each share is, so that a result
// labels itself.
func (b *bench) shareTypes() {
	for _, t := range b.tools {
		if !t.share {
			continue
		}
		if r, err := b.there.Do(probe.Request{Op: "fstype", Root: sharePath(t.name)}); err == nil {
			b.version(t.name, strings.TrimPrefix(b.versions[t.name]+"; mounted as "+r.FSType, "; "))
		}
	}
}

// sharing is how Docker Desktop says that it shares files, of its settings.
func sharing(settings []byte) string {
	var s map[string]any
	if json.Unmarshal(settings, &s) != nil {
		return ""
	}
	var said []string
	for _, key := range []string{"UseVirtualizationFramework", "UseVirtualizationFrameworkVirtioFS", "UseGrpcfuse", "UseLibkrun",
		"useVirtualizationFramework", "useVirtualizationFrameworkVirtioFS", "useGrpcfuse", "useLibkrun"} {
		if v, ok := s[key]; ok {
			said = append(said, fmt.Sprintf("%s=%v", key, v))
		}
	}
	return strings.Join(said, " ")
}
