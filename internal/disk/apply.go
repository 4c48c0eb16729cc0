package disk

import (
	"context"
	"errors"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

const (
	// chunkFiles and chunkBytes bound what is staged before it is put in place:
	// enough to keep the cores and the wire busy, little enough that the first
	// files of a large batch are soon there.
	chunkFiles = 512
	chunkBytes = 8 << 20
)

// applier makes the changes of one batch.
type applier struct {
	d       *Disk
	ctx     context.Context
	batch   *replica.Batch
	changes []tree.Change // the batch's, as this file system can hold them
	src     replica.Source
	local   map[tree.Digest]string // where this side holds what the batch needs
	done    []bool                 // changes that are dealt with
	gauge   *gauge
}

// Apply implements replica.Replica: first what can be moved, then everything
// that is new or different, chunk by chunk, then what goes. So a rename never
// leaves the content at neither name.
func (d *Disk) Apply(ctx context.Context, b *replica.Batch, src replica.Source) error {
	end := d.begin(b)
	defer end()
	a := &applier{d: d, ctx: ctx, batch: b, src: src, changes: d.storable(b.Changes), done: make([]bool, len(b.Changes)), gauge: newGauge(d, b.ID)}
	err := a.run()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report(replica.Report{Outcome: &replica.Outcome{Batch: b.ID, Done: true}})
	return err
}

func (a *applier) run() error {
	a.d.glanceAtRoot()
	if err := a.d.checkOwn(); err != nil {
		a.failAll(err)
		return nil
	}
	a.refuse()
	a.move()
	a.findLocal()
	chunks := a.chunks()
	errs := make([]error, len(chunks))
	a.d.opt.Each(len(chunks), func(i int) {
		if a.ctx.Err() == nil {
			errs[i] = a.chunk(chunks[i])
		}
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := a.ctx.Err(); err != nil {
		return err
	}
	a.deletes()
	return a.ctx.Err()
}

// begin keeps looks away from the batch's paths: they would see its steps.
func (d *Disk) begin(b *replica.Batch) (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range b.Changes {
		d.leased[c.Path]++
	}
	d.intents.hold(+1)
	return func() {
		d.intents.hold(-1)
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, c := range b.Changes {
			if d.leased[c.Path]--; d.leased[c.Path] == 0 {
				delete(d.leased, c.Path)
			}
		}
		if _, sick := d.intents.sick(); sick || len(d.again) > 0 {
			d.watch.Wake()
		}
	}
}

// storable returns the changes without exec bits where those can't be stored:
// the index has none then, and what is to be must not differ from what can.
func (d *Disk) storable(changes []tree.Change) []tree.Change {
	if !d.facts.NoExec {
		return changes
	}
	plain := make([]tree.Change, len(changes))
	for i, c := range changes {
		plain[i] = tree.Change{Path: c.Path, Old: withoutExec(c.Old), New: withoutExec(c.New)}
	}
	return plain
}

func withoutExec(e *tree.Entry) *tree.Entry {
	switch {
	case e.IsFile() && e.Exec:
		return tree.NewFile(e.Digest, e.Size, false)
	case e.IsDir():
		for name, child := range e.Children() {
			e = e.With(name, withoutExec(child))
		}
	}
	return e
}

// refuse holds what must not be made here, whoever asks for it: names that
// never cross, and what is no content.
func (a *applier) refuse() {
	var results []replica.Result
	for i, c := range a.changes {
		if reason := a.d.refusal(c); reason != "" {
			a.done[i] = true
			results = append(results, a.d.heldFor(c, reason))
		}
	}
	a.report(results)
}

func (d *Disk) refusal(c tree.Change) (reason string) {
	switch {
	case c.Path == "":
		return "the root itself can't be changed"
	case tree.CheckPath(c.Path) != nil:
		return "not a path"
	case c.New.Murky():
		return "it holds something that can't be synced"
	case d.rules.Ignored(c.Path, c.Old.IsDir() || c.New.IsDir()):
		return "it is ignored here"
	}
	if !c.New.IsDir() {
		return ""
	}
	tree.Walk(c.Path, c.New, func(p string, e *tree.Entry) bool {
		parent, name := tree.Split(p)
		if reason == "" && p != c.Path && d.ignored(parent, name, e.IsDir()) {
			reason = "it holds something that is ignored here"
		}
		return reason == ""
	})
	return reason
}

// chunks groups the changes that put something in place.
func (a *applier) chunks() [][]int {
	var chunks [][]int
	var cur []int
	var files, bytes int64
	for i, c := range a.changes {
		if a.done[i] || c.New == nil {
			continue
		}
		cur = append(cur, i)
		files, bytes = files+c.New.Count(), bytes+c.New.Bytes()
		if files >= chunkFiles || bytes >= chunkBytes {
			chunks, cur = append(chunks, cur), nil
			files, bytes = 0, 0
		}
	}
	if len(cur) > 0 {
		chunks = append(chunks, cur)
	}
	return chunks
}

// chunk stages and puts some of the changes.
func (a *applier) chunk(changes []int) error {
	st := newStaging(a)
	defer st.close()
	for _, i := range changes {
		st.plan(i)
	}
	if err := st.fill(); err != nil {
		return err
	}
	if err := a.intend(st); err != nil {
		a.fail(changes, err)
		return nil
	}
	if st.fetched {
		st.tops.close() // while contents came the directories may have gone elsewhere
	}
	p := putter{d: a.d, cur: st.tops}
	results := make([]replica.Result, 0, len(changes))
	for _, i := range changes {
		results = append(results, a.result(i, p.put(a.changes[i], st.made[i])))
	}
	a.report(a.observe(results))
	return nil
}

// result gives a change that was made the entry that was asked for.
func (a *applier) result(i int, r replica.Result) replica.Result {
	if r.Status == replica.Applied {
		r.Entry = a.batch.Changes[i].New
	}
	return r
}

func (a *applier) failAll(err error) {
	all := make([]int, len(a.changes))
	for i := range all {
		all[i] = i
	}
	a.fail(all, err)
}

// fail holds changes that could not be begun; nothing of them was touched.
func (a *applier) fail(changes []int, err error) {
	results := make([]replica.Result, 0, len(changes))
	for _, i := range changes {
		results = append(results, a.d.held(a.changes[i], err))
	}
	a.report(results)
}

// report tells what came of some changes. A directory above them may have been
// seen to be gone since they were made: then so are they, and who hears of it in
// this order must not think that they came later.
func (a *applier) report(results []replica.Result) {
	if len(results) == 0 {
		return
	}
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	for i := range results {
		r := &results[i]
		if r.Entry == nil || tree.Get(a.d.index.tree, r.Path) != nil || a.d.hidden(r.Path) {
			continue
		}
		if r.Entry = nil; r.Status == replica.Applied {
			r.Status, r.Reason = replica.MovedOn, "its directory is gone"
		}
	}
	a.d.report(replica.Report{Outcome: &replica.Outcome{Batch: a.batch.ID, Results: results}})
}

// deletes takes away what goes.
func (a *applier) deletes() {
	var gone []int
	for i, c := range a.changes {
		if !a.done[i] && c.New == nil {
			gone = append(gone, i)
		}
	}
	p := putter{d: a.d, cur: &cursor{top: a.d.root}}
	defer p.cur.close()
	for len(gone) > 0 && a.ctx.Err() == nil {
		part := gone[:min(len(gone), chunkFiles)]
		gone = gone[len(part):]
		a.deleteSome(&p, part)
	}
}

func (a *applier) deleteSome(p *putter, part []int) {
	slots := make([]string, len(part))
	intents := make([]intent, len(part))
	for k, i := range part {
		slots[k] = a.d.slots.name(takenAway)
		intents[k] = intentOf(slots[k], a.changes[i])
	}
	if err := a.d.intents.write(intents); err != nil {
		a.fail(part, err)
		return
	}
	results := make([]replica.Result, 0, len(part))
	for k, i := range part {
		results = append(results, p.put(a.changes[i], &staged{name: slots[k]}))
	}
	a.report(a.observe(results))
}

// held is the result of a change that can't be made.
func (d *Disk) held(c tree.Change, err error) replica.Result {
	reason, remedy := explain(err)
	if remedy != "" {
		reason += "; " + remedy
	}
	return d.heldFor(c, reason)
}

func (d *Disk) heldFor(c tree.Change, reason string) replica.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	return replica.Result{Path: c.Path, Status: replica.Held, Entry: tree.Get(d.index.tree, c.Path), Reason: reason}
}

// hidden says whether a directory above path can't be read at the moment: what
// was done at path counts, though the index can't hold it. Callers hold mu.
func (d *Disk) hidden(path string) bool {
	return anyAbove(path, func(p string) bool {
		e := tree.Get(d.index.tree, p)
		return e != nil && e.Kind == tree.Unknown
	})
}

const changedMeanwhile = "it changed meanwhile"

// movedOn is the result of a change whose path is not, or no longer, what the
// change was decided for. What it holds is found out when the batch has done
// what it can.
func (d *Disk) movedOn(c tree.Change, reason string) replica.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookAt(c.Path)
	return replica.Result{Path: c.Path, Status: replica.MovedOn, Entry: tree.Get(d.index.tree, c.Path), Reason: reason}
}

// applied makes the index hold f at the change's path.
func (d *Disk) applied(c tree.Change, f found) replica.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.setByBatch(c.Path, f) && !d.hidden(c.Path) {
		// The directory was renamed away beneath us and took along what was put
		// into it. It is looked at under its new name.
		return replica.Result{Path: c.Path, Status: replica.MovedOn, Reason: "its directory is gone"}
	}
	r := replica.Result{Path: c.Path, Status: replica.Applied, Entry: c.New}
	if !tree.Same(f.entry, c.New) {
		r = replica.Result{Path: c.Path, Status: replica.MovedOn, Entry: f.entry, Reason: "not everything could be had any more"}
	}
	return r
}
