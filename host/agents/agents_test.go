package agents

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klauspost/compress/zstd"
)

var (
	native = platform{"linux", "amd64"}
	other  = platform{"linux", "arm64"}
)

// standIn is the source of a module whose agent costs little to build.
var standIn = map[string]string{
	"go.mod":                      "module example.test/standin\n\ngo 1.26.0\n",
	"agent/twosync-agent/main.go": "package main\n\nfunc main() { println(\"agent\") }\n",
}

func writeStandIn(t *testing.T, dir string) {
	t.Helper()
	for name, content := range standIn {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// newFinder returns a finder with an empty cache, nothing embedded, and no
// source; and the list of what it said.
func newFinder(t *testing.T) (*finder, *[]string) {
	t.Helper()
	var said []string
	return &finder{
		cache:     filepath.Join(t.TempDir(), "agents [1"),
		key:       "0123456789abcdef",
		embedded:  fstest.MapFS{},
		toolchain: toolchain{module: "example.test/standin", main: mainPath},
		say:       func(s string) { said = append(said, s) },
	}, &said
}

func find(t *testing.T, f *finder, p platform) Agent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	a, err := f.find(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(a.Path)
	if err != nil {
		t.Fatal(err)
	}
	if a.SHA256 != sha256.Sum256(content) || a.GOOS != p.goos || a.GOARCH != p.goarch {
		t.Errorf("%+v does not describe its file", a)
	}
	return a
}

func pack(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEmbeddedGoesThroughTheCache(t *testing.T) {
	f, said := newFinder(t)
	f.embedded = fstest.MapFS{"dist/" + native.file() + ".zst": {Data: pack(t, "embedded")}}
	first := find(t, f, native)
	info, err := os.Stat(first.Path)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("stat %s: %v, %v, want mode 0755", first.Path, info.Mode(), err)
	}
	f.embedded = fstest.MapFS{} // now only the cache has it
	if second := find(t, f, native); second != first {
		t.Errorf("got %v, want %v out of the cache", second, first)
	}
	if len(*said) > 0 {
		t.Errorf("said %q, but nothing was built", *said)
	}
	left, _ := filepath.Glob(filepath.Join(f.dir(), ".new-*"))
	if len(left) > 0 {
		t.Errorf("temporary files are left: %q", left)
	}
}

func TestDamagedCacheHeals(t *testing.T) {
	f, _ := newFinder(t)
	f.embedded = fstest.MapFS{"dist/" + native.file() + ".zst": {Data: pack(t, "embedded")}}
	a := find(t, f, native)
	if err := os.WriteFile(a.Path, []byte("embe"), 0o755); err != nil {
		t.Fatal(err)
	}
	if again := find(t, f, native); again != a {
		t.Errorf("got %v, want %v again", again, a)
	}
}

func TestDamagedEmbeddedIsAnError(t *testing.T) {
	f, _ := newFinder(t)
	whole := pack(t, strings.Repeat("embedded", 1000))
	f.embedded = fstest.MapFS{"dist/" + native.file() + ".zst": {Data: whole[:len(whole)-3]}}
	if a, err := f.find(t.Context(), native); err == nil {
		t.Errorf("got %v out of half a file", a)
	}
}

func TestAnotherBuildOfTheHostFindsNothing(t *testing.T) {
	f, _ := newFinder(t)
	if _, err := f.store(native, []byte("mine")); err != nil {
		t.Fatal(err)
	}
	f.key = "fedcba9876543210"
	if a, ok := f.cached(native); ok {
		t.Errorf("found %v", a)
	}
}

func TestPruneKeepsTheLastUsed(t *testing.T) {
	f, _ := newFinder(t)
	const keys = "0123456789abc"
	stranger := filepath.Join(f.cache, "notes")
	if err := os.MkdirAll(stranger, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, c := range keys {
		f.key = strings.Repeat(string(c), 16)
		if _, err := f.store(native, []byte("x")); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(1000+i), 0)
		if err := os.Chtimes(f.dir(), when, when); err != nil {
			t.Fatal(err)
		}
	}
	f.prune()
	entries, err := os.ReadDir(f.cache)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, e := range entries {
		got += e.Name()[:1]
	}
	if want := keys[len(keys)-maxKept:] + "n"; got != want {
		t.Errorf("%q stay, want %q", got, want)
	}
}

func TestOverride(t *testing.T) {
	f, _ := newFinder(t)
	f.override = filepath.Join(t.TempDir(), "agent")
	var missing *Error
	if _, err := f.find(t.Context(), native); !errors.As(err, &missing) || !strings.Contains(missing.Remedy, Override) {
		t.Errorf("got %v, want a remedy that names %s", err, Override)
	}
	if err := os.WriteFile(f.override, []byte("mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	if a := find(t, f, native); a.Path != f.override {
		t.Errorf("got %v, want %s", a, f.override)
	}
	f.override = t.TempDir()
	if _, err := f.find(t.Context(), native); err == nil {
		t.Error("a folder was taken for an agent")
	}
}

func TestBuiltFromSource(t *testing.T) {
	f, said := newFinder(t)
	f.toolchain.source = t.TempDir()
	writeStandIn(t, f.toolchain.source)
	t.Setenv("GOBIN", t.TempDir())
	t.Setenv("GOFLAGS", "-mod=vendor") // meant for another build
	writeGoEnv(t, "GOFLAGS=-mod=vendor", "GOOS=plan9", "GO111MODULE=off")
	a := find(t, f, native)
	checkStatic(t, a, elf.EM_X86_64)
	if len(*said) != 1 {
		t.Errorf("said %q, want one line", *said)
	}
	if again := find(t, f, native); again != a || len(*said) != 1 {
		t.Errorf("got %v, said %q: built a second time", again, *said)
	}
}

func checkStatic(t *testing.T, a Agent, machine elf.Machine) {
	t.Helper()
	exe, err := elf.Open(a.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	for _, prog := range exe.Progs {
		if prog.Type == elf.PT_INTERP {
			t.Errorf("%s needs a loader", a.Path)
		}
	}
	if exe.Machine != machine {
		t.Errorf("%s is for %v, want %v", a.Path, exe.Machine, machine)
	}
}

func TestInstalledVersion(t *testing.T) {
	f, _ := newFinder(t)
	f.toolchain.version = "v1.2.3"
	proxy := t.TempDir()
	writeProxy(t, proxy, f.toolchain.version)
	modcache := t.TempDir()
	t.Setenv("GOMODCACHE", modcache)
	writeGoEnv(t, "GOPROXY=file://"+filepath.ToSlash(proxy), "GOSUMDB=off", "GOBIN="+t.TempDir(), "GOFLAGS=-mod=vendor")
	t.Cleanup(func() { // its folders are read-only: only go removes them
		if out, err := exec.Command("go", "clean", "-modcache").CombinedOutput(); err != nil {
			t.Errorf("clean: %v: %s", err, out)
		}
	})
	checkStatic(t, find(t, f, native), elf.EM_X86_64)
	checkStatic(t, find(t, f, other), elf.EM_AARCH64)
}

// writeGoEnv makes settings that go env -w could have made.
func writeGoEnv(t *testing.T, settings ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(path, []byte(strings.Join(settings, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOENV", path)
}

// writeProxy lays out the stand-in as a module proxy serves it.
func writeProxy(t *testing.T, dir, version string) {
	t.Helper()
	dir = filepath.Join(dir, "example.test", "standin", "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for name, content := range standIn {
		f, err := w.Create("example.test/standin@" + version + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"list":            version + "\n",
		version + ".info": `{"Version":"` + version + `"}`,
		version + ".mod":  standIn["go.mod"],
		version + ".zip":  archive.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingAnywhere(t *testing.T) {
	f, _ := newFinder(t)
	wantRemedy(t, f, "is not here")
	f.toolchain.source = t.TempDir()
	writeStandIn(t, f.toolchain.source)
	broken := filepath.Join(f.toolchain.source, mainPath, "main.go")
	if err := os.WriteFile(broken, []byte("package main\n\nfunc main() { nonsense }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantRemedy(t, f, "nonsense")
	t.Setenv("PATH", t.TempDir())
	wantRemedy(t, f, "go command was not found")
}

func wantRemedy(t *testing.T, f *finder, why string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := f.find(ctx, other)
	var missing *Error
	if !errors.As(err, &missing) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if !strings.Contains(err.Error(), why) || !strings.Contains(missing.Remedy, "GOARCH=arm64 go build") {
		t.Errorf("got %v, remedy %q, want %q and the command to run", err, missing.Remedy, why)
	}
}

func TestCancelledBuildIsNoMissingAgent(t *testing.T) {
	f, _ := newFinder(t)
	f.toolchain.source = t.TempDir()
	writeStandIn(t, f.toolchain.source)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.find(ctx, native); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestSourceDir(t *testing.T) {
	_, file, _, _ := runtime.Caller(0)
	want := filepath.Join(filepath.Dir(file), "..", "..")
	if _, err := os.Stat(filepath.Join(want, mainPath)); err != nil || !filepath.IsAbs(file) {
		want = "" // the source is incomplete, or the test was built with -trimpath
	}
	if got := sourceDir(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
