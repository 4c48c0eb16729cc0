package target

import (
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: whatever is typed is an error with a remedy, or a target that is the
// same when it is written and typed again, and that no command takes for an option.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"web:/app", "me@web:/app", "docker://me@web/app/../x", "local:a/b", "local:", "C:\\x", "ssh://h/x", "-x:/a", "a@:/x", "web:/", "web:/a\x00", "u@v@web:/a:/b", "\x1b:/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text, nil)
		if err != nil {
			if e, ok := err.(*UsageError); ok && e.Remedy == "" {
				t.Fatalf("%q: no remedy", text)
			}
			return
		}
		switch x := got.(type) {
		case *Docker:
			if strings.HasPrefix(x.Container, "-") || !containerName.MatchString(x.Container) || strings.ContainsRune(x.User, 0) ||
				!path.IsAbs(x.Path) || path.Clean(x.Path) != x.Path || x.Path == "/" || strings.ContainsRune(x.Path, 0) {
				t.Fatalf("%q is %+v", text, x)
			}
		case *Local:
			if !filepath.IsAbs(x.Path) || strings.ContainsRune(x.Path, 0) {
				t.Fatalf("%q is %+v", text, x)
			}
		}
		again, err := Parse(got.String(), nil)
		if err != nil || again.Key() != got.Key() {
			t.Fatalf("%q is written as %q, which is %v, %v", text, got, again, err)
		}
	})
}
