package disk_test

import (
	"context"
	"testing"

	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/replicatest"
)

// running is a disk that runs until it is closed.
type running struct {
	*disk.Disk
	cancel context.CancelFunc
	done   chan struct{}
}

func run(dir string) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{disk.New(dir, disk.Options{}), cancel, make(chan struct{})}
	go func() { defer close(r.done); r.Run(ctx) }()
	return r
}

func (r *running) Close() error {
	err := r.Disk.Close()
	r.cancel()
	<-r.done
	return err
}

func TestConformance(t *testing.T) {
	replicatest.Run(t, func(t *testing.T) replicatest.Fixture {
		dir := t.TempDir()
		return replicatest.Fixture{Replica: run(dir), Dir: dir, Again: func(t *testing.T) replica.Replica { return run(dir) }}
	})
}
