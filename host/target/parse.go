package target

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/twosync/twosync/host/agents"
)

const (
	dockerScheme = "docker://"
	localScheme  = "local:"

	forms = "write CONTAINER:/PATH, USER@CONTAINER:/PATH, docker://[USER@]CONTAINER/PATH, " +
		"k8s://NAMESPACE/POD:/PATH, k8s://NAMESPACE/KIND/NAME:/PATH " +
		"or local:PATH (a directory on this machine)"
)

// containerName is what Docker accepts as one. It also keeps a name from being
// taken for an option.
var containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// Parse reads what the user typed. It asks no engine. Lines that the user should
// see while dialling, because something was decided for them or takes long, go
// to say, which may be nil.
//
// The forms are docker://[USER@]CONTAINER/PATH, its short form
// [USER@]CONTAINER:/PATH, local:PATH, and those of ParseKube. A path is taken
// literally: no escapes.
func Parse(text string, say func(string)) (Target, error) {
	if say == nil {
		say = func(string) {}
	}
	if rest, ok := strings.CutPrefix(text, dockerScheme); ok {
		name, dir, _ := strings.Cut(rest, "/")
		return parseDocker(text, name, "/"+dir, say)
	}
	if strings.HasPrefix(text, kubeScheme) {
		k, err := ParseKube(text, false, KubeFlags{}, say)
		if err != nil {
			return nil, err
		}
		return k, nil
	}
	if dir, ok := strings.CutPrefix(text, localScheme); ok {
		return parseLocal(text, dir)
	}
	if strings.Contains(text, "://") {
		return nil, usage(text, "is of a kind that twosync does not know")
	}
	// Neither a user nor a container can hold a slash, so the first ":/" ends
	// the name, whatever the path holds.
	name, dir, ok := strings.Cut(text, ":/")
	switch {
	case ok && len(name) == 1, len(text) > 1 && text[1] == ':': // C:\x or C:/x
		return nil, usage(text, "is a path on this machine: did you mean local:"+text+"?")
	case !ok && strings.Contains(text, ":"):
		return nil, usage(text, "has no absolute path after the colon")
	case !ok && containerName.MatchString(text):
		return nil, usage(text, "has no path: did you mean "+text+":/app?")
	case !ok:
		return nil, usage(text, "names no container: did you mean local:"+text+"?")
	}
	return parseDocker(text, name, "/"+dir, say)
}

func usage(text, why string) error {
	return &UsageError{Msg: fmt.Sprintf("target %q %s", text, why), Remedy: forms}
}

func parseDocker(text, name, dir string, say func(string)) (Target, error) {
	user, container := "", name
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		user, container = name[:i], name[i+1:]
		if user == "" {
			return nil, usage(text, "has no user before the @")
		}
	}
	dir = path.Clean(dir)
	switch {
	case !containerName.MatchString(container):
		return nil, usage(text, fmt.Sprintf("names no container: %q cannot be one", container))
	case strings.ContainsRune(text, 0):
		return nil, usage(text, "holds a zero byte")
	case dir == "/":
		return nil, usage(text, "is all of a container, which cannot be synced: name a directory in it")
	}
	return &Docker{
		User: user, Container: container, Path: dir,
		engine: engine(), say: say, find: agents.Find,
	}, nil
}

// engine tells apart the engines that the user can select.
func engine() string {
	if host := os.Getenv("DOCKER_HOST"); host != "" { // as docker ranks them
		return "?host=" + host
	}
	if context := Context(); context != "" {
		return "?context=" + context
	}
	return ""
}

// maxConfig bounds what is read of docker's configuration.
const maxConfig = 1 << 20

// Context is the docker context that is in use where DOCKER_HOST names no engine,
// or "" for the default one: what the environment says, or else `docker context
// use` did. It is read here because each question to docker costs 75 ms.
func Context() string {
	context := os.Getenv("DOCKER_CONTEXT")
	if context == "" {
		context = currentContext()
	}
	if context == "default" {
		return ""
	}
	return context
}

// currentContext is what docker's configuration says, as far as it can be read.
func currentContext() string {
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".docker")
	}
	f, err := os.Open(filepath.Join(dir, "config.json"))
	if err != nil {
		return ""
	}
	defer f.Close()
	var config struct{ CurrentContext string }
	if json.NewDecoder(io.LimitReader(f, maxConfig)).Decode(&config) != nil {
		return ""
	}
	return config.CurrentContext
}

func parseLocal(text, dir string) (Target, error) {
	if dir == "" || strings.ContainsRune(dir, 0) {
		return nil, usage(text, "names no directory")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", dir, err)
	}
	return &Local{Path: abs}, nil
}
