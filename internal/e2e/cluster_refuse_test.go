//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A refusal is something that cannot work: how up is called, and what it says.
type refusal struct {
	target      string
	flags       []string
	environment []string
	code        int
	words       []string
}

// refused plays refusals, and fails the test if anything has changed.
func refused(t *testing.T, all map[string]refusal) {
	t.Helper()
	for name, x := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newClusterPlace(t, x.environment...)
			u := onHost(t, p.dir)
			source(u)
			before := u.tree()
			if x.code == 0 {
				x.code = failed
			}
			p.refuses(x.code, x.words, x.target, x.flags...)
			same(t, "host before, but after", before, u.tree())
		})
	}
}

// What is wrong with names.
//
// where: Kubernetes, any pod: a name that is none, of a pod, container, kind, namespace or context, is explained
func TestPodRefusesNames(t *testing.T) {
	t.Parallel()
	pod := newPod(t, plan{recipe: busybox, containers: []string{"main", "side"}})
	refused(t, map[string]refusal{
		"no_pod":         {target: "k8s:///" + pod + "x:/app", words: []string{"no pod " + pod + "x", "did you mean " + pod + "?"}},
		"no_deployment":  {target: "k8s:///deployment/nobody:/app", words: []string{"no deployment nobody", "kubectl get deployments"}},
		"no_kind":        {target: "k8s:///gizmo/nobody:/app", words: []string{"no kind gizmo", "name a pod"}},
		"no_such_name":   {target: "nobody:/app", flags: []string{"--k8s"}, words: []string{"no pod nobody"}},
		"no_namespace":   {target: "k8s://nowhere/" + pod + ":/app", words: []string{"no namespace nowhere", "kubectl get namespaces"}},
		"no_context":     {target: "k8s:///" + pod + ":/app", flags: []string{"--context", "nope"}, words: []string{"nope", "kubectl config get-contexts"}},
		"no_kubeconfig":  {target: "k8s:///" + pod + ":/app", flags: []string{"--kubeconfig", "/nope"}, words: []string{"configuration cannot be used", "/nope", "kubectl get pods"}},
		"two_containers": {target: "k8s:///" + pod + ":/app", words: []string{"main, side", "?container=main"}},
		"no_container":   {target: "k8s:///" + pod + ":/app?container=nope", words: []string{"no container nope", "main, side"}},
		"not_a_target":   {target: "k8s:///" + pod, code: usage, words: []string{"no :/PATH", "k8s://NAMESPACE/POD:/PATH"}},
		"flag_alone":     {target: "web:/app", flags: []string{"--context", "x"}, code: usage, words: []string{"--context", "--k8s"}},
		"all_of_it":      {target: "k8s:///" + pod + ":/", code: usage, words: []string{"all of a container"}},
		"no_kubectl":     {target: "k8s:///" + pod + ":/app", environment: []string{"PATH=/nonexistent"}, words: []string{"kubectl command was not found", "install"}},
	})
}

// What is wrong with permissions, and a cluster that is not there.
//
// where: Kubernetes, any pod: the rule that a user lacks is named
func TestPodRefusesUsers(t *testing.T) {
	t.Parallel()
	pod := newPod(t, plan{recipe: busybox})
	name := newName()
	kubectl(t, "create", "role", name, "--verb=get", "--resource=pods")
	kubectl(t, "create", "rolebinding", name, "--role="+name, "--user=half")
	t.Cleanup(func() { kubectl(t, "delete", "role,rolebinding", name) })
	as := func(user string) string { return kubeconfig(t, "user: {client-", "user: {as: "+user+", client-") }
	refused(t, map[string]refusal{
		"may_not_see": {target: "k8s:///" + pod + ":/app", flags: []string{"--kubeconfig", as("nobody")},
			words: []string{"nobody may not get pods", `- {apiGroups: [""], resources: ["pods"], verbs: [get, list, watch]}`}},
		"may_not_exec": {target: "k8s:///" + pod + ":/app", flags: []string{"--kubeconfig", as("half")},
			words: []string{"half may not create pods/exec", `- {apiGroups: [""], resources: ["pods/exec"], verbs: [get, create]}`}},
		"no_cluster": {target: "k8s:///" + pod + ":/app", flags: []string{"--kubeconfig", kubeconfig(t, "https://127.0.0.1:", "https://127.0.0.2:")},
			words: []string{"cannot be reached", "127.0.0.2"}},
	})
}

// kubeconfig is the cluster's with something put in the place of something else.
func kubeconfig(t *testing.T, old, new string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text, err := os.ReadFile(cluster.Kubeconfig())
	must(t, err)
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), old, new)), 0o600))
	return file
}

