package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// restart stops the session on the largest tree and starts it again. Beside it,
// find looks at every file of both sides, and twosync connects on a tree of no
// size.
func restart(ctx context.Context, b *bench) error {
	nothing := map[*kept]*kept{}
	err := b.each(ctx, job{work: "restart",
		open: func(t tool) (*kept, error) {
			k, err := b.big(ctx, t)
			if err == nil && t.name == mainTool {
				nothing[k], err = b.open(ctx, t, "nothing", empty)
			}
			return k, err
		},
		round: func(k *kept, round int) error {
			took, err := b.again(ctx, k)
			if err != nil {
				return err
			}
			b.add("restart", k.tool.name, seconds, round, took)
			if small := nothing[k]; small != nil {
				if err := b.findBoth(ctx, k.p, small, round); err != nil {
					return err
				}
			}
			_, _, err = b.equal(k.p)
			return err
		}})
	for _, k := range nothing {
		err = errors.Join(err, b.discard(k))
	}
	return err
}

// again times a start of a session that has been stopped.
func (b *bench) again(ctx context.Context, k *kept) (float64, error) {
	if err := errors.Join(k.stop(), b.quiet()); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := k.start(ctx, b); err != nil {
		return 0, err
	}
	return startedAt(k.session).Sub(start).Seconds(), nil
}

// twiceFind is the budget of a restart, of both parts.
const twiceFind = "2 × find + connecting"

// findBoth stats every file of both sides, one side after the other: a size that
// no file has makes find look.
func (b *bench) findBoth(ctx context.Context, p pair, small *kept, round int) error {
	if b.needs("find") != nil {
		return nil // without it there is no such number
	}
	here, err := b.here.Do(probe.Request{Op: "run", Args: []string{"find", p.host, "-size", "+999999999"}})
	if err != nil {
		return err
	}
	there, err := b.there.Do(probe.Request{Op: "run", Args: []string{"find", p.container, "-size", "+999999999"}})
	if err != nil {
		return err
	}
	connecting, err := b.again(ctx, small)
	if err != nil {
		return err
	}
	both := here.Took.Seconds() + there.Took.Seconds()
	b.add("restart", "find", seconds, round, both)
	b.add("restart.connecting", mainTool, seconds, round, connecting)
	b.add("restart", twiceFind, seconds, round, 2*both+connecting)
	return nil
}

// memory starts the session on the largest tree again and looks 10 s later.
func memory(ctx context.Context, b *bench) error {
	return b.eachAlone(ctx, "memory.restart.host", func(k *kept) error { return b.measureMemory(k, "memory.restart") })
}

// eachAlone looks once at each tool that stays at work, in the largest tree.
func (b *bench) eachAlone(ctx context.Context, work string, look func(k *kept) error) error {
	for _, t := range b.whole() {
		k, err := b.restarted(ctx, t)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && k.session.process() != 0 {
			err = look(k)
		}
		if err != nil {
			b.failed(work, t.name, err)
		}
	}
	return ctx.Err()
}

// restarted is the session on the largest tree, alone, 10 s after it was started
// again.
func (b *bench) restarted(ctx context.Context, t tool) (*kept, error) {
	k, err := b.big(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(b.alone(k), k.stop()); err != nil {
		return nil, err
	}
	if err := k.start(ctx, b); err != nil {
		return nil, err
	}
	return k, rest(ctx, settled)
}

func (b *bench) measureMemory(k *kept, work string) error {
	host, agent, err := b.processes(k.session)
	if err != nil {
		return err
	}
	b.add(work+".host", k.tool.name, octets, 0, float64(host.RSS))
	b.add(work+".agent", k.tool.name, octets, 0, float64(agent.RSS))
	return nil
}

// processes adds up what a session, which must be the only one, runs on the host
// and in the container. The docker or kubectl command between them is not the tool's
// own.
func (b *bench) processes(s session) (host, agent probe.Process, err error) {
	here, err := b.here.Do(probe.Request{Op: "procs"})
	if err != nil {
		return host, agent, err
	}
	there, err := b.there.Do(probe.Request{Op: "procs"})
	if err != nil {
		return host, agent, err
	}
	host, found := family(here.Procs, s.process())
	if !found {
		return host, agent, errors.New("the session's process has ended")
	}
	for _, p := range there.Procs {
		if p.Command != filepath.Base(probePath) && p.RSS > 0 { // a zombie has none
			agent.CPU, agent.RSS = agent.CPU+p.CPU, agent.RSS+p.RSS
		}
	}
	return host, agent, nil
}

// family adds up a process and what it has started, but for docker and kubectl.
func family(all []probe.Process, pid int) (sum probe.Process, found bool) {
	for _, p := range all {
		switch {
		case p.PID == pid:
			found = true
		case p.Parent != pid || p.Command == "docker" || p.Command == "kubectl":
			continue
		default:
			p, _ = family(all, p.PID)
		}
		sum.CPU, sum.RSS = sum.CPU+p.CPU, sum.RSS+p.RSS
	}
	return sum, found
}

const (
	idleTime = 30 * time.Second
	// A heartbeat each way every 5 s, of at most 16 bytes; the engine puts 8 bytes
	// before what comes from the container.
	idleBytes = 2*16 + 8
	beats     = int(idleTime / (5 * time.Second))
)

// idle watches the session on the largest tree do nothing.
func idle(ctx context.Context, b *bench) error {
	return b.eachAlone(ctx, "idle.host", func(k *kept) error {
		host, agent, err := b.processes(k.session)
		if err != nil {
			return err
		}
		wire, told := b.wire(k.session)
		start := time.Now()
		if err := rest(ctx, idleTime); err != nil {
			return err
		}
		hostAfter, agentAfter, err := b.processes(k.session)
		if err != nil {
			return err
		}
		share := 100 / time.Since(start).Seconds()
		b.add("idle.host", k.tool.name, percent, 0, (hostAfter.CPU-host.CPU).Seconds()*share)
		b.add("idle.agent", k.tool.name, percent, 0, (agentAfter.CPU-agent.CPU).Seconds()*share)
		if after, ok := b.wire(k.session); told && ok {
			b.add("idle.wire", k.tool.name, octets, 0, float64(after-wire))
		}
		return nil
	})
}

// agentSize builds the agent as the host does.
func agentSize(ctx context.Context, b *bench) error {
	if !b.has("twosync") {
		return nil
	}
	for _, arch := range []string{"amd64", "arm64"} {
		to := filepath.Join(b.work, "agent-"+arch)
		env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch}
		if err := goBuild(ctx, b.module, to, env, "./agent/twosync-agent", "-buildvcs=false", "-trimpath", "-gcflags=fmt=-l", "-gcflags=net=-l", "-gcflags=log=-l", "-ldflags=-s -w -funcalign=4"); err != nil {
			return err
		}
		info, err := os.Stat(to)
		if err != nil {
			return err
		}
		b.add("agent."+arch, "twosync", octets, 0, float64(info.Size()))
	}
	return nil
}
