package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twosync/twosync/bench/probe"
	"github.com/twosync/twosync/internal/cluster"
)

const (
	podImage = "localhost/twosync-bench:1"
	podName  = "twosync-bench"

	trips     = 200
	againLate = 2 * time.Minute
)

// onCluster does what the budgets for Kubernetes speak of in a pod that clusters
// with rules would run: not root, read-only root file system, 48 MiB. It needs
// root and a cluster that was built (.ci/k8s/build.sh).
func onCluster(ctx context.Context, b *bench) (err error) {
	if !b.has("twosync") {
		return nil
	}
	if err := cluster.Built(); err != nil {
		b.missing = append(b.missing, fmt.Sprintf("cluster: %v", err))
		return nil
	}
	c, err := cluster.Start(filepath.Join(b.module, ".ci", "k8s"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	for _, v := range c.Env { // twosync's kubectl, too
		if name, value, _ := strings.Cut(v, "="); name == "PATH" || name == "KUBECONFIG" {
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
	}
	k := &clustered{bench: *b, c: c}
	k.box = &container{name: podName, arch: b.box.arch, busybox: b.box.busybox, programs: b.box.programs, pod: true}
	k.shared, k.samples = map[string]*kept{}, nil
	err = errors.Join(k.all(ctx), k.endSessions())
	b.samples, b.seed = append(b.samples, k.samples...), k.seed
	return err
}

// clustered is the benchmark with a pod in the place of the container.
type clustered struct {
	bench
	c *cluster.Cluster
}

func (k *clustered) endSessions() error {
	var errs []error
	for _, s := range k.shared {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

func (k *clustered) all(ctx context.Context) error {
	layer, err := k.box.layer(filepath.Join(k.work, "probe-container"))
	if err != nil {
		return err
	}
	whole, err := io.ReadAll(layer)
	if err != nil {
		return err
	}
	archive, err := cluster.Image{Name: podImage, Layer: whole, Cmd: []string{probePath, "wait"}}.Archive()
	if err != nil {
		return err
	}
	if err := errors.Join(k.c.Import(archive), k.startPod()); err != nil {
		return err
	}
	if k.there, err = k.inPod(ctx); err != nil {
		return err
	}
	t := k.tools[indexOf(k.tools, func(t tool) bool { return t.name == "twosync" })]
	for _, work := range []func(context.Context, tool) error{k.trip, k.saves, k.restart, k.largest} {
		if err := work(ctx, t); err != nil {
			return err
		}
	}
	_ = k.there.Close() // its container is about to go
	return k.again(ctx)
}

func (k *clustered) inPod(ctx context.Context) (*probe.Client, error) {
	return probe.Start(ctx, "kubectl", "exec", "-i", podName, "--", probePath, "serve")
}

// startPod makes the pod and waits until it is ready.
func (k *clustered) startPod() error {
	type m = map[string]any
	text, err := json.Marshal(m{"apiVersion": "v1", "kind": "Pod", "metadata": m{"name": podName}, "spec": m{
		"nodeName": "localhost", "hostNetwork": true, "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
		"securityContext": m{"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000},
		"containers": []m{{
			"name": "main", "image": podImage, "imagePullPolicy": "Never",
			"volumeMounts":    []m{{"name": "app", "mountPath": containerRoot}},
			"resources":       m{"limits": m{"memory": "48Mi"}, "requests": m{"cpu": "10m"}},
			"securityContext": m{"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "capabilities": m{"drop": []string{"ALL"}}},
		}},
		"volumes": []m{{"name": "app", "emptyDir": m{}}},
	}})
	if err != nil {
		return err
	}
	if _, err := k.c.Kubectl(string(text), "apply", "-f", "-"); err != nil {
		return err
	}
	_, err = k.c.Kubectl("", "wait", "--for=condition=Ready", "pod/"+podName, "--timeout=60s")
	return err
}

// trip measures the round trip of an open stream, with nothing in it but the
// smallest request that the probe answers, one after the other: what is spaced as
// saves are takes longer.
func (k *clustered) trip(context.Context, tool) error {
	var took []float64
	for range trips {
		start := time.Now()
		if _, err := k.there.Do(probe.Request{Op: "fstype", Root: containerRoot}); err != nil {
			return err
		}
		took = append(took, time.Since(start).Seconds())
	}
	k.add("cluster.trip", "kubectl exec", seconds, 0, took...)
	return nil
}

func (k *clustered) saves(ctx context.Context, t tool) error {
	s, err := k.tree(ctx, t)
	if err != nil {
		return err
	}
	dir, err := k.savedDir(ctx, s)
	if err != nil {
		return err
	}
	for _, d := range directions {
		for round := range k.options.rounds {
			if err := (saver{"cluster.save", t.name, s.p, s.session, dir, d}).take(ctx, &k.bench, round, savesARound); err != nil {
				return err
			}
		}
	}
	_, _, err = k.equal(s.p)
	return err
}

func (k *clustered) restart(ctx context.Context, t tool) error {
	s, err := k.tree(ctx, t)
	if err != nil {
		return err
	}
	for round := range k.options.rounds {
		if err := errors.Join(s.stop(), k.quiet()); err != nil {
			return err
		}
		start := time.Now()
		if err := s.start(ctx, &k.bench); err != nil {
			return err
		}
		k.add("cluster.restart", t.name, seconds, round, time.Since(start).Seconds())
	}
	return k.discard(s)
}

// largest fills the largest tree and looks at the agent's memory.
func (k *clustered) largest(ctx context.Context, t tool) error {
	before := len(k.samples)
	s, err := k.big(ctx, t)
	for i := range k.samples[before:] { // beside the container's, not in its place
		k.samples[before+i].Work += ".pod"
	}
	if err != nil {
		return err
	}
	_, _, err = k.equal(s.p)
	return errors.Join(err, k.discard(s))
}

// again deletes the pod under a session, makes it again, and measures from its
// being ready until the session has an agent in it.
func (k *clustered) again(ctx context.Context) error {
	p := pair{filepath.Join(k.work, "again"), containerRoot + "/again"}
	if err := os.Mkdir(p.host, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.host, "file"), []byte("text\n"), 0o644); err != nil {
		return err
	}
	connected := make(chan time.Time, trips)
	s, err := startTwosync(ctx, &k.bench, p, toContainer, options{told: func(event string) {
		if event == "connected" {
			connected <- time.Now()
		}
	}})
	if err != nil {
		return err
	}
	<-connected
	for round := range k.options.rounds {
		if _, err := k.c.Kubectl("", "delete", "pod", podName, "--grace-period=1"); err != nil {
			return errors.Join(err, s.stop())
		}
		if err := k.startPod(); err != nil {
			return errors.Join(err, s.stop())
		}
		ready := time.Now()
		select {
		case at := <-connected:
			k.add("cluster.again", mainTool, seconds, round, max(0, at.Sub(ready).Seconds()))
		case <-time.After(againLate):
			return errors.Join(errors.New("the session does not find the new pod"), s.stop())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.stop())
		}
	}
	return s.stop()
}
