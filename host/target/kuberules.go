package target

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// kubeRules are tried in this order. The words are those of kubectl 1.20 to 1.34,
// of the servers behind it, and of runc and crun.
var kubeRules = []rule{
	{
		cause: noContext,
		words: []string{"cannot locate context", "context was not found", "does not exist in kubeconfig", "no context exists"},
		msg:   "kubectl knows no such context: {line}", remedy: "list those that there are: kubectl config get-contexts",
	},
	{
		cause: noContext,
		words: []string{"error loading config file", "error: stat ", "invalid configuration", "unable to load root certificates"},
		msg:   "kubectl's configuration cannot be used: {line}", remedy: "`kubectl get pods` must work first",
	},
	{
		cause: noAccess,
		words: []string{"you must be logged in", "(unauthorized)", "getting credentials: exec"},
		msg:   "the cluster does not know who you are: {line}", remedy: "log in again: `kubectl get pods` must work first",
	},
	{
		cause: noEngine, temporary: true,
		words: []string{"the connection to the server", "unable to connect to the server", "connection refused",
			"i/o timeout", "tls handshake timeout", "context deadline exceeded", "no such host", "unexpected eof",
			"(serviceunavailable)", "(internalerror)", "currently unable to handle the request", "etcdserver:",
			"close 1006", "connection reset", "error dialing backend", "apiserver not ready", "http2: client connection"},
		msg: "the cluster cannot be reached: {line}", remedy: "`kubectl get pods` must work first",
	},
	{
		cause: noNamespace,
		words: []string{"namespaces \"{namespace}\" not found"},
		msg:   "there is no namespace {namespace}", remedy: "list those that there are: kubectl get namespaces",
	},
	{
		cause: noContainer, temporary: true,
		words: []string{"(notfound)"},
		msg:   "there is no {kind} {name} in the namespace {namespace}", remedy: "list those that there are: kubectl get {kind}s -n {namespace}",
	},
	{
		cause: refused,
		words: []string{"doesn't have a resource type"},
		msg:   "the cluster knows no kind {kind}", remedy: "name a pod, deployment, statefulset, daemonset, replicaset, job or service",
	},
	{
		cause: notThere,
		words: []string{"executable file not found", "executable file `", ": no such file or directory: unknown", ": permission denied: unknown"},
		msg:   "there is no such program in {name}",
	},
	{
		cause: notRunning, temporary: true,
		words: []string{"container not found", "completed pod", "is not running", "container is not created or running",
			"cannot exec in a stopped", "not in running state", "unable to upgrade connection", "container_exited"},
		msg: "the container of {kind} {name} does not run: {line}", remedy: "see why: kubectl describe {kind} -n {namespace} {name}",
	},
	{
		cause: wrongMachine,
		words: []string{"exec format error"},
		msg:   "what is in {name} is for another machine: {line}",
	},
}

// explain turns kubectl's reply into the *Error that the user sees.
func (k *Kube) explain(err error) error {
	var r *reply
	if !errors.As(err, &r) {
		return err // ctx's
	}
	switch {
	case errors.Is(r, exec.ErrNotFound):
		return &Error{
			Msg:    "the kubectl command was not found",
			Remedy: "install kubectl, or add its folder to PATH",
			Err:    r, cause: noDocker,
		}
	case errors.Is(r, errLate):
		return &Error{
			Msg:       "kubectl gave no answer in time",
			Remedy:    "see if the cluster or the pod's node is busy or gone: kubectl get nodes",
			Temporary: true, Err: r, cause: timedOut,
		}
	}
	text := strings.ToLower(r.text)
	if e := k.forbidden(r); e != nil {
		return e
	}
	for _, rule := range kubeRules {
		for _, w := range rule.words {
			if strings.Contains(text, strings.ToLower(k.fill(w, r))) {
				return &Error{
					Msg: k.fill(rule.msg, r), Remedy: k.fill(rule.remedy, r),
					Temporary: rule.temporary, Err: r, cause: rule.cause,
				}
			}
		}
	}
	return k.other(r)
}

func (k *Kube) fill(s string, r *reply) string {
	return strings.NewReplacer(
		"{name}", k.Name, "{kind}", k.Kind, "{namespace}", k.Namespace, "{line}", kubeLine(r.text),
	).Replace(s)
}

// kubeLine is the line of what kubectl printed that says it: after its log, and
// what it took for granted.
func kubeLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !klog.MatchString(line) && !strings.HasPrefix(line, "command terminated with") {
			last = line
			if strings.HasPrefix(strings.ToLower(line), "error") {
				break
			}
		}
	}
	return oneLine(last)
}

// klog is how a line of kubectl's log begins.
var klog = regexp.MustCompile(`^[EWI][0-9]{4} `)

// kubectlSays reports whether a line is kubectl's own, and not of the program
// that it runs.
func kubectlSays(line string) bool {
	for _, own := range []string{"command terminated with", "error: ", "Error from server", "warning: ", "Warning: ", "Unable to "} {
		if strings.HasPrefix(line, own) {
			return true
		}
	}
	return klog.MatchString(line)
}

// denied is what a cluster says that lets somebody do less than this.
var denied = regexp.MustCompile(`User "([^"]*)" cannot (\w+) resource "([^"]*)" in API group "([^"]*)"`)

// forbidden names the rule that is missing, to be pasted.
func (k *Kube) forbidden(r *reply) error {
	m := denied.FindStringSubmatch(r.text)
	if m == nil {
		return nil
	}
	verbs := m[2]
	if m[3] == "pods/exec" {
		verbs = "get, create" // which one, is a matter of kubectl's and the server's age
	} else if m[3] == "pods" {
		verbs = "get, list, watch"
	}
	return &Error{
		Msg: fmt.Sprintf("%s may not %s %s in the namespace %s", m[1], m[2], m[3], k.Namespace),
		Remedy: fmt.Sprintf(`have this rule added to a role of theirs: - {apiGroups: ["%s"], resources: ["%s"], verbs: [%s]}`,
			m[4], m[3], verbs),
		Err: r, cause: noAccess,
	}
}

// other explains what no rule knows, in kubectl's words.
func (k *Kube) other(r *reply) error {
	e := &Error{Err: r, Temporary: true, Remedy: fmt.Sprintf("look at it: kubectl describe %s -n %s %s", k.Kind, k.Namespace, k.Name)}
	switch line := kubeLine(r.text); {
	case line == "" || r.status == 137 || r.status == 143:
		// Kubectl ends with 0 and without a word where a kubelet or a runtime ends.
		e.cause = ended
		e.Msg = fmt.Sprintf("the agent in %s ended before it greeted (exit status %d)", k.Name, r.status)
	default:
		e.cause = notGreeted
		e.Msg = fmt.Sprintf("something else than the agent answered in %s: %s", k.Name, line)
	}
	return e
}
