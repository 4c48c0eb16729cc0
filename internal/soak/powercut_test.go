//go:build linux

package soak

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var cuts = flag.Int("cuts", 4, "how often the power is cut on each file system")

// TestPowerCut: a machine that loses its power at any moment has, after the next
// start, both sides the same, every write that was durable, and no file of which
// only the name survived.
//
// Both sides and the state are on a file system whose image lies on another that
// can clone a file at once. The clone is what a disk holds at that moment: what was
// in memory only is gone.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	for _, kind := range []string{"ext4", "xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			r := newMachine(t, kind)
			rng := rand.New(rand.NewPCG(*seed, 1))
			t.Logf("run it again with -args -seed %d", *seed)
			for range *cuts {
				r.work(rng)
				if t.Failed() {
					break
				}
			}
			steps, writes, due := r.ledger.counts()
			t.Logf("%d cuts, %d steps, %d writes, %d of them due at the end", *cuts, steps, writes, due)
		})
	}
}

// machine is one with both sides on a disk whose power can be cut.
type machine struct {
	*rig
	ledger  *ledger
	disk    string // the image
	options string // to mount it with
	at      string // where it is mounted
	other   string // the container's root
}

// imageMiB is room enough for the smallest btrfs and xfs.
const imageMiB = 320

func newMachine(t *testing.T, kind string) *machine {
	t.Helper()
	top, err := os.MkdirTemp("", "twosync-cut-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	below, at := filepath.Join(top, "below"), filepath.Join(top, "at")
	options := "loop"
	if kind == "xfs" {
		options += ",nouuid" // another mount namespace may still hold what was there before the cut
	}
	m := &machine{ledger: newLedger(), options: options, disk: filepath.Join(below, "disk.img"), at: at, other: filepath.Join(at, "container"),
		rig: &rig{t: t, top: top, root: filepath.Join(at, "host"), home: filepath.Join(at, "home")}}
	for _, d := range []string{below, at} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.mountNew("xfs", filepath.Join(top, "below.img"), below, 4*imageMiB)
	m.mountNew(kind, m.disk, at, imageMiB)
	for _, d := range []string{m.root, m.home, m.other} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.build()
	return m
}

// mountNew makes a file system in a file and mounts it, until the end of the test.
func (m *machine) mountNew(kind, img, at string, mib int) {
	m.t.Helper()
	force := "-f"
	if kind == "ext4" {
		force = "-F"
	}
	for _, args := range [][]string{
		{"truncate", "-s", fmt.Sprintf("%dM", mib), img},
		{"mkfs." + kind, "-q", force, img},
		{"mount", "-o", "loop", img, at},
	} {
		if out, err := command(nil, args[0], args[1:]...); err != nil {
			m.t.Skipf("no %s can be mounted here: %v %s", kind, err, out)
		}
	}
	m.t.Cleanup(func() { // at once: another mount namespace may hold on to it
		if _, err := command(nil, "umount", "-l", at); err != nil {
			m.t.Error(err)
		}
	})
}

// unmount waits for the agent, which ends a moment after its session was killed.
func (m *machine) unmount(at string) {
	m.t.Helper()
	var err error
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if _, err = command(nil, "umount", at); err == nil {
			return
		}
	}
	m.t.Fatal(err)
}

// work lets users work on both sides, cuts the power, and looks at what a start
// makes of it.
func (m *machine) work(rng *rand.Rand) {
	m.t.Helper()
	m.startUp("local:" + m.other)
	m.synced()
	var users []*user
	for by, root := range map[string]string{"host": m.root, "container": m.other} {
		scratch := filepath.Join(m.at, "scratch-"+by)
		u := &user{r: m.rig, ledger: m.ledger, by: by, scratch: scratch, start: func() *exec.Cmd {
			return exec.Command(filepath.Join(m.top, "writer"), "-durable", "-root", root, "-scratch", scratch, "-side", by[:1], "-seed", fmt.Sprint(rng.Uint64()))
		}}
		users = append(users, u)
		u.begin()
	}
	time.Sleep(time.Duration(300+rng.IntN(3000)) * time.Millisecond)
	was := m.ledger.at()
	m.must("cp", "--reflink=always", m.disk, m.disk+".cut")
	m.ledger.cutAt(was)
	_ = m.up.Process.Kill()
	<-m.upEnded
	for _, u := range users {
		_ = u.cmd.Process.Kill()
		u.end()
	}
	m.ledger.cutAt(was)
	m.unmount(m.at)
	m.must("mv", m.disk+".cut", m.disk)
	m.must("mount", "-o", m.options, m.disk, m.at)
	m.look()
}

// look starts a session and looks at how it ends. A file of which only the name
// survived must not take the place of one that holds something, unless its user put
// it there.
func (m *machine) look() {
	m.t.Helper()
	before := map[string]map[string]string{"host": read(m.root), "container": read(m.other)}
	m.startUp("local:" + m.other)
	m.synced()
	m.stopUp(syscall.SIGINT)
	out := tail(m.upSays.String())
	host, container := read(m.root), read(m.other)
	if d := differ(host, container); d != "" {
		m.t.Errorf("the sides differ:\n%s\n%s", d, out)
	}
	for p := range host {
		if isEmpty(host[p]) && (hasBytes(before["host"][p]) || hasBytes(before["container"][p])) && !m.movedBy(before, p) {
			m.t.Errorf("only the name of %s is left; right after the cut it was %s on the host and %s in the container\n%s", p, before["host"][p], before["container"][p], out)
		}
	}
	at := m.kept()
	maps.Copy(at, found(m.root))
	if lost := m.ledger.missing(at); len(lost) > 0 {
		m.t.Errorf("%d writes are lost:\n%s\n%s", len(lost), strings.Join(lost[:min(len(lost), 20)], "\n"), out)
	}
}

// movedBy says whether p is empty where its own user moved something to it just
// before the power was cut. What came from the other side a moment before that, or
// came into the directory meanwhile, was not durable yet under any name, and at a path
// that was it looks like a file that its user emptied. No write is lost by it.
func (m *machine) movedBy(before map[string]map[string]string, p string) bool {
	for side, held := range before {
		if isEmpty(held[p]) && m.ledger.moved(side, p) {
			m.t.Logf("the %s's user had just moved something to %s", side, p)
			return true
		}
	}
	return false
}

// isEmpty and hasBytes read what read says of a file.
func isEmpty(what string) bool { return strings.HasPrefix(what, "0 bytes") }

func hasBytes(what string) bool { return strings.Contains(what, " bytes") && !isEmpty(what) }
