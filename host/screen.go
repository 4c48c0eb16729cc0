package host

// What `up` prints, and how:
//
//   - Everything that it says goes to standard error; standard output is for
//     data, which only --json has. An error begins with "twosync: ", and the
//     line below it says what to do. No capitals, no full stops.
//   - On a terminal the last line is the state of things, and is drawn anew:
//     what is looked at, how far the work is, "in sync". What a person has to
//     know (a conflict, a held path, a lost container, a warning) is a line of
//     its own above it, and stays.
//   - Elsewhere, and with TERM=dumb, nothing is drawn anew. The state is a line
//     when it changes, and every few seconds while work goes on.
//   - Once in sync, each change is shown on a terminal in the line of state, and
//     elsewhere not at all: editors save a lot.
//   - What could fill a screen is cut off, with a count of the rest.
//   - Colours only on a terminal, and not with NO_COLOR. They never carry what
//     words do not say.
//   - Whatever a container, a path or an error brings is made safe to print.

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twosync/twosync/internal/run"
	"golang.org/x/term"
)

const (
	redrawEvery = 100 * time.Millisecond // as often as an eye sees
	plainEvery  = 5 * time.Second        // for a log that somebody follows

	// maxAlike bounds the lines about paths between two states of in sync.
	maxAlike = 10

	narrowest = 20 // a terminal that says less is not believed
)

const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
	erase  = "\r\x1b[K" // the line that the cursor is in
)

// screen shows events to a person.
type screen struct {
	// config
	w      io.Writer
	target string
	redraw bool
	colour bool
	width  func() int

	// state
	out     strings.Builder // of the event at hand
	state   string          // the last line, if it is drawn anew
	drawn   bool            // and it is on the screen
	shown   time.Time       // when progress was shown last
	plan    run.Event
	began   time.Time           // when the work that was planned did
	parts   map[string][2]int64 // files and bytes, of progress and of scans, by side
	synced  run.Event           // the last of in sync
	news    bool                // the next in sync is worth a line
	alike   map[run.Kind]int    // lines since the last in sync
	reasons map[string]bool     // why the container is lost, that were told
}

// newScreen returns a screen on f, which may be a terminal.
func newScreen(f *os.File, target string) *screen {
	s := &screen{w: f, target: line(target), news: true}
	s.redraw = term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	s.colour = s.redraw && os.Getenv("NO_COLOR") == ""
	s.width = func() int {
		w, _, err := term.GetSize(int(f.Fd()))
		if err != nil || w < narrowest {
			return 80
		}
		return w
	}
	return s
}

// show prints what an event has to say, in one write. A terminal that is gone
// ends nothing: the session is not there for its screen.
func (s *screen) show(e run.Event) error {
	s.out.Reset()
	s.take(e)
	if s.out.Len() > 0 {
		_, _ = io.WriteString(s.w, s.out.String())
	}
	return nil
}

// end leaves the last line behind.
func (s *screen) end() error {
	if s.drawn {
		_, _ = io.WriteString(s.w, "\n")
		s.drawn = false
	}
	return nil
}

func (s *screen) take(e run.Event) {
	switch e.Kind {
	case run.Connecting:
		s.say(e, "starting the agent in "+s.target)
	case run.Connected:
		s.connected()
	case run.Scanning:
		s.work(e, "looking: ")
	case run.Plan:
		s.planned(e)
	case run.Progress:
		s.work(e, "")
	case run.InSync:
		s.inSync(e)
	case run.Applied:
		s.applied(e)
	case run.Kept, run.HeldPath:
		if !e.First { // a first contact has one line for all of them
			s.aboutPath(e)
		}
	case run.Braked:
		s.print(s.paint(yellow, "held: ")+plural(e.Files, "file")+" that the container deleted: too many to follow at once", e.Remedy)
	case run.Lost:
		s.lost(e)
	case run.Note:
		s.print(line(e.Text), e.Remedy)
	case run.Warning:
		s.print(s.paint(yellow, "warning: ")+pathPrefix(e)+line(e.Text), e.Remedy)
	}
}

// print prints a line that stays, and its remedy below.
func (s *screen) print(text, remedy string) {
	if s.drawn {
		s.out.WriteString(erase)
	}
	s.out.WriteString(text + "\n")
	if remedy != "" {
		s.out.WriteString(indent + line(remedy) + "\n")
	}
	if s.drawn {
		s.out.WriteString(s.state)
	}
}

// say makes text the state of things: the last line, or a line.
func (s *screen) say(e run.Event, text string) {
	s.shown = e.Time
	if s.redraw {
		s.draw(text)
		return
	}
	s.print(text, "")
}

// draw draws the last line anew.
func (s *screen) draw(text string) {
	text = fit(text, s.width()-1)
	if rest, ok := strings.CutPrefix(text, "in sync"); ok {
		text = s.paint(green, "in sync") + rest
	}
	if s.drawn && text == s.state {
		return
	}
	s.out.WriteString(erase + text)
	s.state, s.drawn = text, true
}

// due says whether it is time to show progress again.
func (s *screen) due(e run.Event) bool {
	every := plainEvery
	if s.redraw {
		every = redrawEvery
	}
	return e.Time.Sub(s.shown) >= every
}

func (s *screen) connected() {
	s.plan, s.parts = run.Event{}, nil
	if s.reasons != nil {
		s.reasons, s.news = nil, true
		s.print("connected to "+s.target+" again", "")
	}
}

