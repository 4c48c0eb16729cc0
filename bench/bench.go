package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// bench is one run of the benchmark.
type bench struct {
	// config
	options settings
	args    []string
	out     io.Writer // progress

	// what prepare made
	module       string // folder of the source
	goCache      string
	work         string // folder for everything that goes away again
	hostProbe    string
	twosync      string
	compose      []string // the command
	unisonRepeat string
	box          *container
	here         *probe.Client // on the host
	there        *probe.Client // in the container
	clock        clock
	tools        []tool
	versions     map[string]string // of tools, and how they run
	standIns     []standIn

	// state
	shared  map[string]*kept // sessions that several workloads use, by name
	samples []Sample
	events  []Told
	missing []string     // what was left out, and why
	notes   []string     // what a reader must know besides
	turn    probe.Counts // what the branch switch did
	seed    uint64       // of the next thing that is made
	watches string       // the limit of watches before it was raised; "" if it was not
}

// settings are the flags.
type settings struct {
	tools, workloads      []string
	tree, image           string
	files, rounds, saves  int // saves are those of one round
	largeMiB, transferMiB int64
	trips                 []time.Duration
	volume, hostClock     bool
	out                   string
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, format+"\n", args...)
}

// note tells the reader of the table something.
func (b *bench) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	b.say("%s", text)
	b.notes = append(b.notes, text)
}

func (b *bench) version(tool, said string) { b.versions[tool] = said }

// dataDir holds what first sync brings.
func (b *bench) dataDir() string { return filepath.Join(b.work, "data") }

// treeDir is the copy of -tree that is worked on.
func (b *bench) treeDir() string { return filepath.Join(b.dataDir(), "tree") }

// prepare builds, finds and starts what all workloads need.
func (b *bench) prepare(ctx context.Context) error {
	var err error
	if b.module, err = goPrints(ctx, "list", "-m", "-f", "{{.Dir}}", "github.com/twosync/twosync"); err != nil {
		return fmt.Errorf("find the source: start the benchmark inside of it: %w", err)
	}
	if b.goCache, err = goPrints(ctx, "env", "GOCACHE"); err != nil {
		return err
	}
	if b.box, err = findEngine(ctx, b.image(ctx)); err != nil {
		return err
	}
	inside := filepath.Join(b.work, "probe-container")
	b.hostProbe = filepath.Join(b.work, "bench-probe")
	static := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + b.box.arch}
	if err := goBuild(ctx, b.module, inside, static, "./bench/bench-probe"); err != nil {
		return err
	}
	if err := goBuild(ctx, b.module, b.hostProbe, nil, "./bench/bench-probe"); err != nil {
		return err
	}
	if err := os.MkdirAll(b.treeDir(), 0o755); err != nil {
		return err
	}
	if err := b.choose(ctx, b.options.tools); err != nil {
		return err
	}
	if b.wants("inside") { // what has git, or does without
		_ = b.box.include("git")
	}
	if err := b.startBox(ctx, inside); err != nil {
		return err
	}
	// Only now: compose brings no file that is older than the image.
	if err := copyTree(b.treeDir(), b.options.tree); err != nil {
		return fmt.Errorf("copy the tree: %w", err)
	}
	return b.makeReady(ctx)
}

// image is the one that the container is made from.
func (b *bench) image(ctx context.Context) string {
	if b.options.image != "" || runtime.GOOS == "linux" {
		return b.options.image
	}
	if _, err := docker(ctx, nil, "pull", "-q", publicImage); err != nil {
		b.leaveOut("git, tar, cp and find in the container: %v", err)
		return ""
	}
	return publicImage
}

// startBox starts the container and the two probes.
func (b *bench) startBox(ctx context.Context, inside string) (err error) {
	if err := b.box.start(ctx, inside, b.options.volume); err != nil {
		return fmt.Errorf("start a container: %w", err)
	}
	if b.here, err = probe.Start(ctx, b.hostProbe, "serve"); err != nil {
		return err
	}
	if b.there, err = b.box.probe(ctx); err != nil {
		return err
	}
	if _, err := b.there.Do(probe.Request{Op: "mkdir", Root: containerRoot}); err != nil {
		return err
	}
	b.shareTypes()
	return b.setClock()
}

// wants says whether a workload was asked for.
func (b *bench) wants(name string) bool { return slices.Contains(b.options.workloads, name) }

// finish ends and removes what prepare made.
func (b *bench) finish() error {
	var errs []error
	for _, k := range b.shared {
		errs = append(errs, k.stop())
	}
	for _, c := range []*probe.Client{b.here, b.there} {
		if c != nil {
			_ = c.Close() // may have been interrupted with everything else
		}
	}
	if b.box != nil {
		errs = append(errs, b.box.remove())
	}
	errs = append(errs, b.restoreWatches())
	for _, s := range b.standIns {
		if err := s.unmount(); err != nil { // nothing is removed below a mount
			return errors.Join(append(errs, err, fmt.Errorf("left in place: %s", b.work))...)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(b.work))...)
}

// run runs the workloads. One that fails is a failed run of its own; the others
// go on.
func (b *bench) run(ctx context.Context) error {
	for _, w := range workloads {
		if !b.wants(w.name) {
			continue
		}
		b.say("%s: %s", w.name, w.about)
		if err := w.run(ctx, b); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.failed(w.name, "", err)
		}
	}
	return nil
}

// add records a sample and shows it.
func (b *bench) add(work, tool, unit string, round int, values ...float64) {
	text := show(percentile(values, 0.5), unit)
	if len(values) > 1 {
		text = fmt.Sprintf("p50 %s, p95 %s, max %s", text, show(percentile(values, 0.95), unit), show(slices.Max(values), unit))
	}
	b.record(Sample{Work: work, Tool: tool, Unit: unit, Round: round, Values: values}, text)
}

// failed records why there is no number.
func (b *bench) failed(work, tool string, err error) {
	b.record(Sample{Work: work, Tool: tool, Failed: err.Error()}, "FAILED: "+err.Error())
}

func (b *bench) record(s Sample, text string) {
	name := s.Tool
	if t, known := find(s.Tool); known && t.model {
		s.Model, name = model, fmt.Sprintf("%s (%s)", s.Tool, model)
	}
	b.samples = append(b.samples, s)
	b.say("  %s, round %d, %s: %s", s.Work, s.Round+1, name, text)
}

// next returns a seed that was not used before in this run, the same in each run.
func (b *bench) next() uint64 {
	b.seed++
	return b.seed
}

func goPrints(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// goBuild runs a plain go build, with more flags if need be.
func goBuild(ctx context.Context, module, to string, env []string, what string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", to}, flags...), what)...)
	cmd.Dir, cmd.Env = module, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", what, err, out[:min(len(out), 2000)])
	}
	return nil
}

// rest waits, unless the user interrupts.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
