package disk

import (
	"bytes"
	"testing"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// Reports that nobody reads hold no more than so much content, and lose nothing
// else; when they are read, contents ride along again.
func TestQueueIsBounded(t *testing.T) {
	var q queue
	q.init()
	const each, n = 100 << 10, 300
	put := func(i int) {
		content := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, each/2)
		d := tree.DigestOf(content)
		q.put(replica.Report{Observed: &replica.Observed{
			Seen:     []replica.Seen{{Path: "f", Entry: tree.NewFile(d, each, false)}},
			Contents: replica.Contents{d: content},
		}})
	}
	for i := range n {
		put(i)
	}
	bytes := 0
	for i := range n {
		r, err := q.next(t.Context())
		if err != nil || len(r.Observed.Seen) != 1 {
			t.Fatal(i, r, err)
		}
		bytes += size(r.Observed)
	}
	if bytes > maxWaiting || bytes < maxWaiting/2 {
		t.Errorf("%d bytes waited", bytes)
	}
	put(n)
	if r, err := q.next(t.Context()); err != nil || size(r.Observed) != each {
		t.Error("the content stayed behind", err)
	}
}
