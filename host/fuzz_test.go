package host

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/twosync/twosync/internal/run"
)

// obeyed returns the first of what a terminal may obey.
func obeyed(text string) (rune, bool) {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) || r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return r, true
		}
	}
	return 0, false
}

// FuzzShown: nothing that a terminal obeys comes through, on a screen, in an
// error or in JSON; and JSON still says the same.
func FuzzShown(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J", "\u009b31m", "\u202egnp", "\x00\x7f\r\n\t", "\xff\xc2", "\u2028\ufffd", "\U000e0041\U0001f600"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var out strings.Builder
		screen := screenOf(&out, false, false, 0)
		for _, k := range []run.Kind{run.Note, run.Warning, run.HeldPath, run.Kept, run.Lost} {
			screen.show(run.Event{Kind: k, Text: s, Remedy: s, Path: s, Side: s})
		}
		printError(&out, &Error{Msg: s, Remedy: s})
		out.WriteString(table(record{Dir: s, Target: s, Keep: s}, answer{Status: run.Status{State: s, Open: []string{s}, Held: []run.Held{{Side: s, Path: s, Reason: s}}, Watch: map[string]string{"host": s}}}, second(0)))
		if r, ok := obeyed(out.String()); ok {
			t.Errorf("%q of %q is shown", r, s)
		}
		var b bytes.Buffer
		if err := printJSON(&b, run.Event{Text: s}); err != nil {
			t.Fatal(err)
		}
		if r, ok := obeyed(b.String()); ok {
			t.Errorf("%q of %q is in JSON", r, s)
		}
		var got run.Event
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.Text != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Errorf("%q is read as %q, %v", s, got.Text, err)
		}
	})
}

// FuzzLine: whatever comes over the control socket is a request or an answer
// within the limits, or an error.
func FuzzLine(f *testing.F) {
	f.Add([]byte("{\"do\":\"flush\",\"timeout\":30000000000}\n"))
	f.Add([]byte("{\"status\":{\"state\":\"in sync\",\"held\":[{\"path\":\"a\"}]},\"more\":7,\"error\":\"\\u001b\"}\nmore"))
	f.Add([]byte("{\"do\":\"status\",\"timeout\":-9223372036854775808}"))
	f.Add(bytes.Repeat([]byte("["), maxRequest+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var q request
		err := readLine(bytes.NewReader(b), maxRequest, &q)
		if line, _, _ := bytes.Cut(b, []byte("\n")); err == nil && len(line) > maxRequest {
			t.Fatalf("a line of %d bytes was taken", len(line))
		}
		if err == nil {
			text, _ := json.Marshal(q)
			var again request
			err := readLine(bytes.NewReader(text), maxRequest*8, &again)
			if back, _ := json.Marshal(again); err != nil || !bytes.Equal(back, text) {
				t.Fatalf("%+v is read as %+v, %v", q, again, err)
			}
		}
		var a answer
		_ = readLine(bytes.NewReader(b), maxAnswer, &a)
	})
}

// FuzzRecord: a record that is read is written and read as the same, also when
// its names are no text.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"dir":"/a","target":"web:/app"}`), "/caf\xe9")
	f.Add([]byte(`{"dir":"/a","exact":{"dir":"/w==","socket":null}}`), "")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		r, ok := parseRecord(text)
		if !ok {
			r = record{Dir: "/"}
		}
		r.Target = name
		again, err := r.text()
		if err != nil {
			return // a time that JSON can't hold
		}
		got, ok := parseRecord(again)
		if got.Started.Equal(r.Started) {
			got.Started = r.Started
		}
		if r.Dir != "" && (!ok || !reflect.DeepEqual(got, r)) {
			t.Fatalf("%+v is read as %+v", r, got)
		}
	})
}
