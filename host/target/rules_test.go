package target

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// Words of engines that the tests with containers do not meet.
func TestExplainKnowsOtherEngines(t *testing.T) {
	tests := []struct {
		status    int
		text      string
		want      cause
		temporary bool
	}{
		{1, "Error response from daemon: Container 12ab is restarting, wait until the container is running", notRunning, true},
		{126, "OCI runtime exec failed: exec failed: cannot exec in a stopped container: unknown", notRunning, true},
		{255, "Error: no container with name or ID \"web\" found: no such container", noContainer, true},
		{1, "failed to connect to the docker API at unix:///var/run/docker.sock", noEngine, true},
		{1, "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", noAccess, false},
		{1, "standard_init_linux.go:228: exec user process caused: exec format error", wrongMachine, false},
		{127, "OCI runtime exec failed: exec failed: unable to start container process: exec: \"twosync-agent\": executable file not found in $PATH: unknown", notThere, false},
		{127, "Error: crun: executable file `twosync-agent` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found", notThere, false},
		{126, "OCI runtime exec failed: operation not permitted", notStarted, false},
		{1, "Error response from daemon: a teapot", refused, false},
		{1, "write /x: no space left on device", cannotCopy, false},
		{1, "hello", notGreeted, false},
		{1, "no such file or directory", notGreeted, false}, // the container's words, not the engine's
		{126, "is the Docker daemon running", notStarted, false},
		{137, "", ended, true},
		{3, "", ended, false},
	}
	d := &Docker{Container: "web", Path: "/app"}
	for _, tt := range tests {
		err := d.explain(&reply{tt.status, tt.text, io.EOF})
		var e *Error
		if !errors.As(err, &e) || e.cause != tt.want || e.Temporary != tt.temporary {
			t.Errorf("%d %q: got %#v, want cause %d, temporary %v", tt.status, tt.text, err, tt.want, tt.temporary)
			continue
		}
		if e.Msg == "" || strings.Contains(e.Msg+e.Remedy, "{") || strings.Contains(e.Msg+e.Remedy, "\n") {
			t.Errorf("%d %q: not one line each: %q, %q", tt.status, tt.text, e.Msg, e.Remedy)
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%d %q: the reply was dropped", tt.status, tt.text)
		}
	}
}

func TestChoose(t *testing.T) {
	list := parseList("web-frontend\t\t\tUp 3 minutes\n" +
		"proj-api-1\tapi\tFalse\tUp 2 seconds (Paused)\n" +
		"proj-api-2\tapi\tFalse\tExited (0) 2 days ago\n" +
		"proj-db-1\tdb\t\tUp 5 minutes\r\n" +
		"proj-db-2,proj-api-1/db\tdb\t\tUp 5 minutes\n" +
		"proj-api-run-1f\tapi\tTrue\tUp 1 second\n" +
		"proj-job-1\tjob\t\tExited (1) 3 minutes ago\n" +
		"no container\t\t\tUp\nrubbish\n")
	tests := []struct{ name, want, msg, remedy string }{
		{name: "api", want: "proj-api-1"},
		{name: "web-frontend", want: "web-frontend"},
		{name: "proj-api-run-1f", want: "proj-api-run-1f"},
		{name: "db", msg: "2 running", remedy: "proj-db-1, proj-db-2"},
		{name: "job", msg: "not running", remedy: "docker compose start job"},
		{name: "web-frontent", msg: "no container", remedy: "did you mean web-frontend?"},
		{name: "apj", msg: "no container", remedy: "did you mean api?"},
		{name: "frontend", msg: "no container", remedy: "did you mean web-frontend?"},
		{name: "xy", msg: "no container", remedy: "list those"},
	}
	for _, tt := range tests {
		got, err := choose(tt.name, list)
		if got != tt.want || (err == nil) != (tt.msg == "") {
			t.Errorf("choose(%q) = %q, %v, want %q", tt.name, got, err, tt.want)
		}
		var e *Error
		if tt.msg != "" && (!errors.As(err, &e) || !strings.Contains(e.Msg, tt.msg) || !strings.Contains(e.Remedy, tt.remedy)) {
			t.Errorf("choose(%q) = %v, %#v, want %q, %q", tt.name, got, err, tt.msg, tt.remedy)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"web", "web", 0}, {"", "abc", 3}, {"web", "wbe", 2}, {"kitten", "sitting", 3}, {"api", "apj", 1}} {
		if got := distance(tt.a, tt.b); got != tt.want || distance(tt.b, tt.a) != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"\n  \n first \nsecond":  "first",
		strings.Repeat("é", 400): strings.Repeat("é", 300) + "...",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q", in, got)
		}
	}
}

func TestTail(t *testing.T) {
	tail := tail{max: 4}
	for _, s := range []string{"ab", "cde", "", "0123456789", "x"} {
		if n, err := tail.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", s, n, err)
		}
	}
	if got := tail.String(); got != "789x" {
		t.Errorf("got %q, want the last four bytes", got)
	}
}
