// Helper is a user of a directory, told what to do by a test over its standard
// input: one request a line, one answer a line. It is also the process that
// keeps a container alive which has nothing else in it.
//
//	helper sleep        until a signal
//	helper serve ROOT   do what is asked, below ROOT, until the input ends
//
// It must be built without cgo, so that it runs where there is no C library.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/twosync/twosync/internal/e2e"
)

// maxLine bounds a request: contents of some megabytes, in base64.
const maxLine = 64 << 20

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "sleep":
		sleep()
	case len(os.Args) == 3 && os.Args[1] == "serve":
		if err := serve(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "helper:", err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: helper sleep | helper serve ROOT")
		os.Exit(2)
	}
}

func sleep() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	<-end
}

// user is who does what is asked.
type user struct {
	root     string
	watches  map[string]*watch
	stares   map[string]*stare
	writings map[string]*writing
}

func serve(root string) error {
	syscall.Umask(0o022)
	u := &user{
		root: root, watches: make(map[string]*watch),
		stares: make(map[string]*stare), writings: make(map[string]*writing),
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 64<<10), maxLine)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var r e2e.Request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return err
		}
		var a e2e.Answer
		if err := u.do(r, &a); err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	return in.Err()
}

// at returns a path below the root, unless it is absolute.
func (u *user) at(path []byte) string {
	p := string(path)
	if filepath.IsAbs(p) {
		return p
	}
	return u.root + "/" + p // not Join: "a/" and "a" are two things to a kernel
}

func (u *user) do(r e2e.Request, a *e2e.Answer) error {
	f, ok := deeds[r.Do]
	if !ok {
		return fmt.Errorf("no deed %q", r.Do)
	}
	return f(u, r, a)
}

var deeds = map[string]func(*user, e2e.Request, *e2e.Answer) error{
	"write":    (*user).write,
	"save":     (*user).save,
	"append":   (*user).append,
	"patch":    (*user).patch,
	"big":      (*user).big,
	"rename":   (*user).rename,
	"swap":     (*user).swap,
	"link":     (*user).link,
	"remove":   (*user).remove,
	"clear":    (*user).clear,
	"mkdir":    (*user).mkdir,
	"symlink":  (*user).symlink,
	"fifo":     (*user).fifo,
	"chmod":    (*user).chmod,
	"chown":    (*user).chown,
	"touch":    (*user).touch,
	"read":     (*user).read,
	"list":     (*user).list,
	"names":    (*user).names,
	"populate": (*user).populate,
	"checkout": (*user).checkout,
	"install":  (*user).install,
	"saves":    (*user).saves,
	"fill":     (*user).fill,
	"watch":    (*user).watch,
	"unwatch":  (*user).unwatch,
	"stare":    (*user).stare,
	"unstare":  (*user).unstare,
	"keepup":   (*user).keepUp,
	"enough":   (*user).enough,
	"procs":    (*user).procs,
	"kill":     (*user).kill,
	"ended":    (*user).ended,
}
