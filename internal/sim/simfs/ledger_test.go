package simfs_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
)

// pair is a host and a container with one ledger.
type pair struct {
	t       testing.TB
	l       *simfs.Ledger
	host, c *machine
}

func newPair(t testing.TB) *pair {
	p := &pair{t, simfs.NewLedger(), newMachine(t, simfs.Options{}), newMachine(t, simfs.Options{})}
	p.l.Side("host", p.host.FS, "/work")
	p.l.Side("container", p.c.FS, "/work")
	must(t, p.host.u.Mkdir("/keep"))
	return p
}

func (p *pair) lost(want ...string) {
	p.t.Helper()
	var got []string
	for _, l := range p.l.Check() {
		got = append(got, l.Content)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("lost %q, want %q", got, want)
		for _, l := range p.l.Lost {
			p.t.Log(l)
		}
	}
}

// What a process takes away is lost if nobody else has it.
func TestLoss(t *testing.T) {
	type test struct {
		name string
		do   func(p *pair, d, stage fsx.Dir)
		lost []string
	}
	tests := []test{
		{"unlink", func(p *pair, d, stage fsx.Dir) { d.Unlink("s", "f") }, []string{"precious"}},
		{"rename over", func(p *pair, d, stage fsx.Dir) {
			put(t, stage, "n", "fresh one")
			d.Rename("s", "g", d, "f", fsx.Replace)
			stage.Rename("s", "n", d, "f", fsx.Replace)
		}, []string{"precious", "other one"}},
		{"truncate", func(p *pair, d, stage fsx.Dir) {
			f, _ := d.Update("s", "f", 0o644)
			f.Truncate("s", 3)
		}, []string{"precious"}},
		{"write", func(p *pair, d, stage fsx.Dir) {
			f, _ := d.Update("s", "f", 0o644)
			f.Write([]byte("P"))
		}, []string{"precious"}},
		{"capture", func(p *pair, d, stage fsx.Dir) {
			d.Rename("s", "f", stage, "slot", fsx.NoReplace)
			d.Rename("s", "g", stage, "slot", fsx.Exchange)
			stage.Unlink("s", "slot") // it holds g
		}, []string{"other one"}},
		{"keep first", func(p *pair, d, stage fsx.Dir) {
			put(t, p.host.open("/keep"), "k", "precious")
			d.Unlink("s", "f")
		}, nil},
		{"kept, but not whole", func(p *pair, d, stage fsx.Dir) {
			put(t, p.host.open("/keep"), "k", "preciou")
			d.Unlink("s", "f")
		}, []string{"precious"}},
		{"kept too late", func(p *pair, d, stage fsx.Dir) {
			d.Unlink("s", "f")
			put(t, p.host.open("/keep"), "k", "precious")
		}, []string{"precious"}},
		{"on the other side", func(p *pair, d, stage fsx.Dir) {
			put(t, p.c.open("/work"), "f", "precious")
			d.Unlink("s", "f")
		}, nil},
		{"there, and then gone too", func(p *pair, d, stage fsx.Dir) {
			o := p.c.open("/work")
			put(t, o, "f", "precious")
			d.Unlink("s", "f")
			o.Unlink("s", "f")
		}, []string{"precious"}},
		{"held open, but without a name", func(p *pair, d, stage fsx.Dir) {
			o := p.c.open("/work")
			put(t, o, "f", "precious")
			o.Read("f")
			o.Unlink("s", "f")
			d.Unlink("s", "f")
		}, []string{"precious"}},
		{"second name", func(p *pair, d, stage fsx.Dir) {
			p.host.u.Link("/work/f", "/work/linked")
			d.Unlink("s", "f")
		}, nil},
		{"short ones do not count", func(p *pair, d, stage fsx.Dir) {
			p.host.u.Write("/work/s", "abc")
			d.Unlink("s", "s")
		}, nil},
		{"given up by its user", func(p *pair, d, stage fsx.Dir) {
			put(t, p.c.open("/work"), "f", "precious")
			p.host.u.Write("/work/f", "newer one")
			p.c.open("/work").Unlink("s", "f")
		}, nil},
		{"given up by the other user, who had it", func(p *pair, d, stage fsx.Dir) {
			put(t, p.c.open("/work"), "f", "precious")
			p.c.u.Save("/work/f", "newer one")
			d.Unlink("s", "f")
		}, nil},
		{"deleted by a user elsewhere", func(p *pair, d, stage fsx.Dir) {
			p.c.u.Write("/work/f", "another")
			p.c.u.Unlink("/work/f")
			d.Unlink("s", "f")
		}, []string{"precious"}},
		{"moved by its user", func(p *pair, d, stage fsx.Dir) {
			p.host.u.Mkdir("/work/sub")
			p.host.u.Rename("/work/f", "/work/sub/f")
			p.host.open("/work/sub").Unlink("s", "f")
		}, []string{"precious"}},
		{"a save behind our back", func(p *pair, d, stage fsx.Dir) {
			put(t, stage, "n", "fresh one")
			h, _ := p.host.u.Open("/work/f", false)
			d.Rename("s", "f", stage, "n", fsx.Exchange)
			h.Write([]byte("LATE LATE"))
			h.Close()
			stage.Unlink("s", "n")
		}, []string{"LATE LATE"}},
		{"outside of the root", func(p *pair, d, stage fsx.Dir) {
			p.host.u.Write("/keep/x", "somewhere")
			p.host.open("/keep").Unlink("s", "x")
		}, nil},
		{"released", func(p *pair, d, stage fsx.Dir) {
			p.l.Release([]byte("precious"))
			d.Unlink("s", "f")
		}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPair(t)
			must(t, p.host.u.Mkdir("/work/.twosync"))
			must(t, p.host.u.Write("/work/f", "precious"))
			must(t, p.host.u.Write("/work/g", "other one"))
			test.do(p, p.host.open("/work"), p.host.open("/work/.twosync"))
			p.lost(test.lost...)
		})
	}
}

