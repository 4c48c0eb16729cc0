package replicatest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/replicatest"
	"github.com/twosync/twosync/internal/tree"
)

// plain is the simplest replica that passes the suite: it reads everything
// whenever it is asked anything, changes files without care for crashes, and
// keeps no stat. It shows that the suite can be passed, and broken on purpose
// that it can fail.
type plain struct {
	dir    string
	broken string // what to do wrong

	mu      sync.Mutex
	rules   *ignore.Rules
	started bool
	closed  bool
	known   *tree.Entry      // what was reported, guarded by mu
	queue   []replica.Report // guarded by mu
}

var errClosed = errors.New("closed")

func (p *plain) token() string { return filepath.Join(p.dir, ".twosync", "token") }

func (p *plain) Start(_ context.Context, s replica.Start) (id replica.Identity, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rules, err = ignore.ParseText(s.Rules); err != nil {
		return id, err
	}
	id.Root = p.dir
	if b, err := os.ReadFile(p.token()); err == nil && len(b) == 24 {
		copy(id.ID[:], b)
		id.Gen = binary.BigEndian.Uint64(b[16:])
	}
	p.started, p.known = true, p.scan()
	p.queue = append(p.queue, replica.Report{Observed: &replica.Observed{Whole: p.broken != "not whole", Seen: []replica.Seen{{Entry: p.known}}}})
	return id, nil
}

func (p *plain) Adopt(_ context.Context, id replica.ID, gen uint64) error {
	if err := os.MkdirAll(filepath.Dir(p.token()), 0o777); err != nil {
		return err
	}
	return os.WriteFile(p.token(), binary.BigEndian.AppendUint64(id[:], gen), 0o666)
}

// scan reads the root again and again until nothing changed meanwhile.
func (p *plain) scan() *tree.Entry {
	for range 1000 {
		a, err1 := replicatest.Scan(p.dir)
		b, err2 := replicatest.Scan(p.dir)
		if err1 == nil && err2 == nil && tree.Equal(a, b) {
			return p.filter("", a)
		}
	}
	return tree.NewUnknown("never rests")
}

func (p *plain) filter(path string, dir *tree.Entry) *tree.Entry {
	for name, e := range dir.Children() {
		at := tree.Join(path, name)
		switch {
		case p.rules.Ignored(at, e.IsDir()):
			dir = dir.With(name, nil)
		case e.IsDir():
			dir = dir.With(name, p.filter(at, e))
		}
	}
	return dir
}

// refreshLocked reports what changed since the last time.
func (p *plain) refreshLocked() {
	now := p.scan()
	o := &replica.Observed{Contents: replica.Contents{}}
	room := replica.MaxInline
	tree.Diff("", p.known, now, func(path string, _, e *tree.Entry) bool {
		o.Seen = append(o.Seen, replica.Seen{Path: path, Entry: e})
		if e.IsFile() && e.Size <= int64(room) {
			content, _ := os.ReadFile(filepath.Join(p.dir, path))
			if tree.DigestOf(content) == e.Digest && len(content) <= room {
				o.Contents[e.Digest] = content
				room -= len(content)
			}
		}
		return true
	})
	if p.known = now; len(o.Seen) > 0 {
		p.queue = append(p.queue, replica.Report{Observed: o})
	}
}

func (p *plain) Next(ctx context.Context) (replica.Report, error) {
	for {
		if rep, ok, err := p.pop(); ok || err != nil {
			return rep, err
		}
		select {
		case <-time.After(2 * time.Millisecond): // it polls: that is how plain it is
		case <-ctx.Done():
			return replica.Report{}, ctx.Err()
		}
	}
}

func (p *plain) pop() (rep replica.Report, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return rep, false, errClosed
	}
	if len(p.queue) == 0 && p.started {
		p.refreshLocked()
	}
	if len(p.queue) == 0 {
		return rep, false, nil
	}
	rep = p.queue[0]
	p.queue = p.queue[1:]
	return rep, true, nil
}

// push queues a report behind what the root holds now.
func (p *plain) push(refresh bool, rep replica.Report) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	if refresh && p.broken != "early flush" {
		p.refreshLocked()
	}
	p.queue = append(p.queue, rep)
	return nil
}

func (p *plain) Flush(_ context.Context, n uint64) error {
	return p.push(true, replica.Report{Flushed: &replica.Flushed{N: n}})
}

func (p *plain) Settle(_ context.Context, s replica.Settle) error {
	return p.push(false, replica.Report{Durable: &replica.Durable{Gen: s.Gen}})
}

func (p *plain) Release(context.Context, []string) error { return nil }

func (p *plain) Look(_ context.Context, paths []string) error {
	o := &replica.Observed{}
	now := p.scan()
	for _, path := range paths {
		o.Seen = append(o.Seen, replica.Seen{Path: path, Entry: tree.Get(now, path)})
	}
	return p.push(true, replica.Report{Observed: o})
}

