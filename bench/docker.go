package main

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/twosync/twosync/bench/probe"
	busyboxes "github.com/twosync/twosync/internal/busybox"
)

const (
	containerRoot = "/app"
	probePath     = "/bench-probe" // in the container
	mountedTree   = "/bench-tree"  // in the container: -tree, to read
	label         = "twosync.bench"

	// One engine command; removing a container with a large tree is the slowest.
	dockerLimit = 3 * time.Minute
)

// applets are what the workloads run in the container.
var applets = []string{"sh", "tar", "cp", "find", "rm"}

// container is ours, with what belongs to it.
type container struct {
	name, image, volume string
	arch                string // GOARCH of the engine
	engine              string // its version and storage driver
	applets             bool
	pod                 bool // of a cluster: made and removed by work_cluster.go
}

// target is how twosync is told of a directory in the container.
func (c *container) target(path string) string {
	if c.pod {
		return "k8s:///" + c.name + ":" + path
	}
	return c.name + ":" + path
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
func findEngine(ctx context.Context) (*container, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, errors.New("there is no docker command: install Docker, the benchmark needs a container")
	}
	said, err := docker(ctx, nil, "info", "--format", "{{.Architecture}} Docker {{.ServerVersion}}, {{.Driver}}")
	if err != nil {
		return nil, fmt.Errorf("no Docker engine answers: start it: %w", err)
	}
	machine, engine, _ := strings.Cut(said, " ")
	arch, known := map[string]string{"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[machine]
	if !known {
		return nil, fmt.Errorf("the engine runs on %q: only amd64 and arm64 are known", machine)
	}
	name := fmt.Sprintf("twosync-bench-%d", os.Getpid())
	return &container{name: name, arch: arch, engine: engine}, nil
}

// start makes the image and runs it, with tree mounted to read.
func (c *container) start(ctx context.Context, probe, tree string, volume bool) error {
	layer, err := c.layer(probe)
	if err != nil {
		return err
	}
	c.image = c.name
	if _, err := docker(ctx, layer, "import", "-", c.image); err != nil {
		return err
	}
	args := []string{"run", "-d", "--network=none", "--name", c.name, "--label", label, "-v", tree + ":" + mountedTree + ":ro"}
	if volume {
		c.volume = c.name
		args = append(args, "-v", c.volume+":"+containerRoot)
	}
	_, err = docker(ctx, nil, append(args, c.image, probePath, "wait")...)
	return err
}

// layer is the image's content: the probe, and a static busybox if there is one to
// be had for the engine's kind.
func (c *container) layer(probe string) (io.Reader, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, dir := range []string{"bin/", "tmp/", "app/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	if err := addFile(w, probePath[1:], probe); err != nil {
		return nil, err
	}
	if busybox, err := busyboxes.Find(); err == nil && isStatic(busybox, c.arch) {
		if err := addFile(w, "bin/busybox", busybox); err != nil {
			return nil, err
		}
		for _, name := range applets {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox"}); err != nil {
				return nil, err
			}
		}
		c.applets = true
	}
	return &layer, w.Close()
}

func addFile(w *tar.Writer, name, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}

// isStatic says whether an executable runs in an image that has nothing else.
func isStatic(path, arch string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false
		}
	}
	return f.Machine == map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
}

// needs says what to do when the container has no such command.
func (c *container) needs(name string) error {
	if c.applets {
		return nil
	}
	return fmt.Errorf("no %s for the container: install busybox-static on this machine", name)
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
	if c.image != "" {
		_, gone := docker(ctx, nil, "rm", "-f", "-v", c.name)
		_, image := docker(ctx, nil, "rmi", "-f", c.image)
		errs = append(errs, gone, image)
	}
	if c.volume != "" {
		_, err := docker(ctx, nil, "volume", "rm", "-f", c.volume)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
