package keep

import (
	"fmt"
	"slices"
	"time"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

// Why says how a content came into the store.
type Why string

// The reasons.
const (
	Conflict Why = "conflict" // it lost its path in a conflict that is open
	Resolved Why = "resolved" // the same, and somebody has decided since
	Version  Why = "version"  // it lost its path when the sides first met
	Replaced Why = "replaced" // sync put something else in its place
	Deleted  Why = "deleted"  // sync deleted it
	Late     Why = "late"     // it was written after it was replaced
	LeftOver Why = "left"     // a crash or a race left it without a path
)

// passing says whether the content may go after a while: its user gave it up.
func (w Why) passing() bool { return w == Replaced || w == Deleted || w == Resolved }

// Item is what is known of a content in the store.
type Item struct {
	Path  string      // where it was; empty when that is not known
	Entry *tree.Entry // what it was: a file with its exec bit, or a link
	Side  tree.Side   // that held it
	Why   Why
	When  time.Time
	Note  string

	stored bool   // it has an object
	alike  uint16 // the number behind the object's digest
}

const (
	// format is the first byte of every record, for whoever changes them.
	format = 1

	maxWhy  = 32
	maxNote = 1024
)

// check makes an item one that can be read back, or says why it can't be kept.
func (i *Item) check() error {
	if i.Entry == nil || !i.Entry.IsFile() && i.Entry.Kind != tree.Link {
		return fmt.Errorf("keep %q: it is neither a file nor a link", i.Path)
	}
	if i.Entry.Size < 0 || i.Entry.Size > record.MaxSize || len(i.Entry.Text) > record.MaxText {
		return fmt.Errorf("keep %q: it is too large", i.Path)
	}
	if tree.CheckPath(i.Path) != nil {
		i.Path = "" // a bad path is no reason to lose a content
	}
	i.Why = i.Why[:min(len(i.Why), maxWhy)]
	i.Note = i.Note[:min(len(i.Note), maxNote)]
	return nil
}

func (i Item) encode() []byte {
	b := record.AppendString([]byte{format}, i.Path)
	b = record.AppendEntry(b, i.Entry)
	b = append(b, byte(i.Side&1))
	b = record.AppendString(b, i.Why)
	b = record.AppendInt(b, i.When.UnixNano())
	b = record.AppendString(b, i.Note)
	b = record.AppendBool(b, i.stored)
	return record.AppendUint(b, uint64(i.alike))
}

func decode(b []byte) (Item, error) {
	r := record.NewReader(b)
	if f := r.Byte(); f != format {
		r.Fail("format %d", f)
	}
	i := Item{Path: r.Path(), Entry: r.Entry(), Side: tree.Side(r.Byte() & 1), Why: readWhy(r)}
	i.When = time.Unix(0, r.Int())
	i.Note, i.stored, i.alike = r.String(maxNote), r.Bool(), uint16(r.Uint(maxAlike))
	if err := r.End(); err != nil {
		return Item{}, err
	}
	return i, i.check()
}

// readWhy spares a string an item for the reasons that we know.
func readWhy(r *record.Reader) Why {
	w := Why(r.String(maxWhy))
	known := []Why{Conflict, Resolved, Version, Replaced, Deleted, Late, LeftOver}
	if i := slices.Index(known, w); i >= 0 {
		return known[i]
	}
	return w
}
