package reconcile

import "github.com/twosync/twosync/internal/tree"

// survivors takes apart what a side holds where the other side took a
// directory away. What base holds too follows the deletion. The rest stays,
// and all of it that is not murky crosses to the other side. A directory that
// base holds stays for what stays in it; one that is new stays for itself.
func survivors(base, e *tree.Entry) (stays, crosses *tree.Entry) {
	switch {
	case e == nil || tree.Equal(base, e):
		return nil, nil
	case !base.IsDir() || !e.IsDir():
		return e, tree.Clear(e)
	}
	var s, c []tree.Child
	for name, child := range e.Children() {
		stay, cross := survivors(base.Child(name), child)
		s, c = add(s, name, stay), add(c, name, cross)
	}
	return filled(s), filled(c)
}

// murkyPart returns of e what is murky, and the directories above it.
func murkyPart(e *tree.Entry) *tree.Entry {
	switch {
	case !e.Murky():
		return nil
	case !e.IsDir():
		return e
	}
	var children []tree.Child
	for name, child := range e.Children() {
		children = add(children, name, murkyPart(child))
	}
	return filled(children)
}

// common returns as much of two directories as they agree on, with every
// directory that both hold.
func common(a, b *tree.Entry) *tree.Entry {
	switch {
	case tree.Equal(a, b):
		return a
	case !a.IsDir() || !b.IsDir():
		return nil
	}
	var children []tree.Child
	for name, pair := range tree.Pairs(a, b) {
		children = add(children, name, common(pair[0], pair[1]))
	}
	return tree.NewDir(children)
}

func add(children []tree.Child, name string, e *tree.Entry) []tree.Child {
	if e == nil {
		return children
	}
	return append(children, tree.Child{Name: name, Entry: e})
}

// filled returns a directory of children, nil when there are none.
func filled(children []tree.Child) *tree.Entry {
	if len(children) == 0 {
		return nil
	}
	return tree.NewDir(children)
}
