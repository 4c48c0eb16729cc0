package probe

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestSent(t *testing.T) {
	now := time.Unix(1000, 0)
	l := Link{Rate: 1000}
	free := l.sent(time.Time{}, now, 500)
	if got := free.Sub(now); got != 500*time.Millisecond {
		t.Errorf("half a second's bytes take %v", got)
	}
	if got := l.sent(free, now, 500).Sub(now); got != time.Second {
		t.Errorf("they wait for those before them: %v", got)
	}
	if got := l.sent(free, now.Add(time.Minute), 500).Sub(now); got != time.Minute+500*time.Millisecond {
		t.Errorf("a link that rested saves nothing up: %v", got)
	}
	if got := (Link{}).sent(time.Time{}, now, 1<<30); got != now {
		t.Errorf("without a rate it is %v later", got.Sub(now))
	}
}

// TestLinkCarriesEverything has lower bounds only: a slow machine makes no test
// fail.
func TestLinkCarriesEverything(t *testing.T) {
	sent := Text(1, 1, 100<<10)
	l := Link{Delay: 20 * time.Millisecond, Rate: 1 << 20}
	var got bytes.Buffer
	start := time.Now()
	l.copy(&got, bytes.NewReader(sent))
	if !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("%d bytes of %d arrived, or others", got.Len(), len(sent))
	}
	if took, least := time.Since(start), 20*time.Millisecond+97*time.Millisecond; took < least {
		t.Errorf("it took %v, and must take %v", took, least)
	}
}

func TestLinkRunsAndTellsTheExitCode(t *testing.T) {
	if code, err := (Link{}).Run([]string{"sh", "-c", "exit 7"}); code != 7 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
	if _, err := (Link{}).Run([]string{filepath.Join(t.TempDir(), "absent")}); err == nil {
		t.Error("what is not there was run")
	}
}

func TestCovered(t *testing.T) {
	const ms = int64(time.Millisecond)
	span := func(start, took int64) Span { return Span{Start: start * ms, Took: time.Duration(took * ms)} }
	for _, c := range []struct {
		name  string
		spans []Span
		want  int64
	}{
		{"none", nil, 0},
		{"one after the other", []Span{span(30, 10), span(0, 10)}, 20},
		{"at once", []Span{span(0, 10), span(5, 10)}, 15},
		{"one inside of the other", []Span{span(0, 30), span(5, 10)}, 30},
		{"beyond the end", []Span{span(90, 100)}, 10},
		{"after the end", []Span{span(190, 10)}, 0},
	} {
		if got := Covered(c.spans, 100*ms); got != time.Duration(c.want*ms) {
			t.Errorf("%s: %v, want %d ms", c.name, got, c.want)
		}
	}
}

func TestStopwatch(t *testing.T) {
	log := filepath.Join(t.TempDir(), "spans")
	for _, script := range []string{"exit 3", "exit 0"} {
		if _, err := Stopwatch(log, []string{"sh", "-c", script}); err != nil {
			t.Fatal(err)
		}
	}
	spans, err := Spans(log)
	if err != nil || len(spans) != 2 || spans[0].Args != "sh -c exit 3" || spans[0].Took <= 0 || spans[1].Start < spans[0].Start {
		t.Errorf("%+v, %v", spans, err)
	}
	if err := os.WriteFile(log, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Spans(log); err == nil {
		t.Error("half a line was read")
	}
}

func TestParsePS(t *testing.T) {
	const said = "    1     0  12345   0:12.34 /sbin/launchd\n" +
		"  501     1 204800  01:02:03 /Applications/Docker.app/Contents/MacOS/com.docker.backend\n" +
		" 9999   501      8 2-00:00:01 /opt/a tool with spaces\n\n"
	got, err := parsePS(said)
	want := []Process{
		{PID: 1, RSS: 12345 << 10, CPU: 12340 * time.Millisecond, Command: "launchd"},
		{PID: 501, Parent: 1, RSS: 200 << 20, CPU: time.Hour + 2*time.Minute + 3*time.Second, Command: "com.docker.backend"},
		{PID: 9999, Parent: 501, RSS: 8 << 10, CPU: 48*time.Hour + time.Second, Command: "a tool with spaces"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"1 2 3", "x 1 1 0:01 a", "1 x 1 0:01 a", "1 1 x 0:01 a", "1 1 1 01 a", "1 1 1 x:01 a", "1 1 1 x-0:01 a"} {
		if _, err := parsePS(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
