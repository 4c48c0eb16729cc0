package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/twosync/twosync/host/agents"
)

// Kube is a directory in a container on a Kubernetes cluster. Parse makes one,
// and Pin settles what it stands for before anything else is asked.
type Kube struct {
	KubeFlags
	Kind      string // canonical, "pod" for a pod; "" for whatever has the name
	Name      string // as the user typed it: looked up each time
	Container string // "" for the only one
	Path      string // absolute and clean

	// config
	say  func(string)
	find func(ctx context.Context, goos, goarch string, say func(string)) (agents.Agent, error)

	// state, of the one goroutine that dials
	server   string // where the cluster is, for Key
	selector string // of the pods of Kind and Name
	met      bool   // an agent has greeted once: what is missing is waited for
	last     string // uid of the pod that it was in
	patience int    // how often it was waited for in vain since
	way      int    // into the container, that worked
	told     map[string]bool
}

// KubeFlags are what kubectl is told besides the names.
type KubeFlags struct {
	Context    string
	Kubeconfig string
	Namespace  string
	AgentPath  string // in the container: of an agent that its image carries
}

const kubeScheme = "k8s://"

// String is the form that says all, and can be typed.
func (k *Kube) String() string {
	name := k.Name
	if k.Kind != "" && k.Kind != podKind {
		name = k.Kind + "/" + name
	}
	s := kubeScheme + k.Namespace + "/" + name + ":" + k.Path
	sep := "?"
	for _, q := range k.queries() {
		if *q.value != "" {
			s += sep + q.name + "=" + *q.value
			sep = "&"
		}
	}
	return s
}

// A query is what can stand behind the path.
type query struct {
	name  string
	value *string
}

func (k *Kube) queries() []query {
	return []query{{"container", &k.Container}, {"context", &k.Context}, {"kubeconfig", &k.Kubeconfig}}
}

// Key names the cluster by its address: contexts are names for users.
func (k *Kube) Key() string {
	at := k.server
	if at == "" {
		at = k.Kubeconfig + "#" + k.Context
	}
	return kubeScheme + path.Join(k.Namespace, k.Kind, k.Name) + ":" + k.Path + "?container=" + k.Container + "&at=" + at
}

// Root is the directory in the container.
func (k *Kube) Root() string { return k.Path }

// Pin settles which context and which namespace are meant by those that are in
// use. Whoever changes them in another terminal does not move a running session
// to another cluster. A name without a kind is looked up, too.
func (k *Kube) Pin(ctx context.Context) error {
	out, err := output(ctx, commandDeadline, nil, k.kubectl("config", "view", "--minify", "--output=json"))
	if err != nil && !noCurrentContext(err) {
		return k.explain(err)
	}
	var config struct {
		CurrentContext string `json:"current-context"`
		Contexts       []struct{ Context struct{ Namespace string } }
		Clusters       []struct{ Cluster struct{ Server string } }
	}
	if err == nil {
		if err := json.Unmarshal([]byte(out), &config); err != nil {
			return fmt.Errorf("read kubectl's configuration: %w", err)
		}
		k.Context = config.CurrentContext
	}
	if len(config.Clusters) > 0 {
		k.server = config.Clusters[0].Cluster.Server
	}
	if k.Namespace == "" && len(config.Contexts) > 0 {
		k.Namespace = config.Contexts[0].Context.Namespace
	}
	if k.Namespace == "" && k.Context != "" {
		k.Namespace = "default" // as kubectl has it
	}
	if k.Kind == "" {
		return k.lookUp(ctx)
	}
	return nil
}

// noCurrentContext is what kubectl says where there is no configuration, as in a
// pod that has an account of its own.
func noCurrentContext(err error) bool {
	var r *reply
	return errors.As(err, &r) && strings.Contains(r.text, "current-context must exist")
}

// kubectl is a command of the user's own kubectl, for the cluster and namespace
// that are meant.
func (k *Kube) kubectl(args ...string) []string {
	argv := []string{"kubectl"}
	if k.Kubeconfig != "" {
		argv = append(argv, "--kubeconfig="+k.Kubeconfig)
	}
	if k.Context != "" {
		argv = append(argv, "--context="+k.Context)
	}
	if k.Namespace != "" {
		argv = append(argv, "--namespace="+k.Namespace)
	}
	return append(argv, args...)
}

// get asks the cluster for something, as JSON.
func (k *Kube) get(ctx context.Context, into any, args ...string) error {
	argv := append(k.kubectl("get", "--output=json"), args...)
	out, err := output(ctx, commandDeadline, nil, argv)
	if err != nil {
		return k.explain(err)
	}
	if strings.TrimSpace(out) == "" {
		return nil // --ignore-not-found
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("read what kubectl printed: %w", err)
	}
	return nil
}

// Dial starts the agent in a container of a pod that is meant by the name, and
// puts it there first if need be. Once it was there, Dial waits a while for a pod
// that can be used: a pod that replaces another one is there in a moment.
func (k *Kube) Dial(ctx context.Context, args []string) (*Pipe, error) {
	p, err := k.pod(ctx)
	if k.met && temporary(err) {
		p, err = k.await(ctx)
	}
	if err != nil {
		return nil, err
	}
	pipe, err := k.enter(ctx, p, args)
	if err != nil {
		return nil, err
	}
	k.met, k.last, k.patience = true, p.Metadata.UID, 0
	if k.Kind != podKind {
		k.replaced(pipe, p)
	}
	return pipe, nil
}

// once tells the user something that was decided for them, once.
func (k *Kube) once(text string) {
	if k.told == nil {
		k.told = make(map[string]bool)
	}
	if !k.told[text] {
		k.told[text] = true
		k.say(text)
	}
}
