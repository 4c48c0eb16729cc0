//go:build linux

package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// enoughFlips is how often a name has to change under the disk's hands: a race
// that was not run proves nothing.
const enoughFlips = 10_000

// aCanary is in every file outside of the root.
const aCanary = "a canary that nobody reads"

// arena is a root with g/p/x in it, the same outside of it, and a racer that
// swaps one for the other.
type arena struct {
	dir     string
	at      string // what the racer swaps: a path in the root, "" for the root
	link    bool   // with a link to its like outside, or with another directory or file
	was     string // how it is outside
	busy    atomic.Bool
	flips   atomic.Int64 // while the disk was at work
	applied atomic.Int64

	mu   sync.Mutex
	view *tree.Entry // what the disk says that the root holds
	bad  error
	news chan struct{} // a flush was answered
}

func (a *arena) root() string { return filepath.Join(a.dir, "in", "root") }

func newArena(dir, at string, link bool) (*arena, error) {
	a := &arena{dir: dir, at: at, link: link, view: tree.NewDir(nil), news: make(chan struct{}, 1)}
	for base, content := range map[string]string{"in/root": "x", "outside": aCanary, "other": "y"} {
		p := filepath.Join(dir, base, "g", "p")
		if err := os.MkdirAll(p, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(p, "x"), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "swap"), 0o755); err != nil {
		return nil, err
	}
	aside := filepath.Join(dir, "swap", "aside")
	var err error
	if link {
		err = os.Symlink(filepath.Join(dir, "outside", at), aside)
	} else {
		err = os.Rename(filepath.Join(dir, "other", at), aside)
	}
	if err == nil {
		a.was, err = (&site{dir: filepath.Join(dir, "outside")}).sing()
	}
	return a, err
}

// race swaps until ctx is done, and leaves everything as it was.
func (a *arena) race(ctx context.Context) {
	path, aside := filepath.Join(a.root(), a.at), filepath.Join(a.dir, "swap", "aside")
	for n := 0; ; n++ {
		if n%2 == 0 && ctx.Err() != nil {
			return
		}
		err := unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, aside, unix.RENAME_EXCHANGE)
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil: // the disk has just taken it away
			n--
		case a.busy.Load():
			a.flips.Add(1)
		}
	}
}

// disk returns the host's or the container's disk.
func (a *arena) disk(ofHost bool) (*disk.Disk, func() error, error) {
	if !ofHost {
		return disk.New(a.root(), disk.Options{}), func() error { return nil }, nil
	}
	folder := filepath.Join(a.dir, "state")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, nil, err
	}
	dir, err := fsx.OS().OpenRoot(folder)
	if err != nil {
		return nil, nil, err
	}
	store, err := keep.Open(dir, keep.Limits{Total: keepLimit})
	if err != nil {
		return nil, nil, err
	}
	d := disk.New(a.root(), disk.Options{
		Session: "test", Stage: filepath.Join(a.dir, "stage"),
		Displaced: func(from fsx.Dir, name string, was disk.Past) error {
			return store.Adopt(from, name, keep.Item{Path: was.Path, Entry: was.Entry, Side: tree.Host, Why: keep.Why(was.Why), When: was.At})
		},
		DisplacedDone: store.Sync,
	})
	return d, func() error { return errors.Join(store.Close(), dir.Close()) }, nil
}

// follow takes the disk's reports until they end.
func (a *arena) follow(d *disk.Disk) {
	for {
		r, err := d.Next(context.Background())
		if err != nil {
			return
		}
		a.mu.Lock()
		switch {
		case r.Observed != nil:
			for _, s := range r.Observed.Seen {
				a.saw(s.Path, s.Entry)
			}
		case r.Outcome != nil:
			for _, x := range r.Outcome.Results {
				a.saw(x.Path, x.Entry)
				if x.Status == replica.Applied {
					a.applied.Add(1)
				}
			}
		case r.Flushed != nil:
			select {
			case a.news <- struct{}{}:
			default:
			}
		}
		a.mu.Unlock()
	}
}

// saw notes what a path holds. What is outside is never seen. Callers hold mu.
func (a *arena) saw(path string, e *tree.Entry) {
	tree.Walk(path, e, func(p string, e *tree.Entry) bool {
		if e.IsFile() && e.Digest == tree.DigestOf([]byte(aCanary)) {
			a.bad = fmt.Errorf("%s holds what is outside of the root", p)
		}
		return true
	})
	if path == "" {
		a.view = e
	} else if t, ok := tree.Put(a.view, path, e); ok {
		a.view = t
	}
}

func (a *arena) holds(path string) *tree.Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	return tree.Get(a.view, path)
}

