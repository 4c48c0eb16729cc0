package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// applets are what workloads and tools run in the container. Mutagen asks env, id
// and uname before it comes in.
var applets = []string{"sh", "tar", "cp", "find", "rm", "env", "id", "uname", "cat", "ls", "mkdir", "chmod", "chown", "mv", "true"}

// layer is the image's content: the probe, and of this machine a static busybox
// and the programs that tools need on both sides.
func (c *container) layer(probe string) (io.Reader, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, dir := range []string{"bin/", "etc/", "root/", "tmp/", "app/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"} {
		if err := addText(w, name, 0o644, []byte(text)); err != nil {
			return nil, err
		}
	}
	files := map[string]string{probePath[1:]: probe}
	if c.busybox != "" {
		files["bin/busybox"] = c.busybox
		for _, name := range applets {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox"}); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range c.programs {
		needed, err := closure(p)
		if err != nil {
			return nil, err
		}
		for name, path := range needed {
			files[name] = path
		}
	}
	for name, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := addText(w, name, 0o755, content); err != nil {
			return nil, err
		}
	}
	return &layer, w.Close()
}

func addText(w *tar.Writer, name string, mode int64, content []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// include asks for a program of this machine in our own image, so that a tool
// finds itself on the other side. It says why it cannot.
func (c *container) include(program string) error {
	if c.base != "" {
		return nil // the image has it, or has it not
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return fmt.Errorf("no %s on this machine", program)
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != c.arch {
		return fmt.Errorf("%s of this machine does not run in the container: name an image that has it with -image", program)
	}
	if _, err := closure(path); err != nil {
		return err
	}
	c.programs = append(c.programs, path)
	return nil
}

// closure is what a program needs to run where nothing else is: by the names in
// the image, where it is on this machine.
func closure(path string) (map[string]string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	files := map[string]string{"bin/" + filepath.Base(path): real}
	out, err := exec.Command("ldd", real).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "not a dynamic executable") {
		return nil, fmt.Errorf("find the libraries of %s: %w", path, err)
	}
	for _, lib := range parseLDD(string(out)) {
		if _, err := os.Stat(lib); err != nil {
			return nil, fmt.Errorf("find the libraries of %s: %w", path, err)
		}
		files[strings.TrimPrefix(lib, "/")] = lib
	}
	return files, nil
}

// parseLDD takes the paths out of what ldd prints.
func parseLDD(text string) []string {
	var libs []string
	for line := range strings.Lines(text) {
		for _, f := range strings.Fields(line) {
			if strings.HasPrefix(f, "/") {
				libs = append(libs, strings.TrimSuffix(f, ":"))
				break
			}
		}
	}
	return libs
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
