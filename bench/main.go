package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := benchmark(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		stop()
		os.Exit(exitCode(err))
	}
}

// usageError is one that another command line would not have.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode is 2 for what the command line is to blame for, 130 after an interrupt.
func exitCode(err error) int {
	switch {
	case errors.As(err, new(usageError)):
		return 2
	case errors.Is(err, context.Canceled):
		return 130
	}
	return 1
}

func benchmark(ctx context.Context, args []string) error {
	o, err := flags(ctx, args)
	if err != nil {
		return usageError{err}
	}
	return measure(ctx, o, args)
}

// measure is the whole run.
func measure(ctx context.Context, o settings, args []string) error {
	work, err := workFolder()
	if err != nil {
		return err
	}
	b := &bench{options: o, args: args, out: os.Stderr, work: work, shared: map[string]*kept{}, versions: map[string]string{}}
	if err := b.prepare(ctx); err != nil {
		return errors.Join(err, b.finish())
	}
	m := b.describe(ctx)
	ran := b.run(ctx)
	return errors.Join(ran, b.write(m), b.finish()) // what was measured before an interrupt is worth keeping
}

// workFolder makes the folder for everything that goes away again. On macOS it is
// in the home directory, which is what every product shows to its containers.
func workFolder() (string, error) {
	switch runtime.GOOS {
	case "linux":
		return os.MkdirTemp("", "twosync-bench-")
	case "darwin":
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return os.MkdirTemp(home, "twosync-bench-")
	}
	return "", errors.New("runs on Linux and macOS only")
}

func flags(ctx context.Context, args []string) (settings, error) {
	o := settings{saves: savesARound}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	chosenTools := f.String("tools", strings.Join(names(tools, func(t tool) string { return t.name }), ","), "which tools, with commas between; what is not installed is left out")
	chosenWork := f.String("workloads", strings.Join(usual(), ","), "which workloads, with commas between; also "+strings.Join(unusual(), ", "))
	trips := f.String("rtt", "20ms,100ms", "round trips of the links, with commas between")
	f.StringVar(&o.tree, "tree", "", "the `DIR` that is copied and kept the same (default: GOROOT)")
	f.IntVar(&o.files, "files", 100_000, "files of the largest tree that is made")
	f.IntVar(&o.rounds, "rounds", 3, "rounds; the best counts")
	f.Int64Var(&o.largeMiB, "large", fullLarge, "MiB of the large file")
	f.Int64Var(&o.transferMiB, "transfer", fullTransfer, "MiB that are on their way while saves are timed")
	f.BoolVar(&o.volume, "volume", false, "keep the container's side on a volume, not on the container's own file system")
	f.StringVar(&o.image, "image", "", "the `IMAGE` of the container (default: an empty one with programs of this machine; on macOS "+publicImage+")")
	f.BoolVar(&o.hostClock, "hostclock", false, "time with the host's clock only, as it is done where the container has another")
	f.StringVar(&o.out, "out", filepath.Join(os.TempDir(), "twosync-bench"), "the `DIR` for bench.md, bench.json and bench.svg")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if o.files < minFiles || o.rounds < 1 || o.largeMiB < 1 || o.transferMiB < 1 {
		return o, fmt.Errorf("-files must be %d or more, -rounds, -large and -transfer 1 or more", minFiles)
	}
	o.tools, o.workloads = strings.Split(*chosenTools, ","), strings.Split(*chosenWork, ",")
	if err := o.check(*trips); err != nil {
		return o, err
	}
	if o.tree == "" {
		goroot, err := goPrints(ctx, "env", "GOROOT")
		if err != nil {
			return o, err
		}
		o.tree = goroot
	}
	if info, err := os.Stat(o.tree); err != nil || !info.IsDir() {
		return o, fmt.Errorf("-tree %s is no directory", o.tree)
	}
	return o, os.MkdirAll(o.out, 0o755)
}

// check reads the lists.
func (o *settings) check(trips string) error {
	for _, name := range o.tools {
		if _, known := find(name); !known {
			return fmt.Errorf("unknown tool %q: known are %s", name, strings.Join(names(tools, func(t tool) string { return t.name }), ", "))
		}
	}
	for _, w := range o.workloads {
		if indexOf(workloads, func(k workload) bool { return k.name == w }) < 0 {
			return fmt.Errorf("unknown workload %q: known are %s", w, strings.Join(append(usual(), unusual()...), ", "))
		}
	}
	for _, text := range strings.Split(trips, ",") {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > time.Minute {
			return fmt.Errorf("-rtt %q is no round trip: write something like 100ms", text)
		}
		o.trips = append(o.trips, d)
	}
	return nil
}

func names[T any](all []T, name func(T) string) []string {
	var list []string
	for _, x := range all {
		list = append(list, name(x))
	}
	return list
}
