package host

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twosync/twosync/internal/run"
)

// second is what a story's events are stamped with.
func second(s float64) time.Time {
	return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))
}

// story is a session as its screen sees it.
var story = []run.Event{
	{Time: second(0), Kind: run.Note, Text: ".git stays here: this version leaves repositories to the host"},
	{Time: second(0), Kind: run.Connecting},
	{Time: second(0.5), Kind: run.Connected, Text: "watching"},
	{Time: second(0.6), Kind: run.Scanning, Side: "host", Files: 100, Bytes: 1e6},
	{Time: second(0.65), Kind: run.Scanning, Side: "container", Files: 7, Bytes: 100},
	{Time: second(0.75), Kind: run.Scanning, Side: "host", Files: 16000, Bytes: 2e8},
	{Time: second(6), Kind: run.Plan, Files: 16700, Bytes: 270e6, Back: 1, BackBytes: 512},
	{Time: second(7), Kind: run.Progress, Side: "container", Files: 5000, Bytes: 90e6},
	{Time: second(7.01), Kind: run.Progress, Side: "host", Files: 1, Bytes: 512},
	{Time: second(12), Kind: run.Progress, Side: "container", Files: 15000, Bytes: 240e6},
	{Time: second(12.1), Kind: run.Applied, Side: "container", Path: "bulk", Files: 1},
	{Time: second(12.5), Kind: run.HeldPath, Side: "host", Path: "run/pipe", Text: "neither a file, a directory nor a link: not synced"},
	{Time: second(13), Kind: run.InSync, Files: 16701, Bytes: 270e6, Held: 1},
	{Time: second(60), Kind: run.Applied, Side: "container", Path: "src/a.go", Files: 1},
	{Time: second(60), Kind: run.InSync, Files: 16701, Bytes: 270e6, Held: 1},
	{Time: second(61), Kind: run.Applied, Side: "host", Path: "go.sum", Files: 1},
	{Time: second(62), Kind: run.Kept, Side: "container", Path: "b.go", Text: "the container's version was kept"},
	{Time: second(62), Kind: run.InSync, Files: 16701, Bytes: 270e6, Held: 1, Conflicts: 1},
	{Time: second(70), Kind: run.Lost, Text: "container web is not running"},
	{Time: second(71), Kind: run.Lost, Text: "container web is not running"},
	{Time: second(72), Kind: run.Lost, Text: "there is no container web"},
	{Time: second(75), Kind: run.Connected},
	{Time: second(76), Kind: run.Plan},
	{Time: second(76), Kind: run.InSync, Files: 16701, Bytes: 270e6, Held: 1, Conflicts: 1},
	{Time: second(80), Kind: run.Warning, Text: "out of inotify watches", Remedy: "sysctl fs.inotify.max_user_watches=524288"},
}

const plainStory = `.git stays here: this version leaves repositories to the host
starting the agent in web:/app
16 700 files (270 MB) go to web:/app, 1 (512 B) comes back
15 001 of 16 701 files, 240 MB of 270 MB, 40 MB/s
held: run/pipe (host): neither a file, a directory nor a link: not synced
in sync: 16 701 files, 270 MB; 1 held
kept: b.go: the container's version was kept
in sync: 16 701 files, 270 MB; 1 conflict; 1 held
lost web:/app: container web is not running
lost web:/app: there is no container web
connected to web:/app again
in sync: 16 701 files, 270 MB; 1 conflict; 1 held
warning: out of inotify watches
         sysctl fs.inotify.max_user_watches=524288
`

// On a terminal: <- begins the last line anew, green and yellow are colours.
const terminalStory = `.git stays here: this version leaves repositories to the host
<-starting the agent in web:/app<-looking: 100 files, 1.0 MB<-looking: 16 007 files, 200 MB` +
	`<-16 700 files (270 MB) go to web:/app, 1 (512 B) comes back
looking: 16 007 files, 200 MB` +
	`<-5 000 of 16 701 files, 90 MB of 270 MB, 90 MB/s<-15 001 of 16 701 files, 240 MB of 270 MB, 40 MB/s` +
	`<-[yellow]held: [/]run/pipe (host): neither a file, a directory nor a link: not synced
15 001 of 16 701 files, 240 MB of 270 MB, 40 MB/s` +
	`<-[green]in sync[/]: 16 701 files, 270 MB; 1 held` +
	`<-[green]in sync[/]: 16 701 files, 270 MB; 1 held; src/a.go to web:/app at 12:01:00` +
	`<-[green]in sync[/]: 16 701 files, 270 MB; 1 held` +
	`<-[green]in sync[/]: 16 701 files, 270 MB; 1 held; go.sum to here at 12:01:01` +
	`<-[yellow]kept: [/]b.go: the container's version was kept
[green]in sync[/]: 16 701 files, 270 MB; 1 held; go.sum to here at 12:01:01` +
	`<-[green]in sync[/]: 16 701 files, 270 MB; 1 conflict; 1 held` +
	`<-[yellow]lost [/]web:/app: container web is not running
[green]in sync[/]: 16 701 files, 270 MB; 1 conflict; 1 held` +
	`<-waiting for web:/app` +
	`<-[yellow]lost [/]web:/app: there is no container web
waiting for web:/app` +
	`<-connected to web:/app again
waiting for web:/app` +
	`<-[green]in sync[/]: 16 701 files, 270 MB; 1 conflict; 1 held` +
	`<-[yellow]warning: [/]out of inotify watches
         sysctl fs.inotify.max_user_watches=524288
[green]in sync[/]: 16 701 files, 270 MB; 1 conflict; 1 held
`

