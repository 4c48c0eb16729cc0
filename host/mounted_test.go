package host

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/twosync/twosync/host/target"
	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/protocol"
)

// A directory that is mounted into the container is recognised by its lock,
// also where locks do not cross the mount; a lock that an earlier agent of ours
// still has is not one of those.
func TestMounted(t *testing.T) {
	rules, err := ignore.New()
	if err != nil {
		t.Fatal(err)
	}
	start := replica.Start{Rules: rules.Text()}
	for _, c := range []struct {
		name, holder    string // of the lock that the agent meets; "" for none
		shared, mounted bool
	}{
		{"alone", "", false, false},
		{"locks cross", "us", false, true},
		{"locks do not cross", "", true, true},
		{"earlier agent", "the agent of us", false, false},
		{"somebody else", "them", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			if c.holder != "" {
				first := disk.New(root, disk.Options{Holder: c.holder})
				defer first.Close()
				if _, err := first.Start(t.Context(), start); err != nil {
					t.Fatal(err)
				}
			}
			here, there := net.Pipe()
			served := make(chan error, 1)
			go func() {
				served <- protocol.Serve(t.Context(), there, disk.New(root, disk.Options{}), protocol.Options{})
			}()
			remote, err := protocol.NewRemote(here, protocol.Options{})
			if err != nil {
				t.Fatal(err)
			}
			to, err := target.Parse("web:/app", nil)
			if err != nil {
				t.Fatal(err)
			}
			d := &dialled{remote, nil, &dialler{target: to, holder: "us", shared: func() bool { return c.shared }}}
			_, err = d.Start(t.Context(), start)
			e, ok := errors.AsType[*Error](err)
			if got := ok && strings.Contains(e.Remedy, "without -v"); got != c.mounted {
				t.Errorf("start: %v", err)
			}
			if wanted := c.holder != "" || c.shared; (err != nil) != wanted {
				t.Errorf("start: %v", err)
			}
			remote.Close()
			<-served
		})
	}
}
