//go:build linux || darwin

package fsx

import (
	"io/fs"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// handle is a descriptor with a count of its users. The number goes back to
// the kernel only when the last of them is done: a call that runs beside Close
// would else reach whatever was opened under the same number in between, which
// is another directory.
type handle struct {
	fd     int
	closed atomic.Bool
	users  atomic.Int32 // 1 for the owner, and 1 for each call under way
}

func (h *handle) init(fd int) {
	h.fd = fd
	h.users.Store(1)
}

// hold gives the descriptor, until release.
func (h *handle) hold(op, name string) (int, error) {
	for n := h.users.Load(); n > 0 && !h.closed.Load(); n = h.users.Load() {
		if h.users.CompareAndSwap(n, n+1) {
			return h.fd, nil
		}
	}
	return -1, &opError{op, name, fs.ErrClosed, nil}
}

func (h *handle) release() error {
	if h.users.Add(-1) > 0 {
		return nil
	}
	// Not again after EINTR: the number is free already, and may be taken.
	if err := unix.Close(h.fd); err != nil && err != unix.EINTR {
		return fail("close", "", err)
	}
	return nil
}

// close may be called again; what comes after it fails with fs.ErrClosed.
func (h *handle) close() error {
	if !h.closed.CompareAndSwap(false, true) {
		return nil
	}
	return h.release()
}
