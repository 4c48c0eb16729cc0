package watch

import "fmt"

// Op says what happened to a name.
type Op uint8

// The operations. Only Linux tells them all apart: sources that are not Precise
// say Create for a directory that may hold unseen things, and Modify for the rest.
const (
	Create     Op = iota + 1 // the name appeared
	Delete                   // the name went away
	MovedFrom                // the name went away by a rename
	MovedTo                  // the name appeared by a rename, perhaps over another file
	Modify                   // content changed, and a writer may not be done
	CloseWrite               // a writer closed the file
	Attrib                   // mode, owner, times or link count
	Overflow                 // events were lost: look everywhere
	DirGone                  // Dir itself was deleted, moved out of the tree or unmounted
	RootGone                 // the same for the root
)

var opNames = [...]string{
	Create: "create", Delete: "delete", MovedFrom: "moved-from", MovedTo: "moved-to",
	Modify: "modify", CloseWrite: "close-write", Attrib: "attrib",
	Overflow: "overflow", DirGone: "dir-gone", RootGone: "root-gone",
}

func (o Op) String() string {
	if int(o) < len(opNames) && opNames[o] != "" {
		return opNames[o]
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// Event is one report about one name.
type Event struct {
	Op  Op
	Dir string // the directory, as a slash path relative to the root; "" is the root
	// Name is the entry of Dir that is meant. It is empty when Dir itself is.
	Name  string
	IsDir bool
	// Cookie joins a MovedFrom and its MovedTo; 0 means that there is no partner.
	// For directories the pair is complete and adjacent. For files the partner may
	// be missing, or come with a later call of Wait.
	Cookie uint32
}

// Path is the path that the event is about.
func (e Event) Path() string {
	switch {
	case e.Name == "":
		return e.Dir
	case e.Dir == "":
		return e.Name
	}
	return e.Dir + "/" + e.Name
}

func (e Event) String() string {
	s := e.Op.String() + " /" + e.Path()
	if e.IsDir && e.Path() != "" {
		s += "/"
	}
	if e.Cookie != 0 {
		s += " paired"
	}
	return s
}
