package ignore

import "testing"

// FuzzRules checks that no rules and no path make anything panic, that a walk
// with Match comes to what Ignored says, that the index hides no pattern, and
// that rules survive being written down.
func FuzzRules(f *testing.F) {
	for _, text := range []string{"*.o\n!a/\n", "a**/x", "[[:alpha:]-z]\\", " **/**/..\n", "\ufeff#\r\n/**/a\\ \n", "**\\/[]-a]?\n"} {
		f.Add(text, "a/b", true)
		f.Add(text, " ../x", false)
	}
	f.Fuzz(func(t *testing.T, text, path string, isDir bool) {
		g := Parse("f", text)
		r, err := New(g)
		if err != nil {
			return // too large
		}
		r.Ignored(path, isDir)
		if path = cleanPath(path); path == "" {
			return
		}
		checkWalk(t, r, path, isDir)
		checkIndex(t, r, path, isDir)
		o, err := ParseText(r.Text())
		if err != nil || !o.Equal(r) || o.Text() != r.Text() {
			t.Errorf("rules %q do not survive: %v", r.Text(), err)
		}
		r.Flaws()
	})
}

// checkIndex asks every rule, without the index.
func checkIndex(t *testing.T, r *Rules, path string, isDir bool) {
	t.Helper()
	start := len(path)
	for start > 0 && path[start-1] != '/' {
		start--
	}
	want := -1
	for i := range r.rules {
		if r.rules[i].matches([]byte(path), []byte(path[start:]), isDir) {
			want = i
		}
	}
	if got := r.last([]byte(path), start, isDir); got != want {
		t.Errorf("path %q: the index finds rule %d, it is %d\nrules %q", path, got, want, r.Text())
	}
}

// FuzzParseText checks that no text from the other side makes anything panic,
// and that what is taken reads the same when it is written again.
func FuzzParseText(f *testing.F) {
	f.Add(header + "=f\n1 a\n0 !b/\n")
	f.Add(header + "=\n=\n1 \n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseText(text)
		if err != nil {
			return
		}
		o, err := ParseText(r.Text())
		if err != nil || !o.Equal(r) || o.Text() != r.Text() {
			t.Errorf("%q became %q: %v", text, r.Text(), err)
		}
	})
}
