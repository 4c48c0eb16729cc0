package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
)

// recreate makes the container's root what an image would make it: these files
// and no token.
func (p *pair) recreate(files map[string]string) {
	p.t.Helper()
	if err := os.RemoveAll(p.container); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Mkdir(p.container, 0o777); err != nil {
		p.t.Fatal(err)
	}
	for path, content := range files {
		write(p.t, p.container, path, content)
	}
}

// settled waits until everything that is in sync is durable, too.
func (p *pair) settled() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), deadline)
	defer cancel()
	for {
		st, err := p.session.Status(ctx)
		if err == nil && st.Durable {
			return
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *pair) read(dir, path string) string {
	b, err := os.ReadFile(filepath.Join(dir, path))
	if errors.Is(err, os.ErrNotExist) {
		return "absent"
	}
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (p *pair) want(dir, path, content string) {
	p.t.Helper()
	if got := p.read(dir, path); got != content {
		p.t.Errorf("%s/%s holds %q, want %q", filepath.Base(dir), path, got, content)
	}
}

// kept returns what the keep store holds for a path.
func (p *pair) kept(path string) []string {
	p.t.Helper()
	var out []string
	for _, i := range p.keep.List() {
		if i.Path != path {
			continue
		}
		f, err := p.keep.Read(i)
		if err != nil {
			p.t.Fatal(err)
		}
		b := make([]byte, i.Entry.Size)
		f.ReadAt(b, 0)
		f.Close()
		out = append(out, string(i.Why)+": "+string(b))
	}
	return out
}

func TestEditsWhileDown(t *testing.T) {
	p := newPair(t)
	write(t, p.host, "a", "1")
	write(t, p.host, "b", "1")
	write(t, p.host, "d/e", "1")
	p.start()
	p.flush()
	p.stop()
	write(t, p.host, "a", "2 from host")
	write(t, p.container, "b", "2 from container")
	os.RemoveAll(filepath.Join(p.container, "d"))
	write(t, p.container, "new", "n")
	p.start()
	p.flush()
	p.same()
	p.want(p.container, "a", "2 from host")
	p.want(p.host, "b", "2 from container")
	p.want(p.host, "d/e", "absent")
	p.want(p.host, "new", "n")
	p.stop()
}

func TestConflictKeepsTheLoser(t *testing.T) {
	p := newPair(t)
	write(t, p.host, "a", "1")
	p.start()
	p.flush()
	p.stop()
	write(t, p.host, "a", "host's")
	write(t, p.container, "a", "container's")
	p.start()
	p.flush()
	p.same()
	p.want(p.host, "a", "host's")
	if got := p.kept("a"); len(got) != 1 || got[0] != "conflict: container's" {
		t.Errorf("kept %q, want the container's version", got)
	}
	p.stop()
}

// J5: a container that was recreated empty is filled again.
func TestRecreatedEmpty(t *testing.T) {
	p := newPair(t)
	write(t, p.host, "a", "1")
	write(t, p.host, "d/b", "1")
	p.start()
	p.flush()
	p.stop()
	p.recreate(nil)
	p.start()
	p.flush()
	p.same()
	p.want(p.host, "d/b", "1")
	p.stop()
}

// J6: an image with last week's source, in which the host has since changed,
// deleted and renamed files. The host wins and nothing comes back.
func TestRecreatedWithOldSource(t *testing.T) {
	p := newPair(t)
	old := map[string]string{"a": "1", "b": "1", "c": "content of c", "d/x": "1", "d/y": "1", "e/f": "1"}
	for path, content := range old {
		write(t, p.host, path, content)
	}
	p.start()
	p.flush()
	write(t, p.host, "a", "2")
	os.Remove(filepath.Join(p.host, "b"))
	os.Rename(filepath.Join(p.host, "c"), filepath.Join(p.host, "c2"))
	os.RemoveAll(filepath.Join(p.host, "e"))
	p.flush()
	p.stop()
	old["baked"] = "only in the image"
	old["d/y"] = "changed in the image"
	p.recreate(old)
	p.start()
	p.flush()
	p.same()
	p.want(p.host, "a", "2")
	p.want(p.host, "b", "absent")
	p.want(p.host, "c", "absent")
	p.want(p.host, "c2", "content of c")
	p.want(p.host, "e/f", "absent")
	p.want(p.host, "baked", "only in the image")
	p.want(p.host, "d/y", "1")
	if got := p.kept("d/y"); len(got) != 1 || got[0] != "version: changed in the image" {
		t.Errorf("kept %q, want the image's version", got)
	}
	p.stop()
}

// The container goes away and comes back under a running session.
func TestLostAndFound(t *testing.T) {
	p := newPair(t)
	p.wire = true
	write(t, p.host, "a", "1")
	p.start()
	p.flush()
	p.settled()
	for _, content := range []string{"2", "3"} {
		p.cut()
		write(t, p.host, "a", content)
		write(t, p.container, "b", content)
		p.flush()
		p.same()
		p.want(p.container, "a", content)
		p.want(p.host, "b", content)
	}
	p.stop()
}

// While the container is lost, Status and the event say why, and what to do.
func TestLostSaysWhy(t *testing.T) {
	p := newPair(t)
	var paused atomic.Bool
	p.dialled = func(ctx context.Context) (replica.Replica, error) {
		if paused.Load() {
			return nil, errors.New("it is paused")
		}
		return p.dialWire(ctx)
	}
	write(t, p.host, "a", "1")
	p.start()
	p.flush()
	paused.Store(true)
	p.cut()
	const remedy = "what helps against: it is paused"
	late := time.Now().Add(deadline)
	for {
		st, err := p.session.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.State == "connecting" && st.Reason == "it is paused" && st.Remedy == remedy {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("%s, lost because of %q, %q", st.State, st.Reason, st.Remedy)
		}
		time.Sleep(time.Millisecond)
	}
	if !slices.ContainsFunc(p.told(), func(e Event) bool { return e.Kind == Lost && e.Remedy == remedy }) {
		t.Error("no event has the remedy")
	}
	paused.Store(false)
	p.flush()
	if st, err := p.session.Status(t.Context()); err != nil || st.Reason != "" {
		t.Errorf("in sync again, and lost because of %q (%v)", st.Reason, err)
	}
	p.stop()
}

func TestFirstContactStops(t *testing.T) {
	p := newPair(t)
	write(t, p.host, "a", "1")
	write(t, p.container, "node_modules/m/index.js", "code")
	p.start()
	err := <-p.errs
	halt := (*HaltError)(nil)
	if !errors.As(err, &halt) {
		t.Fatalf("session ended with %v, want a halt", err)
	}
	t.Log(halt.Reason, halt.Remedy)
	p.want(p.host, "node_modules/m/index.js", "absent")
	p.want(p.container, "a", "absent")
}

func TestFirstContactTakeHost(t *testing.T) {
	p := newPair(t)
	p.take = "host"
	write(t, p.host, "a", "host's")
	write(t, p.container, "a", "container's")
	write(t, p.container, "only", "there")
	p.start()
	p.flush()
	p.same()
	p.want(p.container, "a", "host's")
	p.want(p.container, "only", "absent")
	if got := p.kept("only"); len(got) != 1 {
		t.Errorf("kept %q of a file that only the container had", got)
	}
	p.stop()
}

func TestEmptiedRoot(t *testing.T) {
	for _, side := range []replica.Side{replica.Host, replica.Container} {
		t.Run(side.String(), func(t *testing.T) {
			p := newPair(t)
			write(t, p.host, "a", "1")
			write(t, p.host, "b", "1")
			p.start()
			p.flush()
			p.stop()
			dir, other := p.host, p.container
			if side == replica.Container {
				dir, other = other, dir
			}
			os.Remove(filepath.Join(dir, "a"))
			os.Remove(filepath.Join(dir, "b"))
			p.start()
			if side == replica.Container { // the brake holds it
				p.flush()
				if st, err := p.session.Status(t.Context()); err != nil || st.Braked != 2 {
					t.Errorf("status: %+v, %v", st, err)
				}
			} else {
				err := <-p.errs
				if halt := (*HaltError)(nil); !errors.As(err, &halt) {
					t.Fatalf("session ended with %v, want a halt", err)
				}
			}
			p.want(other, "a", "1")
		})
	}
}

// K5: the rules are the host's. What the container writes into their file does
// not come over.
func TestOneWay(t *testing.T) {
	p := newPair(t)
	p.oneWay = "rules"
	write(t, p.host, "rules", "host's")
	p.start()
	p.flush()
	p.want(p.container, "rules", "host's")
	write(t, p.container, "rules", "container's")
	p.flush()
	p.flush()
	p.want(p.host, "rules", "host's")
	p.want(p.container, "rules", "host's")
	if got := p.kept("rules"); len(got) != 1 {
		t.Errorf("kept %q, want the container's version", got)
	}
	os.Remove(filepath.Join(p.host, "rules"))
	p.flush()
	p.want(p.container, "rules", "absent")
	write(t, p.container, "rules", "container's own")
	p.flush()
	p.want(p.host, "rules", "absent")
	p.stop()
}

// A directory that was cloned anew holds what the clone holds. What it lacks
// nobody deleted there, whatever the history knows.
func TestClonedAnew(t *testing.T) {
	p := newPair(t)
	for _, path := range []string{"main.go", "notes", "d/data"} {
		write(t, p.host, path, "of "+path)
	}
	p.start()
	p.flush()
	p.stop()
	os.RemoveAll(p.host)
	write(t, p.host, "main.go", "of main.go")
	p.start()
	p.flush()
	p.same()
	p.want(p.host, "notes", "of notes")
	p.want(p.container, "d/data", "of d/data")
	p.stop()
}

// J9: a host that came back from a backup, its token with it, knows nothing of
// what was agreed since.
func TestHostRestored(t *testing.T) {
	p := newPair(t)
	write(t, p.host, "a", "1")
	p.start()
	p.flush()
	p.settled()
	p.stop()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(p.host)); err != nil {
		t.Fatal(err)
	}
	p.start()
	write(t, p.container, "a", "2")
	write(t, p.container, "new", "since")
	p.flush()
	p.settled()
	p.stop()
	os.RemoveAll(p.host)
	if err := os.Rename(backup, p.host); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.flush()
	p.same()
	p.want(p.host, "new", "since")
	p.want(p.host, "a", "1")
	if got := p.kept("a"); len(got) != 1 || got[0] != "version: 2" {
		t.Errorf("kept %q, want what was agreed since the backup", got)
	}
	p.stop()
}

// What the user said of the first contact is said of no other.
func TestTakeHoldsOnce(t *testing.T) {
	p := newPair(t)
	p.take, p.wire = "host", true
	write(t, p.host, "a", "1")
	p.start()
	p.flush()
	p.settled()
	p.recreate(map[string]string{"baked": "in the image"})
	p.cut()
	p.flush()
	p.same()
	p.want(p.host, "baked", "in the image")
	p.stop()
}

// Rules that were written down before the first start make no host that holds
// something; rules about a folder of dependencies are an answer.
func TestFirstContactWithRules(t *testing.T) {
	p := newPair(t)
	p.oneWay = ".twosyncignore"
	write(t, p.host, ".twosyncignore", "*.o")
	for i := range 300 {
		write(t, p.container, fmt.Sprint("f", i), "1")
	}
	p.start()
	p.flush()
	p.same()
	p.stop()

	p = newPair(t)
	write(t, p.host, "a", "1")
	write(t, p.container, "vendor/m/m.go", "code")
	p.start("!vendor")
	p.flush()
	p.want(p.host, "vendor/m/m.go", "code")
	p.stop()
}

// What a first contact found out of the host outlives it until it is over.
func TestBlankHost(t *testing.T) {
	p := newPair(t)
	open := func() (*base.Store, *ledger) {
		dir, err := fsx.OS().OpenRoot(p.state)
		if err != nil {
			t.Fatal(err)
		}
		store, was, err := base.Open(dir, "test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dir.Close() })
		return store, newLedger(system{}, store, was)
	}
	store, l := open()
	if n, f := l.blank(); !n || f {
		t.Errorf("never met: new %v, filling %v", n, f)
	}
	e := l.epoch(replica.ID{9}, engine.Joined{Gen: 1, HostNew: true})
	if err := errors.Join(l.begin(e, ""), l.filling(), store.Close()); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		host         replica.Identity
		new, filling bool
	}{
		{replica.Identity{ID: e.Host, Gen: 1}, true, true},
		{replica.Identity{ID: e.Host, Gen: 5}, true, false},
		{replica.Identity{ID: replica.ID{7}, Gen: 1}, true, false},
		{replica.Identity{}, true, false},
	} {
		store, l = open()
		l.met(x.host)
		if n, f := l.blank(); n != x.new || f != x.filling {
			t.Errorf("%+v: new %v, filling %v", x.host, n, f)
		}
		store.Close()
	}
	store, l = open()
	defer store.Close()
	l.met(replica.Identity{ID: e.Host, Gen: 1})
	if err := l.settled(); err != nil {
		t.Fatal(err)
	}
	if n, f := l.blank(); n || f {
		t.Errorf("settled: new %v, filling %v", n, f)
	}
}
