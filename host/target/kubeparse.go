package target

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/twosync/twosync/host/agents"
)

const (
	podKind = "pod"

	kubeForms = "write k8s://NAMESPACE/POD:/PATH or k8s://NAMESPACE/KIND/NAME:/PATH, " +
		"k8s:/// for the current namespace, ?container=NAME at the end, or NAME:/PATH --k8s"
)

var (
	// kubeName is what Kubernetes accepts as a name. It also keeps a name from
	// being taken for an option.
	kubeName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	kubeKind = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9.]*$`)
)

// kinds have pods, and short names that kubectl takes.
var kinds = map[string][]string{
	podKind:                 {"po", "pods"},
	"deployment":            {"deploy", "deployments", "deployment.apps", "deployments.apps"},
	"statefulset":           {"sts", "statefulsets", "statefulset.apps", "statefulsets.apps"},
	"daemonset":             {"ds", "daemonsets", "daemonset.apps", "daemonsets.apps"},
	"replicaset":            {"rs", "replicasets", "replicaset.apps", "replicasets.apps"},
	"replicationcontroller": {"rc", "replicationcontrollers"},
	"job":                   {"jobs", "job.batch", "jobs.batch"},
	"service":               {"svc", "services"},
}

// kindOf is the one word for a kind; what is unknown here is for kubectl to say.
func kindOf(typed string) string {
	typed = strings.ToLower(typed)
	for kind, others := range kinds {
		if typed == kind || slices.Contains(others, typed) {
			return kind
		}
	}
	return typed
}

// ParseKube reads a target on a cluster, k8s://… or, where short is true, also
// NAME:/PATH and KIND/NAME:/PATH. It asks nobody: that is what Pin is for.
func ParseKube(text string, short bool, flags KubeFlags, say func(string)) (*Kube, error) {
	if say == nil {
		say = func(string) {}
	}
	k := &Kube{KubeFlags: flags, say: say, find: agents.Find}
	rest, full := strings.CutPrefix(text, kubeScheme)
	if !full && (!short || strings.Contains(text, "://")) {
		return nil, kubeUsage(text, "is no target on a cluster")
	}
	if strings.ContainsRune(text, 0) {
		return nil, kubeUsage(text, "holds a zero byte")
	}
	name, dir, ok := strings.Cut(rest, ":/")
	if !ok {
		return nil, kubeUsage(text, "has no :/PATH")
	}
	dir, err := k.cutQueries(text, dir)
	if err != nil {
		return nil, err
	}
	if k.Path = path.Clean("/" + dir); k.Path == "/" {
		return nil, kubeUsage(text, "is all of a container, which cannot be synced: name a directory in it")
	}
	if full {
		namespace, what, ok := strings.Cut(name, "/")
		if !ok {
			return nil, kubeUsage(text, "names no pod after the namespace")
		}
		if err := k.setNamespace(text, namespace); err != nil {
			return nil, err
		}
		name = what
		k.Kind = podKind
	}
	return k, k.setName(text, name)
}

func kubeUsage(text, why string) error {
	return &UsageError{Msg: fmt.Sprintf("target %q %s", text, why), Remedy: kubeForms}
}

// cutQueries takes what stands behind the path. A question mark that begins none
// of ours is part of the path.
func (k *Kube) cutQueries(text, dir string) (string, error) {
	i := strings.LastIndexByte(dir, '?')
	if i < 0 {
		return dir, nil
	}
	known := k.queries()
	for pair := range strings.SplitSeq(dir[i+1:], "&") {
		name, value, ok := strings.Cut(pair, "=")
		at := slices.IndexFunc(known, func(q query) bool { return q.name == name })
		if !ok || at < 0 {
			return dir, nil
		}
		if value == "" || name == "container" && !kubeName.MatchString(value) {
			return "", kubeUsage(text, fmt.Sprintf("has %q, which names no %s", pair, name))
		}
		if set := *known[at].value; set != "" && set != value {
			return "", kubeUsage(text, fmt.Sprintf("says %s, and the flag says %s", pair, set))
		}
		*known[at].value = value
	}
	return dir[:i], nil
}

func (k *Kube) setNamespace(text, namespace string) error {
	switch {
	case namespace == "":
		return nil
	case !kubeName.MatchString(namespace):
		return kubeUsage(text, fmt.Sprintf("names no namespace: %q cannot be one", namespace))
	case k.Namespace != "" && k.Namespace != namespace:
		return kubeUsage(text, fmt.Sprintf("is in the namespace %s, and the flag says %s", namespace, k.Namespace))
	}
	k.Namespace = namespace
	return nil
}

func (k *Kube) setName(text, name string) error {
	if kind, rest, ok := strings.Cut(name, "/"); ok {
		if !kubeKind.MatchString(kind) {
			return kubeUsage(text, fmt.Sprintf("names no kind: %q cannot be one", kind))
		}
		k.Kind, name = kindOf(kind), rest
	}
	if !kubeName.MatchString(name) {
		return kubeUsage(text, fmt.Sprintf("names no pod: %q cannot be one", name))
	}
	k.Name = name
	return nil
}
