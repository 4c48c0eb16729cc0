package protocol

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var someGreeting = Greeting{GreetingVersion, sha256.Sum256([]byte("agent")), "linux", "amd64"}

func TestGreetingRoundTrip(t *testing.T) {
	for _, banner := range []string{"", "Welcome!\n\x1b[31mred\x1b[0m\n", "prompt> ", "\n\n", "twosync-agent 1 no\n"} {
		var wire bytes.Buffer
		wire.WriteString(banner)
		if err := WriteGreeting(&wire, someGreeting); err != nil {
			t.Fatal(err)
		}
		wire.WriteString("\x00rest")
		r := bufio.NewReader(&wire)
		got, err := ReadGreeting(r)
		if err != nil || got != someGreeting {
			t.Errorf("after banner %q: got %v, %v", banner, got, err)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "\x00rest" {
			t.Errorf("after banner %q: %q follows, want the rest untouched", banner, rest)
		}
	}
}

func TestGreetingLine(t *testing.T) {
	want := "twosync-agent 1 d4f0bc5a29de06b510f9aa428f1eedba926012b591fef7a518e776a7c9bd1824 linux/amd64"
	if got := someGreeting.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestReadGreetingRefuses(t *testing.T) {
	good := someGreeting.String()
	tests := map[string]string{
		"nothing":             "",
		"no line end":         good,
		"carriage return":     good + "\r\n",
		"another program":     "sh: twosync-agent: not found\n",
		"version zero":        strings.Replace(good, " 1 ", " 0 ", 1) + "\n",
		"version with a plus": strings.Replace(good, " 1 ", " +1 ", 1) + "\n",
		"short digest":        strings.Replace(good, "d4f0", "d4", 1) + "\n",
		"upper-case digest":   strings.ToUpper(good) + "\n",
		"no platform":         strings.TrimSuffix(good, "linux/amd64") + "\n",
		"odd platform":        strings.Replace(good, "linux/", "../", 1) + "\n",
		"one more word":       good + " x\n",
		"too many lines":      strings.Repeat("x\n", maxBannerLines) + good + "\n",
		"too many bytes":      strings.Repeat("x", maxBannerBytes) + "\n" + good + "\n",
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			g, err := ReadGreeting(bufio.NewReader(strings.NewReader(in)))
			var not *NotGreetedError
			if !errors.As(err, &not) {
				t.Fatalf("got %v, %v, want a NotGreetedError", g, err)
			}
			if not.Output != "" && !strings.HasPrefix(Printable(in), not.Output) {
				t.Errorf("output %q is not what was read", not.Output)
			}
		})
	}
}

// J15: what came instead of a greeting is what the user is told.
func TestReadGreetingKeepsTheReason(t *testing.T) {
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader("OCI runtime exec failed\r\n"), errReader{broken})
	_, err := ReadGreeting(bufio.NewReader(r))
	var not *NotGreetedError
	if !errors.As(err, &not) || not.Output != "OCI runtime exec failed\n" || !errors.Is(err, broken) {
		t.Errorf("got %#v", err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünï\tx\n":   "plain ünï\tx\n",
		"\x1b[2J":          `\x1b[2J`,
		"a\rb":             `a\rb`,
		"a\r\nb":           "a\nb",
		"\xff\u009b":       `\xff\u009b`,
		"\u202egnp.exe":    `\u202egnp.exe`,
		"it's":             "it's",
		"\x00\x7f\u2028":   `\x00\x7f\u2028`,
		"\ufffd stays, ok": "\ufffd stays, ok",
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSelfDigest(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGreeting()
	if err != nil || g.SHA256 != sha256.Sum256(content) {
		t.Errorf("got %v, %v, want the digest of %s", g, err, exe)
	}
}

func FuzzReadGreeting(f *testing.F) {
	f.Add([]byte(someGreeting.String() + "\nrest"))
	f.Add([]byte("banner\n" + someGreeting.String() + "\n"))
	f.Add([]byte("\x1b]0;title\x07twosync-agent 1 "))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReader(bytes.NewReader(in))
		g, err := ReadGreeting(r)
		if err == nil {
			checkFound(t, in, r, g)
			return
		}
		var not *NotGreetedError
		if !errors.As(err, &not) {
			t.Fatalf("error %T, want *NotGreetedError", err)
		}
		// An escape is at most ten times as long as what it stands for.
		if len(not.Output) > 10*maxBannerBytes {
			t.Fatalf("output of %d bytes", len(not.Output))
		}
		for _, c := range not.Output {
			if c != '\n' && c != '\t' && !unicode.IsPrint(c) {
				t.Fatalf("output holds %q", c)
			}
		}
	})
}

// checkFound asserts that in is a banner, the line of g, and what r still holds.
func checkFound(t *testing.T, in []byte, r io.Reader, g Greeting) {
	t.Helper()
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(in, append([]byte(g.String()+"\n"), rest...)) {
		t.Fatalf("%q was read out of %q with %q left", g, in, rest)
	}
}

func TestSlack(t *testing.T) {
	var s slack
	var got []int
	for i, heard := range []uint64{50_000, 50_015, 50_030, 50_094, 50_200, 90_000, 90_027, 90_042, 90_300} {
		if s.tick(heard) {
			got = append(got, i)
		}
	}
	if want := []int{1, 6}; !slices.Equal(got, want) {
		t.Errorf("memory is given back at ticks %v, want %v: once after each work", got, want)
	}
}
