package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// needsDocker skips where no engine answers, unless the tests must have one.
func needsDocker(t *testing.T) {
	t.Helper()
	err := exec.Command("docker", "version").Run()
	if err == nil {
		return
	}
	if os.Getenv("TWOSYNC_REQUIRE_DOCKER") != "" {
		t.Fatalf("the Docker engine does not answer: %v", err)
	}
	t.Skip("no Docker engine")
}

// TestSmallestRun is the command that the documentation names, with fewer saves.
// It is run with each of the two clocks.
func TestSmallestRun(t *testing.T) {
	needsDocker(t)
	for _, clock := range []string{"shared", "host"} {
		t.Run(clock, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			out, tree := t.TempDir(), t.TempDir()
			if err := os.WriteFile(filepath.Join(tree, "file"), []byte("text"), 0o644); err != nil {
				t.Fatal(err)
			}
			args := []string{"-tools", "twosync,floor", "-workloads", "save", "-files", "1000", "-rounds", "1", "-tree", tree, "-out", out}
			if clock == "host" {
				args = append(args, "-hostclock")
			}
			o, err := flags(ctx, args)
			if err != nil {
				t.Fatal(err)
			}
			o.saves = 3
			if err := measure(ctx, o, args); err != nil {
				t.Fatal(err)
			}
			checkReport(t, out, clock)
		})
	}
}

func checkReport(t *testing.T, out, clock string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(out, "bench.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, work := range []string{"save.out", "save.back"} {
		for _, tool := range []string{"floor", mainTool} {
			if got := pooled(r.Samples, work, tool); len(got) != 3 {
				t.Errorf("%s %s: %v: %s", work, tool, got, failure(r.Samples, work, tool))
			}
		}
	}
	if shared := strings.HasPrefix(r.Machine.Clock, "one clock"); shared != (clock == "shared") || r.Machine.RoundTrip <= 0 {
		t.Errorf("clock %q, round trip %v", r.Machine.Clock, r.Machine.RoundTrip)
	}
	if r.Machine.Engine.Version == "" || r.Machine.GuestFS == "" || len(r.Rows) < 6 {
		t.Errorf("%+v, %d rows", r.Machine, len(r.Rows))
	}
	for name, want := range map[string]string{"bench.md": "| one save, host to container, p50 | floor", "bench.svg": "One save, host to container"} {
		if text, err := os.ReadFile(filepath.Join(out, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s does not say %q, %v", name, want, err)
		}
	}
}
