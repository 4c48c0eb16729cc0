//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"

	clusters "github.com/twosync/twosync/internal/cluster"
)

// requireCluster names the variable that makes a missing cluster a failure.
const requireCluster = "TWOSYNC_REQUIRE_K8S"

// cluster is the one of this run, once it is up.
var cluster *clusters.Cluster

// clusterUp brings the cluster up, once.
var clusterUp = sync.OnceValue(func() (err error) {
	cluster, err = clusters.Start("../../.ci/k8s")
	return err
})

func clusterDown() {
	if cluster == nil {
		return
	}
	if err := cluster.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func needCluster(t *testing.T) {
	t.Helper()
	err := clusterUp()
	if err != nil && os.Getenv(requireCluster) == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
}

// component signals a part of the cluster: etcd, apiserver, containerd or
// kubelet. One that dies is started again.
func component(t *testing.T, name, signal string) {
	t.Helper()
	must(t, cluster.Signal(name, signal))
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := cluster.Kubectl("", args...)
	must(t, err)
	return out
}

// object is one of Kubernetes'.
type object map[string]any

// apply gives an object to the cluster.
func apply(t *testing.T, o object) {
	t.Helper()
	text, err := json.Marshal(o)
	must(t, err)
	_, err = cluster.Kubectl(string(text), "apply", "-f", "-")
	must(t, err)
}

var (
	loadedMu sync.Mutex
	loaded   = make(map[string]string) // guarded by loadedMu: recipe's name to image
)

// load brings a recipe's image to the node, once.
func load(t *testing.T, r recipe) string {
	t.Helper()
	needCluster(t)
	loadedMu.Lock()
	defer loadedMu.Unlock()
	if name, ok := loaded[r.name]; ok {
		return name
	}
	name := "localhost/" + newName() + ":1"
	archive, err := clusters.Image{
		Name: name, Layer: r.archive(t), User: r.user, Cmd: []string{helperPath, "sleep"},
	}.Archive()
	must(t, err)
	must(t, cluster.Import(archive))
	loaded[r.name] = name
	return name
}
