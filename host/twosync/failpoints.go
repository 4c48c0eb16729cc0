//go:build failpoints

package main

import (
	"os"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
)

// A program built with this tag is killed where its environment says so; the tests
// of internal/failpoint build one. The agent of a local target is this program too.
func init() {
	role := "HOST"
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		role = "AGENT"
	}
	fsx.Wrap = fsxtest.FailpointOf(role).Wrap
}
