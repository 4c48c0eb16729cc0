package host

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/twosync/twosync/host/target"
)

// Bytes are compressed only where the user's settings say that they travel.
func TestFar(t *testing.T) {
	config := t.TempDir()
	t.Setenv("DOCKER_CONFIG", config)
	for _, c := range []struct {
		target, host, context, current string
		want                           bool
	}{
		{"local:/app", "tcp://build:2375", "", "", false},
		{"web:/app", "", "", "", false},
		{"web:/app", "unix:///run/user/1000/docker.sock", "remote", "", false},
		{"web:/app", "npipe:////./pipe/docker_engine", "", "", false},
		{"web:/app", "ssh://build", "", "", true},
		{"web:/app", "tcp://build:2375", "default", "", true},
		{"web:/app", "", "desktop-linux", "", false},
		{"web:/app", "", "build", "", true},
		{"web:/app", "", "", "build", true},
		{"web:/app", "", "default", "build", false},
		{"k8s:///web:/app", "", "", "", true},
		{"web:/app", "unix:///run/docker.sock", "", "build", false},
	} {
		t.Setenv("DOCKER_HOST", c.host)
		t.Setenv("DOCKER_CONTEXT", c.context)
		text := fmt.Sprintf(`{"auths": {}, "currentContext": %q}`, c.current)
		if err := os.WriteFile(filepath.Join(config, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		to, err := target.Parse(c.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&dialler{target: to}).far(); got != c.want {
			t.Errorf("%+v: far = %v", c, got)
		}
	}
}

// An agent's last words come over the wire; what else it printed is a crash.
func TestCrash(t *testing.T) {
	for stderr, want := range map[string]string{
		"": "", "twosync-agent: disconnected\n": "",
		"panic: no\n\ngoroutine 1\ntwosync-agent: x\n": "panic: no\n\ngoroutine 1",
	} {
		if got := crash(stderr); got != want {
			t.Errorf("crash(%q) = %q, want %q", stderr, got, want)
		}
	}
}
