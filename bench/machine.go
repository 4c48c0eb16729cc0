package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// Machine is what a reader must know to place the numbers.
type Machine struct {
	Date      time.Time `json:"date"`
	OS        string    `json:"os"`
	System    string    `json:"system,omitempty"` // its version
	CPU       string    `json:"cpu,omitempty"`
	CPUs      int       `json:"cpus"`
	Memory    int64     `json:"memory,omitempty"`
	Load      string    `json:"load_before,omitempty"` // others at work make a run worthless
	Engine    Engine    `json:"engine"`
	Clock     string    `json:"clock"`
	RoundTrip float64   `json:"idle_round_trip"` // of the pipe to the container, median, in seconds
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
		Clock: b.clock.String(), RoundTrip: b.clock.round.Seconds(),
	}
	if runtime.GOOS == "darwin" {
		m.describeMac(ctx)
	} else {
		m.describeLinux()
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

func (m *Machine) describeLinux() {
	m.System = "Linux " + firstLine("/proc/sys/kernel/osrelease")
	m.Load = firstLine("/proc/loadavg")
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = field(string(text), "model name")
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		kib, _ := strconv.ParseInt(strings.TrimSuffix(field(string(text), "MemTotal"), " kB"), 10, 64)
		m.Memory = kib << 10
	}
}

// describeMac asks the tools of macOS, and the product that runs the engine.
func (m *Machine) describeMac(ctx context.Context) {
	said := func(args ...string) string {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	m.System = "macOS " + said("sw_vers", "-productVersion")
	m.CPU = said("sysctl", "-n", "machdep.cpu.brand_string")
	m.Load = said("sysctl", "-n", "vm.loadavg")
	m.Memory, _ = strconv.ParseInt(said("sysctl", "-n", "hw.memsize"), 10, 64)
	switch product(m.Engine) {
	case "OrbStack":
		m.Engine.Product = "OrbStack " + said("orb", "version")
	case "Colima":
		m.Engine.Product = said("colima", "version")
		m.Engine.Sharing = said("colima", "status", "--json")
	case "Docker Desktop":
		m.Engine.Product = "Docker Desktop " + said("defaults", "read", "/Applications/Docker.app/Contents/Info.plist", "CFBundleShortVersionString")
		home, _ := os.UserHomeDir()
		for _, name := range []string{"settings-store.json", "settings.json"} {
			if text, err := os.ReadFile(filepath.Join(home, "Library", "Group Containers", "group.com.docker", name)); err == nil {
				m.Engine.Sharing = sharing(text)
				break
			}
		}
	}
}

// product is who runs the engine on a Mac.
func product(e Engine) string {
	for _, name := range []string{"OrbStack", "Docker Desktop", "Colima"} {
		if strings.Contains(e.System, name) || strings.EqualFold(strings.ReplaceAll(name, " ", "-"), e.Context) {
			return name
		}
	}
	if strings.HasPrefix(e.Context, "colima") {
		return "Colima"
	}
	return ""
}

// String says in one line what runs the containers.
func (e Engine) String() string {
	text := fmt.Sprintf("Docker %s, %s, on %s, %d CPUs", e.Version, e.Driver, e.System, e.CPUs)
	for _, more := range []string{e.Product, e.Sharing} {
		if more != "" {
			text += ", " + more
		}
	}
	return text
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
