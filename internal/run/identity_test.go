package run

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
)

// remembered is what the next session would begin with.
func (p *pair) remembered() base.Loaded {
	p.t.Helper()
	dir, err := fsx.OS().OpenRoot(p.state)
	if err != nil {
		p.t.Fatal(err)
	}
	defer dir.Close()
	store, was, err := base.Open(dir, "test")
	if err != nil {
		p.t.Fatal(err)
	}
	store.Close()
	return was
}

// token writes a replica's token.
func token(t *testing.T, root string, id replica.ID, gen uint64) {
	t.Helper()
	payload := record.AppendUint(append([]byte(nil), id[:]...), gen)
	write(t, root, filepath.Join(".twosync", "replica"), string(record.AppendFrame(nil, payload)))
}

// What the container says of its generation becomes nobody else's: a session
// goes on from where the host was, and the next one knows the same two again.
func TestContainersGeneration(t *testing.T) {
	for _, gen := range []uint64{replica.MaxGen, 1 << 62, 1<<64 - 1} {
		t.Run(fmt.Sprint(gen), func(t *testing.T) {
			p := newPair(t)
			write(t, p.host, "a", "1")
			token(t, p.container, replica.ID{9}, gen)
			p.start()
			p.flush()
			p.settled()
			p.stop()
			first := p.remembered()
			if first.Lost != "" || first.Epoch.Gen > 1000 {
				t.Errorf("base is %q, of generation %d", first.Lost, first.Epoch.Gen)
			}
			p.start()
			p.flush()
			p.same()
			p.stop()
			if next := p.remembered(); next.Epoch.Container != first.Epoch.Container {
				t.Error("the two did not know each other again")
			}
		})
	}
}

// An image can hold a copy of the host's own folder, token and all. That is a
// new replica like any other.
func TestHostsTokenInTheImage(t *testing.T) {
	p := newPair(t)
	write(t, p.host, "a", "1")
	p.start()
	p.flush()
	p.settled()
	p.stop()
	p.recreate(map[string]string{"a": "1"})
	if err := os.CopyFS(filepath.Join(p.container, ".twosync"), os.DirFS(filepath.Join(p.host, ".twosync"))); err != nil {
		t.Fatal(err)
	}
	// Even where it goes by the name that the container's own has.
	if err := os.Rename(filepath.Join(p.container, ".twosync", "replica-test"), filepath.Join(p.container, ".twosync", "replica")); err != nil {
		t.Fatal(err)
	}
	write(t, p.host, "a", "2")
	p.start()
	p.flush()
	p.same()
	p.want(p.container, "a", "2")
	p.settled()
	p.stop()
	if e := p.remembered().Epoch; e.Host == e.Container {
		t.Error("both sides have one identity")
	}
}
