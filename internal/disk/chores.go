package disk

import (
	"context"
	"time"

	"github.com/twosync/twosync/internal/replica"
)

// Chores are what nobody waits for: making groups durable, clearing slots,
// saving the stat cache. They have a goroutine of their own, because a copy to
// the keep store or a sync may take seconds, and a save must not wait for it.

// choreLoop does the chores until ctx is done.
func (d *Disk) choreLoop(ctx context.Context) {
	for {
		select {
		case s := <-d.settles:
			d.settleDown(s)
		case <-d.chores:
			d.chore()
		case <-ctx.Done():
			return
		}
	}
}

// Chore does what is to be done next, if there is anything.
func (d *Disk) Chore() (done bool) {
	select {
	case s := <-d.settles:
		d.settleDown(s)
		return true
	default:
	}
	select {
	case <-d.chores:
		d.chore()
		return true
	default:
		return false
	}
}

// Busy says whether there is something for Chore.
func (d *Disk) Busy() bool { return len(d.settles)+len(d.chores) > 0 }

// settleDown makes a group durable, and says so.
func (d *Disk) settleDown(s replica.Settle) {
	durable := &replica.Durable{Gen: s.Gen}
	if err := d.makeDurable(s); err != nil {
		durable.Err = err.Error()
	}
	d.report(replica.Report{Durable: durable})
}

// nextChore returns when the next slot is due, or the intents are to be made anew,
// unless that is seen to already.
// Callers hold mu.
func (d *Disk) nextChore() (time.Time, bool) {
	if d.choring {
		return time.Time{}, false
	}
	due, ok := d.slots.next()
	if mend, sick := d.intents.sick(); sick && (!ok || mend.Before(due)) {
		return mend, true
	}
	return due, ok
}

// orderChores has done what is due.
func (d *Disk) orderChores(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	due, ok := d.nextChore()
	if d.choring || !d.saveDue && (!ok || now.Before(due)) {
		return
	}
	d.choring = true
	d.chores <- struct{}{}
}

// chore clears slots whose rest is over and saves the cache if that is due.
// What fails is tried again, or is not needed.
func (d *Disk) chore() {
	d.mu.Lock()
	save := d.saveDue
	d.saveDue = false
	d.mu.Unlock()
	d.cleanSlots(false)
	if _, sick := d.intents.sick(); sick {
		d.tidyIntents()
	}
	if save {
		d.saveCache()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.choring = false
	d.watch.Wake()
}
