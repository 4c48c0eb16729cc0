//go:build linux

package e2e

import "testing"

// onceMore runs a session with other flags to its end.
func (p *place) onceMore(want int, target string, flags ...string) string {
	p.t.Helper()
	code, _, stderr := p.run(append([]string{"up", p.dir, target, "--once"}, flags...)...)
	if code != want {
		p.t.Fatalf("up --once %v ended with %d, want %d: %s", flags, code, want, stderr)
	}
	return stderr
}

// J17, K1, K2, K3, K4: rules come and go between two runs. What they cover is left
// alone on both sides, and base forgets it: when they go, nothing of it was
// deleted and a difference is a conflict. All else keeps its base.
func TestRulesComeAndGo(t *testing.T) {
	t.Parallel()
	p := beginHere(t)
	for _, name := range []string{"stays", "goes", "x.log", "deep/y.log", "z.log", "same.log"} {
		p.host.write(name, "of both\n")
	}
	p.settled(t)
	p.stop()

	p.host.remove("goes")
	p.host.remove("z.log") // before it is ignored, and never told
	s := p.up(p.target, "--ignore", "*.log")
	s.inSync()
	s.flush()
	p.inner.lacks("goes") // base still holds for what no rule covers
	p.inner.holds("z.log", "of both\n")
	p.inner.holds("x.log", "of both\n")
	applied := len(s.said("applied"))
	p.host.write("x.log", "of the host\n")
	p.inner.write("x.log", "of the container\n")
	p.host.remove("deep/y.log")
	s.flush()
	if n := len(s.said("applied")) - applied; n != 0 {
		t.Errorf("%d changes were made for what is ignored", n)
	}
	p.host.holds("x.log", "of the host\n")
	p.inner.holds("x.log", "of the container\n")
	p.inner.holds("deep/y.log", "of both\n")
	s.stop()

	p.onceMore(open, p.target)
	p.host.holds("deep/y.log", "of both\n")
	p.host.holds("z.log", "of both\n")
	p.host.holds("x.log", "of the host\n")
	p.keeps("of the container\n")
	same(t, "host, but container", p.host.tree(), p.inner.tree())
	if all := p.stored("/keep/objects/"); len(all) != 1 {
		t.Errorf("kept are %q, want the one version", all)
	}
}
