package host

import (
	"strings"

	"github.com/spf13/pflag"
	"github.com/twosync/twosync/host/target"
)

// clusterFlags are those of up for targets on a cluster.
type clusterFlags struct {
	target.KubeFlags
	short bool
}

func (c *clusterFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&c.short, "k8s", false, "TARGET is NAME:/PATH or KIND/NAME:/PATH on a cluster")
	f.StringVar(&c.Context, "context", "", "the `NAME` of the context of kubectl's that is meant")
	f.StringVar(&c.Kubeconfig, "kubeconfig", "", "the `FILE` that kubectl is to read")
	f.StringVarP(&c.Namespace, "namespace", "n", "", "the `NAME` of the namespace on the cluster")
	f.StringVar(&c.AgentPath, "agent-path", "", "the `PATH` in the container of an agent that its image carries")
}

// parse reads a target with these flags.
func (c *clusterFlags) parse(text string, say func(string)) (target.Target, error) {
	if c.AgentPath != "" && !strings.HasPrefix(c.AgentPath, "/") {
		return nil, &UsageError{"--agent-path " + c.AgentPath + " is not an absolute path", "name the file in the container"}
	}
	if c.short || strings.HasPrefix(text, "k8s://") {
		k, err := target.ParseKube(text, c.short, c.KubeFlags, say)
		if err != nil {
			return nil, err
		}
		return k, nil
	}
	for flag, value := range map[string]string{"context": c.Context, "kubeconfig": c.Kubeconfig, "namespace": c.Namespace} {
		if value != "" {
			return nil, &UsageError{"--" + flag + " is for targets on a cluster", "add --k8s, or write k8s://NAMESPACE/POD:/PATH"}
		}
	}
	t, err := target.Parse(text, say)
	if d, ok := t.(*target.Docker); ok {
		d.AgentPath = c.AgentPath
	}
	return t, err
}
