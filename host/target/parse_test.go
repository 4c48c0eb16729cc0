package target

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseDocker(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "")
	tests := []struct{ text, user, container, path, short string }{
		{"web:/app", "", "web", "/app", "web:/app"},
		{"docker://web/app", "", "web", "/app", "web:/app"},
		{"docker://me@web/app/", "me", "web", "/app", "me@web:/app"},
		{"12345@web:/app", "12345", "web", "/app", "12345@web:/app"},
		{"1000:1000@proj-web_1.x:/a/../app//b/", "1000:1000", "proj-web_1.x", "/app/b", "1000:1000@proj-web_1.x:/app/b"},
		{"web:/app/a:/b", "", "web", "/app/a:/b", "web:/app/a:/b"},
		{"docker://local/app", "", "local", "/app", "local:/app"},
		{"web:/app%20 é", "", "web", "/app%20 é", "web:/app%20 é"},
	}
	for _, tt := range tests {
		got, err := Parse(tt.text, nil)
		d, ok := got.(*Docker)
		if err != nil || !ok {
			t.Errorf("Parse(%q) = %v, %v", tt.text, got, err)
			continue
		}
		if d.User != tt.user || d.Container != tt.container || d.Path != tt.path {
			t.Errorf("Parse(%q) = %q %q %q", tt.text, d.User, d.Container, d.Path)
		}
		if d.String() != tt.short || d.Root() != tt.path || d.Key() != "docker://"+tt.container+tt.path {
			t.Errorf("Parse(%q): String %q, Root %q, Key %q", tt.text, d, d.Root(), d.Key())
		}
	}
}

func TestParseLocal(t *testing.T) {
	abs := t.TempDir()
	t.Chdir(filepath.Dir(abs))
	for _, text := range []string{"local:" + abs, "local:" + filepath.Base(abs), "local:./" + filepath.Base(abs) + "/"} {
		got, err := Parse(text, nil)
		if err != nil || got.Root() != abs || got.Key() != "local:"+abs || got.String() != "local:"+abs {
			t.Errorf("Parse(%q) = %v, %v, want %s", text, got, err, abs)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":                    "names no container",
		"web":                 "did you mean web:/app?",
		"./dir":               "did you mean local:./dir?",
		"/abs/dir":            "did you mean local:/abs/dir?",
		`C:\Users\me`:         `did you mean local:C:\Users\me?`,
		"C:/Users/me":         "did you mean local:C:/Users/me?",
		"web:app":             "no absolute path",
		"web:":                "no absolute path",
		":/app":               "cannot be one",
		"web:/":               "all of a container",
		"web:/app/..":         "all of a container",
		"docker://web":        "all of a container",
		"docker://web:/app":   "cannot be one",
		"docker:///app":       "cannot be one",
		"@web:/app":           "no user",
		"me@:/app":            "cannot be one",
		"--privileged:/app":   "cannot be one",
		"a b:/app":            "cannot be one",
		"web:/a\x00b":         "zero byte",
		"local:":              "no directory",
		"nomad://ns/job:/app": "does not know",
		"ssh://me@host/path":  "does not know",
	} {
		got, err := Parse(text, nil)
		var use *UsageError
		if !errors.As(err, &use) || !strings.Contains(use.Msg, why) || use.Remedy != forms {
			t.Errorf("Parse(%q) = %v, %v, want a usage error with %q", text, got, err, why)
		}
	}
}

func TestKeyTellsEnginesApart(t *testing.T) {
	key := func() string {
		d, err := Parse("me@web:/app", nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.Key()
	}
	config := t.TempDir()
	t.Setenv("DOCKER_CONFIG", config)
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "")
	for text, want := range map[string]string{
		`{"auths":{},"currentContext":"far"}`: "docker://web/app?context=far",
		`{"currentContext":"default"}`:        "docker://web/app",
		`{"auths":{}}`:                        "docker://web/app",
		`rubbish`:                             "docker://web/app",
	} {
		if err := os.WriteFile(filepath.Join(config, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := key(); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	t.Setenv("DOCKER_CONTEXT", "far")
	if got, want := key(), "docker://web/app?context=far"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Setenv("DOCKER_HOST", "tcp://far:2375")
	if got, want := key(), "docker://web/app?host=tcp://far:2375"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
