package base

import (
	"bytes"
	"testing"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

func sampleRecords() [][]byte {
	e := Epoch{Host: replica.ID{1}, Gen: 1}
	f := tree.NewFile(tree.Digest{1}, 5, false)
	d := tree.NewDir([]tree.Child{{Name: "x", Entry: f}, {Name: "l", Entry: tree.NewLink("x")}})
	return [][]byte{
		appendBegin(nil, e, "*.o\n", d),
		appendIntent(nil, 2, []string{"x", "d/x"}),
		appendCommit(nil, Epoch{Host: e.Host, Gen: 2}, []tree.Change{{Path: "x"}, {Path: "d", New: d}}),
		{kindSettled},
		appendRules(nil, "", []string{"d/x"}),
		appendBegin(nil, e, "", nil),
		appendCommit(nil, Epoch{Host: e.Host, Gen: 2}, []tree.Change{{Path: "l/d", New: d}}),
	}
}

// snapshotOf returns a store's snapshot as records.
func snapshotOf(s *Store) [][]byte {
	return [][]byte{appendState(nil, s.state), s.hist.appendTo(nil, s.hist.keys()), {kindEnd}}
}

// FuzzReplay: a record that is bad gives an error and changes nothing, any
// other leads to a state that a snapshot carries over.
func FuzzReplay(f *testing.F) {
	for _, rec := range sampleRecords() {
		f.Add(rec, rec)
	}
	f.Add([]byte{kindSettled, 0}, []byte(nil)) // a record with something behind it
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s := &Store{snapshot: 1}
		for _, rec := range append(sampleRecords(), a, b) {
			before := bytes.Join(snapshotOf(s), nil)
			err := s.replay(rec)
			if err != nil && !bytes.Equal(bytes.Join(snapshotOf(s), nil), before) {
				t.Fatalf("%q failed and changed something: %v", rec, err)
			}
		}
		var again Store
		for _, rec := range snapshotOf(s) {
			if err := again.replay(rec); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(bytes.Join(snapshotOf(&again), nil), bytes.Join(snapshotOf(s), nil)) {
			t.Fatal("a snapshot does not carry the state over")
		}
	})
}

// FuzzSnapshot: no snapshot panics, whatever it says.
func FuzzSnapshot(f *testing.F) {
	s := &Store{snapshot: 1}
	for _, rec := range sampleRecords() {
		if err := s.replay(rec); err != nil {
			f.Fatal(err)
		}
	}
	for _, rec := range snapshotOf(s) {
		f.Add(rec)
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		var s Store
		if err := s.replay(rec); err != nil {
			return
		}
		s.snapshot = 1
		for _, rec := range sampleRecords() {
			_ = s.replay(rec) // may well not fit
		}
		checkHeader(rec, "")
	})
}

// TestGoneIsBounded: of the paths that left base, the last ones are known.
func TestGoneIsBounded(t *testing.T) {
	var h history
	f := tree.NewFile(tree.Digest{1}, 1, false)
	name := func(i int) string { return string(record.AppendUint(nil, uint64(i))) }
	for i := range maxGone + 100 {
		h.change(name(i), f, nil)
		if i%3 == 0 { // comes back, and goes again as the last
			h.change(name(i), nil, tree.NewDir(nil))
			h.change(name(i), tree.NewDir(nil), nil)
		}
	}
	if len(h.m) != maxGone || h.gone != maxGone || len(h.queue) > 3*maxGone {
		t.Fatalf("%d known, %d counted, %d queued", len(h.m), h.gone, len(h.queue))
	}
	if h.values(name(99)) != nil || h.values(name(100)) == nil {
		t.Fatal("the wrong ones were dropped")
	}
}
