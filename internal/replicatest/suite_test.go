package replicatest_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/replicatest"
	"github.com/twosync/twosync/protocol"
)

// broken names a test of this binary that is run on a plain replica which does
// this wrong.
const broken = "TWOSYNC_BROKEN_REPLICA"

func TestPlain(t *testing.T) {
	replicatest.Run(t, func(t *testing.T) replicatest.Fixture {
		dir := t.TempDir()
		again := func(*testing.T) replica.Replica { return &plain{dir: dir} }
		return replicatest.Fixture{Replica: &plain{dir: dir, broken: os.Getenv(broken)}, Dir: dir, Again: again}
	})
}

// TestWire: a replica behind the wire is that replica.
func TestWire(t *testing.T) {
	for name, compress := range map[string]bool{"Raw": false, "Compressed": true} {
		t.Run(name, func(t *testing.T) {
			replicatest.Run(t, func(t *testing.T) replicatest.Fixture {
				dir := t.TempDir()
				again := func(t *testing.T) replica.Replica {
					return behind(t, &plain{dir: dir}, protocol.Options{Compress: compress})
				}
				return replicatest.Fixture{Replica: again(t), Dir: dir, Again: again}
			})
		})
	}
}

// behind puts a wire before a replica.
func behind(t *testing.T, r replica.Replica, opts protocol.Options) replica.Replica {
	host, agent := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- protocol.Serve(t.Context(), agent, r, protocol.Options{}) }()
	remote, err := protocol.NewRemote(host, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		remote.Close()
		if err := <-served; err != nil && !errors.Is(err, t.Context().Err()) {
			t.Errorf("serve: %v", err)
		}
	})
	return remote
}

// TestBroken: the suite finds what it is there to find.
func TestBroken(t *testing.T) {
	if os.Getenv(broken) != "" {
		t.Skip("this is the broken one")
	}
	for what, where := range map[string]string{
		"not whole":       "Start",
		"early flush":     "Flush",
		"no precondition": "MovedOn",
		"hears itself":    "ApplyQuiet",
		"trusts":          "ContentWrong",
	} {
		t.Run(what, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestPlain$/^"+where+"$", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), broken+"="+what)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestPlain/"+where) {
				t.Errorf("case %s passes: %v\n%s", where, err, out)
			}
		})
	}
}