// A loss says what was lost, where it was, by which call, and what went before.
func TestLossIsTold(t *testing.T) {
	p := newPair(t)
	told := ""
	p.l.OnLost = func(l *simfs.Loss) { told = l.Error() }
	must(t, p.host.u.Write("/work/f", "precious"))
	must(t, p.host.open("/work").Unlink("clean.drop", "f"))
	for _, part := range []string{"precious", "host:f", "twosync: unlink /work/f (clean.drop)", "written at host:f"} {
		if !strings.Contains(told, part) {
			t.Errorf("%q does not say %q", told, part)
		}
	}
}

// What a program writes into a file that it has open is not lost where that was moved
// out of the way, until it has rested there.
func TestLossOfLateWrite(t *testing.T) {
	for _, rested := range []bool{false, true} {
		p := newPair(t)
		must(t, p.host.u.Write("/work/f", "first"))
		h, err := p.host.u.Open("/work/f", false)
		must(t, err)
		d, keep := p.host.open("/work"), p.host.open("/keep")
		must(t, d.Rename("s", "f", keep, "slot", fsx.NoReplace))
		put(t, keep, "copy", "first")
		if rested {
			p.host.now += int64(time.Minute)
		}
		must(t, keep.Unlink("s", "slot"))
		p.lost()
		must(t, h.Write([]byte("last words")))
		if rested {
			p.lost()
		} else {
			p.lost("last words")
		}
	}
}

// A power cut is an excuse for what was not durable, and for nothing else.
func TestLossByCut(t *testing.T) {
	for _, synced := range []bool{false, true} {
		for _, cut := range simfs.Cuts() {
			p := newPair(t)
			must(t, p.host.u.Write("/work/f", "precious"))
			if synced {
				p.host.SyncAll()
			}
			d := p.host.open("/work")
			put(t, p.host.open("/keep"), "k", "precious") // and not synced
			must(t, d.Unlink("s", "f"))
			after := p.host.Crash(cut, 3)
			p.l.Swap(p.host.FS, after)
			_, errF := after.User().Stat("/work/f")
			kept, _ := after.User().Read("/keep/k")
			gone := errF != nil && kept != "precious"
			if lost := len(p.l.Check()) > 0; lost != (gone && synced) {
				t.Errorf("synced %v, cut %v: lost %v, gone %v", synced, cut, lost, gone)
			}
			if cut == simfs.KeepNames && !gone {
				t.Errorf("cut %v: it should be gone", cut)
			}
		}
	}
}

// A content is durable when its file is, and the name of that.
func TestDurable(t *testing.T) {
	tests := []struct {
		name string
		sync func(m *machine)
		lost bool
	}{
		{"nothing", func(m *machine) {}, false},
		{"the file", func(m *machine) {
			f, err := m.open("/work/new").Read("f")
			must(t, err)
			must(t, f.Sync("s"))
		}, false},
		{"the directory", func(m *machine) { must(t, m.open("/work/new").Sync("s")) }, false},
		{"the file and the directory", func(m *machine) { must(t, m.u.SyncFile("/work/new/f")) }, true},
		{"the file system", func(m *machine) { must(t, m.p.SyncFS("s", m.open("/work"))) }, true},
	}
	for _, test := range tests {
		p := newPair(t)
		p.host.SyncAll()
		must(t, p.host.u.Mkdir("/work/new"))
		must(t, p.host.u.Write("/work/new/f", "precious"))
		test.sync(p.host)
		put(t, p.c.open("/work"), "g", "precious")
		must(t, p.host.open("/work/new").Unlink("s", "f"))
		p.l.Swap(p.c.FS, p.c.Crash(simfs.KeepNothing, 0)) // the other copy goes
		if lost := len(p.l.Check()) > 0; lost != test.lost {
			t.Errorf("%s is synced: lost %v", test.name, lost)
		}
	}
}

