package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of intents.
const (
	siteIntentDrop  fsx.Site = "intent.drop"
	siteIntentOpen  fsx.Site = "intent.open"
	siteIntentPut   fsx.Site = "intent.put"
	siteIntentClear fsx.Site = "intent.clear"
)

// The file is beside the slots that it speaks of, so that no session reads the
// one without the other.
const (
	intentsName = "intents"
	intentsNext = "intents.new"
)

// maxIntents bounds the file that is read after a crash.
const maxIntents = 256 << 20

// minIntents is the size from which on the file is made anew when most of it is
// over: the intents of some ten thousand changes. Tests lower it.
var minIntents int64 = 1 << 20

// intent says what a slot is for, so that after a crash it can be told whether
// what lies in it is ours, was superseded, or is the user's. Digests stand for
// contents; a directory's stands for its subtree.
type intent struct {
	slot     string
	path     string
	from, to mark
}

// mark stands for an entry.
type mark struct {
	kind   tree.Kind // 0: absent
	digest tree.Digest
}

func markOf(e *tree.Entry) mark {
	switch {
	case e == nil:
		return mark{}
	case e.Kind == tree.Link:
		return mark{tree.Link, tree.DigestOf([]byte(e.Text))}
	}
	return mark{e.Kind, e.Digest}
}

func intentOf(slot string, c tree.Change) intent {
	return intent{slot, c.Path, markOf(c.Old), markOf(c.New)}
}

// intend records what a chunk is about to do, in one unsynced write. A crash
// of the machine may lose it; what then lies in a slot is a stray.
func (a *applier) intend(s *staging) error {
	var all []intent
	for _, i := range s.all {
		m, c := s.made[i], a.changes[i]
		if c.Old != nil && m.name != "" && m.err == nil && m.gone == "" {
			all = append(all, intentOf(m.name, c))
		}
	}
	return a.d.intents.write(all)
}

// intents is the file of what slots are for.
type intents struct {
	mu    sync.Mutex
	f     fsx.File  // guarded by mu
	head  int64     // guarded by mu: length of the record that names the boot
	size  int64     // guarded by mu
	most  int64     // guarded by mu: the size from which on it is made anew
	users int       // guarded by mu: batches that may have slots nobody knows of yet
	err   error     // guarded by mu: the file is not to be trusted any more
	mend  time.Time // guarded by mu: when it is made anew then
}

// renew puts a file in place that names the machine's current boot and says
// what the live slots are for. Callers hold mu, or are alone.
func (in *intents) renew(dir fsx.Dir, boot string, live []intent) error {
	dir.Unlink(siteIntentDrop, intentsNext) // left over from a crash
	f, err := dir.Create(siteIntentOpen, intentsNext, 0o600)
	if err != nil {
		return fmt.Errorf("make intents: %w", err)
	}
	b := appendIntent(nil, intent{path: boot})
	head := len(b)
	for _, x := range live {
		b = appendIntent(b, x)
	}
	if _, err = f.Write(b); err == nil {
		err = dir.Rename(siteIntentPut, intentsNext, dir, intentsName, fsx.Replace)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("write intents: %w", err)
	}
	in.close()
	in.f, in.head, in.size, in.err = f, int64(head), int64(len(b)), nil
	in.most = max(minIntents, 2*in.size)
	return nil
}

func (in *intents) close() error {
	if in.f == nil {
		return nil
	}
	return in.f.Close()
}

// hold keeps the file from being cleared while a batch is at work.
func (in *intents) hold(n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.users += n
}

// write appends intents, all or none: a part would hide what is appended later.
func (in *intents) write(all []intent) error {
	if len(all) == 0 {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return in.err
	}
	var b []byte
	for _, x := range all {
		b = appendIntent(b, x)
	}
	if _, err := in.f.Write(b); err != nil {
		if cut := in.cutLocked(in.size); cut != nil {
			in.err = fmt.Errorf("intents are damaged: %w", cut) // mend is past: at once
		}
		return err
	}
	in.size += int64(len(b))
	return nil
}

// sick says whether the file is to be made anew, and when.
func (in *intents) sick() (time.Time, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.mend, in.err != nil && in.users == 0
}

func (in *intents) cutLocked(size int64) error {
	if err := in.f.Truncate(siteIntentClear, size); err != nil {
		return err
	}
	_, err := in.f.Seek(size, io.SeekStart)
	in.size = size
	return err
}

// tidyIntents empties the file when no slot is left that it speaks of, and
// makes it anew when it has grown too large. Not while a batch is at work that
// may have a slot nobody knows of.
func (d *Disk) tidyIntents() error {
	in := &d.intents
	in.mu.Lock()
	defer in.mu.Unlock()
	live := d.slots.intents()
	switch {
	case in.users > 0 || in.size == in.head && in.err == nil:
		return nil
	case in.err != nil:
		in.mend = d.opt.Clock.Now().Add(slotRetry)
		return in.renew(d.stage(), d.boot, live)
	case len(live) == 0:
		return in.cutLocked(in.head)
	case in.size > in.most:
		return in.renew(d.stage(), d.boot, live)
	}
	return nil
}

func appendIntent(b []byte, in intent) []byte {
	p := record.AppendString(nil, in.slot)
	p = record.AppendString(p, in.path)
	for _, m := range []mark{in.from, in.to} {
		p = append(append(p, byte(m.kind)), m.digest[:]...)
	}
	return record.AppendFrame(b, p)
}

func readIntent(p []byte) (in intent, err error) {
	r := record.NewReader(p)
	in.slot, in.path = r.String(tree.MaxName), r.Path()
	for _, m := range []*mark{&in.from, &in.to} {
		m.kind, m.digest = tree.Kind(r.Byte()), r.Digest()
	}
	return in, r.End()
}

// readIntents returns the intents in a folder, by slot.
func (d *Disk) readIntents(dir fsx.Dir) (all map[string]intent, whole bool, err error) {
	f, err := dir.Read(intentsName)
	if errors.Is(err, fs.ErrNotExist) {
		return make(map[string]intent), false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read intents: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIntents))
	if err != nil {
		return nil, false, fmt.Errorf("read intents: %w", err)
	}
	all, whole = parseIntents(b, d.boot)
	return all, whole, nil
}

// parseIntents takes the intents that are whole. The one without a slot names the
// boot of the machine that they are of: while it is the same one, and the file is
// whole, no intent can have been lost.
func parseIntents(b []byte, boot string) (all map[string]intent, whole bool) {
	all = make(map[string]intent)
	boots := 0
	for {
		p, rest, ok := record.CutFrame(b)
		if !ok {
			same := boot != "" && all[""].path == boot && boots == 1
			return all, same && len(b) == 0
		}
		if in, err := readIntent(p); err == nil {
			all[in.slot] = in
			if in.slot == "" {
				boots++
			}
		}
		b = rest
	}
}
