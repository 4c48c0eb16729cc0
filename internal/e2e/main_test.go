//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait. It is for machines that are busy with something
// else: nothing here takes long, and nothing is measured.
const patience = 60 * time.Second

// atOnce is how many tests run side by side, whatever the number of cores: they
// wait for containers more than they compute.
const atOnce = "5"

// built are the programs under test and the user, made once a run.
var built struct {
	dir     string // for everything that outlives a test
	twosync string
	agent   string
	helper  string
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "twosync-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	built.dir = dir
	if err := build(); err != nil {
		return 1, err
	}
	if engineAnswers() == nil {
		removeLeftovers()
		defer removeImages()
	}
	defer clusterDown()
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// raceDetector names the variable that has twosync built with the race
// detector. It ends with another exit code than any that a test expects where
// it saw a race.
const raceDetector = "TWOSYNC_E2E_RACE"

// build builds as README.md tells users to; the agent and the user without cgo.
func build() error {
	for _, x := range []struct {
		path *string
		cgo  bool
		of   string
	}{
		{&built.twosync, true, "../../host/twosync"},
		{&built.agent, false, "../../agent/twosync-agent"},
		{&built.helper, false, "./testdata/helper"},
	} {
		*x.path = filepath.Join(built.dir, filepath.Base(x.of))
		args := []string{"build", "-o", *x.path}
		switch {
		case !x.cgo:
			args = append(args, "-trimpath", "-ldflags=-s -w")
		case os.Getenv(raceDetector) != "":
			args = append(args, "-race")
		}
		cmd := exec.Command("go", append(args, x.of)...)
		if !x.cgo {
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", x.of, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
