package names_test

import (
	"testing"

	"github.com/twosync/twosync/internal/names"
)

// F3, F4: which names are one.
func TestFold(t *testing.T) {
	const nfc, nfd = "caf\u00e9", "cafe\u0301"
	for _, c := range []struct {
		a, b                   string
		inCase, inForm, either bool
	}{
		{"README", "readme", true, false, true},
		{"README", "READ-ME", false, false, false},
		{"\u03a3", "\u03c2", true, false, true}, // sigma, and the one at the end of a word
		{"k", "\u212a", true, false, true},      // the sign for kelvin
		{nfc, nfd, false, true, true},
		{nfc, "CAFE\u0301", false, false, true},
		{"a\xff", "A\xff", true, false, true},
		{"\xff", "\xfe", false, false, false},
		{"\xff", "\ufffd", false, false, false},
	} {
		for i, want := range []bool{c.inCase, c.inForm, c.either} {
			fold := names.Fold(i != 1, i != 0)
			if got := fold(c.a) == fold(c.b); got != want {
				t.Errorf("%q and %q, folding %d: %v", c.a, c.b, i, got)
			}
		}
	}
	if names.Fold(false, false) != nil {
		t.Error("what folds nothing has a function")
	}
}

// F2, F7: names that Windows reserves, and bytes that are no text.
func TestBad(t *testing.T) {
	bad := names.Bad("windows")
	for _, name := range []string{"CON", "nul", "Aux.txt", "com1.tar.gz", "LPT\u00b9", "con .c", "a.", "a ", "a:b", `a\b`, "what?", "a\tb", "\xff", "..."} {
		if bad(name) == "" {
			t.Errorf("Windows can hold %q", name)
		}
	}
	for _, name := range []string{"CONSOLE", "com", "com0", "com10", ".gitignore", " a", "a b", "\u00e9", "auxiliary.c"} {
		if reason := bad(name); reason != "" {
			t.Errorf("%q: %s", name, reason)
		}
	}
	if bad := names.Bad("darwin"); bad("\xff") == "" || bad("CON:") != "" {
		t.Error("macOS holds any valid UTF-8")
	}
	if names.Bad("linux") != nil {
		t.Error("Linux holds any name")
	}
}
