package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

// The steps of intents.
const (
	siteIntentOpen  fsx.Site = "intent.open"
	siteIntentClear fsx.Site = "intent.clear"
)

const intentsName = "intents"

// maxIntents bounds the file that is read after a crash.
const maxIntents = 256 << 20

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
	for i, m := range s.made {
		c := a.changes[i]
		if c.Old != nil && m.name != "" && m.err == nil && m.gone == "" {
			all = append(all, intentOf(m.name, c))
		}
	}
	return a.d.intents.write(all)
}

// intents is the file of what slots are for.
type intents struct {
	mu    sync.Mutex
	f     fsx.File // set by start, before anybody else has it
	head  int64    // length of the record that names the boot
	size  int64    // guarded by mu
	users int      // guarded by mu: batches that may have slots nobody knows of yet
	err   error    // guarded by mu: the file is not to be trusted any more
}

// start empties the file and names the machine's current boot in it.
func (in *intents) start(d *Disk) error {
	f, err := d.private.Update(siteIntentOpen, intentsName, 0o600)
	if err != nil {
		return fmt.Errorf("open intents: %w", err)
	}
	in.f = f
	if err := in.cutLocked(0); err != nil {
		return fmt.Errorf("clear intents: %w", err)
	}
	b := appendIntent(nil, intent{path: d.boot})
	if _, err := f.Write(b); err != nil {
		return fmt.Errorf("write intents: %w", err)
	}
	in.head, in.size = int64(len(b)), int64(len(b))
	return nil
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
			in.err = fmt.Errorf("intents are damaged: %w", cut)
		}
		return err
	}
	in.size += int64(len(b))
	return nil
}

func (in *intents) cutLocked(size int64) error {
	if err := in.f.Truncate(siteIntentClear, size); err != nil {
		return err
	}
	_, err := in.f.Seek(size, io.SeekStart)
	in.size = size
	return err
}

// clear empties the file when no slot is left that it speaks of, and no batch
// is at work that may make one.
func (in *intents) clear() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.users > 0 || in.err != nil || in.size == in.head {
		return nil
	}
	return in.cutLocked(in.head)
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

// readIntents returns the intents on disk, by slot. The one without a slot
// names the boot of the machine that they are of: while it is the same one, and
// the file is whole, no intent can have been lost.
func (d *Disk) readIntents() (all map[string]intent, whole bool, err error) {
	all = make(map[string]intent)
	f, err := d.private.Read(intentsName)
	if errors.Is(err, fs.ErrNotExist) {
		return all, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read intents: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIntents))
	if err != nil {
		return nil, false, fmt.Errorf("read intents: %w", err)
	}
	boots := 0
	for {
		p, rest, ok := record.CutFrame(b)
		if !ok {
			same := d.boot != "" && all[""].path == d.boot && boots == 1
			return all, same && len(b) == 0, nil
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
