package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// requireCluster names the variable that makes a missing cluster a failure.
const requireCluster = "TWOSYNC_REQUIRE_K8S"

// scripts bring the cluster up and down; .ci/run builds what they need.
const scripts = "../../.ci/k8s"

// cluster is the one of this run, once it is up.
var cluster struct {
	env []string // of the scripts, and of kubectl
	run string   // its state
}

// clusterCache is where the programs of a cluster are, once they were built.
func clusterCache() string {
	if dir := os.Getenv("K8STEST_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "k8stest")
}

// clusterBuilt says why there can be no cluster here, or nil.
func clusterBuilt() error {
	if os.Geteuid() != 0 {
		return errors.New("a cluster takes root")
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kubelet", "kubectl"} {
		if _, err := os.Stat(filepath.Join(clusterCache(), "bin", name)); err != nil {
			return fmt.Errorf("no cluster was built here (.ci/k8s/build.sh, once, takes 7 to 20 minutes): %w", err)
		}
	}
	return nil
}

// clusterUp brings the cluster up, once.
var clusterUp = sync.OnceValue(func() error {
	if err := clusterBuilt(); err != nil {
		return err
	}
	ports, err := freePorts(5)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("ts-k8s-%d", os.Getpid())
	cluster.run = filepath.Join("/tmp", name) // short, because of its sockets
	env := append(os.Environ(), "K8STEST_CACHE="+clusterCache(), "RUN="+cluster.run, "CGROUP=/"+name,
		"PATH="+filepath.Join(clusterCache(), "bin")+":"+os.Getenv("PATH"), "KUBECONFIG="+filepath.Join(cluster.run, "kubeconfig"))
	for i, of := range []string{"API_PORT", "KUBELET_PORT", "HEALTH_PORT", "ETCD_PORT", "ETCD_PEER_PORT"} {
		env = append(env, fmt.Sprintf("%s=%d", of, ports[i]))
	}
	cluster.env = env
	_, err = clusterScript("up.sh")
	return err
})

// freePorts are free at the moment; nobody else should want them in the next.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func clusterScript(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(scripts, name), args...)
	cmd.Env = cluster.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return string(out), nil
}

// clusterDown ends the cluster of this run, and those of runs that were killed.
func clusterDown() {
	if cluster.run != "" {
		if _, err := clusterScript("down.sh"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	left, _ := filepath.Glob("/tmp/ts-k8s-*")
	for _, run := range left {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(run), "ts-k8s-%d", &pid); err != nil {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); os.IsNotExist(err) {
			cluster.env = append(os.Environ(), "RUN="+run, "CGROUP=/"+filepath.Base(run))
			_, _ = clusterScript("down.sh")
		}
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
	if _, err := clusterScript("ctl.sh", name, signal); err != nil {
		t.Fatal(err)
	}
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryKubectl("", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryKubectl(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(clusterCache(), "bin", "kubectl"), args...)
	cmd.Env, cmd.Stdin = cluster.env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %q: %w: %s", args, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// apply gives an object to the cluster.
func apply(t *testing.T, object any) {
	t.Helper()
	text, err := json.Marshal(object)
	must(t, err)
	_, err = tryKubectl(string(text), "apply", "-f", "-")
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
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ctr", "-a", filepath.Join(cluster.run, "cd.sock"), "-n", "k8s.io", "images", "import", "-")
	cmd.Stdin = bytes.NewReader(r.dockerArchive(t, name))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ctr images import %s: %v: %s", r.name, err, out)
	}
	loaded[r.name] = name
	return name
}

// dockerArchive is what docker save would write: one layer, and what to run.
func (r recipe) dockerArchive(t *testing.T, name string) []byte {
	t.Helper()
	layer := r.archive(t)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"User": r.user, "Cmd": []string{helperPath, "sleep"},
			"Env": []string{"PATH=/usr/local/bin:/usr/bin:/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	must(t, err)
	manifest, err := json.Marshal([]any{map[string]any{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	must(t, err)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range map[string][]byte{"manifest.json": manifest, "config.json": config, "layer.tar": layer} {
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}))
		_, err := w.Write(text)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}
