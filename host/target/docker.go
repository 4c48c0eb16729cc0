package target

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/twosync/twosync/host/agents"
	"github.com/twosync/twosync/protocol"
)

// quiet keeps advertisements out of docker's error texts.
const quiet = "DOCKER_CLI_HINTS=false"

// machines are those that there are agents for.
var machines = []string{"amd64", "arm64"}

// Docker is a directory in a container. Parse makes one.
type Docker struct {
	// config
	User      string // in the container, as docker exec takes it; "" for the container's own
	Container string // as the user typed it: looked up by name each time
	Path      string // absolute and clean
	AgentPath string // in the container: of an agent that its image carries
	engine    string // part of Key: which engine the environment selects
	say       func(string)
	find      func(ctx context.Context, goos, goarch string, say func(string)) (agents.Agent, error)

	// state, of the one goroutine that dials
	standIn string // container that Container, a compose service, stood for
	machine string // that agents were found to run on
}

// String is the short form.
func (d *Docker) String() string {
	if d.User != "" {
		return d.User + "@" + d.Container + ":" + d.Path
	}
	return d.Container + ":" + d.Path
}

// Key leaves out the user: it is the same directory whoever writes to it.
func (d *Docker) Key() string { return dockerScheme + d.Container + d.Path + d.engine }

// Root is the directory in the container.
func (d *Docker) Root() string { return d.Path }

// Dial starts the agent in the container, and puts it there first if need be.
func (d *Docker) Dial(ctx context.Context, args []string) (*Pipe, error) {
	if !startOfID.MatchString(d.name()) {
		p, err := d.dial(ctx, args)
		if causeOf(err) != noContainer {
			return p, err
		}
	}
	var err error
	if d.standIn, err = d.resolve(ctx); err != nil {
		return nil, err
	}
	return d.dial(ctx, args)
}

// name is the container that is meant at the moment.
func (d *Docker) name() string {
	if d.standIn != "" {
		return d.standIn
	}
	return d.Container
}

// dial tries the agent for one machine and, where that cannot run, the other.
func (d *Docker) dial(ctx context.Context, args []string) (*Pipe, error) {
	var tried agents.Agent
	var wrong error
	for _, machine := range d.machines() {
		agent, err := d.find(ctx, "linux", machine, d.say)
		if err != nil {
			return nil, d.noAgent(err)
		}
		if wrong != nil && agent.SHA256 == tried.SHA256 {
			break // the user named this one, for every machine
		}
		p, err := d.dialAgent(ctx, agent, args)
		if err == nil {
			d.machine = machine
		}
		if causeOf(err) != wrongMachine {
			return p, err
		}
		tried, wrong = agent, err
	}
	return nil, wrong
}

// machines lists the likeliest first: where it worked before, else the host's.
func (d *Docker) machines() []string {
	first := d.machine
	if first == "" {
		first = runtime.GOARCH
	}
	if first == machines[1] {
		return []string{machines[1], machines[0]}
	}
	return machines
}

func (d *Docker) noAgent(err error) error {
	var missing *agents.Error
	if !errors.As(err, &missing) {
		return err
	}
	return &Error{Msg: missing.Error(), Remedy: missing.Remedy, Err: err}
}

// dialAgent starts the agent, and installs it if it turns out to be absent.
func (d *Docker) dialAgent(ctx context.Context, agent agents.Agent, args []string) (*Pipe, error) {
	if d.AgentPath != "" {
		p, err := d.exec(ctx, d.AgentPath, agent, args)
		if causeOf(err) == notThere {
			return nil, d.wrongPath(err)
		}
		if causeOf(err) != otherAgent {
			return p, err
		}
	}
	p, err := d.exec(ctx, agentName, agent, args)
	if err == nil || !installHelps(err, agent) {
		return p, err
	}
	if causeOf(err) == otherAgent {
		d.say(fmt.Sprintf("the agent in the image of %s is of another version: this one's is put beside it", d.name()))
	}
	installed := d.install(ctx, agent)
	if installed != nil && causeOf(installed) != cannotCopy {
		return nil, installed
	}
	p, err = d.exec(ctx, agentName, agent, args)
	if installed != nil && err != nil && !temporary(err) {
		return nil, installed // and not because the container went away meanwhile
	}
	if causeOf(err) == notThere {
		return nil, d.hidden(agent, err)
	}
	return p, err
}

func (d *Docker) wrongPath(err error) error {
	return &Error{
		Msg:    fmt.Sprintf("there is no agent at %s in %s", d.AgentPath, d.name()),
		Remedy: "correct --agent-path, or leave it away to have the agent found or brought",
		Err:    err, cause: cannotCopy,
	}
}

func temporary(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Temporary
}

// installHelps reports whether a fresh copy of the agent could answer better
// than what answered now.
func installHelps(err error, agent agents.Agent) bool {
	switch causeOf(err) {
	case notThere, notStarted, notGreeted, otherAgent:
		return true
	case wrongMachine:
		// Our own cannot run here; one that is baked in may be a mistake.
		var r *reply
		return errors.As(err, &r) && !strings.Contains(r.text, folder(agent))
	}
	return false
}

// exec runs whichever agent is in the container, and accepts only this one.
func (d *Docker) exec(ctx context.Context, program string, agent agents.Agent, args []string) (*Pipe, error) {
	argv := []string{"docker", "exec", "-i", "-w", "/", "-e", "PATH=" + d.searchPath(agent)}
	if d.User != "" {
		argv = append(argv, "--user="+d.User)
	}
	argv = append(argv, d.name(), program, "serve", "--root", d.Path)
	p, err := open(ctx, commandDeadline, append(argv, args...), quiet)
	if err != nil {
		return nil, d.explain(err)
	}
	if p.Greeting.SHA256 != agent.SHA256 {
		_ = p.Close()
		return nil, d.otherVersion(p.Greeting)
	}
	return p, nil
}

func (d *Docker) otherVersion(g protocol.Greeting) error {
	return &Error{
		Msg:    fmt.Sprintf("the agent in %s is of another version (%.6x)", d.name(), g.SHA256),
		Remedy: "remove it from the image, or put the agent of this version there",
		cause:  otherAgent,
	}
}

// run gives a command to the engine and returns what it prints. Its errors are
// ctx's, or an *Error.
func (d *Docker) run(ctx context.Context, limit time.Duration, stdin []byte, args ...string) (string, error) {
	out, err := output(ctx, limit, stdin, append([]string{"docker"}, args...), quiet)
	if err != nil {
		return "", d.explain(err)
	}
	return out, nil
}
