// Twosync-agent is the container's side of twosync.
package main

import (
	"os"

	"github.com/twosync/twosync/agent"
)

func main() { os.Exit(agent.Main(os.Args[1:])) }
