// Command standin stands in for the agent, and for whatever else runs in a
// container, in the tests of package target. Its last argument says how it
// behaves.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/twosync/twosync/protocol"
)

func main() {
	switch how := os.Args[len(os.Args)-1]; how {
	case "sleep":
		forever()
	case "mute":
		io.Copy(io.Discard, os.Stdin)
	case "broken":
		fmt.Println("something \x1b[31melse")
		fmt.Fprintln(os.Stderr, "and its reason")
		os.Exit(3)
	default:
		greet()
		serve(how)
	}
}

func greet() {
	g, err := protocol.NewGreeting()
	if err == nil {
		err = protocol.WriteGreeting(os.Stdout, g)
	}
	if err != nil {
		panic(err)
	}
}

// forever waits for docker stop, or to be killed.
func forever() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}

func serve(how string) {
	switch how {
	case "args":
		fmt.Printf("uid=%d gid=%d %s\n", os.Getuid(), os.Getgid(), strings.Join(os.Args[1:], " "))
	case "deaf":
		io.Copy(io.Discard, os.Stdin)
		forever()
	case "talk":
		fmt.Fprint(os.Stderr, strings.Repeat("x", 100<<10), "\x1b[31mend\n")
	}
	io.Copy(os.Stdout, os.Stdin)
}
