package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// restart stops the session on the largest tree and starts it again. Beside it,
// find looks at every file of both sides.
func restart(ctx context.Context, b *bench) error {
	return b.each(ctx, "restart", func(t tool) error {
		k, err := b.big(ctx, t)
		if err != nil {
			return err
		}
		if err := b.alone(k); err != nil {
			return err
		}
		for round := range b.options.rounds {
			if err := errors.Join(k.stop(), b.quiet()); err != nil {
				return err
			}
			start := time.Now()
			if err := k.start(ctx, b); err != nil {
				return err
			}
			b.add("restart", t.name, seconds, round, time.Since(start).Seconds())
			if err := b.findBoth(k.p, round); err != nil {
				b.failed("restart", "find", err)
			}
		}
		_, _, err = b.equal(k.p)
		return err
	})
}

// findBoth stats every file of both sides, one side after the other: a size that
// no file has makes find look.
func (b *bench) findBoth(p pair, round int) error {
	if b.box.needs("find") != nil {
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
	b.add("restart", "find", seconds, round, here.Took.Seconds()+there.Took.Seconds())
	b.add("restart.host", "find", seconds, round, here.Took.Seconds())
	return nil
}

// memory starts the session on the largest tree again and looks 10 s later.
func memory(ctx context.Context, b *bench) error {
	return b.each(ctx, "memory.restart.host", func(t tool) error {
		k, err := b.restarted(ctx, t)
		if err != nil {
			return err
		}
		return b.measureMemory(k, "memory.restart")
	})
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

// processes finds a session's process on the host and the one in the container,
// which must be the only session.
func (b *bench) processes(s session) (host, agent probe.Process, err error) {
	here, err := b.here.Do(probe.Request{Op: "procs"})
	if err != nil {
		return host, agent, err
	}
	there, err := b.there.Do(probe.Request{Op: "procs"})
	if err != nil {
		return host, agent, err
	}
	if i := indexOf(here.Procs, func(p probe.Process) bool { return p.PID == s.process() }); i >= 0 {
		host = here.Procs[i]
	}
	var found int
	for _, p := range there.Procs {
		if p.Command != filepath.Base(probePath) && p.RSS > 0 { // a zombie has none
			agent = p
			found++
		}
	}
	if host.PID == 0 || found != 1 {
		return host, agent, fmt.Errorf("found %d agents of one session", found)
	}
	return host, agent, nil
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
	return b.each(ctx, "idle.host", func(t tool) error {
		k, err := b.restarted(ctx, t)
		if err != nil {
			return err
		}
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
		b.add("idle.host", t.name, percent, 0, (hostAfter.CPU-host.CPU).Seconds()*share)
		b.add("idle.agent", t.name, percent, 0, (agentAfter.CPU-agent.CPU).Seconds()*share)
		if after, ok := b.wire(k.session); told && ok {
			b.add("idle.wire", t.name, octets, 0, float64(after-wire))
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
		if err := goBuild(ctx, b.module, to, env, "./agent/twosync-agent", "-buildvcs=false", "-trimpath", "-ldflags=-s -w -funcalign=4"); err != nil {
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
