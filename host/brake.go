package host

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twosync/twosync/internal/run"
)

func newAccept() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "accept [DIR|PATH...] [--all]",
		Short: "Let held changes of the container through",
		Long: `accept lets through what the container did and what is held here until somebody
has looked at it:

  deletions of more than 20 files that are more than 30 % of all, or of all;
  changes of guarded paths, such as .envrc and .vscode/tasks.json.

Without PATHs it is the deletions. With PATHs it is what is held there and below,
with --all everything. What it replaces or deletes here, twosync undo brings back.
twosync restore is the other answer to deletions.`,
		RunE: func(c *cobra.Command, args []string) error {
			n, err := released(c, "accept", args, all)
			if err != nil {
				return err
			}
			var parts []string
			if n.Files > 0 {
				parts = append(parts, plural(n.Files, "file")+" deleted here, too")
			}
			if n.Guarded > 0 {
				parts = append(parts, plural(n.Guarded, "guarded path")+" let through")
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s; twosync undo brings back what was there\n", strings.Join(parts, ", "))
			return err
		},
	}
	c.Flags().BoolVar(&all, "all", false, "accept everything that is held for it")
	return c
}

func newRestore() *cobra.Command {
	return &cobra.Command{
		Use:   "restore [DIR|PATH...]",
		Short: "Bring back to the container what it deleted and is held here",
		Long: `restore brings files back to the container that were deleted there and are held
back here, because they were many. With PATHs it is what is held there and below.
What sync has deleted here comes back with twosync undo.`,
		RunE: func(c *cobra.Command, args []string) error {
			n, err := released(c, "restore", args, false)
			if err == nil {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s brought back to the container\n", plural(n.Files, "file"))
			}
			return err
		},
	}
}

// released has a session do with what it holds what the user says.
func released(c *cobra.Command, do string, args []string, all bool) (n run.Released, err error) {
	r, _, err := sessionOf(dirOf(args))
	if err != nil {
		return n, err
	}
	q := request{Do: do, Paths: []string{""}, Guarded: all}
	if len(args) > 0 {
		q.Paths = nil
		if _, q, err = requestAbout(args, q); err != nil {
			return n, err
		}
		for _, path := range q.Paths {
			q.Guarded = q.Guarded || path != ""
		}
	}
	a, err := ask(c.Context(), r, q, 2*shortly)
	if err != nil {
		return n, err
	}
	if a.Released == n {
		e := &Error{Msg: "nothing is held in " + r.Dir + " that waits for it", Remedy: "twosync status says what is held; a guarded path has to be named, or --all"}
		if do == "restore" {
			e.Remedy = "twosync status says what is held; what sync deleted or replaced here comes back with twosync undo restore PATH"
		}
		return n, e
	}
	return a.Released, nil
}
