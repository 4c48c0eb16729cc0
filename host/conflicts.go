package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twosync/twosync/internal/keep"
	"github.com/twosync/twosync/internal/tree"
)

const aboutConflicts = `conflicts lists the paths that both sides changed. The host's version has the path
on both sides; the container's is kept until somebody decides, whether a session
runs or not. To save the file anew decides, too.

  twosync conflicts                      list them
  twosync conflicts --all                the versions of conflicts that are over, and
                                         of when the sides first met, as well
  twosync conflicts show PATH            how the kept version differs
  twosync conflicts resolve PATH --host        leave it at the host's version
  twosync conflicts resolve PATH --container   the kept version takes the path
  twosync conflicts resolve PATH --both        it comes beside it, as PATH.twosync-...

What resolve replaces is kept: twosync undo. The other version then stays for as
long as that.`

func newConflicts() *cobra.Command {
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "conflicts [DIR] [--all] [--json]",
		Short: "List, show and resolve conflicts",
		Long:  aboutConflicts, Args: between(0, 1), ValidArgsFunction: completeDir,
		RunE: func(c *cobra.Command, args []string) error {
			r, err := findSession(dirOf(args))
			if err != nil {
				return err
			}
			lost, err := r.losers(c.Context(), all)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), conflictReport{r.Dir, r.Target, lost})
			}
			err = listLosers(c.OutOrStdout(), r, lost, time.Now())
			fmt.Fprint(c.ErrOrStderr(), r.elsewhere(func(pasts []past) int { return len(losersOf(pasts, all)) }))
			return err
		},
	}
	c.Flags().BoolVar(&all, "all", false, "list every version that lost its path to another")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(newConflictsShow(), newConflictsResolve())
	return c
}

// conflictReport is what `conflicts --json` prints.
type conflictReport struct {
	Dir       string `json:"dir"`
	Target    string `json:"target"`
	Conflicts []past `json:"conflicts"`
}

// losers lists the versions of conflicts that are open, or of all.
func (r found) losers(ctx context.Context, all bool) ([]past, error) {
	pasts, err := pastsIn(r.Keep, nil)
	return losersOf(pasts, all), err
}

func losersOf(pasts []past, all bool) []past {
	out := []past{} // an empty list, for programs
	for _, p := range pasts {
		if p.Why == keep.Conflict || all && !p.taken() {
			out = append(out, p)
		}
	}
	return out
}

func listLosers(w io.Writer, r found, lost []past, now time.Time) error {
	if len(lost) == 0 {
		_, err := fmt.Fprintf(w, "no conflicts in %s\n", line(r.Dir))
		return err
	}
	for _, p := range lost {
		note := ""
		if p.Why != keep.Conflict {
			note = ", " + string(p.Why)
		}
		if _, err := fmt.Fprintf(w, "%s: the %s's version of %s is kept, %s%s\n", line(p.name()), p.Side, ago(now.Sub(p.When)), size(p.Size), note); err != nil {
			return err
		}
	}
	return nil
}

func newConflictsShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show PATH",
		Short: "Show how a kept version differs from the host's",
		Args:  between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			r, q, err := requestListed(c.Context(), args, request{})
			if err != nil {
				return err
			}
			lost, err := r.losers(c.Context(), true)
			if err != nil {
				return err
			}
			p, err := newest(lost, q.Paths[0])
			if err != nil {
				return err
			}
			return showDiff(c.OutOrStdout(), r.Dir, p)
		},
	}
}

// newest returns the latest version of a path, of an open conflict first.
func newest(lost []past, path string) (p past, err error) {
	found := false
	for _, x := range lost {
		if x.Path == path && (!found || x.Why == keep.Conflict || p.Why != keep.Conflict) {
			p, found = x, true
		}
	}
	if !found {
		return p, noConflict(path)
	}
	return p, nil
}

func noConflict(path string) error {
	return &Error{Msg: "there is no conflict at " + nameOf(path), Remedy: "twosync conflicts lists them"}
}

func newConflictsResolve() *cobra.Command {
	ways := [...]string{byHost, byContainer, byBoth}
	var chosen [len(ways)]bool
	c := &cobra.Command{
		Use:   "resolve PATH... --host|--container|--both",
		Short: "Decide about conflicts",
		Long: `resolve decides about the conflicts at PATH and below. Nothing is lost by it: what
does not have the path then is in the keep store.`,
		RunE: func(c *cobra.Command, args []string) error {
			var how []string
			for i, way := range ways {
				if chosen[i] {
					how = append(how, way)
				}
			}
			if len(how) != 1 || len(args) == 0 {
				return &UsageError{"say whose version it shall be, and where", "write " + c.UseLine()}
			}
			return resolveConflicts(c, args, how[0])
		},
	}
	for i, about := range [...]string{"leave the path to the host's version", "give the path to the kept version", "put the kept version beside it"} {
		c.Flags().BoolVar(&chosen[i], ways[i], false, about)
	}
	return c
}

