package replicatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twosync/twosync/internal/delta"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// wantOf wants what path holds now.
func (r *rig) wantOf(path string) replica.Want {
	r.Helper()
	e := r.sees(path)
	return replica.Want{Path: path, Digest: e.Digest, Size: e.Size}
}

// fetch returns what came for each want: its content, or "gone".
func (r *rig) fetch(wants []replica.Want, old string) []string {
	r.Helper()
	ctx, cancel := r.context()
	defer cancel()
	got := make([]string, len(wants))
	at := 0
	err := r.Replica.Send(ctx, wants, func(p replica.Piece) error {
		if p.Want != at {
			r.Fatalf("a piece of want %d while want %d is coming", p.Want, at)
		}
		switch {
		case p.Gone != "":
			got[at] = "gone"
			at++
		case p.End:
			at++
		case p.Count > 0:
			block := wants[at].Base.Block
			got[at] += old[p.Block*block : min((p.Block+p.Count)*block, len(old))]
		default:
			got[at] += string(p.Data)
		}
		return nil
	})
	if err != nil {
		r.Fatalf("send: %v", err)
	}
	if at != len(wants) {
		r.Errorf("%d of %d wants ended", at, len(wants))
	}
	return got
}

// testSend: contents come in the order in which they were wanted; what is not
// there any more is gone, and no error.
func testSend(r *rig) {
	r.populate()
	large := strings.Repeat("large and dull; ", 100_000)
	r.write("large", large)
	r.start()
	changed := r.wantOf("dir/b")
	changed.Digest[3]++
	missing := r.wantOf("a")
	missing.Path = "not there"
	below := r.wantOf("a")
	below.Path = "a/b"
	wants := []replica.Want{r.wantOf("dir/sub/c"), changed, r.wantOf("empty"), missing, r.wantOf("large"), below, r.wantOf("a")}
	want := []string{"content of c", "gone", "", "gone", large, "gone", "content of a"}
	if got := r.fetch(wants, ""); !slices.Equal(got, want) {
		r.Errorf("got %.60q", got)
	}
	var many []replica.Want
	for i := range 500 {
		r.write(fmt.Sprint("many/", i), fmt.Sprint("content ", i))
	}
	r.flush()
	for i := range 500 {
		e := tree.Get(r.holds, fmt.Sprint("many/", i))
		many = append(many, replica.Want{Path: fmt.Sprint("many/", i), Digest: e.Digest, Size: e.Size})
	}
	for i, got := range r.fetch(many, "") {
		if got != fmt.Sprint("content ", i) {
			r.Fatalf("want %d is %q", i, got)
		}
	}
}

// testSendDelta: with a signature, the content can be rebuilt from the old one
// and what came.
func testSendDelta(r *rig) {
	var b strings.Builder
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "line %d\n", i*i)
	}
	old := b.String()
	now := old[:300_000] + "new words" + old[300_100:]
	r.write("f", now)
	r.start()
	sig, err := delta.Sign(bytes.NewReader([]byte(old)), int64(len(old)))
	r.must(err)
	w := r.wantOf("f")
	w.Base = &sig
	if got := r.fetch([]replica.Want{w, r.wantOf("f")}, old); got[0] != now || got[1] != now {
		r.Errorf("got %d and %d bytes that differ", len(got[0]), len(got[1]))
	}
}

// testSinkFails: an error of the sink ends Send and is returned, and nothing
// else ends.
func testSinkFails(r *rig) {
	r.write("f", strings.Repeat("x", 1<<20))
	r.start()
	enough := errors.New("enough")
	ctx, cancel := r.context()
	defer cancel()
	for range 20 {
		err := r.Replica.Send(ctx, []replica.Want{r.wantOf("f")}, func(replica.Piece) error { return enough })
		if !errors.Is(err, enough) {
			r.Fatalf("send: %v", err)
		}
	}
	r.flush()
}

// testAdopt: a replica is who it was told to be, also for the next one on the
// same root.
func testAdopt(r *rig) {
	id := r.start()
	if id.ID != (replica.ID{}) {
		r.Errorf("a root that was never synced has the identity %v", id.ID)
	}
	if r.Again == nil {
		r.Skip("the fixture opens no second replica on a root")
	}
	ctx, cancel := r.context()
	defer cancel()
	want := replica.ID{1, 2, 3}
	r.must(r.Replica.Adopt(ctx, want, 7))
	r.must(r.Replica.Close())
	r.Replica = r.Again(r.T)
	if id := r.start(); id.ID != want || id.Gen != 7 {
		r.Errorf("identity %v, generation %d", id.ID, id.Gen)
	}
}

// testClose: after Close every method ends with an error; a context that is
// done ends Next.
func testClose(r *rig) {
	r.start()
	r.flush()
	done, cancel := context.WithCancel(r.Context())
	cancel()
	if _, err := r.Replica.Next(done); err == nil {
		r.Error("next with a context that is done: no error")
	}
	r.must(r.Replica.Close())
	ctx, cancel := r.context()
	defer cancel()
	if _, err := r.Replica.Next(ctx); err == nil || ctx.Err() != nil {
		r.Errorf("next after close: %v", err)
	}
	if err := r.Replica.Flush(ctx, 1); err == nil {
		// A replica may take the number; then nothing comes of it.
		if _, err := r.Replica.Next(ctx); err == nil {
			r.Error("a report after close")
		}
	}
}
