package host

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/tree"
)

// past is a version of a file or link that lost its path: in the keep store, or
// in a slot from which it will go there.
type past struct {
	Path   string    `json:"path"`
	Why    keep.Why  `json:"why"`
	When   time.Time `json:"when"`
	Side   string    `json:"side"`
	Size   int64     `json:"size"`
	Exec   bool      `json:"exec,omitempty"`
	Digest string    `json:"digest,omitempty"`
	Link   string    `json:"link,omitempty"` // a link's target
	Note   string    `json:"note,omitempty"`
	File   string    `json:"file,omitempty"` // where its content is
}

func pastOf(e *tree.Entry) past {
	if e.IsFile() {
		return past{Size: e.Size, Exec: e.Exec, Digest: e.Digest.String()}
	}
	return past{Link: e.Text}
}

func (p past) isLink() bool { return p.Digest == "" }

// taken says whether sync took the version away, or found it without a path.
// The others lost a conflict.
func (p past) taken() bool {
	return !slices.Contains([]keep.Why{keep.Conflict, keep.Resolved, keep.Version}, p.Why)
}

// pastsIn returns what is in the keep store in a folder, and of the resting
// ones, what is not there yet, by the time at which it lost its path.
func pastsIn(folder string, resting []past) ([]past, error) {
	dir, err := fsx.OS().OpenRoot(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return resting, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open keep store %s: %w", folder, err)
	}
	defer dir.Close()
	items, err := keep.Peek(dir)
	if err != nil {
		return nil, err
	}
	return merge(folder, items, resting), nil
}

// merge is pastsIn for items that were read.
func merge(folder string, items []keep.Item, resting []past) []past {
	all := make([]past, 0, len(items)+len(resting))
	type key struct {
		path string
		when int64
	}
	seen := make(map[key]bool)
	for _, i := range items {
		p := pastOf(i.Entry)
		p.Path, p.Why, p.When, p.Side, p.Note = i.Path, i.Why, i.When, i.Side.String(), i.Note
		if f := i.File(); f != "" {
			p.File = filepath.Join(folder, f)
		}
		seen[key{p.Path, p.When.UnixNano()}] = true
		all = append(all, p)
	}
	for _, p := range resting {
		if !seen[key{p.Path, p.When.UnixNano()}] {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b past) int { return a.When.Compare(b.When) })
	return all
}

// maxResting bounds the versions in slots that are told of.
const maxResting = 20_000

// restingOn lists what rests in the slots of the host's disk.
func restingOn(d *disk.Disk) []past {
	var all []past
	for _, x := range d.Resting(maxResting) {
		p := pastOf(x.Entry)
		p.Path, p.Why, p.When, p.Side = x.Path, keep.Why(x.Why), x.At, tree.Host.String()
		if x.Entry.IsFile() {
			p.File = x.File
		}
		all = append(all, p)
	}
	return all
}

// takeaway is what sync took away in one go.
type takeaway struct {
	ID    string    `json:"id"`
	When  time.Time `json:"when"`
	Items []past    `json:"items"`
}

const (
	// apart is how far apart two versions lost their paths that did not go in one
	// go, and maxGo how long that may last.
	apart = 2 * time.Second
	maxGo = time.Minute
)

// takeaways groups what was taken away, the latest first. The number of bytes
// and files does not say what a person takes for one thing; the time does.
func takeaways(all []past) []takeaway {
	var out []takeaway
	paths := make(map[string]bool)
	var last time.Time
	for _, p := range all {
		if !p.taken() {
			continue
		}
		if n := len(out); n == 0 || p.When.Sub(last) > apart || p.When.Sub(out[n-1].When) > maxGo || paths[p.Path] {
			out = append(out, takeaway{ID: idOf(p), When: p.When})
			clear(paths)
		}
		last, paths[p.Path] = p.When, true
		t := &out[len(out)-1]
		t.Items = append(t.Items, p)
	}
	slices.Reverse(out)
	return out
}

// idOf names a takeaway by what went first. It stays the same while more goes.
func idOf(p past) string {
	return tree.DigestOf(fmt.Appendf(nil, "%d %s", p.When.UnixNano(), p.Path)).String()[:6]
}

// choose returns the versions that are meant by paths and the id of a takeaway.
// Without an id it is, for each path, what the latest one took there and below.
func choose(all []past, paths []string, id string) ([]past, error) {
	goes := takeaways(all)
	if id != "" {
		var found []takeaway
		for _, t := range goes {
			if strings.HasPrefix(t.ID, id) {
				found = append(found, t)
			}
		}
		if len(found) != 1 {
			return nil, &Error{Msg: fmt.Sprintf("there is no batch %q", id), Remedy: "twosync undo lists them"}
		}
		goes = found
	}
	if len(paths) == 0 {
		paths = []string{""}
	}
	var out []past
	for _, path := range paths {
		got := firstAt(goes, path)
		if len(got) == 0 {
			return nil, &Error{
				Msg:    "nothing that sync took away is kept for " + nameOf(path),
				Remedy: "twosync undo lists what is kept; what you changed yourself is not",
			}
		}
		out = append(out, got...)
	}
	slices.SortStableFunc(out, func(a, b past) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(out, func(a, b past) bool { return a.Path == b.Path }), nil
}

// firstAt returns what the first takeaway that took anything at or below path
// took there.
func firstAt(goes []takeaway, path string) (got []past) {
	for _, t := range goes {
		for _, p := range t.Items {
			if p.Path != "" && tree.Within(p.Path, path) {
				got = append(got, p)
			}
		}
		if len(got) > 0 {
			return got
		}
	}
	return nil
}

// nameOf writes a path below the root; the root itself is ".".
func nameOf(path string) string { return cmp.Or(path, ".") }
