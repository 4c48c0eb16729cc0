//go:build linux

package hostile

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twosync/twosync/protocol"
)

// honest runs a session with an agent that lies about nothing, and returns when
// both sides hold the same.
func honest(ctx context.Context, s *site, a *agent, work func(*host) error) error {
	served := make(chan struct{}, 8)
	h, err := s.open(func() (net.Conn, protocol.Options) {
		here, there := net.Pipe()
		go func() { a.serve(there); served <- struct{}{} }()
		return here, protocol.Options{}
	}, 1)
	if err != nil {
		return err
	}
	s.errs = nil
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- h.session.Run(running) }()
	err = work(h)
	stop()
	select {
	case runErr := <-ended:
		if err == nil {
			err = runErr
		}
	case <-time.After(patience):
		return fmt.Errorf("the session does not end")
	}
	<-served
	if closing := h.close(); err == nil {
		err = closing
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		err = a.wrong
	}
	return err
}

// flushed waits until both sides are the same, and compares them.
func (h *host) flushed(ctx context.Context, a *agent) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		st, err := h.session.Flush(ctx)
		if err == nil && len(st.Held) > 0 {
			return fmt.Errorf("held: %+v", st.Held)
		}
		if err == nil {
			break
		}
		select { // it is not connected yet
		case <-ctx.Done():
			return fmt.Errorf("flush: %w; errors: %v\n%s", err, h.errs, stacks())
		case <-time.After(5 * time.Millisecond):
		}
	}
	here, err := h.listing()
	if err != nil {
		return err
	}
	if there := a.listing(); here != there {
		return fmt.Errorf("the host holds\n%sthe agent\n%s", here, there)
	}
	return nil
}

// TestHonest: an agent that was written from the specification alone syncs both
// ways, and the session ends cleanly.
func TestHonest(t *testing.T) {
	s, err := newSite(scratch(t))
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent()
	a.tree.put("there", fileOf("only in the container"))
	a.tree.put("both", fileOf("the container's"))
	for path, content := range map[string]string{"here": "only on the host", "both": "the host's", "large": string(make([]byte, 300_000))} {
		if err := s.save(path, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(s.root(), "d/e"), 0o755); err != nil {
		t.Fatal(err)
	}
	os.Symlink("../here", filepath.Join(s.root(), "d/link"))
	large := []byte(fmt.Sprintf("%0200000d", 7))
	steps := []func() error{
		func() error { return nil },
		func() error { a.edit("there", fileOf("edited in the container")); return nil },
		func() error { return s.save("here", "edited on the host") },
		func() error { a.edit("d/e/new", fileOf(string(large))); return nil },
		func() error { large[100_000] = 'x'; a.edit("d/e/new", fileOf(string(large))); return nil },
		func() error { a.edit("d/link", nil); return nil },
		func() error { return s.delete("here") },
		func() error { a.edit("linked", linkTo("d/e/new")); return nil },
		func() error { return s.save("d/e/new", "the host's again") },
	}
	for range 2 { // the second time both are known
		err = honest(t.Context(), s, a, func(h *host) error {
			for i, step := range steps {
				if err := step(); err != nil {
					return err
				}
				if err := h.flushed(t.Context(), a); err != nil {
					return fmt.Errorf("step %d: %w", i, err)
				}
			}
			return nil
		})
		if err == nil {
			err = s.check()
		}
		if err != nil {
			t.Fatal(err)
		}
		steps = steps[:5]
		steps[2] = func() error { return s.save("here", "back again") }
	}
	if have, err := s.everything(); err != nil || !have["the container's"] {
		t.Errorf("the container's version is not in the keep store (%v)", err)
	}
}
