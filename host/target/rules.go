package target

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// A cause is a failure of the engine's that we know what to do about.
type cause int

const (
	unknown cause = iota
	noDocker
	noEngine
	noAccess
	noContext
	noNamespace
	noAgentHere // nor can one be built
	noContainer
	notRunning
	noUser
	wrongMachine
	notThere   // no agent was found in the container
	notStarted // the agent could not be executed
	notGreeted // something else answered
	otherAgent // an agent of another version answered
	readOnly   // the file system that the agent would be copied to
	cannotCopy // for another reason
	ended      // before it greeted, with nothing to say
	refused    // by the engine, in words that no other rule knows
	timedOut
)

func causeOf(err error) cause {
	var e *Error
	if errors.As(err, &e) {
		return e.cause
	}
	return unknown
}

// Where a rule applies, by the exit status of the command.
type where int

const (
	anywhere where = iota
	starting       // 126 or 127: the container was reached, the program did not start
	reaching       // any other: docker itself speaks
)

// A rule recognises one failure by docker's words and puts it into ours.
type rule struct {
	cause     cause
	where     where
	temporary bool
	words     []string // any of them, in lower case
	msg       string   // {name}, {user}, {path} and {line} are filled in
	remedy    string
}

// rules are tried in this order. The words are those of Docker 20.10 and 28, of
// runc, crun and podman's docker command.
var rules = []rule{
	{
		cause: wrongMachine,
		words: []string{"exec format error"},
		msg:   "{name} is for a machine that there is no agent for",
		remedy: "twosync has agents for linux/amd64 and linux/arm64; " +
			"name another in TWOSYNC_AGENT if you have built one",
	},
	{
		cause:  noUser,
		words:  []string{"unable to find user", "unable to find group", "no matching entries in passwd file"},
		msg:    "{name} does not know the user {user}",
		remedy: "use a number: an id needs no entry in the container's /etc/passwd",
	},
	{
		cause: notRunning, temporary: true,
		words: []string{"is not running", "container not running", "marked for removal",
			"cannot exec in a stopped", "cannot exec a container that has stopped", "procready not received"},
		msg:    "container {name} is not running",
		remedy: "start it: docker start {name}",
	},
	{
		cause: notThere, where: starting,
		words: []string{"executable file not found", "no such file or directory"},
		msg:   "there is no agent in {name}",
	},
	{
		cause: notRunning, where: reaching, temporary: true,
		words:  []string{"is restarting"},
		msg:    "container {name} is restarting",
		remedy: "if that goes on, see why: docker logs {name}",
	},
	{
		cause: notRunning, where: reaching, temporary: true,
		words:  []string{"is paused"},
		msg:    "container {name} is paused",
		remedy: "let it go on: docker unpause {name}",
	},
	{
		cause: noContainer, where: reaching, temporary: true,
		words:  []string{"no such container"},
		msg:    "there is no container {name}",
		remedy: "list those that there are: docker ps -a",
	},
	{
		cause: noAccess, where: reaching,
		words:  []string{"permission denied while trying to connect"},
		msg:    "this user may not use the Docker engine",
		remedy: "join the group docker and log in again, or name an engine of your own in DOCKER_HOST",
	},
	{
		cause: noContext, where: reaching,
		words:  []string{"context not found", "unable to resolve docker endpoint"},
		msg:    "docker's context cannot be used: {line}",
		remedy: "list those that there are: docker context ls; and see DOCKER_CONTEXT and DOCKER_HOST",
	},
	{
		cause: noEngine, where: reaching, temporary: true,
		words: []string{"cannot connect to the docker daemon", "error during connect", "is the docker daemon running",
			"failed to connect to the docker api", "connection refused", "connection reset"},
		msg:    "the Docker engine cannot be reached: {line}",
		remedy: "is Docker running? `docker version` must work first",
	},
	{
		cause: readOnly, where: reaching,
		words: []string{"read-only"},
		msg:   "the agent cannot be copied into {name}: its root file system is read-only",
	},
	{
		cause: cannotCopy, where: reaching,
		words:  []string{"no space left on device", "quota exceeded"},
		msg:    "the agent cannot be copied into {name}: no space is left for 4 MB",
		remedy: "free some in the container, or on the disk of the Docker engine: docker system df",
	},
	{
		cause: refused, where: reaching,
		words:  []string{"error response from daemon"},
		msg:    "docker refused: {line}",
		remedy: "look at the container: docker inspect {name}",
	},
}

// explain turns the reply to a command into the *Error that the user sees.
func (d *Docker) explain(err error) error {
	var r *reply
	if !errors.As(err, &r) {
		return err // ctx's
	}
	switch {
	case errors.Is(r, exec.ErrNotFound):
		return &Error{
			Msg:    "the docker command was not found",
			Remedy: "install Docker, or add the folder of its command to PATH",
			Err:    r, cause: noDocker,
		}
	case errors.Is(r, errLate):
		return &Error{
			Msg:       "docker gave no answer in time",
			Remedy:    "see if the engine is busy or far away: docker info",
			Temporary: true, Err: r, cause: timedOut,
		}
	}
	text := strings.ToLower(r.text)
	for _, rule := range rules {
		if rule.applies(r.status, text) {
			return &Error{
				Msg:       d.fill(rule.msg, r),
				Remedy:    d.fill(rule.remedy, r),
				Temporary: rule.temporary, Err: r, cause: rule.cause,
			}
		}
	}
	return d.other(r)
}

func (r rule) applies(status int, text string) bool {
	starts := status == 126 || status == 127
	if r.where == starting && !starts || r.where == reaching && starts {
		return false
	}
	return slices.ContainsFunc(r.words, func(w string) bool { return strings.Contains(text, w) })
}

func (d *Docker) fill(s string, r *reply) string {
	return strings.NewReplacer(
		"{name}", d.name(), "{user}", d.User, "{path}", d.Path, "{line}", oneLine(r.text),
	).Replace(s)
}

// other explains what no rule knows, in docker's words.
func (d *Docker) other(r *reply) error {
	e := &Error{Err: r, Remedy: "look at the container: docker logs " + d.name()}
	switch line := oneLine(r.text); {
	case r.status == 126 || r.status == 127:
		e.cause = notStarted
		e.Msg = fmt.Sprintf("the agent cannot be started in %s: %s", d.name(), line)
	case r.status == 137 || r.status == 143: // killed, as when the container stops
		e.cause, e.Temporary = ended, true
		e.Msg = fmt.Sprintf("the agent in %s was killed as it started", d.name())
	case line == "":
		e.cause = ended
		e.Msg = fmt.Sprintf("the agent in %s ended before it greeted (exit status %d)", d.name(), r.status)
	default:
		e.cause = notGreeted
		e.Msg = fmt.Sprintf("something else than the agent answered in %s: %s", d.name(), line)
	}
	return e
}

// oneLine returns the first line of text that says something.
func oneLine(text string) string {
	const most = 300 // some rows of a terminal
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if runes := []rune(line); len(runes) > most {
			line = string(runes[:most]) + "..."
		}
		if line != "" {
			return line
		}
	}
	return ""
}
