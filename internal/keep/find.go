package keep

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
)

// object names a content: its digest, or that of a link's target. Those of
// other contents that have the same digest have a number besides.
type object struct {
	digest tree.Digest
	link   bool
	alike  uint16
}

const linkPrefix = "link-"

// maxAlike bounds the contents under one digest: only forgeries, and files
// that were written to after they were adopted, get there.
const maxAlike = 1000

func (o object) name() string {
	name := o.digest.String()
	if o.link {
		name = linkPrefix + name
	}
	if o.alike > 0 {
		name += "-" + strconv.Itoa(int(o.alike))
	}
	return name
}

// parse reads what name wrote; anything else in the folder is not ours.
func parse(name string) (o object, ok bool) {
	rest, link := strings.CutPrefix(name, linkPrefix)
	digest, number, _ := strings.Cut(rest, "-")
	d, ok := tree.ParseDigest(digest)
	n, _ := strconv.ParseUint(number, 10, 16) // a bad one gives another name
	o = object{d, link, uint16(n)}
	return o, ok && o.name() == name
}

// objectOf returns the first name that an entry's content may have.
func objectOf(e *tree.Entry) object {
	if e.IsFile() {
		return object{digest: e.Digest}
	}
	return object{digest: tree.DigestOf([]byte(e.Text)), link: true}
}

func (i Item) object() object {
	o := objectOf(i.Entry)
	o.alike = i.alike
	return o
}

// find returns the object that holds what is under name in from, or one that
// is free for it. What is to stay is not taken for what only passing items name:
// that was adopted, and whoever has it open, or another name of it, may write to it.
// Callers hold mu.
func (s *Store) find(from fsx.Dir, name string, e *tree.Entry, stays bool) (o object, there bool, err error) {
	o = objectOf(e)
	for o.alike = 0; o.alike < maxAlike; o.alike++ {
		_, err := s.objects.Stat(o.name())
		if errors.Is(err, fs.ErrNotExist) {
			return o, false, nil
		}
		if err != nil {
			return o, false, err
		}
		if s.suspect[o] || stays && s.contents[o].firm == 0 {
			continue
		}
		if same, err := s.same(o, from, name); err != nil || same {
			return o, same, err
		}
	}
	return o, false, fmt.Errorf("%d contents have its digest", maxAlike)
}

// same says whether an object holds exactly what is under name in from.
func (s *Store) same(o object, from fsx.Dir, name string) (bool, error) {
	if o.link {
		a, err := s.objects.Readlink(o.name())
		if err != nil {
			return false, err
		}
		b, err := from.Readlink(name)
		return err == nil && a == b, err
	}
	a, err := s.objects.Read(o.name())
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := from.Read(name)
	if err != nil {
		return false, err
	}
	defer b.Close()
	return equal(a, b)
}

// equal compares two streams to their ends.
func equal(a, b io.Reader) (bool, error) {
	const piece = 64 << 10
	x, y := make([]byte, piece), make([]byte, piece)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if n != m || string(x[:n]) != string(y[:m]) {
			return false, nil
		}
		if n < piece {
			return true, nil
		}
	}
}

// gone says whether there is surely nothing under name.
func gone(dir fsx.Dir, name string) bool {
	_, err := dir.Stat(name)
	return errors.Is(err, fs.ErrNotExist)
}

// arrived says whether a rename or removal that failed was made all the same,
// as one that was interrupted on a network file system is: the content is an
// object, and under its old name no more.
func (s *Store) arrived(from fsx.Dir, name string, o object) bool {
	return gone(from, name) && !gone(s.objects, o.name())
}
