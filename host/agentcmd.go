package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twosync/twosync/host/agents"
	"github.com/twosync/twosync/host/target"
)

const agentFile = "twosync-agent"

// platforms are those that the agent is built for, the ones that the host carries
// first.
var platforms = []string{
	"linux/amd64", "linux/arm64", "linux/arm", "linux/386", "linux/riscv64", "linux/ppc64le", "linux/s390x",
}

func newAgent() *cobra.Command {
	c := &cobra.Command{
		Use:   "agent",
		Short: "Bring the agent into images where nothing may be copied in",
		Args:  unknownCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newExport(), newManifest())
	return c
}

const aboutExport = `export writes this version's agent, one static program, to FILE, to be carried by an
image. In its Dockerfile:

  COPY twosync-agent /usr/local/bin/

Twosync finds it there, at /twosync-agent, or where --agent-path of up says. When
it is of another version than twosync, twosync puts its own beside it if there is
any place for that, and says so.`

func newExport() *cobra.Command {
	platform := ""
	c := &cobra.Command{
		Use:   "export [--platform linux/arm64] FILE",
		Short: "Write the agent to a file, for an image to carry",
		Long:  aboutExport,
		Args:  between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return export(c.Context(), platform, args[0], c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&platform, "platform", "linux/"+runtime.GOARCH, "`PLATFORM` that it is for: one of "+strings.Join(platforms, ", "))
	_ = c.RegisterFlagCompletionFunc("platform", cobra.FixedCompletions(platforms, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// export writes an agent to a file, or into a folder under its own name.
func export(ctx context.Context, platform, file string, say io.Writer) error {
	if !slices.Contains(platforms, platform) {
		return &UsageError{fmt.Sprintf("there is no agent for %q", platform), "name one of " + strings.Join(platforms, ", ")}
	}
	goos, goarch, _ := strings.Cut(platform, "/")
	a, err := agents.Find(ctx, goos, goarch, func(text string) { fmt.Fprintln(say, line(text)) })
	if missing, ok := errors.AsType[*agents.Error](err); ok {
		return &Error{missing.Error(), missing.Remedy, err}
	}
	if err != nil {
		return interrupted(ctx, err)
	}
	if st, err := os.Stat(file); err == nil && st.IsDir() {
		file = filepath.Join(file, agentFile)
	}
	if err := copyProgram(a.Path, file); err != nil {
		return &Error{"write the agent: " + err.Error(), "name a file that can be written", err}
	}
	fmt.Fprintf(say, "%s: the agent for %s, %.6x\nin a Dockerfile: COPY %s /usr/local/bin/%s\n",
		line(file), platform, a.SHA256, line(filepath.Base(file)), agentFile)
	return nil
}

// copyProgram writes an executable file beside its place and renames it there.
func copyProgram(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	part := to + ".new"
	if err := os.WriteFile(part, content, 0o755); err != nil {
		return err
	}
	err = os.Chmod(part, 0o755) // whatever the umask
	if err == nil {
		err = os.Rename(part, to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}

const aboutManifest = `manifest prints what brings the agent into a pod whose image cannot receive it: an
init container that puts it into an emptyDir. The image of the init container
needs nothing but the agent:

  twosync agent export twosync-agent
  printf 'FROM scratch\nCOPY twosync-agent /\nENTRYPOINT ["/twosync-agent"]\n' |
    docker build -t IMAGE -f - .

What is printed is a patch for a deployment, statefulset or daemonset, or can be
pasted into its manifest:

  twosync agent manifest --image IMAGE --container NAME > agent.yaml
  kubectl patch deployment NAME --patch-file agent.yaml`

func newManifest() *cobra.Command {
	var m manifest
	c := &cobra.Command{
		Use:               "manifest [--image IMAGE] [--container NAME] [--pod]",
		Short:             "Print an init container that brings the agent into a pod",
		Long:              aboutManifest,
		Args:              between(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), m.text())
			return err
		},
	}
	c.Flags().StringVar(&m.image, "image", "twosync-agent", "the `IMAGE` that holds the agent")
	c.Flags().StringVar(&m.container, "container", "app", "the `NAME` of the container that is to have it")
	c.Flags().BoolVar(&m.pod, "pod", false, "for a bare pod")
	return c
}

// manifest is a patch for what makes pods.
type manifest struct {
	image, container string
	pod              bool
}

func (m manifest) text() string {
	spec := []string{
		"initContainers:",
		"- name: twosync-agent",
		fmt.Sprintf("  image: %q", m.image),
		fmt.Sprintf("  command: [/%s, install, %s]", agentFile, target.BakedDir),
		"  resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}",
		"  securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}",
		fmt.Sprintf("  volumeMounts: [{name: twosync-agent, mountPath: %s}]", target.BakedDir),
		"containers:",
		fmt.Sprintf("- name: %q", m.container),
		fmt.Sprintf("  volumeMounts: [{name: twosync-agent, mountPath: %s}]", target.BakedDir),
		"volumes:",
		"- name: twosync-agent",
		"  emptyDir: {}",
	}
	head := []string{"spec:", "  template:", "    spec:"}
	if m.pod {
		head = head[:1]
	}
	margin := "\n" + strings.Repeat("  ", len(head))
	return strings.Join(head, "\n") + margin + strings.Join(spec, margin) + "\n"
}
