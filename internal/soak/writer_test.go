//go:build linux

package soak

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// user is a writer that runs on one side.
type user struct {
	r       *rig
	ledger  *ledger
	by      string
	scratch string // as it is seen from here
	start   func() *exec.Cmd

	cmd    *exec.Cmd
	in     io.WriteCloser
	paused chan struct{}
	ended  chan struct{}
}

// begin starts the writer, at work.
func (u *user) begin() {
	u.r.t.Helper()
	u.cmd = u.start()
	in, err := u.cmd.StdinPipe()
	if err != nil {
		u.r.t.Fatal(err)
	}
	out, err := u.cmd.StdoutPipe()
	if err != nil {
		u.r.t.Fatal(err)
	}
	u.in, u.paused, u.ended = in, make(chan struct{}, 1), make(chan struct{})
	if err := u.cmd.Start(); err != nil {
		u.r.t.Fatal(err)
	}
	go u.read(out)
}

// read books what the writer says, until its end.
func (u *user) read(out io.Reader) {
	defer close(u.ended)
	var began line
	for in := bufio.NewScanner(out); in.Scan(); {
		var l line
		if json.Unmarshal(in.Bytes(), &l) != nil {
			break // cut in the middle
		}
		switch {
		case l.Do == "pause" || l.Do == "go":
			select {
			case u.paused <- struct{}{}:
			default:
			}
		case !l.Done:
			began = l
		default:
			u.ledger.did(u.by, began, l)
			began = line{}
		}
	}
	_ = u.cmd.Wait()
	if began.Step > 0 {
		u.ledger.cut(u.by, began, u.taken())
	}
}

// taken are the writes in what a writer took from its path and has not told. Its
// process may outlive the pipe by a moment.
func (u *user) taken() (ids []string) {
	for p := range found(u.scratch) {
		ids = append(ids, p)
	}
	return ids
}

// pause waits until the writer rests; one that has ended rests too.
func (u *user) pause() { u.order("pause") }

func (u *user) resume() { u.order("go") }

func (u *user) order(what string) {
	u.r.t.Helper()
	select {
	case <-u.paused:
	default:
	}
	if _, err := io.WriteString(u.in, what+"\n"); err != nil {
		return // it has ended
	}
	select {
	case <-u.paused:
	case <-u.ended:
	case <-time.After(patience):
		u.r.t.Fatalf("the writer on the %s does not %s", u.by, what)
	}
}

// end waits for the end of a writer that was told to end, or killed.
func (u *user) end() {
	u.r.t.Helper()
	_ = u.in.Close()
	select {
	case <-u.ended:
	case <-time.After(patience):
		u.r.t.Fatalf("the writer on the %s does not end", u.by)
	}
}

func (r *rig) users(l *ledger, seed uint64) (host, container *user) {
	host = &user{r: r, ledger: l, by: "host", scratch: filepath.Join(r.top, "scratch"), start: func() *exec.Cmd {
		return exec.Command(filepath.Join(r.top, "writer"), "-root", r.root, "-scratch", filepath.Join(r.top, "scratch"), "-side", "h", "-seed", fmt.Sprint(seed))
	}}
	container = &user{r: r, ledger: l, by: "container", scratch: filepath.Join(r.vol, "scratch"), start: func() *exec.Cmd {
		return exec.Command("docker", "exec", "-i", r.name, "/writer", "-root", "/vol/app", "-scratch", "/vol/scratch", "-side", "c", "-seed", fmt.Sprint(seed))
	}}
	return host, container
}

// found returns the writes that are in the files below some directories, each with
// a place where it is.
func found(dirs ...string) map[string]string {
	ids := make(map[string]string)
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // what goes meanwhile is somewhere else
			}
			text, err := os.ReadFile(p)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			for id := range strings.FieldsSeq(string(text)) {
				if strings.HasPrefix(id, "h") || strings.HasPrefix(id, "c") {
					ids[id] = p
				}
			}
			return nil
		})
	}
	return ids
}