func (p *plain) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

func (p *plain) Apply(ctx context.Context, b *replica.Batch, src replica.Source) error {
	contents, err := p.contents(ctx, b, src)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refreshLocked()
	o := &replica.Outcome{Batch: b.ID, Done: true}
	for _, c := range b.Changes {
		o.Results = append(o.Results, p.changeLocked(c, contents))
	}
	p.queue = append(p.queue, replica.Report{Outcome: o})
	if p.broken == "hears itself" { // and reads half a file
		seen := replica.Seen{Path: b.Changes[0].Path, Entry: tree.NewFile(tree.Digest{}, 0, false)}
		p.queue = append(p.queue, replica.Report{Observed: &replica.Observed{Seen: []replica.Seen{seen}}})
	}
	return nil
}

func (p *plain) changeLocked(c tree.Change, contents replica.Contents) replica.Result {
	res := replica.Result{Path: c.Path, Status: replica.MovedOn, Entry: tree.Get(p.known, c.Path)}
	if p.broken != "no precondition" && !tree.Equal(res.Entry, c.Old) {
		res.Reason = "it changed"
		return res
	}
	if !has(contents, c.New) {
		res.Reason = "no content"
		return res
	}
	at := filepath.Join(p.dir, filepath.FromSlash(c.Path))
	if os.RemoveAll(at) != nil || put(at, c.New, contents) != nil {
		res.Status = replica.Held
		return res
	}
	res.Status, res.Entry = replica.Applied, c.New
	p.known, _ = tree.Put(p.known, c.Path, c.New)
	return res
}

func has(contents replica.Contents, e *tree.Entry) bool {
	all := true
	tree.Walk("", e, func(_ string, e *tree.Entry) bool {
		if _, ok := contents[e.Digest]; e.IsFile() && !ok {
			all = false
		}
		return true
	})
	return all
}

func put(at string, e *tree.Entry, contents replica.Contents) error {
	switch {
	case e == nil:
		return nil
	case e.Kind == tree.Link:
		return os.Symlink(e.Text, at)
	case e.IsDir():
		err := os.Mkdir(at, 0o777)
		for name, child := range e.Children() {
			err = errors.Join(err, put(filepath.Join(at, name), child, contents))
		}
		return err
	}
	mode := os.FileMode(0o644)
	if e.Exec {
		mode = 0o755
	}
	return os.WriteFile(at, contents[e.Digest], mode)
}

// contents finds what the batch needs: with it, here, or at src.
func (p *plain) contents(ctx context.Context, b *replica.Batch, src replica.Source) (replica.Contents, error) {
	got := replica.Contents{}
	var wants []replica.Want
	var olds [][]byte
	for _, c := range b.Changes {
		old, _ := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(c.Path)))
		tree.Walk(c.Path, c.New, func(path string, e *tree.Entry) bool {
			if !e.IsFile() {
				return true
			}
			if content, ok := b.Contents[e.Digest]; ok {
				got[e.Digest] = content
			} else if tree.DigestOf(old) == e.Digest {
				got[e.Digest] = old
			} else {
				w := replica.Want{Path: path, Digest: e.Digest, Size: e.Size}
				if sig, err := delta.Sign(bytes.NewReader(old), int64(len(old))); err == nil && len(old) > 1<<20 {
					w.Base = &sig
				}
				wants, olds = append(wants, w), append(olds, old)
			}
			return true
		})
	}
	bufs := make([]bytes.Buffer, len(wants))
	err := src.Send(ctx, wants, func(piece replica.Piece) error {
		w, buf := wants[piece.Want], &bufs[piece.Want]
		switch {
		case piece.End:
			if content := buf.Bytes(); tree.DigestOf(content) == w.Digest || p.broken == "trusts" {
				got[w.Digest] = content
			}
		case piece.Count > 0:
			old := olds[piece.Want]
			buf.Write(old[piece.Block*w.Base.Block : min((piece.Block+piece.Count)*w.Base.Block, len(old))])
		default:
			buf.Write(piece.Data)
		}
		return nil
	})
	return got, err
}

func (p *plain) Send(ctx context.Context, wants []replica.Want, sink func(replica.Piece) error) error {
	src := &replicatest.Contents{}
	root := p.scan()
	for i, w := range wants {
		if e := tree.Get(root, w.Path); e.IsFile() && e.Digest == w.Digest {
			f, err := os.Open(filepath.Join(p.dir, filepath.FromSlash(w.Path)))
			if err != nil {
				return err
			}
			var b strings.Builder
			io.Copy(&b, f)
			f.Close()
			src.File(b.String())
		}
		if err := src.Send(ctx, wants[i:i+1], func(piece replica.Piece) error {
			piece.Want = i
			return sink(piece)
		}); err != nil {
			return err
		}
		src.Held = nil
	}
	return ctx.Err()
}