func TestDropSide(t *testing.T) {
	p := newPair(t)
	must(t, p.c.u.Write("/work/f", "of the container"))
	must(t, p.host.u.Write("/work/g", "of the host"))
	put(t, p.c.open("/work"), "g", "of the host")
	p.l.Drop(p.c.FS)
	p.lost()
	must(t, p.host.open("/work").Unlink("s", "g"))
	p.lost("of the host")
}

// TestLedger compares the ledger with a count of all files after each step of a
// random life of two users and two processes.
func TestLedger(t *testing.T) {
	losses := 0
	for seed := range uint64(40) {
		p := newPair(t)
		lives := []*randomLife{
			{machine: p.host, r: rand.New(rand.NewPCG(seed, 1))},
			{machine: p.c, r: rand.New(rand.NewPCG(seed, 2))},
		}
		r := rand.New(rand.NewPCG(seed, 3))
		for i := range 200 {
			l := lives[r.IntN(2)]
			lostBefore := len(p.l.Lost)
			if byUser := r.IntN(2) == 0; byUser {
				l.act()
				if len(p.l.Lost) != lostBefore {
					t.Fatalf("seed %d, step %d: a user lost %v", seed, i, p.l.Lost[lostBefore])
				}
			} else {
				l.processActs(lives[r.IntN(2)].n)
			}
			if r.IntN(40) == 0 { // what follows is done to copies
				ledger, machines := p.l.Clone()
				p.l = ledger
				for j, m := range machines {
					lives[j].FS, lives[j].u, lives[j].p = m, m.User(), m.Process("twosync")
				}
			}
			checkLedger(t, p.l, lives, fmt.Sprintf("seed %d, step %d", seed, i))
		}
		losses += len(p.l.Lost)
	}
	if losses < 100 {
		t.Errorf("only %d losses: the lives are too tame", losses)
	}
}

// processActs does to files what a process does, badly: it copies, moves, replaces
// and removes without looking.
func (l *randomLife) processActs(n int) {
	d, err := l.p.OpenRoot("/work")
	must(l.t, err)
	defer d.Close()
	name, other := string(rune('a'+l.r.IntN(4))), string(rune('a'+l.r.IntN(4)))
	switch l.r.IntN(6) {
	case 0:
		d.Unlink("s", name)
	case 1:
		d.Rename("s", name, d, other, fsx.How(l.r.IntN(3)))
	case 2, 3:
		if f, err := d.Create("s", name, 0o644); err == nil {
			fmt.Fprintf(f, "content %d", l.r.IntN(n+1))
			f.Close()
		}
	case 4:
		if f, err := d.Update("s", name, 0o644); err == nil {
			f.Truncate("s", int64(l.r.IntN(10)))
			f.Close()
		}
	case 5:
		d.Sync("s")
	}
}

func checkLedger(t *testing.T, l *simfs.Ledger, lives []*randomLife, when string) {
	t.Helper()
	holders := map[string]int{}
	for _, m := range lives {
		seen := map[uint64]bool{}
		m.u.Walk("/", func(x simfs.Found) bool {
			if x.Stat.Kind == fsx.Regular && !seen[x.Stat.Ino] {
				seen[x.Stat.Ino] = true
				holders[x.Content]++
			}
			return true
		})
	}
	for content, n := range holders {
		if _, got := l.Precious([]byte(content)); len(content) >= 4 && got != n {
			t.Fatalf("%s: %d files hold %q, the ledger says %d", when, n, content, got)
		}
	}
	for _, m := range lives {
		for i := range m.n {
			content := fmt.Sprintf("content %d", i+1)
			precious, n := l.Precious([]byte(content))
			if n != holders[content] {
				t.Fatalf("%s: %d files hold %q, the ledger says %d", when, holders[content], content, n)
			}
			if precious && n == 0 {
				t.Fatalf("%s: %q is precious and gone, and that was not told", when, content)
			}
		}
	}
}
