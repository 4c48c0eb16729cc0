//go:build linux

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// Q, I2: what the container deleted, the host's user has back, and so does the
// container; what is guarded waits.
func TestUndo(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	before := p.settled(t)
	p.inner.remove("lib")
	p.settled(t)
	p.host.lacks("lib")
	ask := func(args ...string) string {
		t.Helper()
		code, out, stderr := p.run(args...)
		if code != fine {
			t.Fatalf("%q ended with %d: %s%s", args, code, out, stderr)
		}
		return out
	}
	if out := ask("undo", p.dir); !strings.Contains(out, "deleted") || !strings.Contains(out, "lib/a.go") {
		t.Errorf("undo lists %q", out)
	}
	ask("undo", "restore", filepath.Join(p.dir, "lib"))
	same(t, "before, but after", before, p.settled(t))

	p.inner.write(".envrc", "run me\n")
	if held := p.flushHeld(); !strings.Contains(held, ".envrc") {
		t.Errorf("held: %q", held)
	}
	p.host.lacks(".envrc")
	ask("accept", filepath.Join(p.dir, ".envrc"))
	p.settled(t)
	p.host.holds(".envrc", "run me\n")
	p.stop()
}
