//go:build linux

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// beginHere starts a session between two directories of this machine, with a
// real agent in a process of its own, and waits until it is in sync. Flags are
// those of up.
func beginHere(t *testing.T, flags ...string) *pair {
	t.Helper()
	return newPlace(t).beginHere(flags...)
}

func (p *place) beginHere(flags ...string) *pair {
	p.t.Helper()
	there := filepath.Join(filepath.Dir(p.dir), "there")
	if err := os.MkdirAll(there, 0o755); err != nil {
		p.t.Fatal(err)
	}
	b := &pair{session: p.up("local:"+there, flags...), target: "local:" + there}
	b.inSync()
	b.host = onHost(p.t, p.dir)
	b.inner = onHost(p.t, there)
	b.inner.name = "container"
	return b
}

// root is the directory of a user on this machine.
func (u *user) root() string {
	args := u.link.proc.Args
	return filepath.Join(args[len(args)-1], u.base)
}

// needTool returns the first of these programs that is installed.
func needTool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv(requireDocker) == "1" {
		t.Fatalf("none of %v is installed", names)
	}
	t.Skip("not installed: ", names)
	return ""
}

// tool runs a program to its end in a directory, and returns what it printed.
func tool(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v: %s%s", name, args, err, &out, &errs)
	}
	return out.String()
}
