//go:build linux

package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// A plan says what a pod is like. The zero value of all but recipe is right.
type plan struct {
	recipe     recipe
	labels     map[string]string
	hard       bool              // not root, root file system read-only, 48 MiB, no capabilities
	uid        int               // not the image's
	empty      map[string]object // emptyDirs, by where they are
	containers []string          // names; the first is the one that is meant
	never      bool              // is not started again when it ends
	command    []string          // not the image's
	grace      int               // seconds; 1 if 0
	image      string            // one that is not there
}

// object is the pod as the cluster is told of it.
func (p plan) object(t *testing.T, name string) object {
	t.Helper()
	image := p.image
	if image == "" {
		image = load(t, p.recipe)
	}
	var volumes, mounts []object
	for at, what := range p.empty {
		volume := "v" + strings.ReplaceAll(strings.ToLower(at), "/", "-")
		volumes = append(volumes, object{"name": volume, "emptyDir": what})
		mounts = append(mounts, object{"name": volume, "mountPath": at})
	}
	names := p.containers
	if names == nil {
		names = []string{"main"}
	}
	var containers []object
	for _, name := range names {
		c := object{"name": name, "image": image, "imagePullPolicy": "Never", "volumeMounts": mounts}
		if p.command != nil {
			c["command"] = p.command
		}
		if p.hard {
			c["resources"] = object{"limits": object{"memory": "48Mi", "cpu": "500m"}, "requests": object{"memory": "8Mi", "cpu": "10m"}}
			c["securityContext"] = object{"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
				"capabilities": object{"drop": []string{"ALL"}}}
		}
		containers = append(containers, c)
	}
	spec := object{
		"nodeName": "localhost", "hostNetwork": true, "automountServiceAccountToken": false, "enableServiceLinks": false,
		"terminationGracePeriodSeconds": max(p.grace, 1), "containers": containers, "volumes": volumes,
	}
	if p.never {
		spec["restartPolicy"] = "Never"
	}
	if p.hard {
		spec["securityContext"] = object{"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000}
	} else if p.uid != 0 {
		spec["securityContext"] = object{"runAsUser": p.uid, "runAsGroup": p.uid, "fsGroup": p.uid}
	}
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name, "labels": p.labels}, "spec": spec}
}

// newPod starts a pod, waits until it is ready, and ends it with the test.
func newPod(t *testing.T, p plan) string {
	t.Helper()
	needCluster(t)
	name := newName()
	t.Cleanup(func() { deletePod(t, name) })
	startPod(t, name, p)
	return name
}

func startPod(t *testing.T, name string, p plan) {
	t.Helper()
	apply(t, p.object(t, name))
	podReady(t, name)
}

func podReady(t *testing.T, name string) {
	t.Helper()
	if _, err := cluster.Kubectl("", "wait", "--for=condition=Ready", "pod/"+name, "--timeout="+patience.String()); err != nil {
		t.Fatalf("%v\n%s", err, kubectl(t, "describe", "pod", name))
	}
}

// deletePod returns when the pod is gone.
func deletePod(t *testing.T, name string) {
	t.Helper()
	if _, err := cluster.Kubectl("", "delete", "pod", name, "--ignore-not-found", "--grace-period=1"); err != nil {
		t.Error(err)
	}
}

// insidePod returns a user of a directory in a pod.
func insidePod(t *testing.T, pod, dir string) *user {
	t.Helper()
	cmd := exec.Command(cluster.Program(),
		"exec", "-i", pod, "--container=main", "--", helperPath, "serve", dir)
	cmd.Env = cluster.Env
	return newUser(t, "container", cmd)
}

// newClusterPlace is a place whose programs find the cluster.
func newClusterPlace(t *testing.T, environment ...string) *place {
	t.Helper()
	needCluster(t)
	p := newPlace(t)
	for _, v := range cluster.Env {
		if strings.HasPrefix(v, "PATH=") || strings.HasPrefix(v, "KUBECONFIG=") {
			p.environment = append(p.environment, v)
		}
	}
	p.environment = append(p.environment, environment...)
	return p
}

// beginPod starts a session with a directory in a pod, whose name need not be in
// the target.
func (p *place) beginPod(target, pod, path string, flags ...string) *pair {
	p.t.Helper()
	b := &pair{session: p.up(target, flags...), target: target, container: pod}
	b.inSync()
	b.host = onHost(p.t, p.dir)
	b.inner = insidePod(p.t, pod, path)
	return b
}

// beginWithPod is beginPod with a source on the host on which both sides have
// agreed for good.
func beginWithPod(t *testing.T, target, pod, path string, environment ...string) *pair {
	t.Helper()
	p := newClusterPlace(t, environment...)
	source(onHost(t, p.dir))
	if code, _, stderr := p.run("up", p.dir, target, "--once"); code != fine {
		t.Fatalf("up --once ended with %d: %s", code, stderr)
	}
	return p.beginPod(target, pod, path)
}

// enterPod replaces the user inside, whose program ended with the container.
func (p *pair) enterPod(pod, path string) {
	p.t.Helper()
	p.container = pod
	p.inner = insidePod(p.t, pod, path)
}
