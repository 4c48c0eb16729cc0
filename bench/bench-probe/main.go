// Command bench-probe is the benchmark's process on one side. It is built and
// started by the benchmark; package probe says what it does.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
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
	case len(args) > 2 && args[0] == "delay":
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return 2, err
		}
		return probe.Delay(d, args[2:])
	case len(args) == 1 && args[0] == "wait": // what the container runs
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
		<-stop
		return 0, nil
	}
	return 2, errors.New("usage: serve | floor-send DIR | floor-receive DIR | delay DURATION COMMAND... | wait")
}
