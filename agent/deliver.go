package agent

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/twosync/twosync/protocol"
)

const (
	ownName  = "/twosync-agent"
	selfPath = "/proc/self/exe"
)

// deliver is the agent's part of a conversation by which the host's own agent
// comes into a container that has no shell for it, but an agent of maybe another
// version: see package host/target, whose script for shells says the same.
// Places are folders, separated by colons. If it is the agent that the host has,
// it goes on with the arguments args; else it says where that one is now.
func deliver(places string, args []string) error {
	say("here", runtime.GOARCH, "")
	w, err := readWanted()
	if err != nil {
		return err
	}
	if w.runs(selfPath) {
		return run(args)
	}
	all := strings.Split(places, ":")
	i := 0
	for i < len(all) && !w.runs(all[i]+w.below) {
		i++
	}
	if i == len(all) {
		if i, err = w.take(os.Stdin, all); i == len(all) {
			say("nowhere", os.Args[0], "")
			return err
		}
	}
	if err != nil {
		say("bad", all[i], err.Error())
		return err
	}
	say("there", all[i], "")
	return nil
}

func say(what, first, second string) {
	os.Stdout.WriteString("twosync-" + what + " " + first + ":" + second + "\n")
}

// wanted is the agent that the host has.
type wanted struct {
	below string // where it is, below a place
	sum   string // or "" for any
	size  int
}

// maxAgent bounds what is taken.
const maxAgent = 64 << 20

// readWanted reads a line and not a byte further.
func readWanted() (w wanted, err error) {
	var line []byte
	for b := make([]byte, 1); len(line) < 200; line = append(line, b[0]) {
		if _, err := os.Stdin.Read(b); err != nil {
			return w, err
		}
		if b[0] == '\n' {
			break
		}
	}
	if f := strings.Split(string(line), ":"); len(f) == 3 {
		w.below, w.sum = "/.twosync/agent/"+f[0]+ownName, f[1]
		w.size, err = strconv.Atoi(f[2])
	}
	if err != nil || w.size <= 0 || w.size > maxAgent {
		return w, errUsage
	}
	return w, nil
}

// runs says whether the file at path is one that is wanted.
func (w wanted) runs(path string) bool {
	sum, err := protocol.FileDigest(path)
	return err == nil && (w.sum == "" || fmt.Sprintf("%x", sum) == w.sum)
}

// take puts an agent into the first place that can be written to, and returns
// which one that is; its number is beyond the last where there is none. It has
// its name when it is whole.
func (w wanted) take(from io.Reader, places []string) (i int, err error) {
	for i := range places {
		path := places[i] + w.below
		for j, c := range path {
			if c == '/' && j > 0 {
				_ = syscall.Mkdir(path[:j], 0o755) // most are there
			}
		}
		f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
		if err != nil {
			continue
		}
		say("need", os.Args[0], places[i])
		_, err = io.Copy(f, io.LimitReader(from, int64(w.size)))
		f.Close() // what is missing then is found by the digest
		if err == nil && !w.runs(path+".new") {
			err = io.ErrUnexpectedEOF // it is not what was meant
		}
		if err == nil {
			err = syscall.Rename(path+".new", path)
		}
		return i, err
	}
	return len(places), os.ErrPermission
}

// install copies the running agent into a folder: what an init container does,
// whose image has no other program.
func install(dir string) error {
	self, err := os.Open(selfPath)
	if err == nil {
		_, err = wanted{below: ownName, size: maxAgent}.take(self, []string{dir})
	}
	return err
}
