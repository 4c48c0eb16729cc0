package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/host/target"
	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/run"
)

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 000", 16700: "16 700", 1234567: "1 234 567", -1000: "-1 000", -100: "-100"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9999: "10 kB", 270e6: "270 MB",
		999_499: "999 kB", 999_500: "1.0 MB", 2e12: "2.0 TB", 1<<63 - 1: "9.2 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	if got := rate(10e6, 2*time.Second); got != "5.0 MB/s" {
		t.Errorf("rate: got %q", got)
	}
	if got := rate(10e6, time.Millisecond); got != "" {
		t.Errorf("rate of a moment: got %q", got)
	}
	for d, want := range map[time.Duration]string{
		0: "for 0s", 59 * time.Second: "for 59s", 61 * time.Second: "for 1m",
		2*time.Hour + 3*time.Minute: "for 2h3m", 72 * time.Hour: "for 3 days",
	} {
		if got := age(d); got != want {
			t.Errorf("age(%v) = %q, want %q", d, got, want)
		}
	}
}

// F1: JSON carries what a program needs, and nothing that a terminal obeys.
func TestJSON(t *testing.T) {
	in := map[string]string{"p": "a\x1b[31m\n\u009b\u202e\u2028<&>\U000E0001ü\x7f"}
	var out bytes.Buffer
	if err := printJSON(&out, in); err != nil {
		t.Fatal(err)
	}
	want := `{"p":"a\u001b[31m\n\u009b\u202e\u2028<&>\udb40\udc01ü\u007f"}` + "\n"
	if out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["p"] != in["p"] {
		t.Errorf("read back %q, %v", back["p"], err)
	}
}

// Each class of error has its code, its remedy, and keeps them when wrapped.
func TestExit(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   int
		remedy string
	}{
		{nil, 0, ""},
		{errors.New("x"), 1, ""},
		{&Error{Msg: "x", Remedy: "r"}, 1, "r"},
		{&target.Error{Msg: "x", Remedy: "r"}, 1, "r"},
		{&disk.RootError{Msg: "x", Remedy: "r"}, 1, "r"},
		{&UsageError{"x", "r"}, 2, "r"},
		{&target.UsageError{Msg: "x", Remedy: "r"}, 2, "r"},
		{&run.HaltError{Reason: "x", Remedy: "r"}, 3, "r"},
		{&openError{1, 0, 0, 0}, 4, "twosync conflicts shows what lost and decides; a conflict is over, too, when its path is saved again"},
		{&openError{0, 1, 0, 0}, 4, "a held path crosses when its reason is gone"},
		{errInterrupted, 130, ""},
		{fsx.ErrNoSpace, 1, "make room where twosync writes down what was agreed, in $XDG_STATE_HOME (else ~/.local/state), and start again: nothing is lost"},
	} {
		wrapped := c.err
		if c.err != nil {
			wrapped = errors.Join(fmt.Errorf("wrapped: %w", c.err), nil)
		}
		for _, err := range []error{c.err, wrapped} {
			if got := exitCode(err); got != c.code {
				t.Errorf("exitCode(%v) = %d, want %d", err, got, c.code)
			}
			if got := remedy(err); got != c.remedy {
				t.Errorf("remedy(%v) = %q, want %q", err, got, c.remedy)
			}
		}
	}
}

func TestPrintError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errInterrupted, ""},
		{errors.New("no"), "twosync: no\n"},
		{&Error{Msg: "one\x1b\ntwo\n", Remedy: "do\x1b"}, "twosync: one\\x1b\n         two\n         do\\x1b\n"},
		{&openError{0, 2, 0, 0}, "twosync: not everything is in sync: 2 paths held\n         a held path crosses when its reason is gone\n"},
	} {
		var out strings.Builder
		printError(&out, c.err)
		if out.String() != c.want {
			t.Errorf("got %q, want %q", out.String(), c.want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{
		"": "''", "/a/b-c.d": "/a/b-c.d", "web:/app": "web:/app", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "ü": "'ü'",
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", in, got, want)
		}
	}
}

// slowSink shows nothing until it is let go.
type slowSink struct {
	let  chan struct{}
	seen []run.Event
	fail error
}

func (s *slowSink) show(e run.Event) error {
	<-s.let
	s.seen = append(s.seen, e)
	return s.fail
}

func (s *slowSink) end() error { return nil }

// A reader that does not read holds up nobody, and is told what it missed.
func TestFeedFull(t *testing.T) {
	s := &slowSink{let: make(chan struct{})}
	f := newFeed(s, func(error) { t.Error("the sink did not fail") })
	for range maxQueued + 5 {
		f.put(run.Event{Kind: run.Applied})
	}
	f.close()
	close(s.let)
	f.run()
	if len(s.seen) != maxQueued+1 {
		t.Fatalf("%d events, want %d", len(s.seen), maxQueued+1)
	}
	if got := s.seen[maxQueued].Text; !strings.HasPrefix(got, "5 events were not shown") {
		t.Errorf("got %q", got)
	}
}

// A sink that fails is left alone, and whoever should know is told, once.
func TestFeedFails(t *testing.T) {
	s := &slowSink{let: make(chan struct{}), fail: errors.New("broken pipe")}
	close(s.let)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	f := newFeed(s, cancel)
	for range 3 {
		f.put(run.Event{})
	}
	f.close()
	f.run()
	if len(s.seen) != 1 || !errors.Is(context.Cause(ctx), s.fail) || !errors.Is(f.failed, s.fail) {
		t.Errorf("%d events, cause %v, failed %v", len(s.seen), context.Cause(ctx), f.failed)
	}
}
