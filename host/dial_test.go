package host

import (
	"testing"

	"github.com/twosync/twosync/host/target"
)

// Bytes are compressed only where the environment says that they travel.
func TestFar(t *testing.T) {
	for _, c := range []struct {
		target, host, context string
		want                  bool
	}{
		{"local:/app", "tcp://build:2375", "", false},
		{"web:/app", "", "", false},
		{"web:/app", "unix:///run/user/1000/docker.sock", "remote", false},
		{"web:/app", "npipe:////./pipe/docker_engine", "", false},
		{"web:/app", "ssh://build", "", true},
		{"web:/app", "tcp://build:2375", "default", true},
		{"web:/app", "", "desktop-linux", false},
		{"web:/app", "", "build", true},
	} {
		t.Setenv("DOCKER_HOST", c.host)
		t.Setenv("DOCKER_CONTEXT", c.context)
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
