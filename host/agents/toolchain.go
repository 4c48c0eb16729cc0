package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// On a slow machine with cold caches the standard library comes first.
	buildDeadline = 10 * time.Minute
	// Of what the go command prints, this much can go into an error.
	maxGoOutput = 2 << 10
)

// A toolchain knows what the local go command can build the agent from.
type toolchain struct {
	module  string
	main    string // path of the main package in the module
	source  string // root of the module's source, or ""
	version string // version of the module to install, or ""
}

// build returns the content of a new static agent.
func (t toolchain) build(ctx context.Context, p platform) (content []byte, err error) {
	if t.source == "" && t.version == "" {
		return nil, errors.New("the source that this executable was built from is not here")
	}
	ctx, cancel := context.WithTimeout(ctx, buildDeadline)
	defer cancel()
	tmp, err := os.MkdirTemp("", "twosync-agent-")
	if err != nil {
		return nil, fmt.Errorf("create build folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	path := filepath.Join(tmp, "agent")
	if t.source != "" {
		err = t.goBuild(ctx, p, path)
	} else {
		path, err = t.goInstall(ctx, p, tmp)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// buildFlags keep the agent small, below 4 MB: on amd64, functions on 16 bytes instead
// of 32 save 37 kB, and packages that have nothing to do with the speed of sync, not
// inlined, 32 kB.
var buildFlags = []string{"-trimpath", "-gcflags=fmt=-l", "-gcflags=net=-l", "-gcflags=log=-l", "-ldflags=-s -w -funcalign=4"}

// goBuild builds from the module's source. It takes no version from the source
// folder's history: git may be missing, or distrust the folder's owner.
func (t toolchain) goBuild(ctx context.Context, p platform, out string) error {
	env, err := environ(ctx, t.source, p)
	if err != nil {
		return err
	}
	args := append([]string{"build", "-buildvcs=false", "-o", out}, buildFlags...)
	_, err = goCommand(ctx, t.source, env, append(args, "./"+t.main)...)
	return err
}

// goInstall fetches and builds the module's version in a GOPATH of its own, and
// returns where the result is. The module cache stays the user's: it would be
// fetched again each time, and its folders are not made to be removed.
func (t toolchain) goInstall(ctx context.Context, p platform, gopath string) (string, error) {
	env, err := environ(ctx, gopath, p)
	if err != nil {
		return "", err
	}
	env = append(env, "GOPATH="+gopath)
	args := append([]string{"install"}, buildFlags...)
	target := t.module + "/" + t.main + "@" + t.version
	if _, err := goCommand(ctx, gopath, env, append(args, target)...); err != nil {
		return "", err
	}
	name := filepath.Base(t.main)
	path := filepath.Join(gopath, "bin", p.goos+"_"+p.goarch, name) // when cross-compiled
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join(gopath, "bin", name)
	}
	return path, nil
}

// fetching are the settings that say how modules are fetched and where things are
// kept: those of the user's that hold for every build.
var fetching = []string{
	"GOPROXY", "GOPRIVATE", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH",
	"GOTOOLCHAIN", "GOMODCACHE", "GOCACHE",
}

// environ is the user's environment without what is meant for other builds,
// whether it is there or where `go env -w` put it: without that file, what is empty
// is unset. GOBIN, for one, must be: cross-compiled programs cannot be installed
// there.
func environ(ctx context.Context, dir string, p platform) ([]string, error) {
	out, err := goCommand(ctx, dir, os.Environ(), append([]string{"env", "-json"}, fetching...)...)
	if err != nil {
		return nil, err
	}
	settings := make(map[string]string)
	if err := json.Unmarshal([]byte(out), &settings); err != nil {
		return nil, fmt.Errorf("read what go env printed: %w", err)
	}
	env := os.Environ()
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	return append(env,
		"GOENV=off", "GOFLAGS=", "GOBIN=", "GO111MODULE=", "GOEXPERIMENT=",
		"GOWORK=off", "CGO_ENABLED=0", "GOOS="+p.goos, "GOARCH="+p.goarch,
		"GOAMD64=v1", "GOARM64=v8.0"), nil // the container's machine may be older than this one
}

// goCommand runs the go command in dir and returns what it printed.
func goCommand(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("run go %s: %w", args[0], ctx.Err())
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("the go command was not found")
	}
	said := strings.TrimSpace(stderr.String())
	if len(said) > maxGoOutput {
		said = said[:maxGoOutput] + " ..."
	}
	return "", fmt.Errorf("run go %s: %w: %s", args[0], err, said)
}
