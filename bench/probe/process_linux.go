package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks a second in /proc/PID/stat; the same on every Linux that Go runs on.
const clockTicks = 100

// processes lists what runs. One that ends meanwhile is left out.
func processes() ([]Process, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		p, err := parseStat(string(stat), int64(os.Getpagesize()))
		if err != nil {
			return nil, err
		}
		p.PID = pid
		if exe, err := os.Readlink(dir + "/exe"); err == nil {
			p.Command, p.Path = filepath.Base(exe), exe
		}
		if ran, ok := scheduled(dir); ok {
			p.CPU = ran
		}
		if io, err := os.ReadFile(dir + "/io"); err == nil {
			p.Read, p.Written = parseIO(string(io))
		}
		all = append(all, p)
	}
	return all, nil
}

// scheduled is the time that the threads of a process ran, in nanoseconds where
// stat counts ticks. What ended threads ran is not in it.
func scheduled(dir string) (ran time.Duration, ok bool) {
	threads, _ := filepath.Glob(dir + "/task/*/schedstat")
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		ran, ok = ran+time.Duration(n), err == nil
	}
	return ran, ok
}

// parseStat reads what follows the name, which may hold anything.
func parseStat(stat string, page int64) (Process, error) {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 22 {
		return Process{}, fmt.Errorf("read process: %q is no line of /proc/PID/stat", stat)
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(fields[i], 10, 64) // the kernel wrote it
		return n
	}
	return Process{
		Parent:  int(number(1)),
		Command: stat[strings.IndexByte(stat, '(')+1 : end],
		CPU:     time.Duration(number(11)+number(12)) * time.Second / clockTicks,
		RSS:     number(21) * page,
	}, nil
}

func parseIO(text string) (read, written int64) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "rchar":
			read = n
		case "wchar":
			written = n
		}
	}
	return read, written
}

// fsType returns the type of the file system that path is on.
func fsType(path string) (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	return mountedAt(string(mounts), path), nil
}

func mountedAt(mounts, path string) string {
	longest, name := -1, ""
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		at := strings.TrimSuffix(f[1], "/")
		if (path+"/" == at+"/" || strings.HasPrefix(path, at+"/")) && len(at) >= longest {
			longest, name = len(at), f[2]
		}
	}
	return name
}
