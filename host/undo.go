package host

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twosync/twosync/internal/keep"
)

const aboutUndo = `undo lists what sync took away here because of the container: files that it
replaced or deleted, and what it found without a path. A batch is what went in
one go. All of it is kept for a while (twosync up --trash-size, --trash-days),
whether a session runs or not.

  twosync undo                           list batches, the latest first
  twosync undo show PATH                 what would come back, as a diff
  twosync undo show BATCH                the files of a batch
  twosync undo restore PATH...           put files or directories back
  twosync undo restore --batch BATCH     put a whole batch back

What is put back is a save of yours: a running session carries it over. What it
replaces is kept first, and can be put back in turn. Your own changes are not in
the list, and files that came new are not removed.`

func newUndo() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "undo [DIR] [--json]",
		Short: "List and put back what sync took away here",
		Long:  aboutUndo, Args: between(0, 1), ValidArgsFunction: completeDir,
		RunE: func(c *cobra.Command, args []string) error {
			r, goes, err := goesOf(c, dirOf(args))
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), undoReport{r.Dir, r.Target, goes})
			}
			err = listGoes(c.OutOrStdout(), r, goes, time.Now())
			fmt.Fprint(c.ErrOrStderr(), r.elsewhere(func(all []past) (n int) {
				for _, t := range takeaways(all) {
					n += len(t.Items)
				}
				return n
			}))
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(newUndoShow(), newUndoRestore())
	return c
}

// undoReport is what `undo --json` prints.
type undoReport struct {
	Dir     string     `json:"dir"`
	Target  string     `json:"target"`
	Batches []takeaway `json:"batches"`
}

// goesOf returns the session of dir and what sync took away there.
func goesOf(c *cobra.Command, dir string) (found, []takeaway, error) {
	r, err := findSession(dir)
	if err != nil {
		return r, nil, err
	}
	all, err := r.pasts(c.Context())
	goes := takeaways(all)
	if goes == nil {
		goes = []takeaway{} // an empty list, for programs
	}
	return r, goes, err
}

// maxNamed bounds the paths that a line names.
const maxNamed = 3

func listGoes(w io.Writer, r found, goes []takeaway, now time.Time) error {
	if len(goes) == 0 {
		_, err := fmt.Fprintf(w, "sync took nothing away in %s\n", line(r.Dir))
		return err
	}
	for _, t := range goes {
		var bytes int64
		names := make([]string, 0, maxNamed)
		for _, p := range t.Items {
			if bytes += p.Size; len(names) < maxNamed {
				names = append(names, line(p.name()))
			}
		}
		what := strings.Join(names, ", ")
		if more := len(t.Items) - len(names); more > 0 {
			what += " and " + count(int64(more)) + " more"
		}
		if _, err := fmt.Fprintf(w, "%s  %-10s %s, %s: %s\n", t.ID, ago(now.Sub(t.When)), whys(t.Items), size(bytes), what); err != nil {
			return err
		}
	}
	return nil
}

// name is the path, or what there is instead.
func (p past) name() string {
	if p.Path == "" {
		return "(path not known, content in " + p.File + ")"
	}
	return p.Path
}

// whys counts versions by how they lost their paths.
func whys(items []past) string {
	words := [...]struct {
		why  keep.Why
		text string
	}{{keep.Deleted, "deleted"}, {keep.Replaced, "replaced"}, {keep.Late, "written late"}, {keep.LeftOver, "left over"}}
	var parts []string
	for _, x := range words {
		n := 0
		for _, p := range items {
			if p.Why == x.why {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, count(int64(n))+" "+x.text)
		}
	}
	return strings.Join(parts, ", ")
}

func ago(d time.Duration) string { return strings.TrimPrefix(age(max(d, 0)), "for ") + " ago" }

func newUndoShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show PATH|BATCH",
		Short: "Show what would come back",
		Long: `show prints, for the path of a file, the differences that putting it back would
make, and for a batch or a directory its files.`,
		Args: between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return showGone(c, args[0])
		},
	}
}

func showGone(c *cobra.Command, arg string) error {
	if _, goes, err := goesOf(c, "."); err == nil {
		for _, t := range goes {
			if t.ID == arg {
				return listItems(c.OutOrStdout(), t.Items)
			}
		}
	}
	r, err := findSession(arg)
	if err != nil {
		return err
	}
	all, err := r.pasts(c.Context())
	if err != nil {
		return err
	}
	path, err := r.below(arg)
	if err != nil {
		return err
	}
	paths := []string{path}
	if err := r.listed(c.Context(), []string{arg}, paths); err != nil {
		return err
	}
	chosen, err := choose(all, paths, "")
	if err != nil {
		return err
	}
	if len(chosen) > 1 || chosen[0].Path != paths[0] {
		return listItems(c.OutOrStdout(), chosen)
	}
	return showDiff(c.OutOrStdout(), r.Dir, chosen[0])
}

func listItems(w io.Writer, items []past) error {
	for _, p := range items {
		if _, err := fmt.Fprintf(w, "%-9s %8s  %s\n", string(p.Why), size(p.Size), line(p.name())); err != nil {
			return err
		}
	}
	return nil
}

func newUndoRestore() *cobra.Command {
	var id string
	c := &cobra.Command{
		Use:   "restore [PATH...] [--batch BATCH]",
		Short: "Put back what sync took away",
		Long: `restore puts files, or what is kept of directories, back to where they were: what
the latest batch took there, or the one that --batch names. With --batch alone
it puts the whole batch back.`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && id == "" {
				return &UsageError{"nothing was named to put back", "name paths, or a batch with --batch; twosync undo lists them"}
			}
			return restoreGone(c, args, id)
		},
	}
	c.Flags().StringVar(&id, "batch", "", "what went in one go, by its `BATCH` in the list")
	return c
}

func restoreGone(c *cobra.Command, args []string, id string) error {
	r, q, err := requestListed(c.Context(), args, request{Do: "undo", Batch: id})
	if e, ok := errors.AsType[*Error](err); ok && len(args) == 0 {
		e.Remedy = "name its directory: twosync undo restore DIR --batch " + shellQuote(id)
	}
	if err != nil {
		return err
	}
	a, err := r.request(c.Context(), q)
	return first(err, sayPut(c.OutOrStdout(), c.ErrOrStderr(), a.Put))
}

// requestAbout finds the session that paths belong to, and puts them into a request.
func requestAbout(args []string, q request) (found, request, error) {
	r, err := findSession(dirOf(args))
	if err != nil {
		return r, q, err
	}
	total := 0
	for _, arg := range args {
		path, err := r.below(arg)
		if err != nil {
			return r, q, err
		}
		total += 6*len(path) + 3 // as it may be escaped
		q.Paths = append(q.Paths, path)
	}
	if total > maxRequest/2 {
		return r, q, &UsageError{"these are too many paths at once", "name directories, or go in steps"}
	}
	return r, q, nil
}

// sayPut says what came of it, a line a path.
func sayPut(out, errs io.Writer, done []put) error {
	failed := 0
	for _, x := range done {
		text := "put back"
		switch {
		case x.Error != "":
			failed++
			fmt.Fprintf(errs, "%s: %s\n", line(x.Path), line(x.Error))
			continue
		case !x.Did:
			text = "is there already"
		}
		if _, err := fmt.Fprintf(out, "%s: %s\n", line(x.Path), text); err != nil {
			return err
		}
	}
	if failed > 0 {
		return errors.New(plural(int64(failed), "file") + " could not be put back")
	}
	return nil
}
