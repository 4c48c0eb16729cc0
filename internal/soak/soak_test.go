//go:build linux

package soak

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	minutes = flag.Float64("minutes", 3, "how long to go on")
	seed    = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what the users and the nemesis do")
)

// J1, J4, J5, J12: whatever happens to the session, the agent and the container, no write
// that nobody replaced is lost, and both sides are the same when it is over.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	r := newRig(t)
	l := newLedger()
	host, container := r.users(l, *seed)
	n := &nemesis{rig: r, rng: rand.New(rand.NewPCG(*seed, 0)), ledger: l, host: host, container: container,
		old: filepath.Join(r.top, "old"), did: make(map[string]int)}
	r.must("mkdir", n.old)
	t.Logf("run it again with -args -seed %d", *seed)
	r.startContainer()
	r.startUp(r.target())
	n.barrier(false)
	host.begin()
	container.begin()
	rounds := 0
	for until := time.Now().Add(time.Duration(*minutes * float64(time.Minute))); time.Now().Before(until) && !t.Failed(); rounds++ {
		for range 1 + n.rng.IntN(6) {
			n.rest(1500)
			n.strike()
			n.startAgain()
			n.goesOn()
		}
		n.rest(1500)
		n.calm(func() { n.barrier(false) })
	}
	n.calm(func() {
		host.end()
		container.end()
		n.interrupt() // which leaves what lies in slots to the next start
		n.startUp(n.target())
		n.barrier(true)
		n.interrupt()
	})
	steps, writes, due := l.counts()
	t.Logf("%d rounds, seed %d: %d steps, %d writes, %d of them due at the end", rounds, *seed, steps, writes, due)
	for _, name := range slices.Sorted(maps.Keys(n.did)) {
		t.Logf("%3d times %s", n.did[name], name)
	}
}

func (r *rig) target() string { return r.name + ":/vol/app" }

// calm does something while the users rest.
func (n *nemesis) calm(f func()) {
	n.t.Helper()
	n.host.pause()
	n.container.pause()
	f()
	n.host.resume()
	n.container.resume()
}

// startAgain starts a session that ended by itself without having met its container:
// its user does.
func (n *nemesis) startAgain() {
	n.t.Helper()
	if !n.running() && n.up.ProcessState.ExitCode() == 1 && !strings.Contains(n.upSays.String(), `"connected"`) {
		n.startUp(n.target())
	}
}

// barrier waits until both sides are in sync, and then asks for every write. Strict
// is after an end and a new start: then nothing may still lie in a slot.
func (n *nemesis) barrier(strict bool) {
	n.t.Helper()
	n.startAgain()
	n.synced()
	hostTree, containerTree := read(n.root), read(filepath.Join(n.vol, "app"))
	if d := differ(hostTree, containerTree); d != "" {
		n.t.Errorf("the sides differ:\n%s", d)
	}
	at := n.onHost()
	if !strict {
		for _, dir := range n.slots() {
			maps.Copy(at, found(dir))
		}
	}
	if lost := n.ledger.missing(at); len(lost) > 0 {
		n.t.Errorf("%d writes are lost:\n%s", len(lost), strings.Join(lost[:min(len(lost), 20)], "\n"))
		n.t.Logf("up said:\n%s", tail(n.upSays.String()))
		return
	}
	n.must("rm", "-rf", n.old)
	n.must("cp", "-r", n.root, n.old)
	n.must("rm", "-rf", filepath.Join(n.old, ".twosync"))
}

// onHost returns the writes that are in the host's tree or kept.
func (n *nemesis) onHost() map[string]string {
	at := n.kept()
	for p := range read(n.root) {
		maps.Copy(at, found(filepath.Join(n.root, p)))
	}
	return at
}

// kept returns the writes that are in the keep store.
func (r *rig) kept() map[string]string {
	keeps, err := filepath.Glob(filepath.Join(r.home, "state", "twosync", "*", "keep"))
	if err != nil {
		r.t.Fatal(err)
	}
	return found(keeps...)
}

// slots are the folders in which displaced files lie until it is sure that nobody
// writes to them any more.
func (n *nemesis) slots() []string {
	return []string{filepath.Join(n.root, ".twosync"), filepath.Join(n.vol, "app", ".twosync"), filepath.Join(n.home, "state")}
}

// read returns what a directory holds, but for our own folder, by path.
func read(root string) map[string]string {
	all := make(map[string]string)
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, p)
		switch {
		case err != nil || rel == ".":
			return err
		case rel == ".twosync":
			return fs.SkipDir
		case d.IsDir():
			all[rel] = "directory"
			return nil
		}
		text, err := os.ReadFile(p)
		info, _ := d.Info()
		if err != nil || info == nil {
			all[rel] = fmt.Sprint(err)
			return nil
		}
		all[rel] = fmt.Sprintf("%d bytes, exec %v, %x", len(text), info.Mode()&0o100 != 0, sha256.Sum256(text))
		return nil
	})
	return all
}

func differ(a, b map[string]string) string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	var out strings.Builder
	for _, p := range slices.Sorted(maps.Keys(all)) {
		if a[p] != b[p] {
			fmt.Fprintf(&out, "\t%s: %s on the host, %s in the container\n", p, a[p], b[p])
		}
	}
	return out.String()
}

// tail is the end of what a session said.
func tail(s string) string { return s[max(0, len(s)-6000):] }
