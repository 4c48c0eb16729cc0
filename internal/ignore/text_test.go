package ignore

import (
	"strings"
	"testing"
)

// K7: the agent decides by the very rules that the host has.
func TestTextRoundTrip(t *testing.T) {
	groups := []Group{
		BuiltIn(), Literal("--ignore", "#a", " b ", "=c", "1 d", "", "\xff", "e\r"),
		Parse(".twosyncignore", "x\n\n!y/\n[a\n"), Literal("", "z"),
	}
	r := mustNew(t, groups...)
	o, err := ParseText(r.Text())
	if err != nil {
		t.Fatal(err)
	}
	if !o.Equal(r) || o.Text() != r.Text() {
		t.Errorf("text %q became %q", r.Text(), o.Text())
	}
	for i, p := range r.patterns {
		if o.patterns[i] != p {
			t.Errorf("pattern %d was %v, is %v", i, p, o.patterns[i])
		}
	}
	var none *Rules
	if o, err := ParseText(none.Text()); err != nil || !o.Equal(none) || !none.Equal(o) {
		t.Errorf("no rules became %v, %v", o, err)
	}
}

func TestEqual(t *testing.T) {
	a := mustNew(t, Parse("f", "a\nb"))
	if !a.Equal(mustNew(t, Literal("--ignore", "a"), Parse("g", "\n\nb"))) {
		t.Error("the place of a rule counts")
	}
	for _, other := range []string{"", "a", "b\na", "a\nb\nb", "a\nB"} {
		if a.Equal(mustNew(t, Parse("f", other))) {
			t.Errorf("equal to %q", other)
		}
	}
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("a", MaxRuleBytes)
	tests := []struct {
		name   string
		groups []Group
		want   string // part of the error; "" for none
	}{
		{"many", []Group{Parse("f", strings.Repeat("a\n", MaxRules))}, ""},
		{"too many", []Group{Parse("f", strings.Repeat("a\n", MaxRules)), Literal("--ignore", "b")}, "10001 ignore rules"},
		{"long", []Group{Parse("f", long)}, ""},
		{"too long", []Group{Parse("f", "a\n"+long+"b")}, "f:2 of 65537 bytes"},
		{"too much", []Group{Parse("f", strings.Repeat(long+"\n", 16))}, "larger than 1048576"},
		{"line break", []Group{Literal("--ignore", "a\nb")}, "line break"},
		{"NUL", []Group{Literal("--ignore", "a\x00b")}, "NUL"},
		{"source", []Group{Parse("a\nb", "x")}, "bad source"},
		{"line", []Group{{{"a", "f", -1}}}, "line -1"},
	}
	for _, tt := range tests {
		_, err := New(tt.groups...)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestParseTextRefuses(t *testing.T) {
	for _, text := range []string{
		"", "twosync-rules 2\n", "1 a\n", header + "1 a", header + "a\n", header + "\n", header + "-1 a\n", header + "1\n",
		header + "99999999999 a\n", header + "1 a\x00\n", header + strings.Repeat("1 a\n", MaxRules+1),
		header + strings.Repeat("=a\n", 2*MaxRules+1), header + "1 " + strings.Repeat("a", MaxTextBytes) + "\n",
		header + "1 " + strings.Repeat("a", MaxRuleBytes+1) + "\n",
	} {
		if r, err := ParseText(text); err == nil {
			t.Errorf("ParseText(%.60q) = %.60q", text, r.Text())
		}
	}
}
