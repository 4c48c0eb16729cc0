package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/twosync/twosync/host/target"
)

// openRoot finds the directory that the user named: absolute, with links
// resolved. What can't be synced is refused.
func openRoot(dir string) (string, error) {
	root, err := canonical(dir)
	if err != nil {
		return "", explainRoot(dir, err)
	}
	if err := readable(root); err != nil {
		return "", explainRoot(root, err)
	}
	return root, refuseRoot(root, homes(), stateHome())
}

// canonical is the one name by which a directory is known.
func canonical(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// readable finds out whether a directory is one, and can be listed.
func readable(root string) error {
	st, err := os.Stat(root)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return syscall.ENOTDIR // without opening: a FIFO would block us
	}
	f, err := os.Open(root)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.Readdirnames(1); errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func explainRoot(dir string, err error) error {
	e := &Error{Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Msg, e.Remedy = dir+" does not exist", "create it, or name another directory"
	case errors.Is(err, syscall.ENOTDIR):
		e.Msg, e.Remedy = dir+" is not a directory", "name the directory that holds it"
	case errors.Is(err, fs.ErrPermission):
		e.Msg, e.Remedy = "no permission to read "+dir, "run as its owner, or name another directory"
	default:
		return fmt.Errorf("open directory %s: %w", dir, err)
	}
	return e
}

// homes are the directories that hold somebody's everything.
func homes() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(home); err == nil {
		return []string{real}
	}
	return []string{home}
}

// refuseRoot refuses what nobody can mean, and what would sync our own state.
func refuseRoot(root string, homes []string, state string) error {
	if filepath.Dir(root) == root {
		return &UsageError{root + " is all of this machine, which can't be synced", "name the directory of a project"}
	}
	for _, home := range homes {
		switch {
		case root == home:
			return &UsageError{root + " is your home, which can't be synced", "name the directory of a project in it"}
		case within(home, root):
			return &UsageError{root + " holds your home, which can't be synced", "name the directory of a project"}
		}
	}
	if state = resolve(state); overlap(root, state) {
		return &UsageError{
			fmt.Sprintf("%s and twosync's own state in %s overlap", root, state),
			"name another directory, or put the state elsewhere with XDG_STATE_HOME",
		}
	}
	return nil
}

// refuseTarget refuses a target on this machine that overlaps the root.
func refuseTarget(root string, t target.Target) error {
	l, ok := t.(*target.Local)
	if !ok {
		return nil
	}
	path := resolve(l.Path)
	if overlap(root, path) {
		return &UsageError{fmt.Sprintf("%s and %s overlap", root, path), "name two directories of which none is in the other"}
	}
	return nil
}

// resolve resolves the links in as much of a path as exists.
func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	dir := filepath.Dir(path)
	if dir == path {
		return path
	}
	return filepath.Join(resolve(dir), filepath.Base(path))
}

// within says whether path is dir or below it. Both are clean.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}

func overlap(a, b string) bool { return within(a, b) || within(b, a) }
