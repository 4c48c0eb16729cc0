package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "slowfs:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: slowfs mount -delay D FROM TO | slowfs calibrate -delay D [-n N] DIR")

func run(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	f := flag.NewFlagSet("slowfs "+args[0], flag.ContinueOnError)
	delay := f.Duration("delay", 0, "what each request costs more")
	n := f.Int("n", 1000, "files to calibrate with")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	if *delay < 0 || *delay > time.Second || *n < 1 {
		return errors.New("-delay is from 0 to 1s, -n is 1 or more")
	}
	switch {
	case args[0] == "mount" && f.NArg() == 2:
		m, err := mount(f.Arg(0), f.Arg(1), *delay)
		if err != nil {
			return err
		}
		m.Wait()
		return nil
	case args[0] == "calibrate" && f.NArg() == 1:
		return calibrate(os.Stdout, f.Arg(0), *delay, *n)
	}
	return errUsage
}
