package host

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/twosync/twosync/agent"
)

// Main runs twosync with the arguments of a command line, without the program's
// name, and returns its exit code.
//
// "agent serve --root PATH" is what a local target starts. It is not for people,
// and a signal ends it as it would any program.
func Main(args []string) int {
	if len(args) > 1 && args[0] == "agent" && args[1] == "serve" {
		return agent.Main(args[1:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	// The first signal asks for an orderly end; a second one ends us at once,
	// as it would any program.
	context.AfterFunc(ctx, stop)
	// Without this, whoever stops reading our output ends us in the middle of
	// what we do. With it, the write fails. The channel needs no reader.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	cmd := newCommand()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err != nil {
		printError(os.Stderr, err)
	}
	return exitCode(err)
}

// endings are the signals that end us. What whoever started us has us ignore, as
// nohup does, and a shell for what a script leaves in the background, stays ignored.
func endings() []os.Signal {
	all := []os.Signal{syscall.SIGTERM}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			all = append(all, s)
		}
	}
	return all
}

const about = `twosync keeps a directory here and a directory in a running container the
same, in both directions, as fast as files are saved.

  twosync up . web:/app                        until Ctrl-C
  twosync up . web:/app --keep node_modules    each side has its own
  twosync up . k8s://NAMESPACE/deployment/web:/app    on a cluster
  twosync flush                                wait until both sides are the same
  twosync status                               what is in sync, and what is not
  twosync conflicts                            what both sides changed: show, resolve
  twosync undo                                 bring back what sync took away here

Exit codes: 0 fine, 1 failed, 2 usage, 3 halted to protect data, 4 conflicts or
held paths are open (up --once, flush), 130 interrupted.`

func newCommand() *cobra.Command {
	c := &cobra.Command{
		Use:           "twosync",
		Short:         "Keep a directory here and one in a container the same",
		Long:          about,
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &UsageError{err.Error(), "see " + c.CommandPath() + " --help"}
	})
	c.AddCommand(newUp(), newFlush(), newStatus(), newUndo(), newConflicts(), newAccept(), newRestore(), newAgent(), newVersion())
	return c
}

// unknownCommand refuses what is no command.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2 // letters of a slip
	e := &UsageError{"there is no command " + args[0], "see twosync --help"}
	if like := c.SuggestionsFor(args[0]); len(like) > 0 {
		e.Remedy = "did you mean twosync " + like[0] + "? " + e.Remedy
	}
	return e
}

// between checks the number of arguments, and says how they are written.
func between(low, high int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		what := ""
		switch {
		case len(args) < low:
			what = "an argument is missing"
		case len(args) > high:
			what = "there is an argument too many: " + args[high]
		default:
			return nil
		}
		return &UsageError{what, "write " + c.UseLine()}
	}
}
