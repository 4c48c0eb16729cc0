//go:build !windows

package disk

import (
	"testing"

	"github.com/twosync/twosync/internal/replica"
)

// A token that could have been written by anybody but us says nothing.
func TestTokenOfNoGeneration(t *testing.T) {
	dir := t.TempDir()
	for gen, known := range map[uint64]bool{7: true, replica.MaxGen: true, replica.MaxGen + 1: false, 1<<64 - 1: false} {
		r := open(t, dir, Options{})
		if err := r.d.Adopt(t.Context(), replica.ID{1}, gen); err != nil {
			t.Fatal(err)
		}
		r.d.Close()
		r = open(t, dir, Options{})
		if got := r.id.ID == (replica.ID{1}) && r.id.Gen == gen; got != known {
			t.Errorf("generation %d: found %v %d", gen, r.id.ID, r.id.Gen)
		}
		r.d.Close()
	}
}

// Sessions that meet here in turn know this replica as each of them left it.
func TestTokenOfEachSession(t *testing.T) {
	dir := t.TempDir()
	want := map[string]replica.Identity{
		"":    {ID: replica.ID{1}, Gen: 3},
		"one": {ID: replica.ID{2}, Gen: 5},
		"two": {ID: replica.ID{3}, Gen: 4},
	}
	for session, id := range want {
		r := open(t, dir, Options{Session: session})
		if r.id.ID != (replica.ID{}) {
			t.Errorf("%q: it is %v before they met", session, r.id.ID)
		}
		if err := r.d.Adopt(t.Context(), id.ID, id.Gen); err != nil {
			t.Fatal(err)
		}
		r.d.Close()
	}
	for session, id := range want {
		r := open(t, dir, Options{Session: session})
		if r.id.ID != id.ID || r.id.Gen != id.Gen {
			t.Errorf("%q: it is %v %d, want %v %d", session, r.id.ID, r.id.Gen, id.ID, id.Gen)
		}
		r.d.Close()
	}
}
