package probe

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Serve answers requests until in ends.
func Serve(in io.Reader, out io.Writer) error {
	requests := json.NewDecoder(bufio.NewReader(in))
	replies := json.NewEncoder(out)
	for {
		var q Request
		if err := requests.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if err := replies.Encode(answer(&q, replies)); err != nil {
			return fmt.Errorf("write reply: %w", err)
		}
	}
}

// answer does what q says and stamps the moment when it was done.
func answer(q *Request, replies *json.Encoder) Reply {
	start := time.Now()
	r, err := do(q, replies)
	if r.Mono == 0 { // and was not read at a better moment
		r.Mono = monotonic()
	}
	r.Wall, r.Took, r.Ago = time.Now().UnixNano(), time.Since(start), time.Duration(monotonic()-r.Mono)
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func do(q *Request, replies *json.Encoder) (Reply, error) {
	path := filepath.Join(q.Root, filepath.FromSlash(q.Path))
	armed := func() error { return replies.Encode(Reply{Armed: true}) }
	switch q.Op {
	case "ping": // nothing, to time the way
		return Reply{Boot: boot()}, nil
	case "await": // Path holds Data
		seen, err := await(path, q.Data, q.Limit, armed)
		return Reply{Mono: seen}, err
	case "events": // what the kernel tells of Path, once it begins
		seen, told, err := events(path, q.Limit, armed)
		return Reply{Mono: seen, Lines: told}, err
	case "arrive": // everything in Expect holds
		return Reply{}, arrive(q.Root, q.Expect, q.Limit)
	case "tree": // what Root holds, as a digest
		return Tree(q.Root)
	case "list": // the same, as lines
		lines, err := List(q.Root)
		return Reply{Lines: lines}, err
	case "expect": // what another tree will hold once it is like Root
		expect, err := expectAll(q.Root)
		return Reply{Expect: expect}, err
	case "run": // Args as a command
		return Reply{}, command(q.Args)
	case "which": // Args as the name of a command
		found, err := exec.LookPath(q.Args[0])
		return Reply{Lines: []string{found}}, err
	case "procs":
		procs, err := processes()
		return Reply{Procs: procs}, err
	case "fstype": // of what is mounted at Root
		name, err := fsType(q.Root)
		return Reply{FSType: name}, err
	case "stat", "read", "build", "micro", "sequential":
		return toil(q, path)
	}
	return edits(q, path)
}

// edits changes what is at path.
func edits(q *Request, path string) (Reply, error) {
	to := filepath.Join(q.Root, filepath.FromSlash(q.To))
	switch q.Op {
	case "save": // Data into Path, in place, as most editors do
		return Reply{}, os.WriteFile(path, q.Data, 0o644)
	case "replace": // Data into Path, beside it and renamed, as the other editors do
		return Reply{}, replace(path, q.Data)
	case "make": // Files files below Path, from Seed
		return Reply{}, Make(path, q.Seed, q.Files, q.PerDir)
	case "switch": // a branch switch
		expect, err := Switch(q.Root, q.Seed, q.Counts)
		return Reply{Expect: expect}, err
	case "rename":
		return Reply{}, os.Rename(path, to)
	case "chmod":
		return Reply{}, os.Chmod(path, 0o755)
	case "large": // a file of Size bytes from Seed
		return Reply{}, Large(path, q.Seed, q.Size)
	case "edit": // Data at At, in place
		return Reply{}, edit(path, q.Data, q.At)
	case "insert": // Data at the front, written beside and renamed into place
		return Reply{}, insert(path, q.Data)
	case "mkdir":
		return Reply{}, os.MkdirAll(path, 0o755)
	case "remove":
		return Reply{}, os.RemoveAll(path)
	}
	return Reply{}, fmt.Errorf("unknown operation %q", q.Op)
}

func command(args []string) error {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s: %w: %s", args[0], err, out[:min(len(out), 500)])
	}
	return nil
}
