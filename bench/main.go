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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := benchmark(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		stop()
		os.Exit(1)
	}
}

func benchmark(ctx context.Context, args []string) (err error) {
	o, err := flags(ctx, args)
	if err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return errors.New("needs a Linux host: a container elsewhere has a clock of its own")
	}
	work, err := os.MkdirTemp("", "twosync-bench-")
	if err != nil {
		return err
	}
	b := &bench{options: o, out: os.Stderr, work: work, shared: map[string]*kept{}}
	defer func() { err = errors.Join(err, b.finish()) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	m := b.describe(ctx)
	ran := b.run(ctx)
	return errors.Join(ran, b.write(m)) // what was measured before an interrupt is worth keeping
}

func flags(ctx context.Context, args []string) (settings, error) {
	var o settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	chosenTools := f.String("tools", strings.Join(names(tools, func(t tool) string { return t.name }), ","), "which tools, with commas between")
	chosenWork := f.String("workloads", strings.Join(names(workloads, func(w workload) string { return w.name }), ","), "which workloads, with commas between")
	f.StringVar(&o.tree, "tree", "", "the `DIR` that is copied and kept the same (default: GOROOT)")
	f.IntVar(&o.files, "files", 100_000, "files of the largest tree that is made")
	f.IntVar(&o.rounds, "rounds", 3, "rounds; the best counts")
	f.Int64Var(&o.largeMiB, "large", 512, "MiB of the large file")
	f.BoolVar(&o.volume, "volume", false, "keep the container's side on a volume, not on the container's own file system")
	f.StringVar(&o.out, "out", filepath.Join(os.TempDir(), "twosync-bench"), "the `DIR` for bench.md and bench.json")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if o.files < minFiles || o.rounds < 1 || o.largeMiB < 1 {
		return o, fmt.Errorf("-files must be %d or more, -rounds and -large 1 or more", minFiles)
	}
	o.tools, o.workloads = strings.Split(*chosenTools, ","), strings.Split(*chosenWork, ",")
	for _, w := range o.workloads {
		if indexOf(workloads, func(k workload) bool { return k.name == w }) < 0 {
			return o, fmt.Errorf("unknown workload %q", w)
		}
	}
	if o.tree == "" {
		goroot, err := goPrints(ctx, "env", "GOROOT")
		if err != nil {
			return o, err
		}
		o.tree = goroot
	}
	return o, os.MkdirAll(o.out, 0o755)
}

func names[T any](all []T, name func(T) string) []string {
	var list []string
	for _, x := range all {
		list = append(list, name(x))
	}
	return list
}
