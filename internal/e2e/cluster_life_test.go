//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// Every scenario, in both directions, in a pod as clusters make them.
//
// where: Kubernetes, any pod: every way to save, create, delete and rename, in both directions
// where: Kubernetes, hardened pod: every way to save, create, delete and rename, in both directions
func TestPodWays(t *testing.T) {
	long(t)
	for name, p := range map[string]plan{
		"root": {recipe: busybox},
		"hard": hardened,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := newPod(t, p)
			playAll(t, newClusterPlace(t).beginPod("k8s:///"+pod+":/work/app", pod, "/work/app"))
		})
	}
}

// hardened is what clusters with rules make of a developer's container.
var hardened = plan{recipe: busybox, hard: true, empty: map[string]object{"/work": {}}}

// spdy makes kubectl speak what it spoke before WebSocket.
const spdy = "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false"

// transports are the two that kubectl has; what goes wrong differs between them.
func transports(t *testing.T, f func(t *testing.T, environment ...string)) {
	t.Helper()
	t.Run("websocket", func(t *testing.T) { f(t) })
	t.Run("spdy", func(t *testing.T) { f(t, spdy) })
}

// J4: the container of a pod ends and is started again, empty.
//
// where: Kubernetes, hardened pod: the container is restarted under a session
func TestPodContainerRestarted(t *testing.T) {
	t.Parallel()
	pod := newPod(t, hardened)
	p := beginWithPod(t, "k8s:///"+pod+":/work/app", pod, "/work/app")
	p.inner.write("from inside", "before\n")
	p.flush()
	kubectl(t, "exec", pod, "--", "sh", "-c", "kill -TERM 1")
	p.event("lost")
	p.host.write("main.go", "package main // while it was down\n")
	p.back()
	p.enterPod(pod, "/work/app")
	p.settled(t)
	p.inner.holds("main.go", "package main // while it was down\n")
	p.inner.holds("from inside", "before\n") // in the emptyDir
	p.keptNothing()
	p.stop()
}

// J5: a pod is deleted, and its owner makes another one of the same name. While
// the first one ends, twosync stays in it; it does not go back into it.
//
// where: Kubernetes, hardened pod: the pod is deleted, and made again under its name (WebSocket and SPDY)
func TestPodRecreated(t *testing.T) {
	t.Parallel()
	transports(t, func(t *testing.T, environment ...string) {
		t.Parallel()
		pod := newPod(t, hardened)
		p := beginWithPod(t, "k8s:///"+pod+":/work/app", pod, "/work/app", environment...)
		p.inner.write("from inside", "here too\n")
		p.inner.write("main.go", "package main // edited inside, then the pod was deleted\n")
		p.flush()
		before := p.host.tree()
		deletePod(t, pod)
		p.event("lost")
		p.host.write("while it was gone", "gone\n")
		startPod(t, pod, hardened)
		p.back()
		p.enterPod(pod, "/work/app")
		same(t, "host before, but after", before, p.settled(t).without("while it was gone"))
		p.inner.holds("while it was gone", "gone\n")
		p.keptNothing()
		p.inner.remove("lib/a.go")
		p.settled(t)
		p.host.lacks("lib/a.go")
		p.stop()
	})
}

// A user who may do what kubectl exec takes, and no more, is as well off: a pod
// that is gone is then asked for, again and again.
//
// where: Kubernetes, hardened pod: the user may not list or watch pods
func TestPodNoWatch(t *testing.T) {
	t.Parallel()
	pod := newPod(t, hardened)
	name := newName()
	kubectl(t, "create", "role", name, "--verb=get", "--resource=pods")
	kubectl(t, "create", "role", name+"-x", "--verb=create,get", "--resource=pods/exec")
	kubectl(t, "create", "rolebinding", name, "--role="+name, "--user="+name)
	kubectl(t, "create", "rolebinding", name+"-x", "--role="+name+"-x", "--user="+name)
	t.Cleanup(func() { kubectl(t, "delete", "role,rolebinding", name, name+"-x") })
	file := kubeconfig(t, "user: {client-", "user: {as: "+name+", client-")
	p := beginWithPod(t, "k8s:///"+pod+":/work/app?kubeconfig="+file, pod, "/work/app")
	deletePod(t, pod)
	p.event("lost")
	startPod(t, pod, hardened)
	p.back()
	p.enterPod(pod, "/work/app")
	p.settled(t)
	p.keptNothing()
	p.stop()
}

