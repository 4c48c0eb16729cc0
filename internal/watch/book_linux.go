package watch

import "errors"

// Book is the bookkeeping of the inotify source without its kernel: for a
// simulator, which is one, and whose events must come out as the real ones do.
type Book struct{ t *table }

// NewBook returns one. forget is called for a watch that is not needed any more.
func NewBook(forget func(wd int32)) *Book { return &Book{newTable(forget)} }

// Add notes what the kernel said when it was asked to watch dir: the number of
// the watch, or an error. plant is whether it is about to be renamed to dir.
func (b *Book) Add(dir string, wd int32, err error, plant bool) error {
	if errors.Is(err, ErrLimit) {
		if _, e := b.t.place(dir); e != nil {
			return e
		}
	}
	if err != nil {
		return err
	}
	if err = b.t.add(dir, wd); err == nil && plant {
		b.t.byWD[wd].val.marks |= planted
	}
	return err
}

// Remove forgets dir and everything below it.
func (b *Book) Remove(dir string) { b.t.remove(dir) }

// Record takes one event of the kernel.
func (b *Book) Record(wd int32, mask, cookie uint32, name string) {
	b.t.apply(record{wd, mask, cookie, []byte(name)})
}

// Pending says whether Take has something to return.
func (b *Book) Pending() bool { return len(b.t.out) > 0 }

// Take returns what the events so far mean.
func (b *Book) Take() []Event {
	events := b.t.out
	b.t.out = nil
	return events
}

// Count is the number of watches.
func (b *Book) Count() int { return len(b.t.byWD) }
