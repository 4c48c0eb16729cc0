package target

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/twosync/twosync/host/agents"
)

// bakedPaths are where an image, or an init container, can leave an agent.
var bakedPaths = []string{"/usr/local/bin/" + agentName, "/" + agentName, BakedDir + "/" + agentName}

// BakedDir is where the volume is mounted that an init container fills.
const BakedDir = "/twosync"

// unames are what machines call themselves.
var unames = map[string]string{
	"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv6l": "arm", "armv7l": "arm", "armv8l": "arm",
	"i386": "386", "i486": "386", "i586": "386", "i686": "386",
	"riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x",
	"amd64": "amd64", "arm": "arm", "386": "386", // agents say it in Go's words
}

// ways are those into a container: a shell where there is one, else an agent that
// is there already.
func (k *Kube) ways() [][]string {
	if k.AgentPath != "" {
		return [][]string{{k.AgentPath, "deliver"}}
	}
	ways := [][]string{{"sh", "-c", script(), "sh"}, {"/busybox/sh", "-c", script(), "sh"}, {agentName, "deliver"}}
	for _, path := range bakedPaths {
		ways = append(ways, []string{path, "deliver"})
	}
	return ways
}

// enter starts the agent in a pod by the first way that there is, the one that
// worked before first.
func (k *Kube) enter(ctx context.Context, p *pod, args []string) (*Pipe, error) {
	container, err := k.container(p)
	if err != nil {
		return nil, err
	}
	ways := k.ways()
	order := []int{min(k.way, len(ways)-1)}
	for i := range ways {
		if i != order[0] {
			order = append(order, i)
		}
	}
	for _, i := range order {
		pipe, err := k.deliver(ctx, p, container, ways[i], args)
		if causeOf(err) != notThere {
			k.way = i
			return pipe, err
		}
	}
	return nil, k.noWay(p)
}

func (k *Kube) noWay(p *pod) error {
	if k.AgentPath != "" {
		return &Error{
			Msg:    fmt.Sprintf("there is no agent at %s in pod %s", k.AgentPath, p.Metadata.Name),
			Remedy: "correct --agent-path, or leave it away to have the agent found or brought",
			cause:  cannotCopy,
		}
	}
	return &Error{
		Msg:    fmt.Sprintf("nothing in pod %s can receive the agent: its image has no shell", p.Metadata.Name),
		Remedy: remedies, cause: cannotCopy,
	}
}

// remedies are the two ways where nothing can be brought into a container.
const remedies = "put it into the image: `twosync agent export " + agentName + "`, and in its Dockerfile `COPY " +
	agentName + " /usr/local/bin/`; or have an init container bring it: `twosync agent manifest` prints that"

// deliver tries one way, and one place after the other.
func (k *Kube) deliver(ctx context.Context, p *pod, container string, way, args []string) (*Pipe, error) {
	places := k.places(p, container)
	var first error
	for len(places) > 0 {
		d := &delivery{need: k.bringing(p)}
		d.agent = func(machine string) (agents.Agent, error) { return k.agent(ctx, machine) }
		exec := k.kubectl("exec", "-i", p.Metadata.Name, "--container="+container, "--")
		serve := append([]string{"serve", "--root", k.Path}, args...)
		pipe, err := d.run(ctx, slices.Concat(exec, way, []string{strings.Join(places, ":"), strings.Join(k.baked(), ":")}, serve))
		if at, ok := there(err); ok {
			path := path.Join(at, folder(d.sent), agentName)
			pipe, err = d.run(ctx, slices.Concat(exec, []string{path}, serve))
			if err != nil && causeOf(k.explain(err)) == notThere {
				err = &deliveryError{what: "bad", old: "-", place: at, why: "permission denied"} // a noexec mount
			}
		}
		if err == nil {
			return k.checked(p, d, pipe)
		}
		err = k.undelivered(p, d, err)
		var bad *deliveryError
		if !errors.As(err, &bad) || bad.what != "bad" {
			return nil, prefer(first, err)
		}
		if first == nil {
			first = err
		}
		if causeOf(err) == wrongMachine {
			break
		}
		places = slices.DeleteFunc(places, func(at string) bool { return at == bad.place })
	}
	return nil, first
}

