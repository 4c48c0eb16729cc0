// Command bench-probe is the benchmark's process on one side. It is built and
// started by the benchmark; package probe says what it does.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-probe:", err)
		code = 1
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	switch {
	case len(args) == 1 && args[0] == "serve":
		return 0, probe.Serve(os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == "floor-send":
		return 0, probe.FloorSend(args[1], os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == "floor-receive":
		return 0, probe.FloorReceive(args[1], os.Stdin)
	case len(args) > 3 && args[0] == "link":
		return link(args[1], args[2], args[3:])
	case len(args) > 2 && args[0] == "stopwatch":
		return probe.Stopwatch(args[1], args[2:])
	case len(args) == 1 && args[0] == "wait": // what the container runs
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
		<-stop
		return 0, nil
	}
	return 2, errors.New("usage: serve | floor-send DIR | floor-receive DIR | link DELAY RATE COMMAND... | stopwatch LOG COMMAND... | wait")
}

func link(delay, rate string, args []string) (int, error) {
	d, err := time.ParseDuration(delay)
	if err != nil {
		return 2, err
	}
	n, err := strconv.ParseInt(rate, 10, 64)
	if err != nil {
		return 2, err
	}
	return probe.Link{Delay: d, Rate: n}.Run(args)
}
