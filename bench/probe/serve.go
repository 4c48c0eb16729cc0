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
	r.Wall, r.Took = time.Now().UnixNano(), time.Since(start)
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func do(q *Request, replies *json.Encoder) (Reply, error) {
	path := filepath.Join(q.Root, filepath.FromSlash(q.Path))
	switch q.Op {
	case "await": // Path holds Data
		seen, err := await(path, q.Data, q.Limit, func() error { return replies.Encode(Reply{Armed: true}) })
		return Reply{Mono: seen}, err
	case "save": // Data into Path, in place, as most editors do
		return Reply{}, os.WriteFile(path, q.Data, 0o644)
	case "arrive": // everything in Expect holds
		return Reply{}, arrive(q.Root, q.Expect, q.Limit)
	case "tree": // what Root holds, as a digest
		return Tree(q.Root)
	case "list": // the same, as lines
		lines, err := List(q.Root)
		return Reply{Lines: lines}, err
	case "make": // Files files below Path, from Seed
		return Reply{}, Make(path, q.Seed, q.Files)
	case "switch": // a branch switch
		expect, err := Switch(q.Root, q.Seed, q.Counts)
		return Reply{Expect: expect}, err
	case "rename":
		return Reply{}, os.Rename(path, filepath.Join(q.Root, filepath.FromSlash(q.To)))
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
	case "run": // Args as a command
		return Reply{}, command(q.Args)
	case "procs":
		procs, err := processes()
		return Reply{Procs: procs}, err
	case "fstype": // of what is mounted at Root
		name, err := fsType(q.Root)
		return Reply{FSType: name}, err
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
