package host

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newAccept() *cobra.Command {
	return &cobra.Command{
		Use:   "accept [DIR|PATH...]",
		Short: "Let held changes of the container through",
		Long: `accept deletes here what the container deleted and is held back, because it was
more than 20 files and more than 30 % of all, or all of them. With PATHs it is
what is held there and below. twosync undo brings it back.`,
		RunE: func(c *cobra.Command, args []string) error {
			n, err := released(c, "accept", args)
			if err == nil {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s here, too; twosync undo brings them back\n", verbed(n, "is deleted", "are deleted"))
			}
			return err
		},
	}
}

func newRestore() *cobra.Command {
	return &cobra.Command{
		Use:   "restore [DIR|PATH...]",
		Short: "Bring back to the container what it deleted and is held here",
		Long: `restore brings files back to the container that were deleted there and are held
back here, because they were many. With PATHs it is what is held there and below.
What sync has deleted here comes back with twosync undo.`,
		RunE: func(c *cobra.Command, args []string) error {
			n, err := released(c, "restore", args)
			if err == nil {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s back to the container\n", verbed(n, "goes", "go"))
			}
			return err
		},
	}
}

func verbed(n int64, one, many string) string {
	if n == 1 {
		return "1 file " + one
	}
	return plural(n, "file") + " " + many
}

// released has a session do with what it holds what the user says.
func released(c *cobra.Command, do string, args []string) (int64, error) {
	r, _, err := sessionOf(dirOf(args))
	if err != nil {
		return 0, err
	}
	q := request{Do: do, Paths: []string{""}}
	if len(args) > 0 {
		q.Paths = nil
		if _, q, err = requestAbout(args, q); err != nil {
			return 0, err
		}
	}
	a, err := ask(c.Context(), r, q, 2*shortly)
	if err == nil && a.Released == 0 {
		err = &Error{Msg: "no deletions of the container are held in " + r.Dir, Remedy: "see twosync status for what is held"}
	}
	return a.Released, err
}
