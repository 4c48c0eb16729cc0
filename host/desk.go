package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/engine"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/internal/tree"
)

// desk answers for a running session.
type desk struct {
	*run.Session
	archive
	disk *disk.Disk
}

func newDesk(s *run.Session, d *disk.Disk, store *keep.Store, root, folder string) *desk {
	k := &desk{Session: s, disk: d}
	k.archive = archive{
		root: root, folder: folder, store: store,
		resting: func() []past { return restingOn(d) },
		decided: s.Decided,
	}
	return k
}

func (k *desk) other(ctx context.Context, q request) (answer, bool) {
	switch q.Do {
	case "resting":
		return answer{Resting: k.resting()}, true
	case "accept", "restore":
		n, err := k.Release(ctx, engine.Release{Back: q.Do == "restore", Guarded: q.Guarded, Paths: q.Paths})
		if err != nil {
			return answer{Error: err.Error()}, true
		}
		return answer{Released: n}, true
	}
	return k.archive.answer(ctx, q)
}

// archive is a keep store that is ours, and the directory that it is about. It
// has no session where none runs.
type archive struct {
	root, folder string
	store        *keep.Store
	resting      func() []past                                // of a session
	decided      func(ctx context.Context, path string) error // of a session
	mu           sync.Mutex                                   // one puts at a time
}

// put is what came of a path that was to hold an older version.
type put struct {
	Path  string `json:"path"`
	At    string `json:"at,omitempty"` // where the version is, if that is beside the path
	Did   bool   `json:"did"`          // false: it held that already, or see Error
	Error string `json:"error,omitempty"`
}

// answer does what is asked; false where it does not know it.
func (a *archive) answer(ctx context.Context, q request) (answer, bool) {
	var do func(context.Context, request) ([]put, error)
	switch q.Do {
	case "undo":
		do = a.undo
	case "resolve":
		do = a.resolve
	default:
		return answer{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	done, err := do(ctx, q)
	if err != nil {
		return answer{Put: done, Error: err.Error(), Remedy: remedy(err)}, true
	}
	return answer{Put: done}, true
}

// pasts lists what lost its path.
func (a *archive) pasts() []past {
	var resting []past
	if a.resting != nil {
		resting = a.resting() // first: what leaves there comes to the store
	}
	return merge(a.folder, a.store.List(), resting)
}

// undo puts back what was taken away.
func (a *archive) undo(ctx context.Context, q request) ([]put, error) {
	chosen, err := choose(a.pasts(), q.Paths, q.Batch)
	if err != nil {
		return nil, err
	}
	p, err := newPutter(a.root, a.store.Adopt)
	if err != nil {
		return nil, err
	}
	defer p.close()
	var done []put
	for _, v := range chosen {
		if ctx.Err() != nil {
			return done, errInterrupted
		}
		x := put{Path: v.Path}
		x.Did, err = p.put(v, v.Path)
		if err != nil {
			x.Error = err.Error()
		}
		done = append(done, x)
	}
	return done, a.store.Sync()
}

// openFormer opens the archive of a session that does not run.
func openFormer(r record) (a *archive, closing func() error, err error) {
	path := filepath.Dir(r.Keep)
	s := &state{name: filepath.Base(path), path: path}
	if s.dir, err = fsx.OS().OpenRoot(path); err != nil {
		return nil, nil, fmt.Errorf("open state folder %s: %w", path, err)
	}
	if s.unlock, err = s.dir.Lock(siteLock, lockName); err != nil {
		_ = s.dir.Close()
		return nil, nil, &Error{Msg: fmt.Sprintf("the session of %s is just starting or ending", r), Remedy: "try again", Err: err}
	}
	k, err := s.keep(unlimited)
	if err != nil {
		return nil, nil, first(err, s.close())
	}
	closing = func() error { return first(k.close(), s.close()) }
	return &archive{root: r.Dir, folder: r.Keep, store: k.Store}, closing, nil
}

// putTime bounds what putting versions back may take.
const putTime = 10 * time.Minute

// request asks the session of a directory, or does it here where none runs.
func (r found) request(ctx context.Context, q request) (answer, error) {
	if r.running {
		return ask(ctx, r.record, q, putTime)
	}
	a, closing, err := openFormer(r.record)
	if err != nil {
		return answer{}, err
	}
	out, ok := a.answer(ctx, q)
	err = closing()
	switch {
	case !ok:
		return out, noSession(r.Dir, r.record)
	case out.Error != "":
		return out, &Error{Msg: out.Error, Remedy: out.Remedy}
	}
	return out, err
}

// found is the session of a directory, which runs or did.
type found struct {
	record
	running bool
}

// findSession finds the session that dir belongs to, running or not: what was
// kept outlives it.
func findSession(dir string) (found, error) {
	r, former, err := sessionOf(dir)
	switch {
	case err == nil:
		return found{r, true}, nil
	case former.Dir != "":
		return found{former, false}, nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		e.Msg = strings.Replace(e.Msg, "no session runs", "no session ever ran", 1)
	}
	return found{}, err
}

// pasts lists what a session keeps.
func (r found) pasts(ctx context.Context) ([]past, error) {
	var resting []past
	if r.running {
		a, err := ask(ctx, r.record, request{Do: "resting"}, 2*shortly)
		if err != nil {
			return nil, err
		}
		resting = a.Resting
	}
	return pastsIn(r.Keep, resting)
}

// elsewhere says what is kept of other sessions of the same directory, of which
// no command tells that is about this one.
func (r found) elsewhere(chosen func([]past) int) (lines string) {
	all := slices.Collect(maps.Values(records()))
	slices.SortFunc(all, func(a, b record) int { return strings.Compare(a.Target, b.Target) })
	for _, o := range all {
		if o.Dir != r.Dir || o.Keep == r.Keep {
			continue
		}
		pasts, err := pastsIn(o.Keep, nil)
		if n := chosen(pasts); err == nil && n > 0 {
			lines += fmt.Sprintf("%s more of the session with %s: start that again (%s), or look into %s\n",
				count(int64(n)), line(o.Target), line(o.again()), line(o.Keep))
		}
	}
	return lines
}

// requestListed is requestAbout for paths of the lists.
func requestListed(ctx context.Context, args []string, q request) (found, request, error) {
	r, q, err := requestAbout(args, q)
	if err == nil {
		err = r.listed(ctx, args, q.Paths)
	}
	return r, q, err
}

// listed turns paths that were read from the current directory into those of the
// lists, which are from the directory of the session, where only those are known.
func (r found) listed(ctx context.Context, args, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	all, err := r.pasts(ctx)
	if err != nil {
		return err
	}
	known := func(at string) bool {
		return slices.ContainsFunc(all, func(p past) bool { return tree.Within(p.Path, at) })
	}
	for i, arg := range args {
		at := filepath.ToSlash(filepath.Clean(arg))
		if filepath.IsLocal(arg) && !known(paths[i]) && known(at) {
			paths[i] = at
		}
	}
	return nil
}

// below returns a path of the user's as a session knows it: below its directory,
// with slashes. A link is not followed: it may be what is meant.
func (r found) below(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	full := filepath.Join(resolve(filepath.Dir(abs)), filepath.Base(abs))
	if full == r.Dir || resolve(abs) == r.Dir {
		return "", nil
	}
	rel, err := filepath.Rel(r.Dir, full)
	if err != nil || !filepath.IsLocal(rel) {
		return "", &UsageError{fmt.Sprintf("%s is not in %s", path, r.Dir), "name a path in the directory of one session"}
	}
	return filepath.ToSlash(rel), nil
}