// What is wrong with pods.
//
// where: Kubernetes, any pod: one that is pending, completed or crashing is explained
func TestPodRefusesStates(t *testing.T) {
	t.Parallel()
	needCluster(t)
	make := func(p plan, ready string) string {
		name := newName()
		t.Cleanup(func() { deletePod(t, name) })
		o := p.object(t, name)
		if ready == "" { // nobody schedules it
			delete(o["spec"].(object), "nodeName")
			ready = "jsonpath={.status.phase}=Pending"
		}
		apply(t, o)
		kubectl(t, "wait", "--for="+ready, "pod/"+name, "--timeout="+patience.String())
		return name
	}
	waiting := "jsonpath={.status.containerStatuses[0].state.waiting.reason}="
	pending := make(plan{recipe: busybox}, "")
	imageless := make(plan{image: "localhost/nothing:1"}, waiting+"ErrImageNeverPull")
	completed := make(plan{recipe: busybox, never: true, command: []string{"sh", "-c", "exit 0"}}, "jsonpath={.status.phase}=Succeeded")
	failing := make(plan{recipe: busybox, command: []string{"sh", "-c", "exit 1"}}, waiting+"CrashLoopBackOff")
	refused(t, map[string]refusal{
		"pending":   {target: "k8s:///" + pending + ":/app", words: []string{"is pending", "kubectl describe"}},
		"no_image":  {target: "k8s:///" + imageless + ":/app", words: []string{"does not start", "ErrImageNeverPull", "kubectl describe"}},
		"completed": {target: "k8s:///" + completed + ":/app", words: []string{"is completed", "kubectl logs"}},
		"crashing":  {target: "k8s:///" + failing + ":/app", words: []string{"ends whenever it is started", "kubectl logs", "--previous"}},
	})
}

// What is wrong with places: nothing that receives a file, nowhere to put it, no
// room, nothing may be executed; and the directory itself.
//
// where: Kubernetes, hardened pod: a place that is full, read-only or noexec is explained
func TestPodRefusesPlaces(t *testing.T) {
	t.Parallel()
	bare := newPod(t, plan{recipe: scratch})
	noplace := newPod(t, plan{recipe: busybox, hard: true})
	full := newPod(t, plan{recipe: busybox, hard: true, empty: map[string]object{"/work": {"medium": "Memory", "sizeLimit": "1Mi"}}})
	ready := newPod(t, plan{recipe: busybox, hard: true, empty: map[string]object{"/work": {}}})
	file := newPod(t, plan{recipe: recipe{name: "file", links: busyboxLinks(), files: map[string]string{"etc/a-file": "text\n"}}})
	refused(t, map[string]refusal{
		"no_shell":     {target: "k8s:///" + bare + ":/app", words: []string{"no shell", "COPY twosync-agent", "twosync agent manifest"}},
		"nowhere":      {target: "k8s:///" + noplace + ":/app", words: []string{"can write nowhere", "emptyDir", "COPY twosync-agent"}},
		"noexec":       {target: "k8s:///" + noplace + ":/dev/shm/app", words: []string{"nothing may be executed", "emptyDir"}},
		"full":         {target: "k8s:///" + full + ":/work/app", words: []string{"cannot be written to /work", "make room"}},
		"readonly":     {target: "k8s:///" + ready + ":/app", words: []string{"/app", "read-only"}},
		"path_is_file": {target: "k8s:///" + file + ":/etc/a-file", words: []string{"/etc/a-file", "not a directory"}},
		"no_agent_at":  {target: "k8s:///" + ready + ":/work/app", flags: []string{"--agent-path", "/opt/agent"}, words: []string{"no agent at /opt/agent", "--agent-path"}},
		"agent_path":   {target: "k8s:///" + ready + ":/work/app", flags: []string{"--agent-path", "opt"}, code: usage, words: []string{"absolute"}},
		"architecture": {target: "k8s:///" + ready + ":/work/app", environment: []string{"TWOSYNC_AGENT=" + foreignAgent(t)},
			words: []string{"does not run", "TWOSYNC_AGENT"}},
	})
	for _, pod := range []string{bare, noplace} {
		if out, _ := cluster.Kubectl("", "exec", pod, "--", helperPath, "serve", "/app"); strings.Contains(out, "twosync-agent") {
			t.Errorf("there is something of ours in %s: %s", pod, out)
		}
	}
}

// foreignAgent is an agent for a machine that this is not.
func foreignAgent(t *testing.T) string {
	t.Helper()
	arch := "arm64"
	if strings.HasPrefix(kubectl(t, "get", "node", "-o", "jsonpath={.items[0].status.nodeInfo.architecture}"), "arm") {
		arch = "amd64"
	}
	return buildAgent(t, arch)
}

func buildAgent(t *testing.T, arch string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "agent-"+arch)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "../../agent/twosync-agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the agent for %s: %v: %s", arch, err, out)
	}
	return file
}

// A root on which nothing may be executed is synced all the same, if there is
// another place for the agent.
//
// where: Kubernetes, hardened pod: the directory is on a noexec mount
func TestPodRootIsNoexec(t *testing.T) {
	t.Parallel()
	pod := newPod(t, plan{recipe: busybox, hard: true, empty: map[string]object{"/scratch": {}}})
	p := beginWithPod(t, "k8s:///"+pod+":/dev/shm/app", pod, "/dev/shm/app")
	p.inner.write("from inside", "here\n")
	p.settled(t)
	for _, a := range p.agents() {
		if !strings.HasPrefix(a.Args, "/scratch/.twosync/agent/") {
			t.Errorf("the agent is %q, want that it is in the emptyDir", a.Args)
		}
	}
	p.stop()
}
