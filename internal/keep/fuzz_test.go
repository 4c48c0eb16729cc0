package keep

import (
	"testing"
	"time"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

// FuzzItem: whatever is read can be kept, and is written and read as the same.
func FuzzItem(f *testing.F) {
	for _, i := range []Item{
		{Path: "a/b", Entry: tree.NewFile(tree.Digest{1}, record.MaxSize, true), Side: tree.Container, Why: Conflict, When: time.Unix(1, 2), Note: "why", stored: true, alike: 3},
		{Entry: tree.NewLink("../x"), Why: LeftOver, When: time.Unix(0, -1)},
		{Path: "d", Entry: tree.NewDir(nil), Why: "another"},
	} {
		f.Add(i.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := decode(b)
		if err != nil {
			return
		}
		if tree.CheckPath(i.Path) != nil || len(i.Note) > maxNote || len(i.Why) > maxWhy {
			t.Fatalf("%+v", i)
		}
		got, err := decode(i.encode())
		if err != nil || !tree.Same(got.Entry, i.Entry) || !got.When.Equal(i.When) {
			t.Fatalf("%+v is read as %+v, %v", i, got, err)
		}
		if got.Entry, got.When = i.Entry, i.When; got != i {
			t.Fatalf("%+v is read as %+v", i, got)
		}
	})
}
