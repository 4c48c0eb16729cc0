package agents

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/adrg/xdg"

	"github.com/twosync/twosync/protocol"
)

const (
	module   = "github.com/twosync/twosync"
	mainPath = "agent/twosync-agent" // of the agent's main package, in the module

	// Override names the environment variable with the path of an agent.
	Override = "TWOSYNC_AGENT"
)

// An Agent is an executable file on the host's disk.
type Agent struct {
	Path   string
	SHA256 [32]byte
	GOOS   string
	GOARCH string
}

// An Error says that there is no agent for a platform, and what to do.
type Error struct {
	Msg    string
	Remedy string
	Err    error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Msg
	}
	return e.Msg + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Find returns the agent for a platform. When one must be built, which takes
// some seconds, say (which may be nil) is told so first.
func Find(ctx context.Context, goos, goarch string, say func(string)) (Agent, error) {
	key, err := hostDigest()
	if err != nil {
		return Agent{}, err
	}
	f := finder{
		override: os.Getenv(Override),
		cache:    filepath.Join(xdg.CacheHome, "twosync", "agents"),
		key:      fmt.Sprintf("%x", key[:8]),
		embedded: dist,
		toolchain: toolchain{
			module:  module,
			main:    mainPath,
			source:  sourceDir(),
			version: installedVersion(),
		},
		say: say,
	}
	return f.find(ctx, platform{goos, goarch})
}

// hostDigest is computed once: a running executable does not change.
var hostDigest = sync.OnceValues(protocol.SelfDigest)

// sourceDir returns the root of the module that this executable was built from,
// or "" if it is not on this disk (any more).
func sourceDir() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "" // built with -trimpath
	}
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	for _, name := range []string{"go.mod", mainPath} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			return ""
		}
	}
	return root
}

// installedVersion returns the version under which "go install" fetched this
// executable, or "" if it did not.
func installedVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != module || info.Main.Sum == "" {
		return "" // without a sum it was built in a working tree
	}
	return info.Main.Version
}

// A platform is what an agent runs on.
type platform struct{ goos, goarch string }

func (p platform) String() string { return p.goos + "/" + p.goarch }

// file is the name of the agent for p, in the cache and in dist.
func (p platform) file() string { return "twosync-agent-" + p.goos + "-" + p.goarch }

// A finder holds what Find depends on, so that tests can have their own.
type finder struct {
	// config
	override  string // a path, or ""
	cache     string // directory
	key       string // of this host's build, in the cache
	embedded  fs.FS  // holds dist/*.zst
	toolchain toolchain
	say       func(string) // may be nil
}

func (f *finder) find(ctx context.Context, p platform) (Agent, error) {
	if f.override != "" {
		return f.fromOverride(p)
	}
	if a, ok := f.cached(p); ok {
		return a, nil
	}
	content, err := f.unpack(p)
	if errors.Is(err, fs.ErrNotExist) {
		content, err = f.build(ctx, p)
	}
	if err != nil {
		return Agent{}, err
	}
	a, err := f.store(p, content)
	if err != nil {
		return Agent{}, &Error{
			Msg:    "the agent for " + p.String() + " cannot be put into the cache",
			Remedy: "make " + f.cache + " writable, or name another place with XDG_CACHE_HOME",
			Err:    err,
		}
	}
	return a, nil
}

// fromOverride takes the file that the user named, whatever it holds: it is
// asked for its greeting before it is trusted with anything.
func (f *finder) fromOverride(p platform) (Agent, error) {
	info, err := os.Stat(f.override)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a file")
	}
	var sum [32]byte
	if err == nil {
		sum, err = protocol.FileDigest(f.override)
	}
	if err != nil {
		return Agent{}, &Error{
			Msg:    "the agent named by " + Override + " cannot be used",
			Remedy: "correct " + Override + ", or unset it to let twosync find or build one",
			Err:    err,
		}
	}
	return Agent{Path: f.override, SHA256: sum, GOOS: p.goos, GOARCH: p.goarch}, nil
}

// build makes the agent with the toolchain, or says what the user can do.
func (f *finder) build(ctx context.Context, p platform) ([]byte, error) {
	if f.say != nil {
		f.say("building the agent for " + p.String() + ", once (a few seconds)")
	}
	content, err := f.toolchain.build(ctx, p)
	if err == nil || ctx.Err() != nil {
		return content, err
	}
	return nil, &Error{
		Msg: "there is no agent for " + p.String() + " and it cannot be built here",
		Remedy: fmt.Sprintf("where Go and the source of this version are, run "+
			"`CGO_ENABLED=0 GOOS=%s GOARCH=%s go build -o twosync-agent ./%s`, "+
			"and set %s to the path of the result", p.goos, p.goarch, mainPath, Override),
		Err: err,
	}
}
