package host

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/twosync/twosync/internal/run"
)

const (
	flushTimeout = 30 * time.Second

	// flushGrace is what a session gets beyond the time of a flush to say that
	// it is over.
	flushGrace = 3 * time.Second
)

func newFlush() *cobra.Command {
	var timeout time.Duration
	var asJSON bool
	c := &cobra.Command{
		Use:   "flush [DIR] [--timeout 30s] [--json]",
		Short: "Wait until both sides are the same",
		Long: `flush waits until everything that was written on either side before it was
called is on the other. It prints nothing when that is so.

It fails (1) when no session runs for DIR, when the container is gone, and when
the time is over. It ends with 4 and the list when conflicts or held paths are
open. DIR is the current directory, or any below the one of a session.`,
		Args:              between(0, 1),
		ValidArgsFunction: completeDir,
		RunE: func(c *cobra.Command, args []string) error {
			if timeout <= 0 || timeout > maxFlush {
				return &UsageError{fmt.Sprintf("a flush cannot take %v", timeout), "name a time up to 24h, such as 30s"}
			}
			return flush(c, dirOf(args), timeout, asJSON)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", flushTimeout, "how long to wait")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, as status does")
	return c
}

func dirOf(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

func flush(c *cobra.Command, dir string, timeout time.Duration, asJSON bool) error {
	r, _, err := sessionOf(dir)
	if err != nil {
		return err
	}
	a, err := ask(c.Context(), r, request{Do: "flush", Timeout: timeout}, timeout+flushGrace)
	if err != nil {
		return err
	}
	if !asJSON {
		listOpen(c.OutOrStdout(), "", a)
	} else if err := printJSON(c.OutOrStdout(), report{true, r, a}); err != nil {
		return err
	}
	st := a.Status
	return openOf(openError{st.Conflicts, len(st.Held) + a.More, st.Guarded, st.Braked})
}

// listOpen lists conflicts and held paths, a line each.
func listOpen(w io.Writer, indent string, a answer) {
	for _, path := range a.Status.Open {
		fmt.Fprintf(w, "%s%s: conflict, the version that lost is kept\n", indent, line(path))
	}
	if more := a.Status.Conflicts - len(a.Status.Open); more > 0 {
		fmt.Fprintf(w, "%sand %s more\n", indent, plural(int64(more), "conflict"))
	}
	for _, h := range a.Status.Held {
		fmt.Fprintf(w, "%s%s\n", indent, heldLine(h))
	}
	if a.More > 0 {
		fmt.Fprintf(w, "%sand %s more held\n", indent, count(int64(a.More)))
	}
}

// openOf returns an error if something is open.
func openOf(e openError) error {
	if e.conflicts == 0 && e.held == 0 {
		return nil
	}
	return &e
}

func heldLine(h run.Held) string {
	if h.Side == "" {
		return line(h.Path) + ": " + line(h.Reason)
	}
	return line(h.Path) + " (" + line(h.Side) + "): " + line(h.Reason)
}
