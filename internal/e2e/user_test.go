//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// A user works in a directory, on the host or in a container.
type user struct {
	t    *testing.T
	name string // for messages
	link *link
	base string // what is put before relative paths; ends with a slash or is empty
}

// link is the pipe to a user's program, which does one thing after the other.
type link struct {
	mu   sync.Mutex
	in   io.WriteCloser // guarded by mu
	out  *bufio.Reader  // guarded by mu
	proc *exec.Cmd
	log  strings.Builder // standard error; read after the end only
}

// onHost returns a user of a directory on this machine.
func onHost(t *testing.T, dir string) *user {
	t.Helper()
	return newUser(t, "host", exec.Command(built.helper, "serve", dir))
}

// inside returns a user of a directory in a container, who is the container's
// user unless options of docker exec say otherwise.
func inside(t *testing.T, container, dir string, options ...string) *user {
	t.Helper()
	args := append([]string{"exec", "-i"}, options...)
	return newUser(t, "container", exec.Command("docker", append(args, container, helperPath, "serve", dir)...))
}

func newUser(t *testing.T, name string, cmd *exec.Cmd) *user {
	t.Helper()
	l := &link{proc: cmd}
	cmd.Stderr = &l.log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.in, l.out = in, bufio.NewReaderSize(out, 1<<20)
	t.Cleanup(l.end)
	u := &user{t: t, name: name, link: l}
	u.do(Request{Do: "procs", Data: []byte("nobody")}) // from now on it is there
	return u
}

// end ends the program. A container that was stopped has done so before.
func (l *link) end() {
	_ = l.in.Close()
	kill := time.AfterFunc(patience, func() { _ = l.proc.Process.Kill() })
	defer kill.Stop()
	_ = l.proc.Wait()
}

// in returns the same user for another test, with all paths below dir.
func (u *user) in(t *testing.T, dir string) *user {
	v := *u
	v.t = t
	if dir != "" {
		v.base += dir + "/"
	}
	return &v
}

// try does something and returns what came of it.
func (u *user) try(r Request) (Answer, error) {
	r.Path = u.path(r.Path)
	if r.Do == "rename" || r.Do == "swap" || r.Do == "link" {
		r.To = u.path(r.To)
	}
	l := u.link
	l.mu.Lock()
	defer l.mu.Unlock()
	kill := time.AfterFunc(2*patience, func() { _ = l.proc.Process.Kill() })
	defer kill.Stop()
	var a Answer
	text, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	if _, err := l.in.Write(append(text, '\n')); err != nil {
		return a, err
	}
	line, err := l.out.ReadBytes('\n')
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(line, &a)
}

func (u *user) path(p []byte) []byte {
	if len(p) > 0 && p[0] == '/' {
		return p
	}
	return append([]byte(u.base), p...)
}

// do does something that must succeed.
func (u *user) do(r Request) Answer {
	u.t.Helper()
	a, err := u.try(r)
	if err != nil {
		u.t.Fatalf("%s: %s %q: %v", u.name, r.Do, r.Path, err)
	}
	if a.Error != "" {
		u.t.Fatalf("%s: %s %q: %s", u.name, r.Do, r.Path, a.Error)
	}
	return a
}

func (u *user) write(path, text string) {
	u.t.Helper()
	u.do(Request{Do: "write", Path: []byte(path), Data: []byte(text)})
}

func (u *user) save(path, text string) {
	u.t.Helper()
	u.do(Request{Do: "save", Path: []byte(path), Data: []byte(text)})
}

func (u *user) append(path, text string) {
	u.t.Helper()
	u.do(Request{Do: "append", Path: []byte(path), Data: []byte(text)})
}

func (u *user) mkdir(path string) {
	u.t.Helper()
	u.do(Request{Do: "mkdir", Path: []byte(path)})
}

func (u *user) remove(path string) {
	u.t.Helper()
	u.do(Request{Do: "remove", Path: []byte(path)})
}

func (u *user) rename(from, to string) {
	u.t.Helper()
	u.do(Request{Do: "rename", Path: []byte(from), To: []byte(to)})
}

func (u *user) symlink(text, path string) {
	u.t.Helper()
	u.do(Request{Do: "symlink", Path: []byte(path), To: []byte(text)})
}

func (u *user) chmod(path string, mode int64) {
	u.t.Helper()
	u.do(Request{Do: "chmod", Path: []byte(path), N: mode})
}

// read returns the text of a file.
func (u *user) read(path string) string {
	u.t.Helper()
	return string(u.do(Request{Do: "read", Path: []byte(path)}).Data)
}

// holds fails the test unless a file has this text.
func (u *user) holds(path, text string) {
	u.t.Helper()
	if got := u.read(path); got != text {
		u.t.Errorf("%s: %q holds %.200q, want %.200q", u.name, path, got, text)
	}
}

// lacks fails the test if there is something at path.
func (u *user) lacks(path string) {
	u.t.Helper()
	if a, err := u.try(Request{Do: "read", Path: []byte(path)}); err != nil || !strings.Contains(a.Error, "no such file") {
		u.t.Errorf("%s: %q: %v %q, want that it is absent", u.name, path, err, a.Error)
	}
}

// tree returns everything below the user's directory.
func (u *user) tree() tree {
	u.t.Helper()
	return newTree(u.do(Request{Do: "list"}).Tree)
}
