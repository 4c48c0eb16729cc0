// Package cluster brings up a real Kubernetes cluster of one node for tests and
// the benchmark: kubectl, apiserver, etcd, kubelet, containerd and runc are the
// ones that users have.
//
// It needs root, and the programs that .ci/k8s/build.sh leaves in a cache once.
// Each cluster has a folder, a control group and ports of its own, so that several
// can be up at a time, and ends with everything that runs in it. What a process
// left behind that was killed is ended by the next one.
//
// It refuses to be more than that: there is no scheduler, no controller and no
// registry. Pods name their node, and images are imported.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience bounds each command: nothing takes long on a machine that is not busy.
const patience = 2 * time.Minute

const family = "ts-k8s-"

// cache is where the programs of a cluster are, once they were built.
func cache() string {
	if dir := os.Getenv("K8STEST_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "k8stest")
}

// Built says why there can be no cluster here, or nil.
func Built() error {
	if os.Geteuid() != 0 {
		return errors.New("a cluster takes root")
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kubelet", "kubectl"} {
		if _, err := os.Stat(filepath.Join(cache(), "bin", name)); err != nil {
			return fmt.Errorf("no cluster was built here (.ci/k8s/build.sh, once, takes 7 to 20 minutes): %w", err)
		}
	}
	return nil
}

// Cluster is one that is up.
type Cluster struct {
	Env []string // of kubectl: where the cluster is, and which kubectl is first
	Run string   // its folder

	scripts string
}

// Start brings a cluster up by the scripts in a folder.
func Start(scripts string) (*Cluster, error) {
	if err := Built(); err != nil {
		return nil, err
	}
	endLeft(scripts)
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s%d", family, os.Getpid())
	c := &Cluster{Run: filepath.Join("/tmp", name), scripts: scripts} // short, because of its sockets
	c.Env = append(os.Environ(), "K8STEST_CACHE="+cache(), "RUN="+c.Run, "CGROUP=/"+name,
		"PATH="+filepath.Join(cache(), "bin")+":"+os.Getenv("PATH"), "KUBECONFIG="+c.Kubeconfig())
	for i, of := range []string{"API_PORT", "KUBELET_PORT", "HEALTH_PORT", "ETCD_PORT", "ETCD_PEER_PORT"} {
		c.Env = append(c.Env, fmt.Sprintf("%s=%d", of, ports[i]))
	}
	if err := c.script("up.sh"); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

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

// endLeft ends the clusters of processes that are gone.
func endLeft(scripts string) {
	left, _ := filepath.Glob("/tmp/" + family + "*")
	for _, run := range left {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(run), family+"%d", &pid); err != nil {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); os.IsNotExist(err) {
			c := &Cluster{scripts: scripts, Env: append(os.Environ(), "RUN="+run, "CGROUP=/"+filepath.Base(run))}
			_ = c.Stop() // whatever is left then, nobody knows of
		}
	}
}

// Stop ends the cluster and all that runs in it.
func (c *Cluster) Stop() error { return c.script("down.sh") }

// Signal signals a part of it: etcd, apiserver, containerd or kubelet. One that
// dies is started again.
func (c *Cluster) Signal(part, signal string) error { return c.script("ctl.sh", part, signal) }

func (c *Cluster) script(name string, args ...string) error {
	_, err := c.run("", filepath.Join(c.scripts, name), args...)
	return err
}

// Kubeconfig is the file that says where the cluster is.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.Run, "kubeconfig") }

// Program is the kubectl of the cluster.
func (c *Cluster) Program() string { return filepath.Join(cache(), "bin", "kubectl") }

// Kubectl runs kubectl and returns what it prints.
func (c *Cluster) Kubectl(stdin string, args ...string) (string, error) {
	return c.run(stdin, c.Program(), args...)
}

// Import gives the node the images of a docker-archive.
func (c *Cluster) Import(archive []byte) error {
	_, err := c.run(string(archive), "ctr", "-a", filepath.Join(c.Run, "cd.sock"), "-n", "k8s.io", "images", "import", "-")
	return err
}

func (c *Cluster) run(stdin, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdin = c.Env, strings.NewReader(stdin)
	cmd.WaitDelay = time.Second // up.sh leaves the cluster behind, with a log of its own
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %q: %w: %s", filepath.Base(name), args, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
