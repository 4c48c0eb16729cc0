package reconcile

import "github.com/twosync/twosync/internal/tree"

// Plan is what has to happen. In each list, what one call of At adds is in the
// order of a walk, and no path is within another.
type Plan struct {
	// Host and Container are the changes to make on that side. Old is what
	// the side holds now and must still hold then. Old and New are never
	// murky.
	Host, Container []tree.Change

	// Agreed are the paths at which base must move: Old is base's value, New
	// what both sides hold. Where both hold a directory that base does not,
	// New is as much of the directory as both agree on; it may be empty.
	Agreed []tree.Change

	// Keep are the losers that must be in the keep store before the changes
	// that wait for them are planned.
	Keep []Keep

	// Held are the paths at which nothing is done, and why.
	Held []Held

	// Busy are the paths that were left alone because an effect is in flight
	// at, above or below them.
	Busy []string
}

// Keep is a file or link that loses its path on a side.
type Keep struct {
	Side   tree.Side // that holds it now
	Path   string
	Entry  *tree.Entry
	Change string // the path of the change that waits for it
}

// Held is a path that can't be synced.
type Held struct {
	Side   tree.Side // on which the reason lies
	Path   string
	Reason string
	// Guarded: the container's change waits until the user has accepted it.
	Guarded bool
}

// Empty says whether there is nothing to do and nothing to tell.
func (p *Plan) Empty() bool {
	return len(p.Host)+len(p.Container)+len(p.Agreed)+len(p.Keep)+len(p.Held)+len(p.Busy) == 0
}

// side returns the changes of a side.
func (p *Plan) side(s tree.Side) *[]tree.Change {
	if s == tree.Host {
		return &p.Host
	}
	return &p.Container
}

// Policy is what the rules leave open, and what stands in the way. The zero
// Policy gives conflicts to the host and takes nothing for kept.
type Policy struct {
	// Winner is the side whose value takes the path in a conflict.
	Winner tree.Side

	// Mirror makes the other side the same as the winner, whatever base says:
	// what only the other side holds is kept and removed.
	Mirror bool

	// OneWay says whether path crosses from the host to the container only. What
	// the container does there is kept and undone. Nil: nothing does.
	OneWay func(path string) bool

	// Guard says why what the container made of path has to wait until the user
	// has accepted it; "" where it has not. E is what is or was there. Nil:
	// nothing has.
	Guard func(path string, e *tree.Entry) string

	// Kept says whether e, which loses path, is in the keep store, or is known
	// from history. Nil: nothing is.
	Kept func(path string, e *tree.Entry) bool

	// Sealed says whether the change of path on side can't be made for now. It
	// is asked with exactly the path of a change. Nil: nothing is.
	Sealed func(side tree.Side, path string) (reason string, ok bool)

	// Names says what names each side can hold, by tree.Side.
	Names [2]Names

	// Busy says whether an effect is in flight on side at, above or below
	// path. Nil: nothing is.
	Busy func(side tree.Side, path string) bool
}

// Reach returns the path at which to call At for a difference at path: path
// itself, or the highest parent at which not both sides hold a directory, or
// base holds none, because from there on down the rules look at the whole. Where a
// side folds names, it is the directory above a name that a side lacks: what may
// come there, and what waits for the name to go, depends on its siblings.
func (p Policy) Reach(path string, base, host, container *tree.Entry) string {
	at, rest := "", path
	for rest != "" && base.IsDir() && host.IsDir() && container.IsDir() {
		var name string
		name, rest = tree.Cut(rest)
		at = tree.Join(at, name)
		base, host, container = base.Child(name), host.Child(name), container.Child(name)
	}
	if p.folds() && (host == nil || container == nil) {
		at, _ = tree.Split(at)
	}
	return at
}
