package host

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/adrg/xdg"
	"github.com/twosync/twosync/host/target"
	"github.com/twosync/twosync/internal/run"
)

func setStateHome(t *testing.T, dir string) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", dir)
	xdg.Reload()
	t.Cleanup(xdg.Reload)
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{
		{"/a", "/a", true}, {"/a/b", "/a", true}, {"/a", "/", true}, {"/", "/", true},
		{"/ab", "/a", false}, {"/a", "/a/b", false}, {"/", "/a", false},
	} {
		if got := within(c.path, c.dir); got != c.want {
			t.Errorf("within(%q, %q) = %v", c.path, c.dir, got)
		}
	}
}

// H9: roots that nobody can mean.
func TestRefuseRoot(t *testing.T) {
	homes := []string{"/home/me"}
	for root, want := range map[string]string{
		"/":                                "all of this machine",
		"/home":                            "holds your home",
		"/home/me":                         "is your home",
		"/home/me/project":                 "",
		"/home/you":                        "",
		"/home/me/.local":                  "overlap",
		"/home/me/.local/state/twosync":    "overlap",
		"/home/me/.local/state/twosync/ab": "overlap",
		"/home/me/.local/state/other":      "",
	} {
		err := refuseRoot(root, homes, "/home/me/.local/state/twosync")
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", root, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != exitUsage || remedy(err) == ""):
			t.Errorf("%s: got %v, want %q", root, err, want)
		}
	}
}

// The first session has no state folder yet: a link on the way to it counts.
func TestRefuseRootOfStateToCome(t *testing.T) {
	top := resolve(t.TempDir())
	root, link := filepath.Join(top, "root"), filepath.Join(top, "link")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, link); err != nil {
		t.Skip(err)
	}
	if err := refuseRoot(root, nil, filepath.Join(link, "state", "twosync")); err == nil || !strings.Contains(err.Error(), "overlap") {
		t.Errorf("got %v", err)
	}
}

// A directory has one name, however it is written.
func TestOpenRoot(t *testing.T) {
	top := resolve(t.TempDir())
	setStateHome(t, filepath.Join(top, "state"))
	t.Setenv("HOME", filepath.Join(top, "home"))
	for _, err := range []error{
		os.MkdirAll(filepath.Join(top, "dir", "sub"), 0o700),
		os.Symlink("dir", filepath.Join(top, "link")),
		os.Symlink("nowhere", filepath.Join(top, "broken")),
		os.WriteFile(filepath.Join(top, "file"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(top, "dir"))
	for _, name := range []string{".", "../dir", "../link", "sub/..", filepath.Join(top, "link") + "/"} {
		if got, err := openRoot(name); got != filepath.Join(top, "dir") || err != nil {
			t.Errorf("openRoot(%q) = %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{
		"../missing": "does not exist", "../broken": "does not exist",
		"../file": "is not a directory", "../file/below": "is not a directory",
	} {
		if _, err := openRoot(name); err == nil || !strings.Contains(err.Error(), want) || remedy(err) == "" || exitCode(err) != exitFailed {
			t.Errorf("openRoot(%q): got %v, want %q", name, err, want)
		}
	}
}

func TestRefuseTarget(t *testing.T) {
	top := resolve(t.TempDir())
	if err := os.MkdirAll(filepath.Join(top, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("dir", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	for path, refused := range map[string]bool{
		"dir": true, "dir/new/deep": true, "link": true, "link/new": true, ".": true, "other": false, "dirty": false,
	} {
		to, err := target.Parse("local:"+filepath.Join(top, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := refuseTarget(filepath.Join(top, "dir"), to); (err != nil) != refused {
			t.Errorf("%s: %v", path, err)
		}
	}
	docker, err := target.Parse("web:"+filepath.Join(top, "dir"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := refuseTarget(filepath.Join(top, "dir"), docker); err != nil {
		t.Errorf("a container's directory is another: %v", err)
	}
}

func TestReadRules(t *testing.T) {
	root := t.TempDir()
	var told []run.Event
	tell := func(e run.Event) { told = append(told, e) }
	if err := os.WriteFile(filepath.Join(root, ignoreFile), []byte("*.log\n./x\n!keep.log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := readRules(root, []string{"!b.log", "#c"}, []string{"node_modules", "./web/dist/"}, tell)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"a.log": true, "keep.log": false, "b.log": false, "#c": true, "node_modules": true, "sub/node_modules/x": true,
		"web/dist/x": true, "sub/web/dist/x": false, "a.txt": false, ".git": true, "x~": true,
	} {
		if got := rules.Ignored(path, false); got != want {
			t.Errorf("Ignored(%q) = %v", path, got)
		}
	}
	if len(told) != 1 || told[0].Kind != run.Warning || !strings.HasPrefix(told[0].Text, ignoreFile+":2: ") {
		t.Errorf("told %+v", told)
	}
	for _, bad := range []string{"a//b", "[x", "../y"} {
		if _, err := readRules(root, []string{bad}, nil, tell); exitCode(err) != exitUsage {
			t.Errorf("--ignore %s: %v", bad, err)
		}
	}
}

// A rules file that can't be read ends us: what it keeps back would cross.
func TestReadRulesUnreadable(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"too large":   func(path string) error { return os.WriteFile(path, make([]byte, 1<<21), 0o600) },
		"a bad link":  func(path string) error { return os.Symlink(ignoreFile, path) },
	} {
		root := t.TempDir()
		if err := make(filepath.Join(root, ignoreFile)); err != nil {
			t.Fatal(err)
		}
		if _, err := readRules(root, nil, nil, func(run.Event) {}); err == nil || remedy(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Records are believed as far as they can be read, and no further.
func TestRecords(t *testing.T) {
	home := t.TempDir()
	setStateHome(t, home)
	for name, text := range map[string]string{
		"good": `{"dir":"/a","target":"web:/app"}`, "empty": "", "cut": `{"dir":"/b`, "none": `{}`,
		"large": `{"dir":"/` + strings.Repeat("x", maxRecord) + `"}`,
	} {
		folder := filepath.Join(home, "twosync", name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, recordName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &state{path: filepath.Join(home, "twosync", "bytes")}
	if err := os.MkdirAll(s.path, 0o700); err != nil {
		t.Fatal(err)
	}
	odd := record{Dir: "/caf\xe9", Target: "local:/\xff\x1b", Socket: "/s", Keep: "/\xfe"}
	if err := s.write(odd); err != nil {
		t.Fatal(err)
	}
	got := records()
	if !reflect.DeepEqual(got["bytes"], odd) {
		t.Errorf("names that are no text are read as %q", got["bytes"])
	}
	delete(got, "bytes")
	if len(got) != 1 || got["good"].Target != "web:/app" {
		t.Errorf("got %v", got)
	}
}