// planned says what is about to happen.
func (s *screen) planned(e run.Event) {
	s.plan, s.began, s.parts = e, e.Time, nil
	if e.Files == 0 && e.Back == 0 {
		return
	}
	s.news, s.shown = true, e.Time
	s.print(fmt.Sprintf("%s to %s, %s back", going(e.Files, e.Bytes, "go", "goes"), s.target, coming(e.Back, e.BackBytes)), "")
}

func going(files, bytes int64, many, one string) string {
	verb := many
	if files == 1 {
		verb = one
	}
	return plural(files, "file") + sized(bytes) + " " + verb
}

func coming(files, bytes int64) string {
	if files == 1 {
		return "1" + sized(bytes) + " comes"
	}
	return count(files) + sized(bytes) + " come"
}

func sized(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return " (" + size(bytes) + ")"
}

// work shows how far a scan or the work that was planned is.
func (s *screen) work(e run.Event, what string) {
	if s.parts == nil {
		s.parts = make(map[string][2]int64)
	}
	key := string(e.Kind) + e.Side
	if s.began.IsZero() || e.Time.Before(s.began) {
		s.began = e.Time
	}
	s.parts[key] = [2]int64{e.Files, e.Bytes}
	if !s.due(e) {
		return
	}
	var files, bytes int64
	for k, p := range s.parts {
		if strings.HasPrefix(k, string(e.Kind)) {
			files, bytes = files+p[0], bytes+p[1]
		}
	}
	text := what + plural(files, "file") + ", " + size(bytes)
	if total := s.plan.Files + s.plan.Back; e.Kind == run.Progress && total >= files && total > 0 {
		text = fmt.Sprintf("%s of %s, %s of %s", count(files), plural(total, "file"), size(bytes), size(s.plan.Bytes+s.plan.BackBytes))
	}
	if r := rate(bytes, e.Time.Sub(s.began)); e.Kind == run.Progress && r != "" {
		text += ", " + r
	}
	s.say(e, text)
}

// inSync is said when it is news; on a terminal it is there all the time.
func (s *screen) inSync(e run.Event) {
	s.rest(run.Kept, "kept")
	s.rest(run.HeldPath, "held")
	changed := e.Held != s.synced.Held || e.Conflicts != s.synced.Conflicts || e.Versions != s.synced.Versions
	if s.redraw || s.news || changed {
		s.say(e, summary(e))
	}
	s.synced, s.news, s.alike, s.plan, s.parts = e, false, nil, run.Event{}, nil
}

// rest says how many lines of a kind were left out.
func (s *screen) rest(kind run.Kind, word string) {
	if n := s.alike[kind] - maxAlike; n > 0 {
		s.print(fmt.Sprintf("%s: %s more: see twosync status", word, count(int64(n))), "")
	}
}

func summary(e run.Event) string {
	text := "in sync: " + plural(e.Files, "file") + ", " + size(e.Bytes)
	if e.Versions > 0 {
		text += "; " + plural(int64(e.Versions), "version") + " of the container's kept"
	}
	if e.Conflicts > 0 {
		text += "; " + plural(int64(e.Conflicts), "conflict")
	}
	if e.Held > 0 {
		text += "; " + count(int64(e.Held)) + " held"
	}
	if e.Braked > 0 {
		text += "; " + plural(e.Braked, "deletion") + " held back"
	}
	return text
}

// applied shows a change on a terminal, beside the state that it led to.
func (s *screen) applied(e run.Event) {
	if !s.redraw || s.news {
		return // bulk has its own line
	}
	to := s.target
	if e.Side == hostSide {
		to = "here"
	}
	s.draw(summary(s.synced) + "; " + line(e.Path) + " to " + to + " at " + e.Time.Format(time.TimeOnly))
}

// aboutPath says that a path is held, or that a version of it was kept.
func (s *screen) aboutPath(e run.Event) {
	if s.alike == nil {
		s.alike = make(map[run.Kind]int)
	}
	if s.alike[e.Kind]++; s.alike[e.Kind] > maxAlike {
		return
	}
	path := e.Path
	if path == "" { // of a slot that has no name any more
		path = "a file"
	}
	text := s.paint(yellow, string(e.Kind)+": ") + line(path)
	if e.Kind == run.HeldPath && e.Side != "" {
		text += " (" + line(e.Side) + ")"
	}
	if e.Text != "" {
		text += ": " + line(e.Text)
	}
	s.print(text, e.Remedy)
}

// lost says once for each reason that the container is.
func (s *screen) lost(e run.Event) {
	if s.reasons == nil {
		s.reasons = make(map[string]bool)
	}
	if !s.reasons[e.Text] && len(s.reasons) < maxAlike {
		s.reasons[e.Text] = true
		s.print(s.paint(yellow, "lost ")+s.target+": "+line(e.Text), e.Remedy)
	}
	if s.redraw {
		s.draw("waiting for " + s.target)
	}
}

func (s *screen) paint(colour, text string) string {
	if !s.colour {
		return text
	}
	return colour + text + plain
}

func pathPrefix(e run.Event) string {
	if e.Path == "" || strings.Contains(e.Text, e.Path) {
		return ""
	}
	return line(e.Path) + ": "
}

// fit cuts text that a terminal would wrap. What is not ASCII counts as two
// columns: a line that is a bit short can be drawn over, one too long cannot.
func fit(text string, columns int) string {
	used, end := 0, 0
	for i, r := range text {
		if used++; r >= utf8.RuneSelf {
			used++
		}
		if used > columns {
			return text[:end] + "..."
		}
		if used <= columns-len("...") {
			end = i + utf8.RuneLen(r)
		}
	}
	return text
}
