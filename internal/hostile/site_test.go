//go:build linux

package hostile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/protocol"
)

// patience bounds what a session takes to end once it is to. Its own times add
// up to four seconds; the rest is for a machine that is busy.
const patience = 180 * time.Second

// keepLimit is what the keep store of a site holds: more than a session brings.
const keepLimit = 64 << 20

// site is a host: a root, a state folder, and a canary beside them.
type site struct {
	dir    string
	saved  map[string]string // what the user saved last, by path; "" when deleted
	canary string            // how it was
	events func(run.Event)

	mu   sync.Mutex
	errs []error // of connections, guarded by mu
}

// scratch returns a folder in memory where there is one.
func scratch(t testing.TB) string {
	parent := "/dev/shm"
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "twosync-hostile-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newSite(dir string) (*site, error) {
	s := &site{dir: dir, saved: map[string]string{}}
	for _, d := range []string{s.root(), s.state(), s.outside(), s.outside() + "/in"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	for _, f := range []string{"canary", "in/canary"} {
		if err := os.WriteFile(filepath.Join(s.outside(), f), []byte("sings"), 0o644); err != nil {
			return nil, err
		}
	}
	var err error
	s.canary, err = s.sing()
	return s, err
}

func (s *site) root() string    { return filepath.Join(s.dir, "root") }
func (s *site) state() string   { return filepath.Join(s.dir, "state") }
func (s *site) outside() string { return filepath.Join(s.dir, "outside") }

// sing describes everything beside the root and the state: contents, inodes,
// modes and times.
func (s *site) sing() (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(s.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p == s.root() || p == s.state() {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&b, "%s %v %d %d %d", p, info.Mode(), st.Ino, st.Nlink, st.Mtim.Nano())
		if d.Type().IsRegular() {
			content, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", content)
		}
		b.WriteByte('\n')
		return nil
	})
	return b.String(), err
}

// save is what the host's user does: as editors do it, by a rename.
func (s *site) save(path, content string) error {
	full := filepath.Join(s.root(), path)
	temp := filepath.Join(s.root(), ".#saving~")
	err := os.WriteFile(temp, []byte(content), 0o644)
	was := contentOf(full)
	if err == nil {
		err = os.Rename(temp, full)
	}
	if err == nil {
		s.giveUp(was)
		s.saved[path] = content
		return nil
	}
	return errors.Join(err, os.Remove(temp))
}

func (s *site) delete(path string) error {
	full := filepath.Join(s.root(), path)
	was := contentOf(full)
	err := os.Remove(full)
	if err == nil {
		s.giveUp(was)
		s.saved[path] = ""
	}
	return err
}

// contentOf returns what is in a file; "" if there is none.
func contentOf(full string) string {
	if info, err := os.Lstat(full); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	b, _ := os.ReadFile(full) // it may be gone by now
	return string(b)
}

// giveUp notes that the user took away a content himself, which may be what he had
// saved under another name: the agent can have it moved, or make one folder a link
// to another.
func (s *site) giveUp(was string) {
	for path, content := range s.saved {
		if content == was {
			s.saved[path] = ""
		}
	}
}

// host is what a session works with.
type host struct {
	*site
	session *run.Session
	closers []func() error
}

// open begins a session with an agent that dial starts.
func (s *site) open(dial func() (net.Conn, protocol.Options), dials int) (h *host, err error) {
	h = &host{site: s}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	state, err := fsx.OS().OpenRoot(s.state())
	if err != nil {
		return h, err
	}
	h.closers = append(h.closers, state.Close)
	if err := os.MkdirAll(filepath.Join(s.state(), "keep"), 0o700); err != nil {
		return h, err
	}
	store, err := s.store(h)
	if err != nil {
		return h, err
	}
	known, was, err := base.Open(state, "test")
	if err != nil {
		return h, err
	}
	h.closers = append(h.closers, known.Close)
	if was.Lost != "" {
		return h, fmt.Errorf("base is lost: %s", was.Lost)
	}
	rules, err := ignore.New(ignore.BuiltIn(), ignore.Literal("test", "secret"))
	if err != nil {
		return h, err
	}
	d := disk.New(s.root(), disk.Options{
		Session: "test", Holder: "test", Stage: filepath.Join(s.state(), "stage"),
		Displaced: func(from fsx.Dir, name string, was disk.Past) error {
			return store.Adopt(from, name, keep.Item{Path: was.Path, Entry: was.Entry, Side: tree.Host, Why: keep.Why(was.Why), When: was.At})
		},
		DisplacedDone: store.Sync,
	})
	h.closers = append(h.closers, d.Close)
	h.session = run.New(run.Config{
		Host: d, Base: known, Was: was, Keep: store, Rules: rules, OneWay: ".twosyncignore",
		Tell: func(e run.Event) {
			if s.events != nil {
				s.events(e)
			}
		},
		Dial: func(context.Context) (replica.Replica, error) {
			conn, opts := dial()
			r, err := protocol.NewRemote(conn, opts)
			if err != nil {
				return nil, err
			}
			return r, nil
		},
		Fatal: func(err error) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.errs = append(s.errs, err)
			return len(s.errs) >= dials || errors.Is(err, protocol.ErrViolation) || errors.Is(err, protocol.ErrTooLarge)
		},
	})
	return h, nil
}