// How a conflict is decided.
const (
	byHost      = "host"
	byContainer = "container"
	byBoth      = "both"
)

func resolveConflicts(c *cobra.Command, args []string, how string) error {
	r, q, err := requestListed(c.Context(), args, request{Do: "resolve", How: how})
	if err != nil {
		return err
	}
	a, err := r.request(c.Context(), q)
	return first(err, sayResolved(c.OutOrStdout(), c.ErrOrStderr(), a.Put, how))
}

func sayResolved(out, errs io.Writer, done []put, how string) error {
	failed := 0
	for _, x := range done {
		text := "the host's version stays"
		switch {
		case x.Error != "":
			failed++
			fmt.Fprintf(errs, "%s: %s\n", line(x.Path), line(x.Error))
			continue
		case how == byContainer:
			text = "the kept version has the path"
		case how == byBoth:
			text = "the kept version is beside it, as " + line(x.At)
		}
		if _, err := fmt.Fprintf(out, "%s: %s\n", line(x.Path), text); err != nil {
			return err
		}
	}
	if failed > 0 {
		return errors.New(plural(int64(failed), "conflict") + " could not be resolved")
	}
	return nil
}

// resolve decides about the conflicts at and below paths.
func (a *archive) resolve(ctx context.Context, q request) ([]put, error) {
	lost := losersOf(a.pasts(), false)
	var paths []string
	for _, at := range q.Paths {
		n := len(paths)
		for _, p := range lost {
			if tree.Within(p.Path, at) {
				paths = append(paths, p.Path)
			}
		}
		if len(paths) == n {
			return nil, noConflict(at)
		}
	}
	p, err := newPutter(a.root, a.store.Adopt)
	if err != nil {
		return nil, err
	}
	defer p.close()
	var done []put
	seen := make(map[string]bool)
	for _, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		if ctx.Err() != nil {
			return done, errInterrupted
		}
		x := put{Path: path}
		if x.At, err = a.resolveOne(ctx, p, path, lost, q.How); err != nil {
			x.Error = err.Error()
		}
		done = append(done, x)
	}
	return done, a.store.Sync()
}

// resolveOne puts the versions of a path where they shall be, and says where
// the latest is, if that is beside the path.
func (a *archive) resolveOne(ctx context.Context, p *putter, path string, lost []past, how string) (at string, err error) {
	switch how {
	case byHost:
	case byContainer:
		v, err := newest(lost, path)
		if err == nil {
			_, err = p.put(v, path)
		}
		if err != nil {
			return "", err
		}
	case byBoth:
		for _, v := range lost {
			if v.Path != path {
				continue
			}
			if at, err = p.beside(v); err != nil {
				return "", err
			}
		}
	default:
		return "", errors.New("nobody knows how to resolve it by " + how)
	}
	if _, err := a.store.Resolve(path, time.Now()); err != nil {
		return "", err
	}
	if a.decided != nil {
		return at, a.decided(ctx, path)
	}
	return at, nil
}

// beside puts a version beside its path, under a name that says what it is, in
// which no tool sees a source file (CASES D13). What has that name already and is
// something else stays.
func (p *putter) beside(v past) (string, error) {
	parent, name := tree.Split(v.Path)
	id := v.Digest
	if v.isLink() {
		id = tree.DigestOf([]byte(v.Link)).String()
	}
	for _, n := range []int{8, 16, len(id)} {
		suffix := ".twosync-" + id[:n]
		at := tree.Join(parent, cut(name, tree.MaxName-len(suffix))+suffix)
		now, err := p.holds(at)
		if err != nil {
			return "", err
		}
		if now != nil && (now.Digest != v.Digest || now.Link != v.Link) {
			continue
		}
		_, err = p.put(v, at)
		return at, err
	}
	return "", errors.New("every name beside it is taken")
}

// holds says what is at a path; nil when nothing is.
func (p *putter) holds(path string) (*past, error) {
	parent, name := tree.Split(path)
	dir, err := p.parent(parent)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	now, err := read(dir, name)
	switch {
	case err == nil:
		return &now, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	}
	return &past{}, nil // a directory, or the like
}

// cut shortens a name to n bytes, between two characters (CASES D12).
func cut(name string, n int) string {
	if len(name) <= n {
		return name
	}
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return strings.TrimRight(name[:n], " .")
}
