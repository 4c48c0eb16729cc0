package target

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/twosync/twosync/host/agents"
)

const (
	agentName = "twosync-agent"

	// ownFolder is twosync's folder, in a root and at the top of a container.
	ownFolder = ".twosync"
)

// baked are the folders where an image can carry the agent.
var baked = []string{"/usr/local/bin", "/"}

// folder is where the agent lives, below a top folder.
func folder(agent agents.Agent) string {
	return path.Join(ownFolder, "agent", fmt.Sprintf("%.6x", agent.SHA256))
}

// A place is a folder that the agent can be copied below.
type place struct {
	top    string
	shared bool // with the agent, which makes its own things in ownFolder there
}

// places lists the top of the container and, for where that is read-only, the
// root, which may be a volume. A colon would end an entry of PATH.
func (d *Docker) places() []place {
	if strings.Contains(d.Path, ":") {
		return []place{{top: "/"}}
	}
	return []place{{top: "/"}, {top: d.Path, shared: true}}
}

// searchPath finds our own copies before those of an image: only one of the two
// can be brought up to date.
func (d *Docker) searchPath(agent agents.Agent) string {
	var dirs []string
	for _, p := range d.places() {
		dirs = append(dirs, path.Join(p.top, folder(agent)))
	}
	return strings.Join(append(dirs, baked...), ":")
}

// install copies the agent into the container.
func (d *Docker) install(ctx context.Context, agent agents.Agent) error {
	content, err := os.ReadFile(agent.Path)
	if err != nil {
		return fmt.Errorf("read agent: %w", err)
	}
	var first error
	for _, p := range d.places() {
		_, err := d.run(ctx, copyDeadline, archive(agent, content, p.shared), "cp", "-", d.name()+":"+p.top)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if first == nil {
			first = err
		}
		if causeOf(first) != readOnly {
			break
		}
	}
	return d.cannotCopy(agent, first)
}

// cannotCopy adds what only this agent's remedy can say.
func (d *Docker) cannotCopy(agent agents.Agent, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.cause {
	case readOnly:
		e.Remedy = d.bake(agent) + ", or mount a volume on " + d.Path
	case notGreeted, ended, refused: // words that no rule knows, of docker cp this time
		e.cause = cannotCopy
		e.Msg = fmt.Sprintf("the agent cannot be copied into %s: %s", d.name(), oneLine(e.Err.Error()))
		e.Remedy = d.bake(agent)
	}
	return e
}

// hidden explains an agent that was copied without an error and is not there:
// docker cp writes below a tmpfs, not into it.
func (d *Docker) hidden(agent agents.Agent, err error) error {
	return &Error{
		Msg:    fmt.Sprintf("the agent was copied into %s but cannot be found there", d.name()),
		Remedy: "if /" + ownFolder + " or " + d.Path + " is on a tmpfs, " + d.bake(agent),
		Err:    err, cause: cannotCopy,
	}
}

func (d *Docker) bake(agent agents.Agent) string {
	return fmt.Sprintf("put the agent into the image: `COPY --chmod=755 %s %s/` with the file %s under that name",
		agentName, baked[0], agent.Path)
}

// archive makes a tar file that holds the agent and its folders, for any user to
// read and run. Folders that are there already stay what they are, but for their
// mode.
func archive(agent agents.Agent, content []byte, shared bool) []byte {
	var a archiver
	a.w = tar.NewWriter(&a.buf)
	top, dir := int64(0o755), folder(agent)
	if shared {
		top = 0o1777 // the agent's user may be any
	}
	a.add(tar.Header{Typeflag: tar.TypeDir, Name: ownFolder + "/", Mode: top}, nil)
	if shared {
		a.add(tar.Header{Typeflag: tar.TypeReg, Name: ownFolder + "/.gitignore", Mode: 0o644}, []byte("*\n"))
	}
	if !shared {
		// Where files are built: out of sight of whoever watches the root.
		a.add(tar.Header{Typeflag: tar.TypeDir, Name: ownFolder + "/stage/", Mode: 0o1777}, nil)
	}
	a.add(tar.Header{Typeflag: tar.TypeDir, Name: path.Dir(dir) + "/", Mode: 0o755}, nil)
	a.add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, nil)
	name := path.Join(dir, agentName)
	part := name + ".part"
	a.add(tar.Header{Typeflag: tar.TypeReg, Name: part, Mode: 0o755}, content)
	a.add(tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: part, Mode: 0o755}, nil)
	a.check(a.w.Close())
	return a.buf.Bytes()
}

// An archiver writes to memory, where nothing fails but our own headers.
type archiver struct {
	buf bytes.Buffer
	w   *tar.Writer
}

func (a *archiver) add(h tar.Header, content []byte) {
	h.Size = int64(len(content))
	a.check(a.w.WriteHeader(&h))
	_, err := a.w.Write(content)
	a.check(err)
}

func (a *archiver) check(err error) {
	if err != nil {
		panic("target: internal error: archive: " + err.Error())
	}
}