// there says where an agent that takes in ours has put it.
func there(err error) (place string, ok bool) {
	var e *deliveryError
	ok = errors.As(err, &e) && e.what == "there"
	if ok {
		place = e.place
	}
	return place, ok
}

// prefer returns what went wrong in the first place that could have been one.
func prefer(first, err error) error {
	var d *deliveryError
	if first != nil && errors.As(err, &d) {
		return first
	}
	return err
}

func (k *Kube) baked() []string {
	if k.AgentPath != "" {
		return []string{k.AgentPath}
	}
	return bakedPaths
}

// agent is the one for a machine, as it calls itself.
func (k *Kube) agent(ctx context.Context, machine string) (agents.Agent, error) {
	arch := unames[machine]
	switch {
	case machine == "": // nobody says: most likely the host's
		arch = runtime.GOARCH
	case arch == "":
		return agents.Agent{}, &Error{
			Msg:    fmt.Sprintf("%s runs on a machine that twosync does not know: %s", k.Name, machine),
			Remedy: "name an agent that you have built for it in " + agents.Override,
			cause:  wrongMachine,
		}
	}
	a, err := k.find(ctx, "linux", arch, k.say)
	var missing *agents.Error
	if errors.As(err, &missing) {
		return a, &Error{Msg: missing.Error(), Remedy: missing.Remedy, Err: err, cause: noAgentHere}
	}
	return a, err
}

// bringing says what is done about an agent of another version.
func (k *Kube) bringing(p *pod) func(old, place string) {
	return func(old, place string) {
		if old != "-" && old != "" {
			k.once(fmt.Sprintf("the agent at %s in pod %s is of another version: this one's is put into %s beside it",
				old, p.Metadata.Name, place))
		}
	}
}

// checked accepts the agent of this host only.
func (k *Kube) checked(p *pod, d *delivery, pipe *Pipe) (*Pipe, error) {
	if pipe.Greeting.SHA256 == d.sent.SHA256 {
		pipe.noise = kubectlSays
		return pipe, nil
	}
	_ = pipe.Close()
	return nil, &Error{
		Msg:    fmt.Sprintf("another agent than ours answered in pod %s (%.6x)", p.Metadata.Name, pipe.Greeting.SHA256),
		Remedy: "look at what is at .twosync/agent in the container", cause: otherAgent,
	}
}

// undelivered puts what went wrong into words.
func (k *Kube) undelivered(p *pod, d *delivery, err error) error {
	var e *deliveryError
	if !errors.As(err, &e) {
		return k.explain(err)
	}
	name := p.Metadata.Name
	said := &Error{Err: e, Remedy: remedies, cause: cannotCopy}
	why := oneLine(e.why)
	switch low := strings.ToLower(why); {
	case e.what == "nowhere":
		said.Msg = fmt.Sprintf("the agent cannot be put into pod %s: its user can write nowhere", name)
		said.Remedy = "mount an emptyDir, for example on /tmp; or " + remedies
	case e.what == "lacks":
		said.Msg = fmt.Sprintf("the agent cannot be put into pod %s: its image lacks %s", name, why)
	case strings.Contains(low, "no space") || strings.Contains(low, "quota") || strings.HasPrefix(low, "head: "):
		said.Msg = fmt.Sprintf("the agent cannot be written to %s in pod %s: %s", e.place, name, why)
		said.Remedy = "make room for 4 MB there, or mount an emptyDir, for example on /tmp"
	case strings.Contains(low, "permission denied"):
		said.Msg = fmt.Sprintf("the agent cannot run from %s in pod %s: nothing may be executed there", e.place, name)
		said.Remedy = "mount an emptyDir, for example on /tmp; or " + remedies
	default:
		said.Msg = fmt.Sprintf("the agent for linux/%s does not run in pod %s: %s", d.sent.GOARCH, name, why)
		said.Remedy = "name one that you have built for its machine in " + agents.Override + ", or unset that"
		said.cause = wrongMachine
	}
	if e.old != "-" && e.what != "bad" {
		said.Msg += fmt.Sprintf("; and the one at %s is of another version", e.old)
	}
	return said
}
