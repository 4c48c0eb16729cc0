package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// Machine is what a reader must know to place the numbers.
type Machine struct {
	Date      time.Time `json:"date"`
	OS        string    `json:"os"`
	Kernel    string    `json:"kernel,omitempty"`
	CPU       string    `json:"cpu,omitempty"`
	CPUs      int       `json:"cpus"`
	Load      string    `json:"load_before,omitempty"` // others at work make a run worthless
	Engine    string    `json:"engine"`
	Go        string    `json:"go"`
	Source    string    `json:"source,omitempty"` // of twosync: the commit
	HostFS    string    `json:"host_fs,omitempty"`
	GuestFS   string    `json:"container_fs,omitempty"`
	Tree      string    `json:"tree"`
	TreeFiles int       `json:"tree_files,omitempty"`
	TreeBytes int64     `json:"tree_bytes,omitempty"`
}

// describe asks the machine. What it does not say stays empty.
func (b *bench) describe(ctx context.Context) Machine {
	m := Machine{
		Date: time.Now().UTC(), OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		Engine: b.box.engine, Go: runtime.Version(), Tree: b.options.tree,
	}
	m.Kernel = firstLine("/proc/sys/kernel/osrelease")
	m.Load = firstLine("/proc/loadavg")
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = field(string(text), "model name")
	}
	if commit, err := exec.CommandContext(ctx, "git", "-C", b.module, "describe", "--always", "--dirty").Output(); err == nil {
		m.Source = strings.TrimSpace(string(commit))
	}
	if r, err := b.here.Do(probe.Request{Op: "fstype", Root: b.work}); err == nil {
		m.HostFS = r.FSType
	}
	if r, err := b.there.Do(probe.Request{Op: "fstype", Root: containerRoot}); err == nil {
		m.GuestFS = r.FSType
	}
	if r, err := b.here.Do(probe.Request{Op: "tree", Root: b.treeDir()}); err == nil {
		m.TreeFiles, m.TreeBytes = r.Files, r.Bytes
	}
	return m
}

func firstLine(path string) string {
	text, _ := os.ReadFile(path)
	first, _, _ := strings.Cut(string(text), "\n")
	return first
}

// field returns the first value of a name in lines of "name : value".
func field(text, name string) string {
	for l := range strings.Lines(text) {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
