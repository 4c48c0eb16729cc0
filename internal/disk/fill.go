package disk

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// deltaFrom is the size from which a file is sent as a difference: 97 % of the
// files of a source tree are smaller, and cheaper whole (LIBS §6.1).
const deltaFrom = 64 << 10

// fill writes every file's content, from the batch, from this side, or from
// the source. While one group waits for its contents another is written. An
// error is the end of the source.
func (s *staging) fill() error {
	groups := s.groups()
	errs := make([]error, len(groups))
	asked := make([]bool, len(groups))
	s.a.d.opt.Each(len(groups), func(i int) { asked[i], errs[i] = s.fillGroup(groups[i]) })
	s.fetched = slices.Contains(asked, true)
	return errors.Join(errs...)
}

// groups cuts the jobs into parts that are each asked for at once.
func (s *staging) groups() [][]*job {
	var groups [][]*job
	start, bytes := 0, int64(0)
	for i, j := range s.jobs {
		bytes += j.entry.Size
		if i+1-start >= chunkFiles || bytes >= chunkBytes || i+1 == len(s.jobs) {
			groups = append(groups, s.jobs[start:i+1])
			start, bytes = i+1, 0
		}
	}
	return groups
}

// fillGroup reports whether it had to ask the source.
func (s *staging) fillGroup(jobs []*job) (asked bool, err error) {
	w := &filler{s: s, cur: &cursor{top: s.a.d.stage()}, tops: &cursor{top: s.a.d.root}}
	defer w.close()
	var wants []*job
	for _, j := range jobs {
		if err := s.a.ctx.Err(); err != nil {
			return false, err
		}
		switch {
		case j.top.failed():
			j.ended = true
		case w.inline(j), w.reuse(j):
		default:
			wants = append(wants, j)
		}
	}
	if len(wants) == 0 {
		return false, nil
	}
	return true, w.fetch(wants)
}

func (m *staged) failed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err != nil
}

// filler writes contents into staged files.
type filler struct {
	s    *staging
	cur  *cursor // below the stage folder
	tops *cursor // below the root
	in   *incoming
}

func (w *filler) close() {
	w.abandon()
	w.cur.close()
	w.tops.close()
}

// create makes the staged file of j.
func (w *filler) create(j *job) (fsx.File, error) {
	dir, err := w.cur.at(j.dir)
	if err != nil {
		return nil, err
	}
	perm := fs.FileMode(0o666)
	switch {
	case j.like.mode != 0:
		perm = j.like.mode
	case j.entry.Exec:
		perm = 0o777
	}
	return dir.Create(siteStageCreate, j.name, perm)
}

// inline writes a content that rides along, or an empty one.
func (w *filler) inline(j *job) bool {
	content, ok := w.s.a.batch.Contents[j.entry.Digest]
	if !ok && j.entry.Size > 0 {
		return false
	}
	if int64(len(content)) != j.entry.Size || tree.DigestOf(content) != j.entry.Digest {
		j.end(nil, "the content that came is another one", fsx.Stat{})
		return true
	}
	f, err := w.create(j)
	if err != nil {
		j.end(err, "", fsx.Stat{})
		return true
	}
	defer f.Close()
	if len(content) > 0 {
		_, err = f.Write(content)
	}
	w.done(j, f, err)
	return true
}

// done ends a job whose content is written.
func (w *filler) done(j *job, f fsx.File, err error) {
	var st fsx.Stat
	if err == nil {
		st, err = w.s.a.d.finish(f, j.like)
	}
	w.s.a.gauge.add(1, j.entry.Size)
	j.end(err, "", st)
}

// reuse copies a content that this side holds already.
func (w *filler) reuse(j *job) bool {
	path, ok := w.s.a.local[j.entry.Digest]
	if !ok {
		return false
	}
	from, _, err := w.open(path)
	if err != nil {
		return false
	}
	defer from.Close()
	f, err := w.create(j)
	if err != nil {
		j.end(err, "", fsx.Stat{})
		return true
	}
	defer f.Close()
	n, sum, err := copyHash(f, from, j.entry.Size)
	if err != nil || sum != j.entry.Digest || n != j.entry.Size {
		w.drop(j)
		return false
	}
	w.done(j, f, nil)
	return true
}

// open opens a file below the root.
func (w *filler) open(path string) (fsx.File, fsx.Stat, error) {
	parent, name := tree.Split(path)
	dir, err := w.tops.at(parent)
	if err != nil {
		return nil, fsx.Stat{}, err
	}
	f, err := dir.Read(name)
	if err != nil {
		return nil, fsx.Stat{}, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
	}
	return f, st, err
}

// drop takes a staged file away again.
func (w *filler) drop(j *job) {
	if dir, err := w.cur.at(j.dir); err == nil {
		dir.Unlink(siteStageDrop, j.name)
	}
}

// sign returns the block hashes of the file that j replaces, if there is one
// that is worth it.
func (w *filler) sign(j *job) *delta.Signature {
	if j.old == "" {
		return nil
	}
	f, st, err := w.open(j.old)
	if err != nil {
		return nil
	}
	defer f.Close()
	sig, err := delta.Sign(f, st.Size)
	if err != nil {
		return nil
	}
	return &sig
}

// fetch asks the source for contents and writes them as they come.
func (w *filler) fetch(jobs []*job) error {
	wants := make([]replica.Want, len(jobs))
	for i, j := range jobs {
		wants[i] = replica.Want{Path: j.path, Digest: j.entry.Digest, Size: j.entry.Size, Base: w.sign(j)}
	}
	err := w.s.a.src.Send(w.s.a.ctx, wants, func(p replica.Piece) error {
		if p.Want < 0 || p.Want >= len(jobs) {
			return errors.New("content for a want that was not made")
		}
		w.piece(jobs[p.Want], wants[p.Want].Base, p)
		return nil
	})
	w.abandon()
	for _, j := range jobs {
		if !j.ended {
			j.end(nil, "the content did not come", fsx.Stat{})
		}
	}
	return err
}
