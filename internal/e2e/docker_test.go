//go:build linux

package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	busyboxes "github.com/twosync/twosync/internal/busybox"
)

// requireDocker names the variable that makes a missing engine a failure.
const requireDocker = "TWOSYNC_REQUIRE_DOCKER"

var engineAnswers = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", "version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("run docker version: %w: %s", err, out)
	}
	return nil
})

func needDocker(t *testing.T) {
	t.Helper()
	err := engineAnswers()
	if err != nil && os.Getenv(requireDocker) == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
}

// docker runs a command of the tests' own.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := dockerCommand(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dockerCommand(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %q: %w: %s", args, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

const family = "twosync-e2e-"

var counter atomic.Int64

// newName is nobody else's, and says whose it is.
func newName() string { return fmt.Sprintf("%s%d-%d", family, os.Getpid(), counter.Add(1)) }

// removeLeftovers removes what runs left behind that were killed: everything
// of our names whose process is gone.
func removeLeftovers() {
	for _, x := range []struct{ list, remove []string }{
		{[]string{"ps", "-a", "--filter", "name=" + family, "--format", "{{.Names}}"}, []string{"rm", "-f", "-v"}},
		{[]string{"volume", "ls", "--filter", "name=" + family, "--format", "{{.Name}}"}, []string{"volume", "rm", "-f"}},
		{[]string{"images", "--filter", "reference=" + family + "*", "--format", "{{.Repository}}"}, []string{"rmi"}},
	} {
		names, err := dockerCommand(x.list...)
		if err != nil {
			continue
		}
		for name := range strings.FieldsSeq(names) {
			var pid, n int
			if _, err := fmt.Sscanf(name, family+"%d-%d", &pid, &n); err != nil {
				continue
			}
			if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); os.IsNotExist(err) {
				_, _ = dockerCommand(append(x.remove, name)...)
			}
		}
	}
}

// A recipe says what is in an image. Keys of files and dirs are paths without
// the leading slash; the user's program is in every image.
type recipe struct {
	name  string // for messages
	files map[string]string
	links map[string]string
	dirs  []string
	app   string // a directory on this machine that becomes /app
	owner int    // of everything below app
	user  string // of the image
	agent bool   // at /usr/local/bin

	programs map[string]string // by path inside, on this machine
}

const helperPath = "/e2e-helper"

var (
	scratch = recipe{name: "scratch"}
	busybox = recipe{name: "busybox", links: busyboxLinks(), dirs: []string{"tmp/"}}

	// uid12345 has a user that no file knows. Nothing but its own directory is
	// its to write, and in that one directory is not either.
	uid12345 = recipe{name: "uid12345", user: "12345", owner: 12345, dirs: []string{"app/"}}

	// baked has its source in a layer of the image, where a file that is changed
	// is another inode and a directory cannot be renamed.
	baked = recipe{name: "baked", files: map[string]string{
		"app/main.go": "package main\n", "app/lib/a.go": "package lib\n", "app/lib/deep/b.go": "package deep\n",
	}}
)

func busyboxLinks() map[string]string {
	links := make(map[string]string)
	for _, name := range strings.Fields("sh ls cat mv rm mkdir vi sed sleep find") {
		links["bin/"+name] = "busybox"
	}
	return links
}

var (
	imagesMu sync.Mutex
	images   = make(map[string]string) // guarded by imagesMu: recipe's name to image
)

// image imports a recipe, once.
func image(t *testing.T, r recipe) string {
	t.Helper()
	needDocker(t)
	imagesMu.Lock()
	defer imagesMu.Unlock()
	if name, ok := images[r.name]; ok {
		return name
	}
	name := newName()
	args := []string{"import", "-c", fmt.Sprintf("CMD [%q,%q]", helperPath, "sleep")}
	if r.user != "" {
		args = append(args, "-c", "USER "+r.user)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", append(args, "-", name)...)
	cmd.Stdin = bytes.NewReader(r.archive(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker import %s: %v: %s", r.name, err, out)
	}
	images[r.name] = name
	return name
}

// archive is the root file system of an image.
func (r recipe) archive(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, data []byte) {
		t.Helper()
		h.Size = int64(len(data))
		if strings.HasPrefix(h.Name, "app/") {
			h.Uid, h.Gid = r.owner, r.owner
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	program := func(inside, outside string) {
		t.Helper()
		data, err := os.ReadFile(outside)
		if err != nil {
			t.Fatal(err)
		}
		add(tar.Header{Name: inside, Mode: 0o755}, data)
	}
	program(helperPath[1:], built.helper)
	if r.agent {
		program("usr/local/bin/twosync-agent", built.agent)
	}
	for inside, outside := range r.programs {
		program(inside, outside)
	}
	if r.links != nil {
		found, err := busyboxes.Find()
		if err != nil {
			t.Fatal(err)
		}
		program("bin/busybox", found)
	}
	for _, dir := range r.allDirs() {
		add(tar.Header{Name: dir, Mode: 0o755, Typeflag: tar.TypeDir}, nil)
	}
	for name, text := range r.files {
		add(tar.Header{Name: name, Mode: 0o644}, []byte(text))
	}
	for name, to := range r.links {
		add(tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}, nil)
	}
	if r.app != "" {
		addTree(t, w, r.app)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// addTree adds a directory as app. Names need not be text, which is what the
// GNU format is for.
func addTree(t *testing.T, w *tar.Writer, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeType&^(os.ModeDir|os.ModeSymlink) != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link := ""
		if d.Type() == os.ModeSymlink {
			if link, err = os.Readlink(p); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		h.Format, h.Name = tar.FormatGNU, "app"+strings.TrimPrefix(p, dir)
		if d.IsDir() {
			h.Name += "/"
		}
		if err := w.WriteHeader(h); err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(p)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// allDirs are those that were asked for and the parents of files.
func (r recipe) allDirs() []string {
	seen := make(map[string]bool)
	var all []string
	add := func(dir string) {
		if !seen[dir] {
			seen[dir] = true
			all = append(all, dir)
		}
	}
	for _, dir := range r.dirs {
		add(dir)
	}
	for name := range r.files {
		var up []string
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			up = append(up, dir+"/")
		}
		for i := len(up) - 1; i >= 0; i-- {
			add(up[i])
		}
	}
	return all
}

func removeImages() {
	imagesMu.Lock()
	defer imagesMu.Unlock()
	for _, name := range images {
		if _, err := dockerCommand("rmi", name); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// run starts a container and returns its name. Options are docker run's.
func runContainer(t *testing.T, r recipe, options ...string) string {
	t.Helper()
	img := image(t, r)
	name := newName()
	t.Cleanup(func() { removeContainer(t, name) })
	startContainer(t, img, name, options...)
	return name
}

func startContainer(t *testing.T, image, name string, options ...string) {
	t.Helper()
	args := append([]string{"run", "-d", "--network=none", "--stop-timeout=1", "--name", name}, options...)
	docker(t, append(args, image)...)
}

func removeContainer(t *testing.T, name string) {
	t.Helper()
	if _, err := dockerCommand("rm", "-f", "-v", name); err != nil {
		t.Error(err)
	}
}

// newVolume makes a volume, which is gone after the test.
func newVolume(t *testing.T) string {
	t.Helper()
	needDocker(t)
	name := newName()
	docker(t, "volume", "create", name)
	t.Cleanup(func() { // after that of the container, which was made later
		if _, err := dockerCommand("volume", "rm", "-f", name); err != nil {
			t.Error(err)
		}
	})
	return name
}