// A pod that is being deleted is not begun with; a session that was in it stays
// until it ends, and loses nothing that is done in it until then.
//
// where: Kubernetes, hardened pod: the pod is being deleted; what is done in it until its end is not lost
func TestPodTerminating(t *testing.T) {
	t.Parallel()
	deaf := hardened
	deaf.command = []string{"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}
	deaf.grace = 15
	pod := newPod(t, deaf)
	p := beginWithPod(t, "k8s:///"+pod+":/work/app", pod, "/work/app")
	kubectl(t, "delete", "pod", pod, "--wait=false")
	p.inner.write("last words", "of a pod that ends\n")
	p.host.write("main.go", "package main // into a pod that ends\n")
	p.settled(t)
	q := newClusterPlace(t)
	q.refuses(failed, []string{pod, "being deleted"}, "k8s:///"+pod+":/work/other")
	p.event("lost")
	p.host.holds("last words", "of a pod that ends\n")
	deletePod(t, pod)
	startPod(t, pod, hardened)
	p.back()
	p.enterPod(pod, "/work/app")
	p.settled(t)
	p.inner.holds("last words", "of a pod that ends\n")
	p.keptNothing()
	p.stop()
}

// deployment makes one that selects pods by a label. There is no controller here
// that makes its pods: the test does.
func deployment(t *testing.T, labels map[string]string) (name string) {
	t.Helper()
	name = newName()
	needCluster(t)
	t.Cleanup(func() { kubectl(t, "delete", "deployment", name) })
	apply(t, object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": name},
		"spec": object{
			"selector": object{"matchLabels": labels},
			"template": object{"metadata": object{"labels": labels}, "spec": object{"containers": []object{{"name": "main", "image": "x"}}}},
		},
	})
	return name
}

// J6: a rollout brings a new image, into which last week's source is baked. The
// old pod is deaf to its end and takes long; the new one is taken as soon as it
// is ready, and nothing of the host's work is undone.
//
// where: Kubernetes, deployment: a rollout to an image with an older source; the new pod is taken when it is ready
func TestPodRollout(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"app": newName()}
	name := deployment(t, labels)
	const minutes = 300 // of seconds: longer than the test may wait
	old := newPod(t, plan{recipe: busybox, labels: labels, grace: minutes,
		command: []string{"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}})
	p := beginWithPod(t, "k8s://default/deployment/"+name+":/app", old, "/app")
	image := p.copyOf()
	must(t, os.WriteFile(filepath.Join(image, "of the image"), []byte("new\n"), 0o644))
	p.host.write("main.go", "package main // this week\n")
	p.host.remove("lib/b.go")
	p.inner.write("lib/a.go", "package lib // in the old pod\n")
	before := p.settled(t)

	next := newPod(t, plan{recipe: recipe{name: newName(), app: image, links: busyboxLinks()}, labels: labels})
	kubectl(t, "delete", "pod", old, "--wait=false")
	p.event("lost")
	p.back()
	p.enterPod(next, "/app")
	after := p.settled(t)
	p.host.holds("of the image", "new\n")
	same(t, "host before, but after", before, after.without("of the image"))
	p.keptNothing()
	p.stop()
	kubectl(t, "delete", "pod", old, "--grace-period=0", "--force")
}

// Any kind that selects pods can be named, and a name alone with --k8s.
//
// where: Kubernetes, deployment: it is found by its kind and name, or its name alone
// where: Kubernetes, service: its pod is found
func TestPodByItsOwner(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"app": newName()}
	name := deployment(t, labels)
	pod := newPod(t, plan{recipe: busybox, labels: labels})
	service := newName()
	t.Cleanup(func() { kubectl(t, "delete", "service", service) })
	apply(t, object{"apiVersion": "v1", "kind": "Service", "metadata": object{"name": service},
		"spec": object{"selector": labels, "ports": []object{{"port": 80}}}})
	p := newClusterPlace(t)
	source(onHost(t, p.dir))
	for _, args := range [][]string{
		{"k8s:///deploy/" + name + ":/app"}, {"k8s://default/svc/" + service + ":/app"},
		{name + ":/app", "--k8s"}, {"deployment/" + name + ":/app", "--k8s", "-n", "default"}, {pod + ":/app", "--k8s"},
	} {
		if code, _, stderr := p.run(append([]string{"up", p.dir, "--once"}, args...)...); code != fine {
			t.Errorf("up %q ended with %d: %s", args, code, stderr)
		}
	}
	same(t, "host, but container", onHost(t, p.dir).tree(), insidePod(t, pod, "/app").tree())
}

// Ctrl-C: up returns when its agent has ended. When up is killed, the agent ends
// by itself.
//
// where: Kubernetes, hardened pod: no agent is left behind, also when twosync is killed (WebSocket and SPDY)
func TestPodNoAgentIsLeftBehind(t *testing.T) {
	t.Parallel()
	transports(t, func(t *testing.T, environment ...string) {
		t.Parallel()
		pod := newPod(t, hardened)
		p := beginWithPod(t, "k8s:///"+pod+":/work/app", pod, "/work/app", environment...)
		p.agents()
		p.host.do(Request{Do: "populate", Path: []byte("much"), N: 300, At: 1}) // which is under way
		p.stop()
		if left := p.inner.do(Request{Do: "procs", Data: []byte(agentName)}).Procs; len(left) > 0 {
			t.Errorf("up has ended, and there still run %v", left)
		}
		p.session = p.up(p.target)
		p.inSync()
		p.kill()
		p.inner.do(Request{Do: "ended", Data: []byte(agentName), N: patience.Milliseconds()})
		p.session = p.up(p.target)
		p.inSync()
		p.settled(t)
		p.stop()
	})
}