// work makes the disk do everything that it can, once.
func (a *arena) work(ctx context.Context, d *disk.Disk, n uint64) error {
	content := fmt.Sprint("content ", n)
	f := tree.NewFile(tree.DigestOf([]byte(content)), int64(len(content)), false)
	made := tree.NewDir([]tree.Child{{Name: "a", Entry: f}, {Name: "l", Entry: tree.NewLink("a")}, {Name: "s", Entry: tree.NewDir([]tree.Child{{Name: "b", Entry: f}})}})
	source := noSource{}
	apply := func(changes ...tree.Change) error {
		for i := range changes {
			changes[i].Old = a.holds(changes[i].Path)
		}
		return d.Apply(ctx, &replica.Batch{ID: n, Changes: changes, Contents: replica.Contents{f.Digest: []byte(content)}}, source)
	}
	steps := []func() error{
		func() error {
			return apply(tree.Change{Path: "g/p/x", New: f}, tree.Change{Path: "g/p/new", New: f}, tree.Change{Path: "g/p/d", New: made})
		},
		func() error { return d.Look(ctx, []string{"g/p/x", "g/p", "g", ""}) },
		func() error { return a.read(ctx, d) },
		func() error { return d.Settle(ctx, replica.Settle{Gen: n, Paths: []string{"g/p/x", "g/p/d/a"}}) },
		func() error { return apply(tree.Change{Path: "g/p/new"}, tree.Change{Path: "g/p/d"}) },
	}
	for _, step := range steps {
		a.busy.Store(true)
		err := step()
		a.busy.Store(false)
		if err != nil {
			return err
		}
	}
	return nil
}

// noSource has no contents.
type noSource struct{}

func (noSource) Send(_ context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	for i := range wants {
		if err := sink(replica.Piece{Want: i, Gone: "gone"}); err != nil {
			return err
		}
	}
	return nil
}

// read asks the disk for what it holds, and for what is outside.
func (a *arena) read(ctx context.Context, d *disk.Disk) error {
	wants := []replica.Want{{Path: "g/p/x", Digest: tree.DigestOf([]byte(aCanary)), Size: int64(len(aCanary))}}
	if e := a.holds("g/p/x"); e.IsFile() {
		wants = append(wants, replica.Want{Path: "g/p/x", Digest: e.Digest, Size: e.Size})
	}
	return d.Send(ctx, wants, func(p replica.Piece) error {
		if bytes.Contains(p.Data, []byte(aCanary)) {
			return errors.New("what is outside of the root was read")
		}
		return nil
	})
}

// C4, C5: names of a path turn into links out of the root, or other
// directories, and back, as fast as the kernel can do it, while a disk works.
func TestRacers(t *testing.T) {
	for _, side := range []string{"host", "container"} {
		for what, at := range map[string]string{"leaf": "g/p/x", "parent": "g/p", "grandparent": "g", "root": ""} {
			for _, with := range []string{"link", "rename"} {
				t.Run(side+"/"+what+"/"+with, func(t *testing.T) {
					t.Parallel()
					raceAt(t, side == "host", at, with == "link")
				})
			}
		}
	}
}

func raceAt(t *testing.T, ofHost bool, at string, link bool) {
	a, err := newArena(t.TempDir(), at, link)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	rounds, n := 0, uint64(0)
	for ; a.flips.Load() < enoughFlips; rounds++ {
		if err := a.round(ctx, ofHost, &n); err != nil {
			t.Fatalf("round %d, after %d flips: %v", rounds, a.flips.Load(), err)
		}
	}
	now, err := (&site{dir: filepath.Join(a.dir, "outside")}).sing()
	if err != nil || now != a.was {
		t.Errorf("outside of the root was\n%sand is (%v)\n%s", a.was, err, now)
	}
	if a.applied.Load() == 0 {
		t.Error("nothing was ever applied")
	}
	t.Logf("%d flips while the disk was at work, %d changes applied, %d rounds of %d", a.flips.Load(), a.applied.Load(), rounds, n)
}

// round is the life of one disk.
func (a *arena) round(ctx context.Context, ofHost bool, n *uint64) error {
	works := 50
	if a.at == "" {
		works = 1 // once it has seen another root it changes nothing any more
	}
	d, closed, err := a.disk(ofHost)
	if err != nil {
		return err
	}
	rules, err := ignore.New(ignore.BuiltIn())
	if err != nil {
		return err
	}
	var loops sync.WaitGroup
	loops.Go(func() { d.Run(ctx) })
	if _, err := d.Start(ctx, replica.Start{Rules: rules.Text()}); err != nil {
		return errors.Join(err, d.Close())
	}
	loops.Go(func() { a.follow(d) })
	d.Flush(ctx, 1)
	select {
	case <-a.news: // the first scan is over
	case <-ctx.Done():
		return ctx.Err()
	}
	racing, stop := context.WithCancel(ctx)
	var racer sync.WaitGroup
	racer.Go(func() { a.race(racing) })
	for range works {
		if *n++; err == nil {
			err = a.work(ctx, d, *n)
		}
	}
	stop()
	racer.Wait()
	err = errors.Join(err, d.Close(), closed())
	loops.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(err, a.bad)
}
