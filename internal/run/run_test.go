package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/protocol"
)

// errFatal is what dialling again can't mend.
var errFatal = errors.New("fatal")

const deadline = 20 * time.Second

// pair is a session between two directories of this machine, without a wire.
type pair struct {
	t               *testing.T
	host, container string
	state           string
	take            string
	wire            bool
	oneWay          string
	on, in          disk.Options // of the host's disk and the container's
	disk            *disk.Disk   // the host's
	session         *Session
	end             func() error
	mu              sync.Mutex
	events          []Event // guarded by mu
	keep            *keep.Store
	errs            chan error
	here            net.Conn // guarded by mu: the host's end of the wire
	dialled         func(context.Context) (replica.Replica, error)
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, host: filepath.Join(t.TempDir(), "host"), container: filepath.Join(t.TempDir(), "container"), state: t.TempDir(), in: disk.Options{Make: true}}
	for _, d := range []string{p.host, p.container} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// inProcess is a disk that runs as long as it is open.
type inProcess struct {
	*disk.Disk
	cancel context.CancelFunc
	done   chan struct{}
}

func (r *inProcess) Close() error {
	r.cancel()
	err := r.Disk.Close()
	<-r.done
	return err
}

// dialWire puts the protocol between the session and the container's disk.
func (p *pair) dialWire(ctx context.Context) (replica.Replica, error) {
	here, there := net.Pipe()
	p.mu.Lock()
	p.here = here
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d := disk.New(p.container, p.in)
	done := make(chan struct{}, 2)
	go func() { d.Run(ctx); done <- struct{}{} }()
	go func() { protocol.Serve(ctx, there, d, protocol.Options{}); cancel(); done <- struct{}{} }()
	p.t.Cleanup(func() { cancel(); <-done; <-done })
	return protocol.NewRemote(here, protocol.Options{})
}

// cut ends the connection as a killed agent does.
func (p *pair) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here.Close()
}

func (p *pair) dial(ctx context.Context) (replica.Replica, error) {
	switch {
	case p.dialled != nil:
		return p.dialled(ctx)
	case p.wire:
		return p.dialWire(ctx)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &inProcess{Disk: disk.New(p.container, p.in), cancel: cancel, done: make(chan struct{})}
	go func() { defer close(r.done); r.Disk.Run(ctx) }()
	return r, nil
}

func rules(t *testing.T, patterns ...string) *ignore.Rules {
	r, err := ignore.New(ignore.BuiltIn(), ignore.Literal("test", patterns...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start begins a session; the returned function ends it.
func (p *pair) start(patterns ...string) {
	p.t.Helper()
	dir, err := fsx.OS().OpenRoot(p.state)
	if err != nil {
		p.t.Fatal(err)
	}
	store, was, err := base.Open(dir, "test")
	if err != nil {
		p.t.Fatal(err)
	}
	if p.keep == nil {
		p.keep = openKeep(p.t)
	}
	on := p.on
	on.Session = "test"
	host := disk.New(p.host, on)
	p.disk = host
	p.session = New(Config{
		Host: host, Dial: p.dial, Fatal: func(err error) bool { return errors.Is(err, errFatal) }, Base: store, Was: was, Keep: p.keep, Rules: rules(p.t, patterns...), Take: p.take, OneWay: p.oneWay,
		Remedy: func(err error) string { return "what helps against: " + err.Error() },
		Tell:   func(e Event) { p.mu.Lock(); defer p.mu.Unlock(); p.events = append(p.events, e) },
	})
	ctx, cancel := context.WithCancel(p.t.Context())
	errs := make(chan error, 1)
	p.errs = make(chan error, 1)
	go func() { err := p.session.Run(ctx); p.errs <- err; errs <- err }()
	ended := false
	p.end = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		defer dir.Close()
		defer store.Close()
		defer host.Close()
		select {
		case err := <-errs:
			return err
		case <-time.After(deadline):
			return errors.New("the session does not end")
		}
	}
	p.t.Cleanup(func() { p.end() })
}

func (p *pair) stop() {
	p.t.Helper()
	if err := p.end(); err != nil {
		p.t.Fatalf("session ended with: %v", err)
	}
}

// flush waits until everything is carried over, and compares the sides.
func (p *pair) flush() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), deadline)
	defer cancel()
	for {
		_, err := p.session.Flush(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			p.t.Fatalf("flush: %v; the session said %+v", err, p.told())
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			p.t.Fatal(err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error { return system{}.Wait(ctx, nil, d) }

// told is what the session told so far.
func (p *pair) told() []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

func (p *pair) same() {
	p.t.Helper()
	h, c := listing(p.t, p.host), listing(p.t, p.container)
	if h != c {
		p.t.Fatalf("host holds\n%scontainer holds\n%s", h, c)
	}
}

// listing describes a tree by content.
func listing(t *testing.T, root string) string {
	t.Helper()
	out := ""
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.Name() == ".twosync" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(path)
			out += fmt.Sprintf("%s -> %s\n", rel, target)
		case d.IsDir():
			out += rel + "/\n"
		default:
			b, _ := os.ReadFile(path)
			out += fmt.Sprintf("%s %v %x\n", rel, info.Mode()&0o111 != 0, b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func write(t *testing.T, dir, path, content string) {
	t.Helper()
	full := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestBothWays(t *testing.T)     { bothWays(t, newPair(t)) }
func TestBothWaysWire(t *testing.T) { p := newPair(t); p.wire = true; bothWays(t, p) }

func bothWays(t *testing.T, p *pair) {
	write(t, p.host, "src/a.go", "package a")
	write(t, p.host, "src/deep/er/b.go", "package b")
	os.Symlink("a.go", filepath.Join(p.host, "src/link"))
	p.start()
	p.flush()
	p.same()
	steps := []func(){
		func() { write(t, p.host, "src/a.go", "package a // edited") },
		func() { write(t, p.container, "src/a.go", "package a // edited there") },
		func() { write(t, p.container, "gen/x/y", "new in the container") },
		func() { os.Rename(filepath.Join(p.container, "gen"), filepath.Join(p.container, "gen2")) },
		func() { os.RemoveAll(filepath.Join(p.host, "gen2")) },
		func() { os.Remove(filepath.Join(p.container, "src/link")) },
		func() { os.Chmod(filepath.Join(p.host, "src/a.go"), 0o755) },
		func() {
			for i := range 500 {
				write(t, p.host, fmt.Sprintf("many/%d/%d", i%7, i), fmt.Sprint("content ", i))
			}
		},
		func() { os.Rename(filepath.Join(p.host, "many"), filepath.Join(p.host, "src/many")) },
		func() { os.RemoveAll(filepath.Join(p.container, "src/many")) },
		func() { os.Remove(filepath.Join(p.host, "src/a.go")); write(t, p.host, "src/a.go/now/a", "directory") },
		func() {
			os.RemoveAll(filepath.Join(p.container, "src/a.go"))
			write(t, p.container, "src/a.go", "file again")
		},
	}
	for i, step := range steps {
		step()
		p.flush()
		p.same()
		if t.Failed() {
			t.Fatalf("after step %d", i)
		}
	}
	p.stop()
}

func openKeep(t *testing.T) *keep.Store {
	dir, err := fsx.OS().OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k, err := keep.Open(dir, keep.Limits{Total: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(); dir.Close() })
	return k
}
