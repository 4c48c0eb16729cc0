package host

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// patched applies what edits says, and so checks it.
func patched(t *testing.T, x, y []string) (changed int) {
	t.Helper()
	var a, b []string
	for _, e := range edits(x, y) {
		if e.mark != '+' {
			if e.a != len(a) {
				t.Fatalf("line %d of the first is said to be %d", len(a), e.a)
			}
			a = append(a, x[e.a])
		}
		if e.mark != '-' {
			if e.b != len(b) {
				t.Fatalf("line %d of the second is said to be %d", len(b), e.b)
			}
			b = append(b, y[e.b])
		}
		if e.mark == ' ' && x[e.a] != y[e.b] {
			t.Fatalf("%q is said to be %q", x[e.a], y[e.b])
		}
		if e.mark != ' ' {
			changed++
		}
	}
	if fmt.Sprint(a) != fmt.Sprint(x) || fmt.Sprint(b) != fmt.Sprint(y) {
		t.Fatalf("%q to %q goes over %q to %q", x, y, a, b)
	}
	return changed
}

// leastEdits is how many lines have to change, by the table of all prefixes.
func leastEdits(x, y []string) int {
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		last := row[0]
		row[0] = i + 1
		for j := range y {
			was := row[j+1]
			if row[j+1] = min(was, row[j]) + 1; x[i] == y[j] {
				row[j+1] = last
			}
			last = was
		}
	}
	return row[len(y)]
}

func TestEdits(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	random := func() []string {
		s := make([]string, r.IntN(12))
		for i := range s {
			s[i] = string(rune('a' + r.IntN(3)))
		}
		return s
	}
	for range 20_000 {
		x, y := random(), random()
		if got, want := patched(t, x, y), leastEdits(x, y); got != want {
			t.Fatalf("seed %d: %q to %q: %d edits, %d are enough", seed, x, y, got, want)
		}
	}
	long := make([]string, maxEdits)
	other := make([]string, maxEdits)
	for i := range long {
		long[i], other[i] = fmt.Sprint(i), fmt.Sprint("x", i)
	}
	patched(t, long, other) // further apart than is looked for
}

func TestPrintDiff(t *testing.T) {
	var lines strings.Builder
	for i := range 30 {
		fmt.Fprintf(&lines, "%d\n", i)
	}
	text := lines.String()
	for _, c := range []struct{ a, b, want string }{
		{"x\n", "x\n", " the same\n"},
		{"x\n", "x", "@@ -1,1 +1,1 @@\n-x\n+x\n\\ no line end at the end\n"},
		{"", "x\n", "@@ -0,0 +1,1 @@\n+x\n"},
		{"x\r\n", "\x1b[2J\t\u202e\n", "@@ -1,1 +1,1 @@\n-x\\r\n+\\x1b[2J\t\\u202e\n"},
		{text, strings.Replace(strings.Replace(text, "\n4\n", "\nfour\n", 1), "\n20\n", "\n", 1),
			"@@ -2,7 +2,7 @@\n 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n@@ -18,7 +18,6 @@\n 17\n 18\n 19\n-20\n 21\n 22\n 23\n"},
	} {
		var out strings.Builder
		if err := printDiff(&out, shown{title: "a", text: []byte(c.a)}, shown{title: "b\x07", text: []byte(c.b)}); err != nil {
			t.Fatal(err)
		}
		if want := "--- a\n+++ b\\a\n" + c.want; out.String() != want {
			t.Errorf("%q to %q:\n%s\nwant\n%s", c.a, c.b, out.String(), want)
		}
	}
	var out strings.Builder
	if err := printDiff(&out, shown{title: "a", what: "absent"}, shown{title: "b", text: []byte("new\n")}); err != nil || !strings.HasSuffix(out.String(), "@@ -0,0 +1,1 @@\n+new\n") {
		t.Errorf("%s %v", out.String(), err)
	}
	out.Reset()
	if err := printDiff(&out, shown{title: "a", text: []byte("abc")}, shown{title: "b", what: "a link to \x1b"}); err != nil ||
		!strings.Contains(out.String(), "-a text of 3 bytes, digest ") || !strings.HasSuffix(out.String(), "+a link to \\x1b\n") {
		t.Errorf("%s %v", out.String(), err)
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "12": 12, "1B": 1, "500MB": 500e6, "1GiB": 1 << 30, "2g": 2e9, "1.5 KiB": 1536, "1tib": 1 << 40,
		"": -1, "B": -1, "-1": -1, "1XB": -1, "1ib": -1, "1 G B": -1, "nan": -1, "inf": -1, "1e30": -1, "GB1": -1, "9999999TiB": -1,
	} {
		var b byteSize
		err := b.Set(text)
		if (err == nil) != (want >= 0) || err == nil && int64(b) != want {
			t.Errorf("%q is %d, %v; want %d", text, b, err, want)
		}
	}
	for n, want := range map[byteSize]string{0: "0B", 1 << 30: "1GiB", 1000: "1000B", 1536: "1536B", 2048: "2KiB"} {
		if got := n.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(n), got, want)
		}
	}
}