func (s *site) store(h *host) (*keep.Store, error) {
	dir, err := fsx.OS().OpenRoot(filepath.Join(s.state(), "keep"))
	if err != nil {
		return nil, err
	}
	h.closers = append(h.closers, dir.Close)
	store, err := keep.Open(dir, keep.Limits{Total: keepLimit})
	if err == nil {
		h.closers = append(h.closers, store.Close)
	}
	return store, err
}

func (h *host) close() error {
	var errs []error
	for _, f := range slices.Backward(h.closers) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// walk calls f for everything below dir, whatever its name and however long its
// path.
func walk(dir string, f func(path string, d fs.DirEntry, read func() ([]byte, error)) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return walkIn(root, "", f)
}

func walkIn(root *os.Root, above string, f func(string, fs.DirEntry, func() ([]byte, error)) error) error {
	defer root.Close()
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	names, err := dir.ReadDir(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	for _, d := range names {
		path := above + d.Name()
		err := f(path, d, func() ([]byte, error) {
			if d.Type() == fs.ModeSymlink {
				target, err := root.Readlink(d.Name())
				return []byte(target), err
			}
			return root.ReadFile(d.Name())
		})
		if err == fs.SkipDir {
			continue
		}
		if err == nil && d.IsDir() {
			var sub *os.Root
			if sub, err = root.OpenRoot(d.Name()); err == nil {
				err = walkIn(sub, path+"/", f)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check is what must hold after every session.
func (s *site) check() error {
	return errors.Join(s.checkCanary(), s.checkRoot(), s.checkOurs(), s.checkSaved())
}

func (s *site) checkCanary() error {
	now, err := s.sing()
	if err == nil && now != s.canary {
		return fmt.Errorf("outside of the root was\n%sand is\n%s", s.canary, now)
	}
	return err
}

// checkRoot returns an error if something is in the root that may not be.
func (s *site) checkRoot() error {
	root, err := os.OpenRoot(s.root())
	if err != nil {
		return err
	}
	defer root.Close()
	return walk(s.root(), func(path string, d fs.DirEntry, read func() ([]byte, error)) error {
		if path == ".twosync" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.ToLower(d.Name())
		switch {
		case info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0:
			return fmt.Errorf("%q has mode %v", path, info.Mode())
		case path == "secret":
		case strings.HasPrefix(name, ".git") && len(name) <= len(".git") || name == ".twosync" || name == "secret" || strings.HasPrefix(name, "git~1"):
			return fmt.Errorf("%q is in the root", path)
		case d.IsDir(), d.Type().IsRegular():
		case d.Type() == fs.ModeSymlink:
			target, err := read()
			if err != nil {
				return err
			}
			if filepath.IsAbs(string(target)) || !filepath.IsLocal(filepath.Join(filepath.Dir(path), string(target))) {
				return fmt.Errorf("%q leads to %q", path, target)
			}
			if _, err := root.Stat(path); err != nil && strings.Contains(err.Error(), "escapes") { // by way of other links
				return fmt.Errorf("%q leads to %q: %w", path, target, err)
			}
		default:
			return fmt.Errorf("%q is %v", path, info.Mode())
		}
		return nil
	})
}

// checkOurs returns an error if a name of the agent's is in a folder of ours.
func (s *site) checkOurs() error {
	for _, dir := range []string{s.state(), filepath.Join(s.root(), ".twosync")} {
		err := walk(dir, func(path string, d fs.DirEntry, _ func() ([]byte, error)) error {
			if path == "stage" {
				return fs.SkipDir // what a session was building when it was cut off
			}
			if strings.Contains(d.Name(), "evil") {
				return fmt.Errorf("%s is in %s", path, dir)
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// checkSaved returns an error if what the user saved last is nowhere.
func (s *site) checkSaved() error {
	var have map[string]bool
	for path, content := range s.saved {
		if content == "" {
			continue
		}
		if b, err := os.ReadFile(filepath.Join(s.root(), path)); err == nil && string(b) == content {
			continue
		}
		if have == nil {
			var err error
			if have, err = s.everything(); err != nil {
				return err
			}
		}
		if !have[content] {
			return fmt.Errorf("what was saved at %q is lost: %q", path, content)
		}
	}
	return nil
}

// everything returns the contents of all files in the root and the state folder:
// those in the keep store and in slots are safe.
func (s *site) everything() (map[string]bool, error) {
	have := map[string]bool{}
	for _, dir := range []string{s.root(), s.state()} {
		err := walk(dir, func(_ string, d fs.DirEntry, read func() ([]byte, error)) error {
			if !d.Type().IsRegular() {
				return nil
			}
			b, err := read()
			have[string(b)] = true
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return have, nil
}

// listing describes the root as an agent describes its tree.
func (s *site) listing() (string, error) {
	root := newFolder()
	err := walk(s.root(), func(path string, d fs.DirEntry, read func() ([]byte, error)) error {
		if path == ".twosync" {
			return fs.SkipDir
		}
		if path == "secret" {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n := newFolder()
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := read()
			if err != nil {
				return err
			}
			n = linkTo(string(target))
		case d.Type().IsRegular():
			b, err := read()
			if err != nil {
				return err
			}
			n = fileOf(string(b))
			n.exec = info.Mode()&0o100 != 0
		}
		if !root.put(path, n) {
			return fmt.Errorf("%q has no parent", path)
		}
		return nil
	})
	a := &agent{tree: root}
	return a.listing(), err
}
