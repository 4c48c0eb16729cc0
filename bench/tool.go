package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
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
	// find says why the tool cannot be used here, or what it needs in the container,
	// which does not run yet.
	find func(ctx context.Context, b *bench) error
	// ready says why the tool cannot be used in the container, or gets it ready.
	// Nil: nothing to do.
	ready func(ctx context.Context, b *bench) error
	// start keeps the pair the same, for edits in one direction at least. It
	// returns when the two sides are the same. Nil: the tool cannot.
	start func(ctx context.Context, b *bench, p pair, d direction, o options) (session, error)
	// fill brings the host's directory into the container once. What is left to
	// end then is the session's, and nobody waits for it. Nil: it cannot.
	fill func(ctx context.Context, b *bench, p pair) (session, error)

	oneWay bool // what is made in the container stays there
	direct bool // it speaks to the engine itself, so no link can be put between
	share  bool // the container works on the host's own directory
	model  bool // it stands in for the shares of macOS and is none
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

// told is a session that acts only when it is told to.
type told interface {
	tell(ctx context.Context) error
}

// tell makes a session do its work, where it does not by itself.
func tell(ctx context.Context, s session) error {
	if t, ok := s.(told); ok {
		return t.tell(ctx)
	}
	return nil
}

// tools lists all, in the order in which they run.
var tools = []tool{
	{name: "floor", find: findFloor, start: startFloor},
	{name: "tar", find: findTar, ready: readyTar, fill: fillTar},
	{name: "cp", find: findCopy, ready: readyCopy, fill: fillCopy, direct: true},
	{name: mainTool, find: findTwosync, ready: readyTwosync, start: startTwosync, fill: fillBy(startTwosync)},
	{name: "mutagen", find: findMutagen, ready: readyMutagen, start: startMutagen, fill: fillBy(startMutagen)},
	{name: "unison", find: findUnison, ready: readyUnison, start: startUnison, fill: fillBy(startUnison)},
	{name: "watch", find: findWatch, start: startWatch, fill: fillBy(startWatch), oneWay: true, direct: true},
	{name: "rsync", find: findRsync, ready: readyRsync, start: startRsync, fill: fillBy(startRsync), oneWay: true},
	{name: "bind", find: findBind, start: startShare, share: true},
	{name: "slowfs0", find: findSlowFS("0s"), start: startShare, share: true, model: true},
	{name: "slowfs60", find: findSlowFS("60us"), start: startShare, share: true, model: true},
	{name: "bindfs", find: findBindFS, start: startShare, share: true, model: true},
	{name: "sshfs", find: findSSHFS, start: startShare, share: true, model: true},
}

// find returns the tool of a name.
func find(name string) (tool, bool) {
	i := indexOf(tools, func(t tool) bool { return t.name == name })
	if i < 0 {
		return tool{}, false
	}
	return tools[i], true
}

// choose finds the named tools on this machine, and says what is left out.
func (b *bench) choose(ctx context.Context, names []string) error {
	return b.keepUsable(ctx, names, func(t tool) error { return t.find(ctx, b) })
}

// makeReady gets the tools ready that were found, now that the container runs.
func (b *bench) makeReady(ctx context.Context) error {
	found := names(b.tools, func(t tool) string { return t.name })
	return b.keepUsable(ctx, found, func(t tool) error {
		if t.ready == nil {
			return nil
		}
		return t.ready(ctx, b)
	})
}

func (b *bench) keepUsable(ctx context.Context, names []string, check func(t tool) error) error {
	b.tools = nil
	for _, t := range tools {
		if !slices.Contains(names, t.name) || t.share && !b.usesShares() {
			continue
		}
		if err := check(t); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.leaveOut("%s: %v", t.name, err)
			continue
		}
		b.tools = append(b.tools, t)
	}
	return nil
}

// usesShares says whether a workload has a part for shares.
func (b *bench) usesShares() bool { return b.wants("save") || b.wants("inside") || b.wants("event") }

// leaveOut says what is not measured, and why.
func (b *bench) leaveOut(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	b.say("without %s", text)
	b.missing = append(b.missing, text)
}

// version asks a command for its version.
func version(ctx context.Context, args ...string) (string, error) {
	if _, err := exec.LookPath(args[0]); err != nil {
		return "", fmt.Errorf("no %s on this machine", args[0])
	}
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
	if err != nil {
		return "", fmt.Errorf("%s does not say its version: %w", args[0], err)
	}
	return versionLine(string(out), args[0]), nil
}

// versionLine is the first line that names the command: some name first what they
// are built on. Without such a line it is the first.
func versionLine(text, command string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, l := range lines {
		if strings.HasPrefix(strings.ToLower(l), command) {
			return strings.TrimSpace(l)
		}
	}
	return strings.TrimSpace(lines[0])
}

// fillBy fills with a session that has nothing else to do.
func fillBy(start func(context.Context, *bench, pair, direction, options) (session, error)) func(context.Context, *bench, pair) (session, error) {
	return func(ctx context.Context, b *bench, p pair) (session, error) {
		return start(ctx, b, p, toContainer, options{})
	}
}

// silent is a session that does not say when the sides are the same: it had to be
// seen, and what was done to see it comes after.
type silent interface {
	wasSeen() seen
}

// filledAt is when a session that has just started had brought everything.
func filledAt(s session) time.Time {
	if s, ok := s.(silent); ok {
		return s.wasSeen().alike
	}
	return time.Now()
}

// startedAt is when a session that has just started had nothing to bring, and knew
// it: a silent one has to show that it works.
func startedAt(s session) time.Time {
	if s, ok := s.(silent); ok {
		return s.wasSeen().reached
	}
	return time.Now()
}

func indexOf[T any](all []T, is func(T) bool) int {
	for i := range all {
		if is(all[i]) {
			return i
		}
	}
	return -1
}
