package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/twosync/twosync/bench/probe"
	busyboxes "github.com/twosync/twosync/internal/busybox"
)

const (
	containerRoot = "/app"
	probePath     = "/bench-probe" // in the container
	mountedData   = "/bench-data"  // in the container: what first sync brings, to read
	mountedShares = "/bench-share" // in the container: the host's own directories, by tool
	label         = "twosync.bench"

	// One engine command; removing a container with a large tree is the slowest.
	dockerLimit = 3 * time.Minute

	// What is run where this machine has no programs for the container: a small
	// public image with git, tar, cp and find.
	publicImage = "alpine/git"
)

// container is ours, with what belongs to it.
type container struct {
	// config
	name     string
	arch     string   // GOARCH of the engine
	engine   Engine   // what it says of itself
	base     string   // image that it is made from; "" for one of our own
	programs []string // of this machine, that go into our own image
	labels   []string
	mounts   []mount
	busybox  string // static, of the engine's kind; "" for none
	pod      bool   // of a cluster: made and removed by work_cluster.go

	// state
	image, volume string
}

// target is how twosync is told of a directory in the container.
func (c *container) target(path string) string {
	if c.pod {
		return "k8s:///" + c.name + ":" + path
	}
	return c.name + ":" + path
}

// mount is a directory of the host in the container.
type mount struct {
	host, container string
	readOnly        bool
}

// Engine is what the Docker engine says of itself.
type Engine struct {
	System  string `json:"system"`  // such as Docker Desktop, OrbStack, a Linux
	Version string `json:"version"` // of the engine
	Driver  string `json:"driver"`  // of its storage
	Kernel  string `json:"kernel"`
	CPUs    int    `json:"cpus"`
	Memory  int64  `json:"memory"`
	Context string `json:"context,omitempty"` // of the docker command
	Product string `json:"product,omitempty"` // and its version, where it can be asked
	Sharing string `json:"sharing,omitempty"` // how the product says that it shares files
}

// docker runs an engine command and returns what it printed.
func docker(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dockerLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = stdin, &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// findEngine asks what engine there is.
func findEngine(ctx context.Context, base string) (*container, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, errors.New("there is no docker command: install Docker, the benchmark needs a container")
	}
	said, err := docker(ctx, nil, "info", "--format", "{{json .}}")
	if err != nil {
		return nil, fmt.Errorf("no Docker engine answers: start it: %w", err)
	}
	c := &container{name: fmt.Sprintf("twosync-bench-%d", os.Getpid()), base: base}
	if c.engine, c.arch, err = parseInfo(said); err != nil {
		return nil, err
	}
	c.engine.Context, _ = docker(ctx, nil, "context", "show")
	if runtime.GOOS == "linux" {
		if busybox, err := findBusybox(c.arch); err == nil {
			c.busybox = busybox
		}
	}
	return c, nil
}

// parseInfo reads what docker info says.
func parseInfo(said string) (e Engine, arch string, err error) {
	var info struct {
		Architecture, OperatingSystem, ServerVersion, Driver, KernelVersion string
		NCPU                                                                int
		MemTotal                                                            int64
		ServerErrors                                                        []string
	}
	if err := json.Unmarshal([]byte(said), &info); err != nil {
		return e, "", fmt.Errorf("read docker info: %w", err)
	}
	if info.ServerVersion == "" {
		return e, "", fmt.Errorf("no Docker engine answers: start it: %s", strings.Join(info.ServerErrors, " "))
	}
	arch, known := map[string]string{"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[info.Architecture]
	if !known {
		return e, "", fmt.Errorf("the engine runs on %q: only amd64 and arm64 are known", info.Architecture)
	}
	return Engine{System: info.OperatingSystem, Version: info.ServerVersion, Driver: info.Driver,
		Kernel: info.KernelVersion, CPUs: info.NCPU, Memory: info.MemTotal}, arch, nil
}

// findBusybox returns one that runs in an image that has nothing else.
func findBusybox(arch string) (string, error) {
	path, err := busyboxes.Find()
	if err == nil && !isStatic(path, arch) {
		err = fmt.Errorf("%s is no static program for %s", path, arch)
	}
	return path, err
}

// start makes the container and runs it.
func (c *container) start(ctx context.Context, probe string, volume bool) error {
	args := []string{"--name", c.name, "--label", label, "--network", "none", "--entrypoint", probePath}
	for _, l := range c.labels {
		args = append(args, "--label", l)
	}
	for _, m := range c.mounts {
		v := m.host + ":" + m.container
		if m.readOnly {
			v += ":ro"
		}
		args = append(args, "-v", v)
	}
	if volume {
		c.volume = c.name
		args = append(args, "-v", c.volume+":"+containerRoot)
	}
	base := c.base
	if base == "" {
		layer, err := c.layer(probe)
		if err != nil {
			return err
		}
		c.image = c.name
		if _, err := docker(ctx, layer, "import", "-", c.image); err != nil {
			return err
		}
		base = c.image
	}
	if _, err := docker(ctx, nil, append(append([]string{"create"}, args...), base, "wait")...); err != nil {
		return err
	}
	if c.base != "" {
		if _, err := docker(ctx, nil, "cp", probe, c.name+":"+probePath); err != nil {
			return err
		}
	}
	_, err := docker(ctx, nil, "start", c.name)
	return err
}

// needs fails where the container has no such command. It can be asked once the
// container runs.
func (b *bench) needs(name string) error {
	if _, err := b.there.Do(probe.Request{Op: "which", Args: []string{name}}); err != nil {
		return fmt.Errorf("no %s in the container: install busybox-static on this machine, or name an image that has it with -image", name)
	}
	return nil
}

// probe starts a probe in the container.
func (c *container) probe(ctx context.Context) (*probe.Client, error) {
	return probe.Start(ctx, "docker", "exec", "-i", c.name, probePath, "serve")
}

// remove removes what start made, also after a start that failed half way, and
// also when the user has interrupted.
func (c *container) remove() error {
	ctx := context.Background()
	var errs []error
	if there, _ := docker(ctx, nil, "ps", "-aq", "--filter", "name=^/"+c.name+"$"); there != "" {
		_, gone := docker(ctx, nil, "rm", "-f", "-v", c.name)
		errs = append(errs, gone)
	}
	if c.image != "" {
		_, image := docker(ctx, nil, "rmi", "-f", c.image)
		errs = append(errs, image)
	}
	if c.volume != "" {
		_, err := docker(ctx, nil, "volume", "rm", "-f", c.volume)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sharePath is where a tool's share is in the container.
func sharePath(tool string) string { return mountedShares + "/" + filepath.Base(tool) }
