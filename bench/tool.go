package main

import (
	"context"
	"fmt"
)

// pair is a directory on the host and one in the container.
type pair struct{ host, container string }

// A direction is where an edit goes: out to the container, or back to the host.
type direction string

const (
	toContainer direction = "out"
	toHost      direction = "back"
)

func (d direction) String() string {
	if d == toContainer {
		return "host to container"
	}
	return "container to host"
}

// tool is something that a user, or a sceptic, would compare.
type tool struct {
	name string
	// find says why the tool cannot be used here, or gets it ready.
	find func(ctx context.Context, b *bench) error
	// start keeps the pair the same, for edits in one direction at least. It
	// returns when the two sides are the same. Nil: the tool cannot.
	start func(ctx context.Context, b *bench, p pair, d direction, o options) (session, error)
	// fill brings the host's directory into the container once. What is left to
	// end then, which nobody waits for, is done by stop. Nil: it cannot.
	fill func(ctx context.Context, b *bench, p pair) (stop func() error, err error)
}

// options are what a workload asks of a session.
type options struct {
	keepState string             // folder of the tool's state, for a session that goes on; "" for a new one
	path      string             // folder to look for commands in first
	told      func(event string) // hears of twosync's events; may be nil
}

// session is a tool at work.
type session interface {
	// stop ends it, and leaves the pair as it is.
	stop() error
	// process returns the process on the host, or 0.
	process() int
}

// tools lists all, in the order in which they run.
var tools = []tool{
	{name: "floor", find: findFloor, start: startFloor},
	{name: "tar", find: findTar, fill: fillTar},
	{name: "cp", find: findCopy, fill: fillCopy},
	{name: "twosync", find: findTwosync, start: startTwosync, fill: fillTwosync},
}

// chosen gets the named tools ready and says what is left out.
func (b *bench) chosen(ctx context.Context, names []string) ([]tool, error) {
	var usable []tool
	for _, name := range names {
		i := indexOf(tools, func(t tool) bool { return t.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown tool %q", name)
		}
		if err := tools[i].find(ctx, b); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			b.say("without %s: %v", name, err)
			b.missing = append(b.missing, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		usable = append(usable, tools[i])
	}
	return usable, nil
}

func indexOf[T any](all []T, is func(T) bool) int {
	for i := range all {
		if is(all[i]) {
			return i
		}
	}
	return -1
}