var visible = strings.NewReplacer(erase, "<-", green, "[green]", yellow, "[yellow]", plain, "[/]")

func screenOf(w *strings.Builder, redraw, colour bool, width int) *screen {
	return &screen{w: w, target: "web:/app", news: true, redraw: redraw, colour: colour, width: func() int { return width }}
}

func tellStory(t *testing.T, s *screen, events []run.Event) {
	t.Helper()
	for _, e := range events {
		if err := s.show(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
}

func TestScreenPlain(t *testing.T) {
	var out strings.Builder
	tellStory(t, screenOf(&out, false, false, 0), story)
	if got := out.String(); got != plainStory {
		t.Errorf("got:\n%s\nwant:\n%s", got, plainStory)
	}
}

func TestScreenTerminal(t *testing.T) {
	var out strings.Builder
	tellStory(t, screenOf(&out, true, true, 200), story)
	if got := visible.Replace(out.String()); got != terminalStory {
		t.Errorf("got:\n%s\nwant:\n%s", got, terminalStory)
	}
}

// NO_COLOR takes colours away and nothing else.
func TestScreenColourless(t *testing.T) {
	var with, without strings.Builder
	tellStory(t, screenOf(&with, true, true, 200), story)
	tellStory(t, screenOf(&without, true, false, 200), story)
	got := strings.NewReplacer(green, "", yellow, "", plain, "").Replace(with.String())
	if got != without.String() {
		t.Errorf("got:\n%q\nwant:\n%q", without.String(), got)
	}
}

// The last line never wraps: it could not be drawn anew.
func TestScreenNarrow(t *testing.T) {
	var out strings.Builder
	tellStory(t, screenOf(&out, true, false, 30), story[:16])
	for _, part := range strings.Split(out.String(), erase)[1:] {
		if last, _, whole := strings.Cut(part, "\n"); !whole && len(last) > 29 {
			t.Errorf("%q is longer than the terminal is wide", last)
		}
	}
}

// What fills a screen is cut off, and counted.
func TestScreenFlood(t *testing.T) {
	var out strings.Builder
	s := screenOf(&out, false, false, 0)
	for range 25 {
		s.show(run.Event{Kind: run.HeldPath, Path: "p", Text: "why"})
		s.show(run.Event{Kind: run.Kept, Path: "q"})
	}
	s.show(run.Event{Kind: run.InSync, Held: 25})
	want := strings.Repeat("held: p: why\nkept: q\n", maxAlike) +
		"kept: 15 more: see twosync status\nheld: 15 more: see twosync status\nin sync: 0 files, 0 B; 25 held\n"
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
	out.Reset()
	s.show(run.Event{Kind: run.HeldPath, Path: "again"})
	if out.String() != "held: again\n" {
		t.Errorf("after in sync: got %q", out.String())
	}
}

// F1: whatever comes from elsewhere can neither move the cursor nor begin a line.
func TestScreenHostile(t *testing.T) {
	const evil = "a\x1b[2J\r\n\u202eb\u009bc\x07\xff"
	kinds := []run.Kind{
		run.Connecting, run.Connected, run.Scanning, run.Plan, run.Progress, run.InSync, run.Applied,
		run.Kept, run.HeldPath, run.Lost, run.Note, run.Warning, "other",
	}
	for _, redraw := range []bool{false, true} {
		for _, kind := range kinds {
			var out strings.Builder
			s := screenOf(&out, redraw, false, 200)
			s.target = line(evil)
			s.show(run.Event{Kind: run.InSync})
			s.show(run.Event{Kind: kind, Text: evil, Remedy: evil, Side: evil, Path: evil, Files: 1})
			text := strings.ReplaceAll(out.String(), erase, "")
			if strings.ContainsAny(text, "\x1b\r\u202e\u009b\x07") || !utf8.ValidString(text) {
				t.Errorf("%s (redraw %v): %q", kind, redraw, text)
			}
			for _, l := range strings.Split(text, "\n") {
				if strings.HasPrefix(l, "b") {
					t.Errorf("%s (redraw %v): a line begins with foreign text: %q", kind, redraw, text)
				}
			}
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"", 5, ""},
		{"12345", 5, "12345"},
		{"123456", 5, "12..."},
		{"üüü", 6, "üüü"},
		{"üüüü", 6, "ü..."},
		{"日本語x", 7, "日本語x"},
	} {
		if got := fit(c.text, c.columns); got != c.want {
			t.Errorf("fit(%q, %d) = %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}
