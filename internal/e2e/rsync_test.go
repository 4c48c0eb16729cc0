//go:build linux

package e2e

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	sessions = flag.Int("sessions", 1, "random sessions that are compared by rsync, for each target")
	drawn    = flag.Uint64("drawn", 0, "the seed of the first; 0: a new one")
)

// rsyncWould are rsync's flags. It compares contents (-c), links as links (-l)
// and the exec bit (-E), and says what it would do (-n -i) to make the second
// directory like the first. Of what -a means it leaves out what does not cross:
// times (-t), owners (-o, -g), modes but for the exec bit (-p), devices (-D),
// and -H, because each name of a file is a file of its own.
var rsyncWould = []string{"-r", "-l", "-c", "-E", "-n", "-i", "--delete", "--exclude=/.twosync"}

// rsyncSays returns what rsync would change, either way; "" if nothing.
func rsyncSays(t *testing.T, a, b string) string {
	t.Helper()
	rsync := needTool(t, "rsync")
	return tool(t, "/", rsync, append(rsyncWould, a+"/", b+"/")...) + tool(t, "/", rsync, append(rsyncWould, b+"/", a+"/")...)
}

// TestRsyncSees: with its flags rsync sees every kind of difference.
func TestRsyncSees(t *testing.T) {
	for name, differ := range map[string]func(a, b string) error{
		"nothing": func(a, b string) error { return os.Chtimes(b+"/d/f", time.Unix(1, 0), time.Unix(1, 0)) },
		"content": func(a, b string) error { return os.WriteFile(b+"/d/f", []byte("g"), 0o644) },
		"exec":    func(a, b string) error { return os.Chmod(b+"/d/f", 0o755) },
		"link":    func(a, b string) error { return os.Symlink("f", b+"/l") },
		"more":    func(a, b string) error { return os.Mkdir(a+"/e", 0o755) },
		"kind":    func(a, b string) error { return errors.Join(os.Remove(b+"/d/f"), os.Mkdir(b+"/d/f", 0o755)) },
	} {
		a, b := t.TempDir(), t.TempDir()
		for _, dir := range []string{a, b} {
			must(t, os.Mkdir(dir+"/d", 0o755))
			must(t, os.WriteFile(dir+"/d/f", []byte("f"), 0o644))
		}
		must(t, differ(a, b))
		if says := rsyncSays(t, a, b); (says == "") != (name == "nothing") {
			t.Errorf("%s: rsync says %q", name, says)
		}
	}
}

// TestRsync: after random work on both sides, rsync agrees that both hold the
// same. That our own tests compare trees by a program of ours proves less.
func TestRsync(t *testing.T) {
	t.Parallel()
	needTool(t, "rsync")
	seed := *drawn
	if seed == 0 {
		seed = rand.Uint64() >> 1
	}
	for n := range *sessions {
		for name, begin := range map[string]func(t *testing.T) (p *pair, there func(t *testing.T) string){
			"local": func(t *testing.T) (*pair, func(*testing.T) string) {
				p := beginHere(t)
				return p, func(*testing.T) string { return p.inner.root() }
			},
			"docker": func(t *testing.T) (*pair, func(*testing.T) string) {
				p := begin(t, runContainer(t, scratch), "/app")
				return p, func(t *testing.T) string {
					dir := filepath.Join(t.TempDir(), "app")
					docker(t, "cp", p.container+":/app", dir)
					return dir
				}
			},
		} {
			seed := seed + uint64(n)
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				t.Parallel()
				t.Logf("-drawn %d", seed)
				p, there := begin(t)
				work := newWork(seed)
				for range 4 {
					for range 40 {
						work.step([]*user{p.host, p.inner}[work.rnd.IntN(2)])
					}
					p.flushOpen()
					if says := rsyncSays(t, p.dir, there(t)); says != "" {
						t.Fatalf("rsync would change:\n%.2000s", says)
					}
				}
				p.stop()
			})
		}
	}
}

// work is what two people do in one tree, drawn from a seed. What can't be done
// where they are is not.
type work struct {
	rnd *rand.Rand
	n   int
}

func newWork(seed uint64) *work { return &work{rnd: rand.New(rand.NewPCG(seed, 2))} }

// path is one of few, so that they meet.
func (w *work) path() string {
	names := []string{"a", "b", "c.go", "d e", "é", "f\x1b", "README"}
	path := names[w.rnd.IntN(len(names))]
	for range w.rnd.IntN(3) {
		path += "/" + names[w.rnd.IntN(len(names))]
	}
	return path
}

func (w *work) step(u *user) {
	w.n++
	r := Request{Path: []byte(w.path()), Data: fmt.Appendf(nil, "%s %d\n", u.name, w.n)}
	switch w.rnd.IntN(12) {
	case 0, 1, 2:
		r.Do = "write"
	case 3, 4:
		r.Do = "save"
	case 5:
		r.Do = "append"
	case 6:
		r.Do = "remove"
	case 7, 8:
		r.Do, r.To = "rename", []byte(w.path())
	case 9:
		r.Do = "mkdir"
	case 10:
		r.Do, r.To, r.Path = "symlink", []byte("README"), append([]byte("l"), r.Path[0])
	case 11:
		r.Do, r.N = "chmod", []int64{0o644, 0o755}[w.rnd.IntN(2)]
		if a, err := u.try(Request{Do: "read", Path: r.Path}); err != nil || a.Error != "" {
			return // no file
		}
	}
	if r.Do == "write" && w.rnd.IntN(8) == 0 {
		r.Do, r.N, r.At = "big", 1+int64(w.rnd.IntN(200<<10)), int64(w.rnd.IntN(200))
	}
	_, _ = u.try(r)
}
