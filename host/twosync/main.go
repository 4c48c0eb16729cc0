// Twosync keeps a directory here and one in a container the same.
package main

import (
	"os"

	"github.com/twosync/twosync/host"
)

func main() { os.Exit(host.Main(os.Args[1:])) }
