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
